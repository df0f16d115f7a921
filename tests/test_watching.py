"""Watching a run: TensorBoard's groups as its own plugin reads them, alarms as events, a status that follows what runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading

import pytest

from reward.credit import Row, assign
from reward.instruments import INSTRUMENTS
from rl_align.engine.board import GROUPS, layout
from rl_align.engine.progress import Progress, last_line
from rl_align.engine.record import StepRecord
from rl_align.pipeline.status import follow, status
from rl_align.runfiles.events import add, events

CORRELATION = "training/rollout_actor_probs_pearson_corr"


def patterns() -> list[str]:
    return [pattern for charts in GROUPS.values() for found in charts.values() for pattern in found]


@pytest.mark.parametrize("metric", INSTRUMENTS)
def test_every_instrument_of_the_panel_has_its_chart(metric):
    assert any(re.fullmatch(pattern, metric.replace("*", "benign")) for pattern in patterns()), metric


def test_a_metric_stands_in_one_chart_only():
    names = [name.replace("*", side) for name in INSTRUMENTS for side in ("benign", "harmful")]
    names += ["time/step", "time/generate", "reward/total", "reward/citation/responder", "status/ok", "judge/refusal/cost"]
    for name in names:
        assert sum(re.fullmatch(pattern, name) is not None for pattern in patterns()) <= 1, name


def settings(folder, **more):
    return {"folder": str(folder), "rollouts": str(folder / "rollouts"), "stage": "grpo", "correlation_alarm": 0.99, "steps": 2,
            "first_step": 1, "command_began": 0.0, **more}  # fmt: skip


def text(reward):
    return {"item_id": "b", "status": "ok", "reward": reward, "gate": None, "text": "t", "image": None, "tokens": 3,
            "facts": {"harmful": False, "behaviour": "refuse"}}  # fmt: skip


def test_tensorboard_reads_the_groups_and_the_alarms(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.custom_scalar import layout_pb2

    record = StepRecord(settings(tmp_path))
    metrics: dict = {CORRELATION: 0.5}
    credit = assign([Row("p", "0", reward=1.0), Row("p", "1", reward=0.0)])
    record.credited(1, ["p_0_0", "p_1_0"], [text(1.0), text(0.0)], credit, metrics)
    record.log(metrics, 1)
    record.finish()
    read = EventAccumulator(str(tmp_path / "tensorboard" / "grpo"))
    read.Reload()
    found = layout_pb2.Layout()
    found.ParseFromString(read.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    assert [group.title for group in found.category] == list(GROUPS)
    charts = {chart.title: list(chart.multiline.tag) for group in found.category for chart in group.chart}
    assert charts == {title: tags for group in layout().values() for title, (_, tags) in group.items()} | charts
    assert any(re.match(tag, "reward/total") for tag in charts["reward and truth"]) and "reward/total" in read.Tags()["scalars"]
    (alarm,) = read.Tensors("alarms/text_summary")
    assert b"correlate 0.5000" in alarm.tensor_proto.string_val[0]


def test_an_alarm_is_an_event_with_its_step(tmp_path):
    record = StepRecord(settings(tmp_path))
    record.drawn = []
    record.log({CORRELATION: 0.5}, 1)
    record.log({CORRELATION: 0.999}, 2)
    (event,) = events(tmp_path)
    assert (event["stage"], event["step"], event["kind"]) == ("grpo", 1, "alarm") and "0.5000" in event["message"]


def test_a_step_that_is_done_again_raises_its_alarm_once(tmp_path):
    for _ in range(2):
        add(tmp_path, "grpo", 3, "alarm", "the same")
    add(tmp_path, "grpo", 4, "alarm", "the same")
    assert [event["step"] for event in events(tmp_path)] == [3, 4]


def begun(folder, stage: str, pid: int) -> None:
    (folder / "stages").mkdir(exist_ok=True)
    (folder / "stages" / f"{stage}.begun.json").write_text(json.dumps({"begun": "now", "attempts": 1, "pid": pid}))


@pytest.fixture
def running():
    """A process that looks like a run of ours, until its input ends."""
    code = "import sys; sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code, "rl-align"], stdin=subprocess.PIPE)
    yield process
    process.stdin.close()
    process.wait(timeout=20)


def test_status_says_what_a_running_stage_said_last_and_the_alarms(tmp_path, running):
    begun(tmp_path, "grpo", running.pid)
    begun(tmp_path, "sft", 2**22 + 1)  # beyond every process id
    Progress(tmp_path, "sft").say("sft 3/9")
    said = Progress(tmp_path, "grpo")
    said.say("grpo 1/2 | reward 0.1")
    said.say("grpo 2/2 | reward 0.2")
    for step in range(7):
        add(tmp_path, "grpo", step, "alarm", f"alarm {step}")
    lines = "\n".join(status(tmp_path))
    assert re.search(r"running +grpo .*\n +grpo 2/2 \| reward 0\.2 \(.* ago\)", lines)
    assert "interrupted  sft" in lines and "sft 3/9" not in lines and "reward 0.1" not in lines
    assert "alarm 6" in lines and "alarm 1" not in lines and "2 earlier ones" in lines


def test_following_shows_what_is_said_meanwhile_and_ends_with_the_run(tmp_path, running):
    begun(tmp_path, "grpo", running.pid)
    said = Progress(tmp_path, "grpo")
    said.say("before")
    lines: list[str] = []
    seen = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if line == "  running      grpo":
            seen.set()

    follower = threading.Thread(target=follow, args=(tmp_path, say, 0.02))
    follower.start()
    assert seen.wait(20)
    said.say("meanwhile")
    begun(tmp_path, "sft", 2**22 + 1)
    (tmp_path / "stages" / "grpo.begun.json").unlink()  # as a stage does that is done
    follower.join(timeout=20)
    assert not follower.is_alive()
    assert lines.count("    meanwhile") == 1 and "    before" not in lines
    assert lines[-2:] == ["  ended        grpo", f"nothing runs in {tmp_path}"]


def test_the_last_line_of_a_stage_that_has_said_nothing(tmp_path):
    assert last_line(tmp_path, "grpo") is None
    Progress(tmp_path, "grpo")
    assert last_line(tmp_path, "grpo") is None
    Progress(tmp_path, "grpo").say("x" * 5000)
    os.utime(tmp_path / "logs" / "grpo.progress", (0, 0))
    line, ago = last_line(tmp_path, "grpo")
    assert set(line) == {"x"} and ago > 1e6
