"""The disk fills while a run trains: one line says so, and with room again the same command loses nothing."""

from __future__ import annotations

import errno
import subprocess

import pytest
from conftest import ROOT, lines

from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.manifest import numbered_folders, verify

pytestmark = [pytest.mark.engine, pytest.mark.slow]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs a disk of its own: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place) -> None:
    """A file that takes what is free, while others write as well."""
    with open(place / "filler", "wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(block))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_a_disk_that_fills_while_training(small_disk, run_command, stage):
    folder = small_disk / "run"
    overrides = [
        f"folder={folder}", "seats=[responder]", "evaluate=false", "pictograms.train=96", "pretrain.steps=0", "model.size=1m",
        "sft.steps=24", "sft.save_every=4", "grpo.steps=4", "grpo.save_every=1", "grpo.max_response_tokens=48",
    ]  # fmt: skip

    def steps(of: str) -> dict:
        return Ledger(folder / "ledger.jsonl").clean(of)

    first = run_command(CONFIG, overrides)
    assert first.reaches(lambda: len(steps(stage)) >= 2, 300), first.tail()
    fill(small_disk)
    assert first.wait(120) not in (0, None), first.tail()
    said = [line for line in first.tail().splitlines() if "error" in line.lower()]
    assert len(said) == 1 and "no space left" in said[0].lower(), first.tail()
    taken = steps(stage)

    (small_disk / "filler").unlink()
    second = run_command(CONFIG, overrides)
    assert second.wait(300) == 0, second.tail()
    assert sorted(steps("sft")) == list(range(1, 25)) and sorted(steps("grpo")) == [1, 2, 3, 4]
    assert {step: steps(stage)[step] for step in taken} == taken, "a step that was written is another one now"
    assert {row["step"] for row in lines(folder / "metrics.jsonl") if row["stage"] == "grpo"} == {1, 2, 3, 4}
    for name in ("sft", "grpo"):
        checkpoints = numbered_folders(folder / "checkpoints" / name)
        assert checkpoints and all(verify(checkpoint) == [] for checkpoint in checkpoints)
