"""A sweep of real runs: two trials of the smallest size, killed in the second one's GRPO, resumed; stages taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, lines
from sweeping import until

pytestmark = [pytest.mark.engine, pytest.mark.slow]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"
SETTINGS = [
    "seats=[responder]", "pictograms.train=96", "pretrain.steps=0", "model.size=1m", "sft.steps=6", "sft.save_every=3",
    "grpo.steps=3", "grpo.save_every=1", "grpo.correlation_every=1", "grpo.max_response_tokens=48",
    "eval.models=[grpo]", "eval.sampled=false",
]  # fmt: skip
LIMIT_S = 900.0


def command(config: Path, log: Path) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "rl_align.cli", "sweep", str(config)]
    with open(log, "ab") as output:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True)


def test_a_small_sweep_killed_and_resumed(tmp_path):
    root, config, log = tmp_path / "out", tmp_path / "sweep.yaml", tmp_path / "sweep.log"
    config.write_text(
        f"experiment: {CONFIG}\nfolder: {root}\nsettings: {json.dumps(SETTINGS)}\nspace: {{grpo.kl_coef: {{values: [0, 0.05]}}}}\n"
        "logged: {reward: reward/total}\n"
    )

    def second_trains() -> bool:
        logs = [[row for row in lines(path) if row["stage"] == "grpo"] for path in root.glob("trials/*/metrics.jsonl")]
        return len(list(root.glob("trials/*/done.json"))) == 1 and sum(map(bool, logs)) == 2

    started = [command(config, log)]
    try:
        until(second_trains, lambda: log.read_text()[-3000:], LIMIT_S)
        started[0].kill()  # the command alone; its trial is told, finishes its step, and ends
        started.append(command(config, log))
        assert started[1].wait(LIMIT_S) == 0, log.read_text()[-3000:]
    finally:
        for process in started:
            process.terminate()
            process.wait()
    found = json.loads((root / "sweep.json").read_text())
    assert found["trials"]["done"] == 2 and found["apart"] == []
    assert {point["point"]["grpo.kl_coef"] for point in found["points"]} == {0, 0.05}
    for point in found["points"]:
        assert set(point["sections"]) == {"heldout_combinations", "heldout_paraphrases", "training"}
        assert {"attack_success", "over_refusal", "sum", "helpfulness"} <= set(point["sections"]["heldout_combinations"])
    records = [json.loads(path.read_text()) for path in root.glob("trials/*/stages/sft.json")]
    assert len(records) == 2 and sum("taken_from" in record for record in records) == 1, "one warm start for both"
    for path in root.glob("trials/*"):
        assert sorted({row["step"] for row in lines(path / "metrics.jsonl") if row["stage"] == "grpo"}) == [1, 2, 3]
    assert (root / "sweep.html").is_file() and (root / "parallel-heldout-combinations.svg").is_file()
