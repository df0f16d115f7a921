"""The pipeline's own logic: what a stage depends on, what is refused before anything starts, where things lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rl_align.config import load_config, to_yaml
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.estimate import explain, memory_bytes
from rl_align.pipeline.evaluate import evaluate
from rl_align.pipeline.report import load_run
from rl_align.pipeline.run import Run, run

RESPONDER = "experiments/pictograms/responder.yaml"
REAL_INPUTS = "experiments/pictograms/real_inputs.yaml"
GPU = "experiments/qwen/qwen2_5_vl_7b.yaml"


def stages(*overrides):
    work = Run(resolve(load_config(RunConfig, RESPONDER, list(overrides))))
    return {stage.name: stage for stage in work.stages()}


def test_stages_and_their_order():
    assert list(stages()) == ["data", "model", "rows", "pretrain", "sft", "grpo", "eval"]
    assert list(stages("pretrain.steps=0", "evaluate=false")) == ["data", "model", "rows", "sft", "grpo"]


def test_raising_a_deadline_runs_nothing_again():
    """Lock: the advice that an expired deadline gives must not throw the work away."""
    before = stages()
    for change in ("engine.deadline_minutes=300", "engine.threads=1", "grpo.save_every=7", "grpo.keep_checkpoints=9"):
        after = stages(change)
        assert {n: s.config_part for n, s in before.items()} == {n: s.config_part for n, s in after.items()}, change
    changed = stages("grpo.learning_rate=1e-5")
    assert [n for n in before if before[n].config_part != changed[n].config_part] == ["grpo"]


def test_a_judge_may_be_all_that_is_paid_and_is_part_of_what_the_stage_depends_on(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    alone = ["reward.weights={citation: 0, behaviour: 0, helpfulness: 0}", f"judge_model={tmp_path}", "judges.judges={refusal: {}}"]
    judged = stages(*alone)["grpo"]
    assert tmp_path in judged.inputs and judged.config_part != stages()["grpo"].config_part
    again = stages(*alone, "judges.judges={refusal: {votes: 1}}")["grpo"]
    assert again.config_part == judged.config_part
    assert stages(*alone, "judges.judges={refusal: {max_tokens: 99}}")["grpo"].config_part != judged.config_part
    with pytest.raises(UserError, match="judge_model"):
        stages("judges.judges={refusal: {}}", "judge_model=nowhere")


def test_one_seed_changes_every_section():
    base, other = (resolve(load_config(RunConfig, RESPONDER, [f"seed={s}"])) for s in (0, 5))
    for name in ("pictograms", "teacher", "model", "pretrain", "sft", "grpo", "eval"):
        assert getattr(other, name).seed - getattr(base, name).seed == 5


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("grpo.stepz=1", "grpo.steps"),
        ("grpo.steps=0", "grpo.steps"),
        ("grpo.micro_batch_size=100", "grpo.micro_batch_size"),
        ("sft.micro_batch_size=5", "sft.micro_batch_size"),
        ("pretrain.batch_size=0", "pretrain.batch_size"),
        ("engine.nodes=2", "engine.nodes"),
        ("pictograms.train=0", "pictograms.train"),
        ("grpo.estimator=gdpo", "gdpo"),
        ("grpo.lr_schedule=linear", "grpo.lr_schedule"),
        ("engine.train_dtype=bf16", "engine.train_dtype"),
        ("engine.tensor_parallel=0", "engine.tensor_parallel"),
        ("engine.attention=flash", "engine.attention"),
        ("grpo.temperature=0", "grpo.temperature"),
        ("grpo.top_p=1.5", "grpo.top_p"),
        ("source=real_inputs", "evaluate"),
        ("reward.weights={citation: 0, behaviour: 0, helpfulness: 0}", "reward.weights"),
        ("judges.judges={helpfullness: {}}", "judges.helpfullness"),
        ("judges.judges={helpfulness: {}}", "judge_endpoint.base_url"),
        ("panel.patience=0", "panel.patience"),
        ("engine.platform=tpu", "engine.platform"),
    ],
)
def test_what_cannot_work_is_refused_by_name(override, named):
    with pytest.raises(UserError, match=named.replace(".", r"\.")):
        resolve(load_config(RunConfig, RESPONDER, [override]))


def test_real_records_that_are_not_there_are_missed_before_anything_starts():
    with pytest.raises(UserError, match=r"real_inputs.folder: no folder nowhere/figstep"):
        resolve(load_config(RunConfig, REAL_INPUTS, ["real_inputs.folder=nowhere"]))


def test_a_dry_run_explains_and_writes_nothing(tmp_path, capsys):
    run(RESPONDER, [f"folder={tmp_path / 'r'}", "grpo.steps=10"], dry_run=True)
    text = capsys.readouterr().out
    assert "# stage data: runs (first time)" in text and "# stage rows: runs when its inputs are made" in text
    assert "# grpo: 10 steps × 16 prompts × 8 rollouts = 1280 rollouts" in text and "memory (estimate)" in text
    assert not (tmp_path / "r").exists()


def test_the_gpu_twin_resolves():
    config = resolve(load_config(RunConfig, GPU))
    assert any("8 training device(s)" in line for line in explain(config))
    assert memory_bytes(8e9, 8) == 8e9 * 18 - 8e9 * 14  # 16 bytes over 8 devices, 2 bytes each


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UserError, match="no config.yaml"):
        load_run(tmp_path)


def test_another_measurement_changes_nothing_but_how_is_measured(tmp_path):
    """Lock: `rl-align eval RUN eval.limit=8` once replaced the run's full results."""
    config = replace(resolve(load_config(RunConfig, RESPONDER)), folder=str(tmp_path))
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    with pytest.raises(UserError, match="only settings of eval"):
        evaluate(tmp_path, ["eval.limit=8", "grpo.steps=1"])
