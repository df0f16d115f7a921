"""The queue over seeds: resumable, one run at a time, a table with mean and spread. Runs are scripted programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from rl_align.errors import Stopped, UserError
from rl_align.pipeline.seeds import aggregate, markdown_table, run_seeds
from rl_align.runfiles import stop

#: Stands for `rl-align run CONFIG key=value …`: writes a summary that depends on its settings.
PROGRAM = """
import json, sys, time
from pathlib import Path
settings = dict(text.split("=", 1) for text in sys.argv[2:])
folder, seed, rate = Path(json.loads(settings["folder"])), int(settings["seed"]), float(settings.get("rate", 0.5))
folder.mkdir(parents=True, exist_ok=True)
with open(folder.parent / "order", "a") as order:
    order.write(f"+{seed} ")
time.sleep(float(settings.get("sleep", 0)))
if settings.get("fail") == str(seed):
    sys.exit(int(settings["code"]))
metrics = {"attack_success": rate + seed / 100, "n_harmful": 320, "sampled": {"attack_success": 1.0}}
summary = {"models": {"grpo": {"heldout": metrics}}, "timing_s": {"sft": 60 + seed}, "seed": seed, "versions": {}}
(folder / "summary.json").write_text(json.dumps(summary))
with open(folder.parent / "order", "a") as order:
    order.write(f"-{seed} ")
"""


@dataclass
class Run:
    seed: int = 4
    folder: str = "runs/x"
    rate: float = 0.5
    fail: int = -1
    code: int = 1
    sleep: float = 0.0


class Queue:
    def __init__(self, root: Path):
        self.root = root / "run folder"
        self.config = root / "run.yaml"
        self.config.write_text(f"folder: {self.root}\n")
        self.program = root / "program.py"
        self.program.write_text(PROGRAM)
        self.lines: list[str] = []

    def run(self, *overrides: str, n: int = 3) -> int:
        self.lines.clear()
        (self.root / "order").unlink(missing_ok=True)
        command = [sys.executable, "-S", str(self.program)]  # without site-packages it starts in a third of the time
        return run_seeds(self.config, list(overrides), n, config_class=Run, command=command, console=self.lines.append)

    def order(self) -> str:
        path = self.root / "order"
        return path.read_text().strip() if path.exists() else ""


@pytest.fixture
def queue(tmp_path) -> Queue:
    return Queue(tmp_path)


def test_runs_follow_one_another_and_end_in_a_table(queue):
    assert queue.run() == 0
    assert queue.order() == "+4 -4 +5 -5 +6 -6"
    table = json.loads((queue.root / "seeds.json").read_text())
    assert table["seeds"] == [4, 5, 6] and table["failed"] == []
    cell = table["models"]["grpo"]["heldout"]["attack_success"]
    assert cell == {"mean": pytest.approx(0.55), "sd": pytest.approx(0.01), "min": 0.54, "max": 0.56, "n": 3}
    text = (queue.root / "seeds.md").read_text()
    assert "| grpo, heldout | 0.550 ± 0.010 [0.540, 0.560] | 320 |" in text
    assert text in "\n".join(queue.lines)


def test_finished_seeds_are_skipped_unless_the_configuration_changed(queue):
    queue.run()
    assert queue.run() == 0 and queue.order() == ""
    assert sum("skipped" in line for line in queue.lines) == 3
    queue.run(n=4)
    assert queue.order() == "+7 -7"
    queue.run("rate=0.6", n=2)
    assert queue.order() == "+4 -4 +5 -5"
    (queue.root / "seed-5" / "summary.json").unlink()
    queue.run("rate=0.6", n=2)
    assert queue.order() == "+5 -5"


def test_a_failed_seed_does_not_stop_the_others_and_is_tried_again(queue):
    """A seed's failure says nothing of the others; its exit code is ours, and the table says that it is missing."""
    assert queue.run("fail=5") == 1
    assert queue.order() == "+4 -4 +5 +6 -6"
    assert json.loads((queue.root / "seeds.json").read_text())["failed"] == [5]
    assert any("failed with exit code 1" in line for line in queue.lines)
    assert queue.run() == 0


def test_bad_input_stops_the_queue_at_once(queue):
    with pytest.raises(UserError, match=r"seed 4, 1/3\] was refused"):
        queue.run("fail=4", "code=2")
    assert queue.order() == "+4"
    with pytest.raises(UserError, match="unknown key nope"):
        queue.run("nope=1")
    with pytest.raises(UserError, match="no seed finished"):
        queue.run("fail=4", n=1)


def test_a_damaged_summary_is_named(queue):
    queue.run(n=1)
    (queue.root / "seed-4" / "summary.json").write_text("{")
    with pytest.raises(UserError, match="seed-4/summary.json"):
        queue.run(n=1)


def test_a_killed_queue_takes_its_run_with_it_and_continues(queue):
    code = (
        "import sys\nsys.path.insert(0, 'tests')\nfrom test_seeds import Queue\nfrom pathlib import Path\n"
        "Queue(Path(sys.argv[1])).run('sleep=30')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(queue.root.parent)], cwd=Path(__file__).parent.parent)
    deadline = time.monotonic() + 20
    while "+4" not in queue.order() and time.monotonic() < deadline:
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(children) == 1
    while Path(f"/proc/{children[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(int(children[0]), 0)
    assert queue.run() == 0


#: A run that ends its step when it is asked to, as `rl-align run` does.
OBEDIENT = """
import json, signal, sys, time
from pathlib import Path
settings = dict(text.split("=", 1) for text in sys.argv[2:])
folder, asked = Path(json.loads(settings["folder"])), []
signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))
folder.mkdir(parents=True, exist_ok=True)
(folder / "in-its-step").touch()
deadline = time.monotonic() + 60
while not asked and time.monotonic() < deadline:
    time.sleep(0.01)
(folder / "saved").touch()
sys.exit(75)
"""


@pytest.mark.parametrize("how", ["signal", "request"])
def test_a_queue_that_is_asked_to_stop_hands_it_on_and_starts_no_other_run(queue, how):
    """Lock: a batch system's notice reaches the run that trains, and the next seed is not begun."""
    queue.program.write_text(OBEDIENT)

    def ask() -> None:
        while not (queue.root / "seed-4" / "in-its-step").exists():
            time.sleep(0.01)
        stop.request(queue.root, "a test") if how == "request" else os.kill(os.getpid(), signal.SIGUSR1)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Stopped, match=r"seed 4, 1/3\] stopped, as asked"):
        queue.run()
    asking.join()
    assert (queue.root / "seed-4" / "saved").exists() and not (queue.root / "seed-5").exists()
    assert not stop.requested(queue.root)


def test_aggregate_counts_what_is_missing_and_invents_nothing():
    first = {"models": {"sft": {"a": {"helpfulness": 0.5, "note": "text", "ok": True}}}, "timing_s": {"sft": 1}}
    second = {"models": {"sft": {"a": {"helpfulness": None}}, "grpo": {"a": {"helpfulness": 1}}}}
    result = aggregate([first, second])
    assert result["models"]["sft"]["a"] == {"helpfulness": {"mean": 0.5, "sd": None, "min": 0.5, "max": 0.5, "n": 1}}
    assert result["timing_s"]["sft"]["n"] == 1
    assert aggregate([]) == {"models": {}, "matrix": {}, "timing_s": {}}
    behind = {"matrix": {"t": {"grpo": {"a": {"attack_success": 0.1, "unparsed": 0.9}}}}}
    assert "| responder, rewriter, split | attack_success | unparsed |" in markdown_table(aggregate([behind]), [1])
    table = markdown_table(result, [1, 2])
    assert "| sft, a | 0.5 (n = 1) |" in table and "| grpo, a | 1 (n = 1) |" in table


def test_columns_are_the_union_and_gaps_are_dashes():
    table = markdown_table(aggregate([{"models": {"a": {"s": {"x": 1}}, "b": {"s": {"y": 2}}}}]), [0])
    assert "| model, split | x | y |" in table and "| a, s | 1 | – |" in table and "| b, s | – | 2 |" in table
