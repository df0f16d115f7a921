"""The matrix over real servers: the models of one finished run, asked once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import ROOT

from rl_align.pipeline.grid import matrix

pytestmark = [pytest.mark.slow, pytest.mark.engine]

#: A finished run of the quickstart.
RUN = Path(os.environ.get("RL_ALIGN_TEST_RUN", ROOT / "runs" / "quickstart"))
SMALL = ["benchmarks.combinations.options.limit=12", "benchmarks.paraphrases.options.limit=6", "draws=200"]


@pytest.mark.skipif(
    not (RUN / "models" / "grpo").is_dir(), reason=f"no finished quickstart in {RUN}; RL_ALIGN_TEST_RUN names another"
)
def test_the_pictogram_experiment_on_a_few_items(tmp_path):
    lines: list[str] = []
    overrides = [f"run={RUN}", f"out={tmp_path / 'out'}", *SMALL]
    assert matrix(ROOT / "experiments" / "eval" / "pictograms.yaml", overrides, console=lines.append) == 0, lines
    found = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert len(found["cells"]) == 3 * 7 * 2 and all(cell["complete"] for cell in found["cells"])
    for cell in found["cells"]:
        assert cell["counts"]["answers"] + sum(cell["defence_failures"].values()) == cell["answers"]
        assert cell["costs"]["output_tokens"] > 0
    again: list[str] = []
    assert matrix(ROOT / "experiments" / "eval" / "pictograms.yaml", overrides, console=again.append) == 0
    assert not any("answers in" in line for line in again), "nothing is asked twice"
