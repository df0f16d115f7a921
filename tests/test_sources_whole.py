"""Whether a copy is whole is said and can be demanded; pictures are found in archives; sentences are drawn."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from dataset_files import png, table, tree
from PIL import Image

from rl_align.cli import main
from rl_align.data.census import OTHER, Census, differing, told
from rl_align.data.images import MAX_SOURCE_BYTES
from rl_align.data.quarantine import DataError, Dropped
from rl_align.data.sources import archives, figstep
from rl_align.data.sources.fields import picture as find_picture
from rl_align.data.sources.registry import SOURCES
from rl_align.data.sources.typography import PITCH, SIDE, draw, draw_list, save
from rl_align.errors import UserError
from rl_align.schema import ImageRef

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata"

#: Source → records of a full copy, as its makers count them.
OFFICIAL = {
    "special": 49, "spa_vl": 93_258 + 7000 + 2 * 265, "siuo": 2 * 167, "mm_safetybench": 4 * 1680, "figstep_pro": 50,
    "mis": 1675 + 510 + 100, "holisafe": 4031, "jailbreakv_28k": 30_000, "wildjailbreak": 261_559 + 2210, "xstest": 450,
    "or_bench": 80_359 + 1319 + 655, "mossbench": 544, "strong_reject": 313, "advbench": 520, "harmbench": 510,
    "ailuminate": 2400, "mathvista": 1000, "mmmu": 11_400, "mm_vet": 218, "mmstar": 1500, "scienceqa": 12_726 + 2 * 4241,
    "msts": 400 + 10 * 200, "vlguard": (2000 + 977) + (1000 + 558),
}  # fmt: skip


def test_full_sets_are_as_large_as_their_makers_say():
    for name, total in OFFICIAL.items():
        assert sum(SOURCES[name].full.values()) == total, name
    assert SOURCES["figstep"].full == {"safebench": 1000, "safebench-tiny": 100}
    unknown = {name for name, source in SOURCES.items() if not source.full}
    assert unknown == {"pictograms", "msr_align", "hades", "mssbench"}


def counted(full: dict[str, int], *ids: str) -> dict:
    census = Census("d", full)
    assert len(list(census.watch(Dropped(name, "r") for name in ids))) == len(ids)
    return census.table()


def test_records_are_counted_by_the_beginning_of_their_ids():
    full = {"a": 2, "b/c": 1, "b/d": 4}
    table_ = counted(full, "d/a/1", "d/a/2/x", "d/b/c/1", "d/b/c", "d/b/x/1", "d/ab/1", "elsewhere")
    assert table_ == {"a": [2, 2], "b/c": [2, 1], OTHER: [3, None]}
    assert told("d", table_) == [
        "d (other): 3 records; how many the full set has is not known",
        "d a: 2 of 2 records: the full set",
        "d b/c: 2 of 1 records: more than the full set has",
    ]
    assert differing(table_, full) == ["b/c: 2 of 1", "b/d: 0 of 4"] and differing(table_, {"a": 2}) == []
    assert counted({"": 3}, "d/1", "d/x/y") == {"": [2, 3]}
    assert told("d", counted({}, "d/1")) == ["d: 1 records; how many the full set has is not known"]
    assert differing({"a": [2, 2]}, full, either=True) == [] and differing({}, full, either=True)


def test_many_parts_are_summed_up():
    parts = {f"p{k}": [1, 1 if k < 2 else 5] for k in range(20)}
    lines = told("d", parts)
    assert lines[0] == "d: 20 of 92 records in 20 parts: a part of it" and lines[1] == "d p2: 1 of 5 records: a part of it"
    assert lines[-1] == "… and 12 more parts" and len(lines) == 8


def test_prepare_and_validate_say_what_part_of_the_set_a_copy_is_and_whole_demands_all(tmp_path, capsys):
    row = {"prompt": "How?", "type": "t", "label": "safe"}
    out = tmp_path / "out"
    for rows, said, code in ((450, "xstest: 450 of 450 records: the full set", 0), (449, "not whole (records: 449 of 450)", 2)):
        table(tmp_path / "xstest_prompts.csv", [row | {"id": str(k)} for k in range(rows)])
        arguments = ["data", "prepare", "xstest", "--from", str(tmp_path), "--out", str(out), "whole=true"]
        assert main(arguments) == code
        captured = capsys.readouterr()
        assert said in captured.out + captured.err
    assert main(arguments[:-1]) == 0 and "xstest: 449 of 450 records: a part of it" in capsys.readouterr().out
    assert main(["data", "validate", str(out)]) == 0
    assert "xstest: 449 of 450 records: a part of it" in capsys.readouterr().out


def test_a_manifest_whose_records_are_not_its_rows_and_drops_is_found(tmp_path, capsys):
    out = tmp_path / "special"
    assert main(["data", "prepare", "special", "--out", str(out), "image.max_pixels=7056"]) == 0
    made = json.loads((out / "manifest.json").read_text())
    assert made["meta"]["records"] == {"": [49, 49]}
    made["meta"]["records"] = {"": [48, 49]}
    (out / "manifest.json").write_text(json.dumps(made))
    assert main(["data", "validate", str(out)]) == 2
    assert "1 not_as_in_manifest" in capsys.readouterr().err


def archive(path: Path, *names: str, data: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, data or png())


@pytest.mark.parametrize(
    ("place", "member"),
    [
        ("train.zip", "train/bad/a.png"),
        ("train.zip", "bad/a.png"),
        ("all.zip", "VLGuard/train/bad/a.png"),
        ("data/x.zip", "train/bad/a.png"),
    ],
)
def test_pictures_are_found_in_archives_however_they_would_unpack(tmp_path, place, member):
    archive(tmp_path / place, member)
    assert find_picture(tmp_path, "bad/a.png", ("train", ".")).data == png()
    with pytest.raises(DataError, match="image_not_local"):
        find_picture(tmp_path, "bad/b.png", ("train", "."))


def test_files_beside_archives_come_first_and_archives_that_are_added_are_seen(tmp_path):
    with pytest.raises(DataError, match="image_not_local"):
        find_picture(tmp_path, "a.png")
    archive(tmp_path / "x.zip", "a.png", "b.png")
    assert find_picture(tmp_path, "a.png").data == png()
    (tmp_path / "a.png").write_bytes(png("L"))
    assert find_picture(tmp_path, "a.png").path == str(tmp_path / "a.png")


def test_archives_are_hostile(tmp_path):
    """Nothing is unpacked, no name leads out, a bomb is not read, and what is damaged costs its row alone."""
    archive(tmp_path / "a.zip", "../up.png", "/etc/passwd", "ok.png")
    archive(tmp_path / "b.zip", "bomb.png", data=bytes(MAX_SOURCE_BYTES + 1))
    for name in ("../up.png", "/etc/passwd"):
        with pytest.raises(DataError, match="bad_row"):
            find_picture(tmp_path, name)
    with pytest.raises(DataError, match="image_too_large"):
        find_picture(tmp_path, "bomb.png")
    assert archives.read(tmp_path, ["ok.png"]) == png() and sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_a_damaged_archive_costs_what_is_in_it_alone(tmp_path):
    archive(tmp_path / "b.zip", "ok.png")
    archive(tmp_path / "whole" / "a.zip", "torn.png")
    data = (tmp_path / "whole" / "a.zip").read_bytes()
    for number, damaged in enumerate((data[:60] + bytes(40) + data[100:], b"PK no archive", b"")):
        (tmp_path / f"a{number}.zip").write_bytes(damaged)
        with pytest.raises(DataError, match="archive_broken: a0.zip"):
            find_picture(tmp_path, "torn.png")
        assert find_picture(tmp_path, "ok.png").data == png()


def ink(data: bytes) -> tuple[int, int, int, int]:
    """The box around what is black."""
    return Image.open(io.BytesIO(data)).convert("L").point(lambda value: 255 if value < 128 else 0).getbbox()


def test_figsteps_picture_of_any_sentence_has_its_layout():
    data = draw_list("Steps to bake a loaf of bread.")
    image = Image.open(io.BytesIO(data))
    assert (image.size, image.mode) == ((SIDE, SIDE), "RGB") and data == draw_list("Steps to  bake a\nloaf of bread.")
    left, top, right, bottom = ink(data)
    assert 15 <= left <= 30 and 15 <= top <= 30 and right <= SIDE
    assert bottom - ink(draw_list("Steps"))[3] == PITCH  # "Steps to bake a", "loaf of bread." are one line more
    assert draw_list("two") != data != draw("Steps to bake a loaf of bread.")


@pytest.mark.parametrize("sentence", ["", " \n", "a\0b", "x\ud800", "\u202eabc", "word " * 60, "x" * 200])
@pytest.mark.parametrize("style", ["figstep", "mm_safetybench"])
def test_what_cannot_be_drawn_is_named(tmp_path, style, sentence):
    fits = style == "mm_safetybench" and sentence.startswith("word")
    if fits:
        save(sentence, style, tmp_path / "a.png")
        return
    with pytest.raises(UserError, match=f"--style {style}: .*(does not fit|cannot be printed)"):
        save(sentence, style, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_the_command_draws_a_picture(tmp_path, capsys):
    for style, draws in (("figstep", draw_list), ("mm_safetybench", draw)):
        out = tmp_path / f"{style}.png"
        assert main(["data", "draw", "a loaf of bread", "--style", style, "--out", str(out)]) == 0
        assert out.read_bytes() == draws("a loaf of bread")
    assert main(["data", "draw", "\0", "--out", str(tmp_path / "x.png")]) == 2


def test_figstep_redraws_pictures_that_are_not_there_when_asked(tmp_path):
    row = {"dataset": "ForbidQI", "category_id": "1", "task_id": "1", "category_name": "Fraud", "question": "q?"}
    rows = [row | {"instruction": "Steps to bake bread."}, row | {"task_id": "2", "instruction": "word " * 60}]
    table(tmp_path / "data/question/safebench.csv", rows)
    drawn, question, dropped, _ = figstep.load(tmp_path, redraw=True)
    assert drawn.images == (ImageRef(data=draw_list("Steps to bake bread.")),) and drawn.prompt == figstep.CARRIER
    assert drawn.id == "figstep/safebench/1_1/picture" and drawn.provenance.endswith("redrawn") and question.images == ()
    assert (dropped.item, dropped.reason) == ("figstep/safebench/row-1/picture", "phrase_too_long")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no dataset files at {REAL}")
def test_redrawn_pictures_stand_where_upstreams_do():
    """Measured on all real pictures that are here: the same left, top and right edge of the words, within a few pixels."""
    folder = REAL / "permissive" / "figstep" / "data"
    with (folder / "question" / "SafeBench-Tiny.csv").open(encoding="utf-8-sig", newline="") as file:
        words = {(row["category_id"], row["task_id"]): row["instruction"] for row in csv.DictReader(file)}
    found = sorted((folder / "images" / "SafeBench-Tiny").glob("*.png"))
    for path in found:
        ours, theirs = ink(draw_list(words[tuple(path.stem.split("_")[2:4])])), ink(path.read_bytes())
        assert all(abs(a - b) <= 6 for a, b in zip(ours[:3], theirs[:3], strict=True)) and abs(ours[3] - theirs[3]) <= 12, path.name
    assert len(found) == 14


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no dataset files at {REAL}")
def test_real_copies_are_told_apart_from_full_ones(tmp_path, capsys):
    for name, folder, said in (
        ("xstest", "permissive/xstest", "xstest: 450 of 450 records: the full set"),
        ("figstep", "permissive/figstep", "figstep safebench-tiny: 100 of 100 records: the full set"),
        ("msts", "permissive/msts", "msts english_multimodal: 120 of 400 records: a part of it"),
        ("advbench", "permissive/advbench", "advbench: 40 of 520 records: a part of it"),
    ):
        arguments = ["data", "prepare", name, "--from", str(REAL / folder), "--out", str(tmp_path / name)]
        assert main([*arguments, "max_dropped=1", "image.max_pixels=7056"]) == 0
        assert said in capsys.readouterr().out


def test_mis_cites_what_its_category_covers(tmp_path):
    from rl_align.data.sources import mis

    row = {"question": "q", "sub_category": "s", "image_path1": "a.png", "image_path2": "a.png"}
    (tmp_path / "a.png").write_bytes(png())
    tree(tmp_path / "mis_hard.json", [row | {"id": 1, "category": "Violent"}, row | {"id": 2, "category": "Illegal Activity"}])
    violent, illegal = mis.load(tmp_path)
    assert violent.policies == ("violence_and_physical_harm",) and illegal.policies == ()
