"""Stages run once for a given content, and a killed pipeline continues."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from rl_align.errors import UserError
from rl_align.pipeline.aside import move_aside
from rl_align.pipeline.stages import Stage, StageFailed, run_stages, seconds, timings, why_run


@dataclass
class Options:
    word: str = "a"


class World:
    """A pipeline of two stages over real files: `words` writes a file, `shout` writes a folder from it."""

    def __init__(self, folder):
        self.folder = folder
        self.calls: list[str] = []
        self.lines: list[str] = []

    def stages(self, word: str = "a", loud: bool = False) -> list[Stage]:
        words, shout = self.folder / "words.txt", self.folder / "shout"

        def write_words():
            self.calls.append("words")
            words.write_text(word)

        def write_shout():
            self.calls.append("shout")
            shout.mkdir(exist_ok=True)
            (shout / "text").write_text(words.read_text().upper() + "!" * loud)

        return [
            Stage("words", write_words, Options(word), outputs=[words]),
            Stage("shout", write_shout, {"loud": loud}, inputs=[words], outputs=[shout]),
        ]

    def run(self, **options) -> list[str]:
        self.calls.clear()
        self.lines.clear()
        self.took = run_stages(self.folder, self.stages(**options), self.lines.append)
        return list(self.calls)


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path)
    assert world.run() == ["words", "shout"]
    return world


def test_a_second_run_skips_everything_and_says_so(world):
    first = world.took
    assert world.run() == []
    assert len(world.lines) == 2 and all("skipped" in line for line in world.lines)
    assert world.took == first == timings(world.folder)


def test_the_record_says_what_was_made(world):
    record = json.loads((world.folder / "stages" / "shout.json").read_text())
    assert record["attempts"] == 1 and set(record) == {"hash", "seconds", "attempts", "inputs", "outputs", "finished"}
    assert list(record["outputs"]) == ["shout/text"]
    assert not list((world.folder / "stages").glob("*.begun.json"))


def test_the_record_says_what_it_was_made_from(world):
    made = json.loads((world.folder / "stages" / "shout.json").read_text())["inputs"]
    assert list(made) == ["words.txt"] and len(made["words.txt"]) == 64
    world.run(word="b")
    assert json.loads((world.folder / "stages" / "shout.json").read_text())["inputs"] != made


def test_only_what_depends_on_a_change_runs_again(world):
    assert world.run(loud=True) == ["shout"]
    assert world.run(loud=True, word="b") == ["words", "shout"]
    assert world.run(loud=True, word="b") == []
    assert "configuration or inputs changed" in " ".join([*world.lines, why_run(world.folder, world.stages()[0])])


def test_a_stage_made_again_with_the_same_content_does_not_wake_the_next(world):
    (world.folder / "words.txt").unlink()
    assert world.run() == ["words"]
    assert "missing" in world.lines[0]


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda f: (f / "shout/text").write_text("B"), "changed"),
        (lambda f: (f / "shout/text").unlink(), "missing"),
        (lambda f: (f / "stages/shout.json").write_text('{"hash": "x"'), "damaged"),
        (lambda f: (f / "stages/shout.json").write_text('{"hash": "x"}'), "damaged"),
        (lambda f: (f / "stages/shout.json").unlink(), "first time"),
    ],
)
def test_damage_runs_the_stage_again(world, damage, word):
    damage(world.folder)
    assert word in why_run(world.folder, world.stages()[1])
    assert world.run() == ["shout"]
    assert (world.folder / "shout/text").read_text() == "A"
    assert world.run() == []


def test_moving_the_run_folder_changes_nothing(world, tmp_path_factory):
    target = tmp_path_factory.mktemp("elsewhere") / "run"
    world.folder.rename(target)
    world.folder = target
    assert world.run() == []


def test_a_stage_that_raises_leaves_no_record_but_a_traceback(tmp_path):
    def fail():
        raise RuntimeError("first line\nsecond line")

    stage = Stage("broken", fail)
    with pytest.raises(StageFailed, match="stage broken failed: RuntimeError: first line; traceback in") as caught:
        run_stages(tmp_path, [stage], lambda line: None)
    assert "second line" in caught.value.traceback_file.read_text()
    assert timings(tmp_path) == {}
    assert why_run(tmp_path, stage) == "continues"


def test_user_errors_and_interrupts_pass_unchanged(tmp_path):
    def user_error():
        raise UserError("bad row")

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(UserError, match="bad row"):
        run_stages(tmp_path, [Stage("a", user_error)], lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, [Stage("a", interrupt)], lambda line: None)
    assert timings(tmp_path) == {}


def test_missing_inputs_and_outputs_are_refused(tmp_path):
    with pytest.raises(UserError, match="stage a needs it"):
        run_stages(tmp_path, [Stage("a", lambda: None, inputs=[tmp_path / "gone"])], lambda line: None)
    with pytest.raises(StageFailed, match="without its output"):
        run_stages(tmp_path, [Stage("a", lambda: None, outputs=[tmp_path / "gone"])], lambda line: None)
    assert timings(tmp_path) == {}


def test_partial_work_is_continued_by_the_same_configuration_only(tmp_path):
    """Lock: checkpoints made with another configuration are never resumed from, nor deleted."""
    checkpoints = tmp_path / "checkpoints"
    seen: list[list[str]] = []

    def stage(lr: float, fails: bool) -> Stage:
        def run():
            checkpoints.mkdir(exist_ok=True)
            seen.append(sorted(p.name for p in checkpoints.iterdir()))
            (checkpoints / f"step_{len(seen)}").write_text(str(lr))
            if fails:
                raise OSError("killed")

        return Stage("grpo", run, {"lr": lr}, partial=[checkpoints])

    lines: list[str] = []
    for lr, fails in ((0.1, True), (0.1, True), (0.2, True), (0.2, False), (0.3, False)):
        try:
            run_stages(tmp_path, [stage(lr, fails)], lines.append)
        except StageFailed:
            assert fails
    assert seen == [[], ["step_1"], [], ["step_3"], []]
    assert sorted(p.name for p in (tmp_path / "stale").rglob("step_*")) == ["step_1", "step_2", "step_3", "step_4"]
    assert sum("moved to" in line for line in lines) == 2
    assert json.loads((tmp_path / "stages/grpo.json").read_text())["attempts"] == 1


def test_what_a_stage_logged_goes_aside_with_its_checkpoints_and_other_stages_lines_stay(tmp_path):
    """Lock: a report never mixes the metrics of two configurations."""
    metrics, own, twin = tmp_path / "metrics.jsonl", tmp_path / "a" / "grpo", tmp_path / "b" / "grpo"
    for path in (own, twin):
        path.mkdir(parents=True)
    rows = ['{"stage": "sft", "step": 1}', '{"stage": "grpo", "step": 1}', "torn {", '{"stage": "grpo", "step": 2}']
    metrics.write_text("\n".join(rows) + "\n")
    for number in (1, 2):
        moved = move_aside(tmp_path, "grpo", [own, twin, tmp_path / "none"], [metrics, tmp_path / "none.jsonl"])
        assert metrics.read_text().splitlines() == [rows[0], rows[2]]
        if number == 1:
            assert moved[0].read_text().splitlines() == [rows[1], rows[3]]
            assert [path.name for path in moved[1:]] == ["grpo", "b-grpo"] and all(path.is_dir() for path in moved[1:])
        else:
            assert moved == []
    assert not own.exists() and not twin.exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from rl_align.pipeline.stages import Stage, run_stages

folder, kill_at = Path(sys.argv[1]), sys.argv[2]

def work(name):
    def run():
        if name == kill_at:
            (folder / name).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / name).write_text("whole " + name)
        with open(folder / "log", "a") as log:
            log.write(name)
    return run

names = "abc"
run_stages(folder, [Stage(n, work(n), n, [folder / m for m in names[:i]], [folder / n]) for i, n in enumerate(names)])
"""


def test_kill_9_in_any_stage_and_the_same_command_continues(tmp_path):
    for kill_at, code in (("b", -9), ("c", -9), ("", 0), ("b", 0)):
        result = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), kill_at], capture_output=True, text=True)
        assert result.returncode == code, result.stderr
    assert (tmp_path / "log").read_text() == "abc"
    assert [(tmp_path / name).read_text() for name in "abc"] == ["whole a", "whole b", "whole c"]


def test_durations_for_people():
    assert [seconds(s) for s in (0.0421, 9.4, 63.2, 723)] == ["0.042 s", "9.4 s", "63 s", "12 min 3 s"]


def test_what_another_run_has_finished_is_taken_over_and_nothing_else(world, tmp_path_factory):
    other = World(tmp_path_factory.mktemp("other"))
    lines = [{"stage": "shout", "step": 1}, {"stage": "else", "step": 1}]
    (world.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(**options) -> list[str]:
        other.calls.clear()
        stages = other.stages(**options)
        stages[1] = replace(stages[1], lines=[other.folder / "metrics.jsonl"])
        run_stages(other.folder, stages, other.lines.append, donors=[tmp_path_factory.mktemp("empty"), world.folder])
        return list(other.calls)

    assert run() == []
    assert f"[1/2] words: taken over from {world.folder}" in other.lines
    assert (other.folder / "shout" / "text").read_text() == "A"
    assert [json.loads(line) for line in (other.folder / "metrics.jsonl").read_text().splitlines()] == lines[:1]
    assert timings(other.folder) == timings(world.folder)
    assert run() == [] and other.lines[-1].startswith("[2/2] shout: skipped")
    assert run(loud=True) == ["shout"], "another configuration is not what the other run did"
    assert (world.folder / "shout" / "text").read_text() == "A", "the other run is left as it was"
    (world.folder / "shout" / "text").write_text("damaged")
    assert run() == ["shout"], "a damaged output is not taken over"
