"""`kill -9` at random moments of every stage: the same command continues, and the ledger equals an uninterrupted run's."""

from __future__ import annotations

import random

import pytest
from conftest import ROOT, lines

from rl_align.runfiles.ledger import Ledger

pytestmark = pytest.mark.slow
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"
SMALL = [
    "seats=[responder]", "pictograms.train=256", "model.size=1m", "pretrain.steps=0", "sft.steps=30", "sft.save_every=5",
    "grpo.steps=6", "grpo.save_every=1",
    "grpo.max_response_tokens=48", "eval.limit=16", "eval.max_tokens=64",
]  # fmt: skip


def test_killed_at_random_moments(tmp_path, run_command):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    reference = run_command(CONFIG, [*SMALL, f"folder={whole}"])
    assert reference.wait(600) == 0, reference.tail()

    seed = random.SystemRandom().randrange(2**32)
    print(f"moments from seed {seed}")  # shown when the test fails
    rng = random.Random(seed)
    ledger = torn / "ledger.jsonl"

    def steps(stage: str) -> int:
        return len(Ledger(ledger).clean(stage))

    def writing_checkpoint(stage: str) -> bool:
        folders = (torn / "checkpoints" / stage).glob("global_step_*")
        return any(folder.suffix != ".damaged" and not (folder / "manifest.json").exists() for folder in folders)

    sft, grpo = rng.randint(3, 25), rng.randint(1, 4)
    moments = {
        "data making": lambda: (torn / "data" / "train.parquet").exists(),
        f"SFT, step {sft}": lambda: steps("sft") >= sft,
        "SFT, writing a checkpoint": lambda: steps("sft") > sft and writing_checkpoint("sft"),
        f"GRPO, step {grpo}": lambda: steps("grpo") >= grpo,
        "GRPO, writing a checkpoint": lambda: steps("grpo") > grpo and writing_checkpoint("grpo"),
        "evaluation": lambda: any(part.stat().st_size for part in (torn / "eval").glob("*/*/*.jsonl.part")),
    }
    killed = []
    for name, moment in moments.items():
        command = run_command(CONFIG, [*SMALL, f"folder={torn}"])
        if command.kill_when(moment, 600):
            killed.append(name)
        else:
            assert command.process.returncode == 0, f"{name}: {command.tail()}"
    assert len(killed) >= 5, killed
    last = run_command(CONFIG, [*SMALL, f"folder={torn}"])
    assert last.wait(600) == 0, last.tail()

    for stage in ("sft", "grpo"):
        assert Ledger(ledger).clean(stage) == Ledger(whole / "ledger.jsonl").clean(stage), stage
    written = Ledger(ledger).entries()
    first_time = {(entry.stage, entry.step) for entry in written if not entry.redone}
    assert all((entry.stage, entry.step) in first_time for entry in written), "a redone step was never done"
    assert len(first_time) + sum(entry.redone for entry in written) == len(written)
    assert (torn / "report.html").is_file() and (torn / "summary.json").is_file()
    assert {row["step"] for row in lines(torn / "metrics.jsonl") if row["stage"] == "grpo"} == set(range(1, 7))
