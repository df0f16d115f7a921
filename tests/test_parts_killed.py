"""A part of the engine is killed while it trains: one clear message within a minute, and the same command continues."""

from __future__ import annotations

import signal
import time

import psutil
import pytest
from conftest import ROOT, lines

from rl_align.runfiles.ledger import Ledger

pytestmark = [pytest.mark.slow, pytest.mark.engine]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"
#: What it is → words in the command line of its process.
PARTS = {
    "the vLLM server": "HttpServer",
    "a worker that samples": "GroupAgentLoopWorker",
    "the store of rollouts": "SimpleStorageUnit",
    "Ray's head": "gcs_server",
    "Ray's agent on the node": "raylet/raylet",
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Where one run's folder lies: each part is killed in the same run, which goes on."""
    return tmp_path_factory.mktemp("killed") / "run"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_killed_while_it_trains(part, begun, run_command):
    overrides = [
        f"folder={begun}", "seats=[responder]", "evaluate=false", "pictograms.train=512", "pretrain.steps=0", "model.size=1m",
        "sft.steps=6", "sft.save_every=6", "grpo.steps=40", "grpo.save_every=1", "grpo.max_response_tokens=48",
    ]  # fmt: skip

    def steps() -> dict:
        return Ledger(begun / "ledger.jsonl").clean("grpo")

    before = len(steps())
    command = run_command(CONFIG, overrides)
    assert command.reaches(lambda: len(steps()) >= before + 2, 300), command.tail()

    victims = [p for p in psutil.Process(command.process.pid).children(recursive=True) if PARTS[part] in " ".join(_words(p))]
    assert victims, f"no process of {part}"
    killed = time.monotonic()
    for process in victims:
        process.send_signal(signal.SIGKILL)
    code = command.wait(90)
    took = time.monotonic() - killed
    assert code == 1, command.tail()
    assert took < 60, f"it took {took:.0f} s: {command.tail()}"
    said = [line for line in command.log.read_text(errors="replace").splitlines() if line.startswith("rl-align: error:")]
    assert len(said) == 1 and "the same command goes on from the last checkpoint" in said[0], command.tail()

    taken = steps()
    assert sorted(taken) == list(range(1, len(taken) + 1))
    assert len({row["step"] for row in lines(begun / "metrics.jsonl") if row["stage"] == "grpo"}) == len(taken)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
