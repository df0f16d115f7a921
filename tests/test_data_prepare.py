"""prepare and validate: everything is written or accounted for, whatever happens on the way, and nothing false is vouched for."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import parquet
from hypothesis import given, settings
from hypothesis import strategies as st
from made_items import content, drawing, item, picture, stored

from rl_align.cli import main
from rl_align.data.building import building
from rl_align.data.dataset import open_dataset
from rl_align.data.items import read_items, scan_items
from rl_align.data.quarantine import Dropped
from rl_align.data.seen import Seen
from rl_align.data.shards import Shards, file_stem
from rl_align.errors import UserError
from rl_align.runfiles.atomic import PARTIAL_SUFFIX
from rl_align.runfiles.manifest import verify
from rl_align.schema import Item

SMALL = ["image.max_pixels=7056"]
SPECIAL = ["data", "prepare", "special", *SMALL]


def prepared(tmp_path, *overrides):
    out = tmp_path / "special"
    assert main([*SPECIAL, "--out", str(out), *overrides]) == 0
    return out


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_prepare_writes_shards_and_a_manifest_that_vouches_for_them(tmp_path, capsys):
    out = prepared(tmp_path, "rows_per_shard=10")
    said = capsys.readouterr().out
    assert "train: 44 items (benign 44, comply 44)" in said and "5 dropped: 1 empty_prompt" in said
    assert sorted(path.name for path in out.glob("*.parquet")) == [f"train-{k:05d}.parquet" for k in range(5)]
    meta = manifest(out)["meta"]
    assert meta["rows"] == {f"train-{k:05d}.parquet": 10 if k < 4 else 4 for k in range(5)}
    assert (meta["use"], meta["licence"], meta["held_out"]) == ("train", "Apache-2.0", [])
    assert meta["counts"]["train"]["category"]["picture"] == 15 and sum(meta["dropped"].values()) == 5
    assert verify(out) == [] and len((out / "quarantine.jsonl").read_text().splitlines()) == 5
    assert len({i.id for path in open_dataset(out).files for i in read_items(path)}) == 44


def test_the_same_source_gives_the_same_bytes_and_replaces_its_older_dataset(tmp_path):
    first = content(prepared(tmp_path))
    assert content(prepared(tmp_path, "rows_per_shard=7")) != first
    assert content(prepared(tmp_path)) == first
    assert [path.name for path in tmp_path.iterdir()] == ["special"]


def test_an_evaluation_source_and_held_out_splits_are_marked(tmp_path):
    row = {"question": "Who?", "image": {"bytes": picture(1).data, "path": None}}
    parquet(tmp_path / "copy" / "data" / "train-0.parquet", [{**row, "chosen": "a", "rejected": "b", "image_name": "1"}])
    out = tmp_path / "out"
    assert main(["data", "prepare", "spa_vl", "--from", str(tmp_path / "copy"), "--out", str(out), *SMALL]) == 0
    assert manifest(out)["meta"]["held_out"] == []
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "xstest_prompts.csv").write_text("id,prompt,type,label\n1,How?,t,safe\n")
    assert main(["data", "prepare", "xstest", "--from", str(tmp_path / "x"), "--out", str(tmp_path / "y")]) == 0
    meta = manifest(tmp_path / "y")["meta"]
    assert meta["use"] == "evaluation only" and meta["held_out"] == ["test"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["data", "prepare", "speciall", "--out", "x"], "unknown source 'speciall'"),
        (["data", "prepare", "pictograms", "--out", "x"], "data make pictograms"),
        (["data", "prepare", "xstest", "--out", "x"], "--from: no folder is given"),
        (["data", "prepare", "xstest", "--from", "/nonexistent", "--out", "x"], "no such folder"),
        ([*SPECIAL, "--out", "x", "options.size=3"], "unknown option size"),
        ([*SPECIAL, "--out", "x", "max_dropped=2"], "2.0 is no share"),
        ([*SPECIAL, "--out", "x", "rows_per_shard=0"], "rows_per_shard"),
        ([*SPECIAL, "--out", "x", "image.multiple_of=0"], "image sizes"),
        (["data", "prepare", "special"], "--out"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys, arguments, part):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert part in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_too_many_drops_make_no_dataset_and_leave_the_list(tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*SPECIAL, "--out", str(out), "max_dropped=0.05"]) == 2
    assert "5 of 49 records cannot be used (5 dropped: 1 empty_prompt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out.quarantine.jsonl"]
    assert len((tmp_path / "out.quarantine.jsonl").read_text().splitlines()) == 5
    assert main([*SPECIAL, "--out", str(out), "max_dropped=0.11"]) == 0


def test_other_peoples_folders_are_left_alone(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    assert main([*SPECIAL, "--out", str(out)]) == 2
    assert "holds other files" in capsys.readouterr().err and content(out) == {"thesis.txt": b"mine"}
    (out / "thesis.txt").unlink()
    assert main([*SPECIAL, "--out", str(out)]) == 0
    (out / "notes.txt").write_text("mine")
    before = content(out)
    assert main([*SPECIAL, "--out", str(out)]) == 2 and content(out) == before
    (out / "notes.txt").unlink()
    with pytest.raises(UserError, match="holds another dataset"), building(out, {"name": "prepare", "source": "vlguard"}, 10):
        pass


def test_two_commands_do_not_write_one_dataset(tmp_path):
    out = tmp_path / "out"
    with building(out, {"name": "a"}, 10) as made:
        with pytest.raises(UserError, match="another command is writing"), building(out, {"name": "a"}, 10):
            pass
        made.shards.add(item("a"))
        made.meta |= {"use": "train", "held_out": []}
    assert open_dataset(out, hashes=True).rows == 1


def test_a_failed_command_leaves_the_older_dataset_as_it_was(tmp_path):
    out = prepared(tmp_path)
    before = content(out)
    with pytest.raises(ZeroDivisionError), building(out, {"name": "prepare", "source": "special"}, 10) as made:
        made.shards.add(item("a"))
        raise ZeroDivisionError
    assert content(out) == before and [path.name for path in tmp_path.iterdir()] == ["special"]


def test_killed_at_any_moment_and_run_again_gives_the_same_dataset(tmp_path):
    """Lock: what a killed command leaves is no dataset, or the whole one."""
    expected = content(prepared(tmp_path))
    out = tmp_path / "killed" / "special"
    out.parent.mkdir()
    code = (
        "import sys, time\nfrom rl_align.data import building, prepare, shards\n"
        "class Slow(shards.Shards):\n    def add(self, item):\n        time.sleep(0.004)\n        super().add(item)\n"
        "building.Shards = Slow\nprint('up', flush=True)\nfrom rl_align.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    rng, killed = random.Random(5), 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, *SPECIAL, "--out", str(out)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"up\n"
        time.sleep(rng.uniform(0.0, 0.35))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if out.exists():
            assert content(out) == expected
        else:
            with pytest.raises(UserError, match="run it again"):
                open_dataset(out)
    assert killed
    assert main([*SPECIAL, "--out", str(out)]) == 0
    assert content(out) == expected and [path.name for path in out.parent.iterdir()] == ["special"]


def test_what_a_kill_between_the_last_two_steps_leaves_is_cleared(tmp_path):
    """The older dataset was moved away and the new one was not yet in its place."""
    expected = content(prepared(tmp_path))
    (tmp_path / "special").rename(tmp_path / f".special.old{PARTIAL_SUFFIX}")
    (tmp_path / f".special{PARTIAL_SUFFIX}").mkdir()
    (tmp_path / f".special{PARTIAL_SUFFIX}" / "train-00000.parquet").write_bytes(b"torn")
    assert content(prepared(tmp_path)) == expected and [path.name for path in tmp_path.iterdir()] == ["special"]


def damaged(k: int, rng: random.Random) -> bytes:
    """One of many ways in which a picture file can be broken; some of them can still be read."""
    name = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")[k % 6]
    buffer = io.BytesIO()
    drawing(k, 40).save(buffer, name)
    data = bytearray(buffer.getvalue())
    if k % 4 == 0:
        return bytes(data[: rng.randrange(len(data))])
    for _ in range(rng.randrange(1, 40)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data) if k % 4 < 3 else rng.randbytes(k)


def test_two_hundred_damaged_pictures_are_all_accounted_for(tmp_path):
    rng = random.Random(3)
    row = {"question": "Who?", "chosen": "a", "rejected": "b"}
    rows = [{**row, "image": {"bytes": damaged(k, rng) or b"x", "path": None}, "image_name": str(k)} for k in range(200)]
    parquet(tmp_path / "copy" / "data" / "train-0.parquet", rows)
    out = tmp_path / "out"
    arguments = ["data", "prepare", "spa_vl", "--from", str(tmp_path / "copy"), "--out", str(out), *SMALL, "max_dropped=1"]
    assert main(arguments) == 0
    dropped = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    kept = open_dataset(out).rows
    assert kept + len(dropped) == 200 and len(dropped) > 100 and kept > 0
    assert {d["reason"] for d in dropped} <= {"image_broken", "image_unknown_format", "image_too_large", "image_unknown_mode"}
    assert main(["data", "validate", str(out)]) == 0


def test_validate_finds_what_was_changed_after_the_manifest(tmp_path, capsys):
    out = prepared(tmp_path)
    assert main(["data", "validate", str(out)]) == 0
    assert "44 items in 1 files (train 44); no problems; as in its manifest" in capsys.readouterr().out
    shard = out / "train-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    assert main(["data", "validate", str(out)]) == 2
    assert "differs from its manifest" in capsys.readouterr().err
    shard.write_bytes(bytes(data)[:-1])
    assert main(["data", "stats", str(out)]) == 2
    shard.unlink()
    assert main(["data", "show", str(out), "--out", str(tmp_path / "s.html")]) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["meta"].update(format="other"),
        lambda m: m["meta"].update(schema_version=1),
        lambda m: m["meta"].update(rows={"../secret.parquet": 1}),
        lambda m: m["files"].update({"../../etc/passwd": {"size": 1, "sha256": ""}}),
        lambda m: m["meta"].update(rows={"train-00000.parquet": "44"}),
        lambda m: m["meta"].pop("use"),
        lambda m: m.update(files=[]),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, change):
    out = prepared(tmp_path)
    made = manifest(out)
    change(made)
    (out / "manifest.json").write_text(json.dumps(made))
    with pytest.raises(UserError):
        open_dataset(out, hashes=True)


def test_validate_lists_every_problem(tmp_path, capsys):
    broken = picture(2).data[:200]
    path = stored(tmp_path / "a.parquet", item("a"), item("b", " \n"), item("c", "What?", type(picture(1))(data=broken)))
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows += [{**rows[0], "id": f"bad{k}", "expected": ["sing"]} for k in range(30)] + [
        rows[0],
        {**rows[0], "id": "t", "truth": "[" * 9000},
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert main(["data", "validate", str(path), "--problems", str(tmp_path / "p.jsonl")]) == 2
    captured = capsys.readouterr()
    assert "34 problems" in captured.err and "31 bad_value, 1 empty_prompt, 1 image_broken, 1 duplicate_id" in captured.err
    assert captured.out.count("\n") == 21 and captured.out.endswith("…\n")
    found = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(found) == 34 and found[2]["item"] == "a.parquet:3"
    assert main(["data", "validate", str(path), "--no-pictures"]) == 2
    assert "33 problems" in capsys.readouterr().err


def test_a_torn_file_costs_its_rest_and_not_the_other_files(tmp_path, capsys):
    stored(tmp_path / "d" / "a.parquet", *(item(str(k)) for k in range(3)))
    (tmp_path / "d" / "b.parquet").write_bytes(b"PAR1 no")
    assert main(["data", "validate", str(tmp_path / "d")]) == 2
    assert "1 problems in 3 good rows" in capsys.readouterr().err


@settings(deadline=None, max_examples=15)
@given(flips=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_item_file_gives_items_drops_or_an_error_never_another(tmp_path_factory, flips):
    path = stored(tmp_path_factory.mktemp("flip") / "a.parquet", *(item(str(k), "x" * k + "?", picture(k)) for k in range(4)))
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    path.write_bytes(data)
    try:
        assert all(isinstance(record, (Item, Dropped)) for record in scan_items(path))
    except UserError as error:
        assert "\n" not in str(error)


def test_names_of_splits_become_names_of_files_that_stay_apart(tmp_path):
    names = ["train", "../up", "a/b", "a b", "", "ü" * 300, "train-00000", ".hidden", "\u202e"]
    stems = [file_stem(name) for name in names]
    assert len({*stems}) == len(names) and all("/" not in s and not s.startswith(".") and len(s) < 120 for s in stems)
    shards = Shards(tmp_path, 2)
    for k, name in enumerate(names * 3):
        shards.add(item(str(k), split=name))
    shards.close()
    assert sum(shards.files.values()) == 27 and {path.name for path in tmp_path.iterdir()} == {*shards.files}


@settings(deadline=None, max_examples=50)
@given(keys=st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=3).map(tuple), max_size=40))
def test_seen_is_a_set(keys):
    seen, plain = Seen(), set()
    for key in keys:
        assert seen.add(*key) == (key not in plain)
        plain.add(key)
    assert len(seen) == len(plain)


def test_reading_rows_takes_no_more_memory_for_more_rows(tmp_path):
    """Lock: what is read must not be kept. Four times the rows may not take more than a tenth more."""
    for rows in (1_500, 6_000):
        stored(tmp_path / f"{rows}.parquet", *(item(str(k), "p" * 4000) for k in range(rows)))
    code = (
        "import sys\nfrom rl_align.data.check import check\nfor path in sys.argv[1:]:\n    check(path, progress=False)\n"
        "    print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "1500.parquet"), str(tmp_path / "6000.parquet")]
    small, large = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert large < 1.1 * small
