"""The ledger of committed steps: append-only, marked when redone, whole after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.errors import UserError
from rl_align.runfiles.ledger import Ledger

COMMITTER = """
import sys
from rl_align.runfiles.ledger import Ledger
ledger = Ledger(sys.argv[1])
for step in range(len(ledger.clean("grpo")) + 1, int(sys.argv[2]) + 1):
    ledger.commit("grpo", step, [f"item-{step}-{k}" for k in range(16)])
    print(step, flush=True)
"""


def test_steps_are_kept_by_stage_with_their_items(tmp_path):
    ledger = Ledger(tmp_path / "run" / "ledger.jsonl")
    ledger.commit("sft", 1, ["a", "b"])
    ledger.commit("grpo", 1, ["c"])
    assert Ledger(ledger.path).clean("sft") == {1: ("a", "b")}
    assert Ledger(ledger.path).clean("grpo") == {1: ("c",)}
    assert [entry.stage for entry in Ledger(ledger.path).entries()] == ["sft", "grpo"]
    assert ledger.committed("eval") == []


def test_a_redone_step_is_marked_and_the_last_one_counts(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for step, item in ((1, "a"), (2, "b"), (3, "c")):
        assert not Ledger(path).commit("grpo", step, [item]).redone
    entry = Ledger(path).commit("grpo", 2, ["b again"])
    assert entry.redone and entry.attempt == 2
    assert Ledger(path).clean("grpo") == {1: ("a",), 2: ("b again",)}
    last = Ledger(path).commit("grpo", 3, ["c"])
    assert last.redone and last.attempt == 2
    assert Ledger(path).clean("grpo") == {1: ("a",), 2: ("b again",), 3: ("c",)}
    assert len(Ledger(path).entries("grpo")) == 5


def test_a_torn_last_line_is_a_step_that_was_not_committed(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(path).commit("grpo", 1, ["a"])
    whole = path.read_bytes()
    with open(path, "ab") as file:
        file.write(whole[: len(whole) // 2])
    ledger = Ledger(path)
    assert ledger.clean("grpo") == {1: ("a",)}
    assert not ledger.commit("grpo", 2, ["b"]).redone
    assert Ledger(path).clean("grpo") == {1: ("a",), 2: ("b",)}


@pytest.mark.parametrize("line", ["{broken}", "[1]", "3", '{"stage": "grpo"}', '{"items": null}'])
def test_damage_in_the_middle_is_refused_by_line(tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    Ledger(path).commit("grpo", 1, ["a"])
    path.write_text(path.read_text() + line + "\n" + path.read_text())
    with pytest.raises(UserError, match="ledger.jsonl:2"):
        Ledger(path)


def test_killed_and_continued_equals_uninterrupted(tmp_path):
    def command(name: str, steps: int) -> list[str]:
        return [sys.executable, "-c", COMMITTER, str(tmp_path / name), str(steps)]

    for kill_after in (3, 7, 15):
        process = subprocess.Popen(command("killed", 10**9), stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if int(line) >= kill_after:
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
    steps = len(Ledger(tmp_path / "killed").clean("grpo"))
    subprocess.run(command("straight", steps), check=True, capture_output=True)
    assert steps >= 15
    assert Ledger(tmp_path / "killed").clean("grpo") == Ledger(tmp_path / "straight").clean("grpo")
    assert not any(entry.redone for entry in Ledger(tmp_path / "killed").entries())


@settings(deadline=None, max_examples=12)
@given(rollbacks=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5)), max_size=3))
def test_any_history_of_rollbacks_ends_like_an_uninterrupted_run(tmp_path_factory, rollbacks):
    """Run up to a step, fall back some steps, and so on; then to the end."""
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.jsonl")
    step = 0
    for advance, back in [*rollbacks, (8, 0)]:
        for _ in range(advance):
            step += 1
            ledger.commit("grpo", step, [f"item-{step}"])
            assert list(ledger.clean("grpo")) == list(range(1, step + 1))
        step = max(0, step - back)
    assert ledger.clean("grpo") == {k: (f"item-{k}",) for k in range(1, step + 1)}
    again = Ledger(ledger.path).entries("grpo")
    assert again == ledger.entries("grpo")
    seen: set[int] = set()
    for entry in again:
        assert entry.redone == (entry.step in seen)
        seen.add(entry.step)
