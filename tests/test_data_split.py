"""split keeps together what belongs together, and moves nothing when rows are added; stats count; show escapes everything."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_items import content, encoded, item, picture, stored
from PIL import Image

from rl_align.cli import main
from rl_align.data.dataset import open_dataset
from rl_align.data.groups import Groups
from rl_align.data.items import read_items
from rl_align.data.split import parse_shares
from rl_align.errors import UserError
from rl_align.schema import ImageRef

BLANK = encoded(Image.new("RGB", (60, 60), "white"))
SHARES = ("train=0.6", "validation=0.4")


def divided(tmp_path, *items, shares=SHARES, arguments=(), out="out"):
    """Item id → split."""
    path = stored(tmp_path / "items.parquet", *items)
    command = ["data", "split", str(path), "--out", str(tmp_path / out), *arguments, "--shares", *shares]
    assert main(command) == 0
    return {i.id: i.split for file in open_dataset(tmp_path / out, hashes=True).files for i in read_items(file)}


def test_twins_pictures_and_prompts_stay_together(tmp_path):
    rows = []
    for k in range(25):
        rows += [item(f"a{k}", f"A {k}?", twin=f"b{k}"), item(f"b{k}", f"B {k}?", picture(k)), item(f"c{k}", f"C {k}?", picture(k))]
        rows += [item(f"d{k}", f"D {k}?"), item(f"e{k}", f"d {k}", picture(100 + k)), item(f"f{k}", "Template?", picture(200 + k))]
        rows += [item(f"g{k}", f"G {k}?", BLANK)]
    found = divided(tmp_path, *rows)
    assert len(found) == len(rows)
    assert all(found[f"a{k}"] == found[f"b{k}"] == found[f"c{k}"] and found[f"d{k}"] == found[f"e{k}"] for k in range(25))
    for letter in "afg":  # neither a template nor a blank page ties everything together
        assert {found[f"{letter}{k}"] for k in range(25)} == {"train", "validation"}


def test_rows_added_behind_the_others_move_nothing(tmp_path):
    rows = [item(f"a{k}", f"A {k}?", picture(k)) for k in range(40)]
    before = divided(tmp_path, *rows)
    more = [item(f"b{k}", f"B {k}?", picture(k)) for k in range(0, 40, 2)] + [item(f"c{k}", f"C {k}?") for k in range(30)]
    after = divided(tmp_path, *rows, *more, out="more")
    assert {key: after[key] for key in before} == before
    assert all(after[f"b{k}"] == before[f"a{k}"] for k in range(0, 40, 2))


def test_shares_are_about_what_was_asked_for_and_the_seed_decides(tmp_path):
    rows = [item(f"a{k}", f"A {k}?") for k in range(1000)]
    found = divided(tmp_path, *rows, shares=("train=0.9", "validation=0.07", "rest=0.03"))
    counts = [list(found.values()).count(name) for name in ("train", "validation", "rest")]
    assert abs(counts[0] - 900) < 40 and abs(counts[1] - 70) < 30 and abs(counts[2] - 30) < 22
    first = content(tmp_path / "out")
    divided(tmp_path, *rows, shares=("train=0.9", "validation=0.07", "rest=0.03"))
    assert content(tmp_path / "out") == first
    assert divided(tmp_path, *rows, shares=("train=0.9", "validation=0.1"), arguments=("--seed", "4"), out="o") != found


def test_by_keeps_whole_categories_together(tmp_path):
    rows = [item(f"a{k}", f"A {k}?", category=f"c{k % 7}") for k in range(100)]
    found = divided(tmp_path, *rows, shares=("train=0.5", "test=0.5"), arguments=("--by", "category"))
    assert all(len({found[f"a{k}"] for k in range(c, 100, 7)}) == 1 for c in range(7)) and len({*found.values()}) == 2


def test_held_out_rows_keep_their_split(tmp_path, capsys):
    rows = [item(f"a{k}", dataset="vlguard", split="train" if k % 2 else "test") for k in range(40)]
    found = divided(tmp_path, *rows)
    assert all((found[f"a{k}"] == "test") == (k % 2 == 0) for k in range(40))
    meta = json.loads((tmp_path / "out" / "manifest.json").read_text())["meta"]
    assert meta["held_out"] == ["test"] and meta["use"] == "train"
    command = ["data", "split", str(tmp_path / "items.parquet"), "--out", str(tmp_path / "x"), "--shares", "train=0.5", "test=0.5"]
    assert main(command) == 2 and "makers hold out" in capsys.readouterr().err
    assert main([*command[:2], str(tmp_path / "out"), "--out", str(tmp_path / "out"), "--shares", "train=1"]) == 2


@given(
    st.lists(st.text(max_size=12) | st.sampled_from(["a=0.5", "b=0.5", "a=1", "b=nan", "c=inf", "d=-1", "a=1e-400"]), max_size=4)
)
def test_shares_are_read_strictly(texts):
    try:
        shares = parse_shares(texts)
    except UserError:
        return
    assert len(shares) == len(texts) and abs(sum(shares.values()) - 1) < 1e-6
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) and 0 < share <= 1 for name, share in shares.items())


@pytest.mark.parametrize("shares", [["train"], ["train=0.5"], ["a=0.5", "a=0.5"], ["../x=1"], ["a=0.9", "b=0.2"]])
def test_bad_shares_are_refused(tmp_path, capsys, shares):
    path = stored(tmp_path / "a.parquet", item("a"))
    assert main(["data", "split", str(path), "--out", str(tmp_path / "x"), "--shares", *shares]) == 2
    assert "--shares" in capsys.readouterr().err and not (tmp_path / "x").exists()


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=3), max_size=30))
def test_groups_are_the_connected_components(rows):
    groups = Groups()
    for keys in rows:
        groups.add([bytes([key]) for key in keys])
    reached = list(range(len(rows)))
    for _ in rows:  # the slow way: spread the smallest number along shared keys until nothing changes
        for a, mine in enumerate(rows):
            reached[a] = min([reached[a], *(reached[b] for b, other in enumerate(rows) if {*mine} & {*other})])
    assert [groups.first(row) for row in range(len(rows))] == reached


def test_stats_count_what_is_there(tmp_path, capsys):
    rows = [
        item("a", "One?", picture(1)),
        item("b", "one", picture(1), harmful=True, category="c"),
        item("c", "Three?", split="test"),
    ]
    path = stored(tmp_path / "a.parquet", *rows, item("d", "Three?", ImageRef(data=b"no picture"), harmful=None, expected=()))
    assert main(["data", "stats", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 4 and {name: split["rows"] for name, split in found["splits"].items()} == {"test": 1, "train": 3}
    assert found["totals"]["harmful"] == {"benign": 2, "harmful": 1, "unknown": 1}
    assert found["totals"]["expected"] == {"comply": 3, "unknown": 1}
    assert found["duplicates"] == {"prompts": 2, "items": 1, "pictures": 1} and found["unreadable"] == {"rows": 0, "pictures": 1}
    assert found["sizes"] == {"112×112": 2} and found["prompt_chars"]["100"] == 6
    assert main(["data", "stats", str(path)]) == 0
    assert "occurred before: prompts 2, items 1, pictures 1" in capsys.readouterr().out


HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\u202etxt.exe\x00\x1b[31m{{ 7 * 7 }}"


def test_a_sheet_escapes_everything_and_loads_nothing(tmp_path):
    evil = item(
        HOSTILE, HOSTILE, picture(1), ImageRef(data=b"<svg onload=alert(3)>"), reference=HOSTILE, category=HOSTILE, split=HOSTILE
    )
    path = stored(tmp_path / "<b>.parquet", evil, item("plain"))
    out = tmp_path / "sheet.html"
    assert main(["data", "show", str(path), "--out", str(out), f"category={HOSTILE}"]) == 0
    page = out.read_text(encoding="utf-8")
    assert not re.search(r"<(script|svg|b)\b|<img[^>]*onerror", page) and "49" not in page.split("<body>")[1].split("base64")[0]
    assert not {"\u202e", "\x00", "\x1b"} & {*page}
    assert (
        page.count("&lt;script&gt;") >= 4 and page.count('<img src="data:image/png;base64,') == 1 and "unreadable picture" in page
    )
    assert "default-src 'none'" in page and "may hold harmful" in page
    assert not re.search(r"""(src|href)=["'](?!data:image/png)""", page)


def test_a_sheet_shows_what_was_asked_for(tmp_path, capsys):
    rows = [item(f"a{k}", harmful=k % 2 == 0, split="train" if k < 20 else "test", category=f"c{k % 3}") for k in range(30)]
    path, out = stored(tmp_path / "a.parquet", *rows), tmp_path / "s.html"
    show = ["data", "show", str(path), "--out", str(out)]
    assert main([*show, "--n", "4", "--split", "train", "harmful=true", "category=c0"]) == 0
    shown = re.findall(r"<header>(a\d+)<", out.read_text())
    assert len(shown) == 4 and {*shown} <= {"a0", "a6", "a12", "a18"}
    assert main([*show, "--n", "5"]) == 0
    first = out.read_text()
    assert main([*show, "--n", "5"]) == 0 and out.read_text() == first
    assert main([*show, "--n", "5", "--seed", "1"]) == 0 and out.read_text() != first
    capsys.readouterr()
    for wrong in (["colour=red"], ["harmful"], ["category=none-such"], ["--split", "x"], ["--n", "0"]):
        assert main([*show, *wrong]) == 2 and capsys.readouterr().err.count("\n") == 1
