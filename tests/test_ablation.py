"""Ablations: arms × seeds, each once; tables with differences seed by seed; curves. Runs are scripted programs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ROOT

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.pipeline.ablation import AblationConfig, ablate, compare, curves, markdown
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.report.figure import band, draw, smooth

#: Stands for `rl-align run CONFIG key=value …`: an arm's `gain` lowers over-refusal, a seed's luck shifts every arm alike.
PROGRAM = """
import json, sys
from pathlib import Path
settings = dict(text.split("=", 1) for text in sys.argv[2:])
folder, seed, gain = Path(json.loads(settings["folder"])), int(settings["seed"]), float(settings.get("gain", 0))
folder.mkdir(parents=True, exist_ok=True)
with open(folder.parent.parent / "order", "a") as order:
    order.write(f"{folder.parent.name}/{seed} ")
if settings.get("fail") == str(seed):
    sys.exit(1)
started = {"over_refusal": 0.5 + seed / 100, "attack_success": 0.01}
trained = {"over_refusal": 0.2 + seed / 100 - gain, "attack_success": 0.02}
models = {"sft": {"held": started}, "grpo": {"held": trained}}
(folder / "summary.json").write_text(json.dumps({"models": models, "timing_s": {}, "seed": seed, "versions": {}}))
steps = [{"stage": "sft", "step": 1, "reward": 9.0}] + [{"stage": "grpo", "step": k, "reward": gain + k} for k in (1, 2, 3)]
steps[-1]["alarm/canary/empty"] = 1.0
(folder / "metrics.jsonl").write_text("".join(json.dumps(step) + "\\n" for step in steps))
"""


@dataclass
class Run:
    seed: int = 0
    folder: str = "runs/x"
    gain: float = 0.0
    fail: int = -1
    reuse: list[str] = field(default_factory=list)


class Bench:
    def __init__(self, root: Path):
        self.root = root / "out"
        (root / "run.yaml").write_text("gain: 0\n")
        (root / "program.py").write_text(PROGRAM)
        self.command = [sys.executable, str(root / "program.py")]
        self.config = root / "ablation.yaml"
        arms = "{plain: [], better: [gain=0.1]}"
        places = f"experiment: run.yaml\nfolder: {self.root}\n"
        self.config.write_text(f"{places}seed: 3\nseeds: 2\narms: {arms}\ncurves: {{r: reward}}\n")
        self.lines: list[str] = []

    def run(self, *overrides: str, **more) -> int:
        return ablate(self.config, overrides, config_class=Run, command=self.command, console=self.lines.append, **more)


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


def test_every_arm_runs_with_every_seed_and_is_compared_seed_by_seed(bench):
    assert bench.run() == 0
    assert (bench.root / "order").read_text().split() == ["plain/3", "better/3", "plain/4", "better/4"]
    result = json.loads((bench.root / "ablation.json").read_text())
    cell = result["splits"]["held"]["better"]["over_refusal"]
    assert cell["mean"] == pytest.approx(0.135) and cell["sd"] == pytest.approx(0.00707, abs=1e-4)
    assert cell["difference"] == {"mean": pytest.approx(-0.1), "sd": pytest.approx(0.0, abs=1e-9)}, "the seed's luck drops out"
    assert result["splits"]["held"]["sft"]["over_refusal"]["mean"] == pytest.approx(0.535)
    assert result["alarms"]["better"] == {"canary/empty": [1, 1]}
    text = (bench.root / "ablation.md").read_text()
    assert "better − plain" in text and "-10.0 ± 0.0" in text
    assert (bench.root / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_finished_runs_are_skipped_and_a_failed_one_is_run_again(bench):
    assert bench.run("arms={plain: [], better: [gain=0.1, fail=4]}") == 1
    result = json.loads((bench.root / "ablation.json").read_text())
    assert list(result["splits"]["held"]["better"]["over_refusal"]["values"]) == ["3"]
    (bench.root / "order").unlink()
    assert bench.run() == 0
    assert (bench.root / "order").read_text().split() == ["better/3", "better/4"], "their settings are others now; plain is done"


def test_siblings_of_a_seed_share_their_stages(bench):
    assert bench.run(dry_run=True) == 0
    first = bench.lines[0].split("\n")[0]
    assert f'reuse=["{bench.root}/better/seed-3"]' in first and "seed=3" in first
    assert bench.run('reuse=["elsewhere/seed-{seed}"]', dry_run=True) == 0
    assert f'reuse=["{bench.root}/better/seed-3", "elsewhere/seed-3"]' in bench.lines[1]
    assert not bench.root.exists()


def test_what_cannot_work_is_said_before_anything_runs(bench):
    with pytest.raises(UserError, match="gian"):
        bench.run("arms={plain: [], better: [gian=1]}")
    with pytest.raises(UserError, match="expected 1 or more"):
        bench.run("seeds=0")
    with pytest.raises(ValueError, match="compares two or more"):
        AblationConfig(arms={"plain": []})
    with pytest.raises(UserError, match="no such file"):
        bench.run("experiment=nowhere.yaml")
    assert not bench.root.exists()


def test_an_unknown_rate_is_a_dash():
    known = {"models": {"sft": {"h": {"over_refusal": None}}, "grpo": {"h": {"over_refusal": None, "attack_success": 0.1}}}}
    text = markdown(compare({"a": {0: known}, "b": {0: known}}), [0])
    row = next(line for line in text.splitlines() if line.startswith("| a |"))
    assert row.split("|")[2:4] == [" 10.0 ", " – "]


def test_arms_about_both_seats_are_compared_by_a_cell_of_the_matrix():
    def summary(attack: float) -> dict:
        row = {"none": {"h": {"attack_success": 0.5}}, "grpo": {"h": {"attack_success": attack, "kept": 1.0}}}
        return {"models": {}, "matrix": {"sft": row}}

    found = compare({"a": {0: summary(0.4)}, "b": {0: summary(0.1)}}, {"a": ["sft", "none"], "b": ["sft", "grpo"]})["h"]
    assert found["sft"]["attack_success"]["mean"] == found["a"]["attack_success"]["mean"] == 0.5
    assert found["b"]["attack_success"]["difference"]["mean"] == pytest.approx(-0.4)
    assert "kept" in markdown({"h": found}, [0]).splitlines()[4]
    with pytest.raises(ValueError, match="cells"):
        AblationConfig(arms={"a": [], "b": []}, cells={"a": ["sft", "none"]})


def test_curves_are_of_the_training_stage_and_smoothed(bench):
    bench.run()
    found = curves({"plain": {3: bench.root / "plain" / "seed-3"}}, {"r": "reward", "absent": "nothing"})
    assert found == {"r": {"plain": [[(1, 1.0), (2, 2.0), (3, 3.0)]]}}
    assert smooth([(1, 1.0), (2, 2.0), (3, 6.0)], 2) == [(1, 1.0), (2, 1.5), (3, 4.0)]
    assert band([[(1, 1.0), (2, 4.0)], [(2, 2.0)]]) == ([2], [2.0], [3.0], [4.0])


def test_a_figure_of_nothing_is_not_written(tmp_path):
    draw(tmp_path / "x.png", {})
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("name", ["composition", "judge_alone", "cotrain"])
def test_the_ablations_that_ship_compose(name, tmp_path):
    path = ROOT / "experiments" / "ablations" / f"{name}.yaml"
    config = load_config(AblationConfig, path)
    judge = tmp_path / "judge"
    judge.mkdir()
    (judge / "config.json").write_text("{}")
    for settings in config.arms.values():
        served = [f"judge_model={judge}"] if name == "judge_alone" else []
        resolve(load_config(RunConfig, path.parent / config.experiment, [*config.settings, *settings, *served]))
