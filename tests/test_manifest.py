"""Atomic files, sealed folders, and the newest checkpoint that may be trusted."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from rl_align.errors import UserError
from rl_align.runfiles import atomic
from rl_align.runfiles.manifest import MANIFEST, Pointer, last_good, numbered_folders, seal, unseal, verify

WRITER = """
import sys
from rl_align.runfiles.atomic import write_text
for i in range(10**9):
    write_text(sys.argv[1], str(i % 10) * 300_000)
    if i == 0:
        print("ready", flush=True)
"""

SEALER = """
import sys
from pathlib import Path
from rl_align.runfiles.manifest import Pointer, seal
root = Path(sys.argv[1])
for step in range(1, 10**9):
    folder = root / f"global_step_{step}"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(name.encode() * 50_000)
    seal(folder, {"step": step})
    Pointer(root / "latest.json").set(folder, step=step)
    print(step, flush=True)
"""


def _kill_at_random(script: str, argument: object, seed: int) -> str:
    """Start a writer, kill -9 it some milliseconds after its first sign of life, return what it printed."""
    process = subprocess.Popen([sys.executable, "-c", script, str(argument)], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.0, 0.06))
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL
    return first + rest


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path):
    path = tmp_path / "state.json"
    for seed in range(5):
        _kill_at_random(WRITER, path, seed)
        text = path.read_text()
        assert len(text) == 300_000 and len(set(text)) == 1
    leftovers = [p.name for p in tmp_path.iterdir() if p != path]
    assert all(name.endswith(atomic.PARTIAL_SUFFIX) for name in leftovers)


def test_a_checkpoint_is_trusted_only_when_complete_whenever_its_writer_is_killed(tmp_path):
    for seed in range(4):
        root = tmp_path / str(seed)
        root.mkdir()
        printed = [int(line) for line in _kill_at_random(SEALER, root, seed).splitlines() if line.isdigit()]
        newest = last_good(root)
        step = int(newest.name.rpartition("_")[2])
        assert printed[-1] <= step <= printed[-1] + 2
        assert Pointer(root / "latest.json").read()["step"] in (step, step - 1)


def test_replacing_keeps_the_old_file_when_the_body_raises(tmp_path):
    path = tmp_path / "deep" / "table.bin"
    atomic.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as partial:
        partial.write_bytes(b"half")
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["table.bin"]


def test_json_holds_paths_and_refuses_numbers_that_json_lacks(tmp_path):
    atomic.write_json(tmp_path / "a.json", {"folder": tmp_path, "é": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"folder": str(tmp_path), "é": 1}
    with pytest.raises(ValueError):
        atomic.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text())["é"] == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full stands for a full disk")
def test_a_full_disk_is_one_clear_line():
    with pytest.raises(UserError, match="no space left") as caught, atomic.explained("run/x"):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")
    assert "run/x" in str(caught.value) and "run the same command again" in str(caught.value)


def test_other_system_errors_pass_and_a_file_in_the_way_is_explained(tmp_path):
    with pytest.raises(OSError) as caught, atomic.explained("x"):
        raise OSError(errno.EIO, "broken disk")
    assert not isinstance(caught.value, UserError)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a folder"):
        atomic.write_text(tmp_path / "file" / "a" / "b", "x")
    with pytest.raises(UserError, match="a folder stands"):
        atomic.write_text(tmp_path, "x")


def test_appended_lines_repair_a_torn_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    atomic.append_line(path, {"step": 1})
    with open(path, "ab") as file:
        file.write(b'{"step": 2, "half')
    assert list(atomic.read_lines(path)) == [{"step": 1}]
    atomic.append_line(path, {"step": 2, "text": "x" * 200_000})
    with open(path, "ab") as file:
        file.write(b"y" * 100_000)
    atomic.append_line(path, {"step": 3})
    assert [row["step"] for row in atomic.read_lines(path)] == [1, 2, 3]
    assert path.read_bytes().count(b"\n") == 3


def test_a_torn_only_line_and_a_missing_file_hold_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    assert list(atomic.read_lines(path)) == []
    path.write_bytes(b"{")
    assert list(atomic.read_lines(path)) == []
    atomic.append_line(path, 1)
    assert path.read_bytes() == b"1\n"


def _checkpoint(root, step, sealed=True):
    folder = root / f"global_step_{step}"
    (folder / "actor").mkdir(parents=True)
    (folder / "actor" / "model.pt").write_bytes(bytes([step]) * 1000)
    (folder / "data.pt").write_bytes(b"d")
    if sealed:
        seal(folder, {"step": step})
    return folder


def test_seal_and_verify(tmp_path):
    folder = _checkpoint(tmp_path, 1)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert sorted(manifest["files"]) == ["actor/model.pt", "data.pt"]
    assert manifest["files"]["data.pt"]["size"] == 1 and manifest["meta"] == {"step": 1}
    assert verify(folder) == []
    (folder / "extra").write_text("x")
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda f: (f / "actor/model.pt").write_bytes(b"\x01" * 999), "999 bytes"),
        (lambda f: (f / "actor/model.pt").write_bytes(b"\x02" * 1000), "differs"),
        (lambda f: (f / "data.pt").unlink(), "missing"),
        (lambda f: (f / MANIFEST).write_text('{"files": '), "damaged"),
        (lambda f: (f / MANIFEST).write_text('{"files": [1]}'), "damaged"),
        (lambda f: unseal(f), "incomplete"),
        (lambda f: (f / "data.pt").unlink() or (f / "data.pt").mkdir(), "data.pt"),
    ],
)
def test_damage_is_found_and_the_checkpoint_before_is_taken(tmp_path, damage, word):
    good, bad = _checkpoint(tmp_path, 9), _checkpoint(tmp_path, 10)
    damage(bad)
    assert any(word in problem for problem in verify(bad))
    seen = []
    assert last_good(tmp_path, lambda folder, problems: seen.append((folder, problems))) == good
    assert [folder for folder, _ in seen] == [bad] and seen[0][1]


def test_no_checkpoint_at_all(tmp_path):
    assert last_good(tmp_path / "gone") is None
    _checkpoint(tmp_path, 3, sealed=False)
    (tmp_path / "notes").mkdir()
    assert last_good(tmp_path) is None
    assert verify(tmp_path / "gone") == ["the folder does not exist"]
    with pytest.raises(UserError):
        seal(tmp_path / "gone")


def test_steps_are_ordered_as_numbers(tmp_path):
    for step in (2, 10, 9):
        (tmp_path / f"global_step_{step}").mkdir()
    assert [int(folder.name[12:]) for folder in numbered_folders(tmp_path)] == [2, 9, 10]


def test_a_pointer_survives_moving_and_damage(tmp_path):
    folder = _checkpoint(tmp_path / "run" / "checkpoints", 4)
    pointer = Pointer(tmp_path / "run" / "latest.json")
    assert pointer.get() is None
    pointer.set(folder, step=4)
    assert pointer.read() == {"folder": "checkpoints/global_step_4", "step": 4}
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = Pointer(tmp_path / "moved" / "latest.json")
    assert verify(moved.get()) == []
    moved.path.write_text("")
    assert moved.get() is None and moved.read() is None


def test_a_stage_that_failed_on_a_full_disk_says_that(tmp_path, monkeypatch):
    from rl_align.runfiles import room

    assert room.full(tmp_path, "sft") is None
    monkeypatch.setattr(room, "LEAST", 2**63)  # more than any disk has
    assert "sft: no space left on the device" in str(room.full(tmp_path, "sft"))
