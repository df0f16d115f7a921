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
from rl_align.pipeline.ablation import AblationConfig, ablate, curves
from rl_align.pipeline.arms import by_round, compare, markdown
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.run import Run as RealRun
from rl_align.pipeline.trained import logged, planned
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
steps[-1] |= {"credit/rows": 8, "credit/kept": 6, "credit/flat_groups": 1}
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
        self.command = [sys.executable, "-S", str(root / "program.py")]  # it needs no site-packages
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
    both = result["splits"]["held"]["better"]["sum"]
    assert both["values"] == {"3": pytest.approx(0.15), "4": pytest.approx(0.16)}, "attack success + over-refusal, seed by seed"
    assert both["difference"]["mean"] == pytest.approx(-0.1)
    assert "| attack success ↓ | over-refusal ↓ | attack + over-refusal ↓ |" in text
    assert result["texts"]["better"]["4"] == {"sampled": 8, "trained": 6, "flat_groups": 1}
    assert "* better: texts sampled 8, 8; in the loss 6, 6; groups that taught nothing 1, 1\n" in text
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
    text = markdown(compare({"a": {0: known}, "b": {0: known}}), [0], "a")
    row = next(line for line in text.splitlines() if line.startswith("| a |"))
    assert row.split("|")[2:5] == [" 10.0 ", " – ", " – "], "nor is a sum with one known"


def test_arms_about_both_seats_are_compared_by_a_cell_of_the_matrix():
    def summary(attack: float) -> dict:
        row = {"none": {"h": {"attack_success": 0.5}}, "grpo": {"h": {"attack_success": attack, "kept": 1.0}}}
        return {"models": {}, "matrix": {"sft": row}}

    found = compare({"a": {0: summary(0.4)}, "b": {0: summary(0.1)}}, {"a": ["sft", "none"], "b": ["sft", "grpo"]})["h"]
    assert found["sft"]["attack_success"]["mean"] == found["a"]["attack_success"]["mean"] == 0.5
    assert found["b"]["attack_success"]["difference"]["mean"] == pytest.approx(-0.4)
    columns = markdown({"h": found}, [0], "a").splitlines()[4]
    assert "kept" in columns and "attack success ↓ | unparsed ↓ |" in columns
    with pytest.raises(ValueError, match="cells"):
        AblationConfig(arms={"a": [], "b": []}, cells={"a": ["sft", "none"]})


def cell(attack: float, n: int = 8) -> dict:
    return {"h": {"attack_success": attack, "over_refusal": 0.1, "n_harmful": n, "n_benign": n}}


def test_a_run_without_a_matrix_has_a_cell_behind_no_rewriter():
    """Lock: an arm about the responder alone needs no rewriter to be trained; its table and the matrix count alike."""
    both = {"models": {}, "matrix": {"sft": {"none": cell(0.5)}, "grpo": {"none": cell(0.3), "grpo": cell(0.1)}}}
    alone = {"models": {"grpo": cell(0.2)}}
    cells = {"a": ["grpo", "grpo"], "b": ["grpo", "none"]}
    found = compare({"a": {0: both}, "b": {0: alone}}, cells, {"a, no rewriter": ["a", "grpo", "none"]})["h"]
    assert list(found) == ["sft", "a, no rewriter", "a", "b"]
    assert found["b"]["attack_success"]["mean"] == 0.2 and found["b"]["sum"]["difference"]["mean"] == pytest.approx(0.1)
    assert "difference" not in found["a, no rewriter"]["sum"] and "difference" not in found["a"]["sum"]
    text = markdown({"h": found}, [0], "a")
    assert [line.split(" |")[0] for line in text.splitlines()[6:]] == ["| sft", "| a, no rewriter", "| a", "| b", "| b − a"]
    assert compare({"a": {0: both}, "b": {0: alone}}, {"a": ["grpo", "grpo"], "b": ["grpo", "grpo"]})["h"].keys() == {"sft", "a"}


def test_arms_that_were_measured_on_different_items_are_not_compared():
    few, many = ({"models": {}, "matrix": {"sft": {"none": cell(0.5, n)}}} for n in (8, 9))
    cells = {"a": ["sft", "none"], "b": ["sft", "none"]}
    with pytest.raises(UserError, match="b: 9 harmful, 9 benign"):
        compare({"a": {0: few}, "b": {0: many}}, cells)
    assert compare({"a": {0: few, 1: many}, "b": {0: few, 1: many}}, cells), "seeds may differ"


def test_rounds_are_curves_over_the_trained_texts():
    summary = {"models": {}, "matrix": {"sft": {"sft": cell(0.5)}, "r1": {"r1": cell(0.3)}, "r2": {"r2": cell(0.1)}}}
    path = {"a": [["sft", "sft"], ["r1", "r1"], ["r2", "r2"]], "b": [["sft", "sft"], ["gone", "gone"]]}
    found = by_round({"a": {0: summary, 1: summary}, "b": {0: summary}}, path)
    assert len(found) == 3 and all("% of texts" in title for title in found)
    drawn = found["attack + over-refusal, h (% of texts)"]
    assert [(x, round(y, 6)) for x, y in drawn["a"][1]] == [(0, 0.6), (50, 0.4), (100, 0.2)]
    assert len(drawn["a"]) == 2 and drawn["b"] == [[(0, 0.6)]]
    for broken in ({"x": [["a", "b"], ["c", "d"]]}, {"a": [["a", "b"]]}, {"a": [["a"], ["b", "c"]]}):
        with pytest.raises(ValueError, match="rounds"):
            AblationConfig(arms={"a": [], "b": []}, rounds=broken)
    for broken in ({"a": ["a", "x", "y"]}, {"sft": ["a", "x", "y"]}, {"new": ["x", "x", "y"]}, {"new": ["a", "x"]}):
        with pytest.raises(ValueError, match="beside"):
            AblationConfig(arms={"a": [], "b": []}, cells={"a": ["x", "y"], "b": ["x", "y"]}, beside=broken)


def test_texts_of_a_step_that_was_done_again_count_once(tmp_path):
    steps = [("grpo", 1, 8), ("grpo", 2, 8), ("grpo", 2, 7), ("rewriter_grpo", 1, 4), ("sft", 1, None)]
    rows = [{"stage": stage, "step": k} | ({"credit/rows": n, "credit/kept": n - 1} if n else {}) for stage, k, n in steps]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert logged(tmp_path) == {"sampled": 19, "trained": 16, "flat_groups": 0}
    assert logged(tmp_path / "nowhere") == {"sampled": 0, "trained": 0, "flat_groups": 0}


def test_the_comparison_of_cotraining_is_fair(capsys):
    """Lock: as many trained texts, one estimator, as many transcripts for both seats, and cells that the runs have."""
    path = ROOT / "experiments" / "ablations" / "cotrain.yaml"
    config = load_config(AblationConfig, path)
    runs = {
        arm: resolve(load_config(RunConfig, path.parent / config.experiment, [*config.settings, *settings]))
        for arm, settings in config.arms.items()
    }
    counts = {arm: planned(run) for arm, run in runs.items()}
    assert {sum(sampled.values()) for sampled, _ in counts.values()} == {120 * 128}
    assert {sum(taught.values()) for arm, (_, taught) in counts.items() if arm != "responder_alone"} == {1140 * 32}
    for arm, run in runs.items():
        for seat in (run.grpo, run.rewriter.grpo):
            same = (seat.estimator, seat.learning_rate, seat.lr_schedule, seat.max_response_tokens)
            assert same == ("dr_grpo", 1.5e-4, "cosine", 160)
        cells = [config.cells[arm], *config.rounds[arm], *(row[1:] for row in config.beside.values() if row[0] == arm)]
        work = RealRun(run)
        stages = {stage.name: stage for stage in work.stages()}
        measured = {str(p) for name in ("matrix", "eval") if name in stages for p in stages[name].inputs}
        responders = work.responders() | work.cotrain.responders()
        rewriters = work.rewriter.models() | work.cotrain.rewriters() if "matrix" in stages else {}
        for responder, rewriter in cells:
            assert str(responders[responder]) in measured, (arm, responder)
            assert rewriter == "none" or str(rewriters[rewriter]) in measured, (arm, rewriter)
        assert config.rounds[arm][-1] == config.cells[arm]
    assert ablate(path, [], dry_run=True) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "# all arms train as many texts by GRPO"
    assert ablate(path, ["arms.separately=[grpo.steps=61, rewriter.grpo.steps=60]"], dry_run=True) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "# arms train different numbers of texts by GRPO"


def test_curves_are_of_the_training_stage_and_smoothed(bench):
    bench.run()
    found = curves({"plain": {3: bench.root / "plain" / "seed-3"}}, {"r": "reward", "absent": "nothing"})
    assert found == {"r": {"plain": [[(1, 1.0), (2, 2.0), (3, 3.0)]]}}
    assert smooth([(1, 1.0), (2, 2.0), (3, 6.0)], 2) == [(1, 1.0), (2, 1.5), (3, 4.0)]
    assert band([[(1, 1.0), (2, 4.0)], [(2, 2.0)]]) == ([2], [2.0], [3.0], [4.0])


def test_a_figure_of_nothing_is_not_written(tmp_path):
    draw(tmp_path / "x.png", {})
    assert not (tmp_path / "x.png").exists()
    draw(tmp_path / "x.png", {"t": {"a": [[(0, 0.5), (100, 0.1)]], "b": [[(0, 0.4)], [(0, 0.2)]]}})
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


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
