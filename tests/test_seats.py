"""The pipeline of rewriter and co-training: which stages there are, what they read, what is refused; rows for real, no engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import fmean

import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from rl_align.cli import main
from rl_align.config import load_config, to_yaml
from rl_align.data.items import read_items
from rl_align.engine.config import EngineConfig, GRPOConfig
from rl_align.engine.verl_config import grpo_settings
from rl_align.errors import UserError
from rl_align.pictograms.config import RewriterTeacherConfig
from rl_align.pictograms.measure import worth_of_both, worth_of_rewrites
from rl_align.pictograms.rewriter_teacher import transcript
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.cotrain import COSINE_ENDS_AT, in_round, shared_grpo
from rl_align.pipeline.estimate import explain, plan
from rl_align.pipeline.run import Run
from rl_align.transcript.prompts import RESPONDER_SYSTEM, REWRITER_SYSTEM

FOLDER = ROOT / "experiments" / "pictograms"
SMALL = ["pictograms.train=60", "pictograms.neighbours=14", "model.size=1m", "pretrain.steps=0", "pictograms.validation=8"]


def work(name: str, *overrides: str) -> Run:
    return Run(resolve(load_config(RunConfig, FOLDER / f"{name}.yaml", list(overrides))))


def names(name: str, *overrides: str) -> list[str]:
    return [stage.name for stage in work(name, *overrides).stages()]


def test_the_stages_of_every_mode():
    begun = ["data", "model", "rows", "pretrain"]
    assert names("rewriter") == [*begun, "rewriter_rows", "target", "rewriter_sft", "rewriter_grpo", "matrix"]
    assert names("rewriter", "seats=[responder, rewriter]", "rewriter.target_model=grpo") == [
        *begun, "sft", "grpo", "rewriter_rows", "rewriter_sft", "rewriter_grpo", "eval", "matrix",
    ]  # fmt: skip
    assert names("cotrain_alternate") == [
        *begun, "sft", "rewriter_rows", "rewriter_sft", "rewriter_round_1", "rows_round_1", "responder_round_1",
        "rewriter_round_2", "rows_round_2", "responder_round_2", "eval", "matrix",
    ]  # fmt: skip
    assert names("cotrain_shared") == [*begun, "rewriter_rows", "shared_rows", "shared_sft", "shared", "matrix"]


def test_every_round_goes_on_from_the_last_and_its_target_is_the_last_responder():
    run = work("cotrain_alternate")
    stages = {stage.name: stage for stage in run.stages()}
    models = run.models
    assert stages["rewriter_round_1"].inputs[:2] == [models / "rewriter_sft", models / "sft"]
    assert stages["rewriter_round_2"].inputs[:2] == [models / "rewriter_round_1", models / "responder_round_1"]
    assert stages["responder_round_2"].inputs[0] == models / "responder_round_1"
    assert models / "rewriter_round_2" in stages["rows_round_2"].inputs
    measured = stages["matrix"].inputs
    assert {models / f"{seat}_round_{r}" for seat in ("rewriter", "responder") for r in (1, 2)} <= set(measured)


def test_the_cosine_goes_on_over_the_rounds_of_a_seat():
    """Lock: a rate that starts over in every round is another budget than that of the arms it is compared with."""
    run = work("cotrain_alternate")
    seats = {"rewriter": run.config.rewriter.grpo, "responder": run.config.grpo}
    for grpo in seats.values():
        rounds = [in_round(grpo, r, run.config.cotrain) for r in (1, 2)]
        assert [s.lr_schedule for s in rounds] == ["constant"] * 2 and rounds[0].seed + 1 == rounds[1].seed
        rates = [s.learning_rate / grpo.learning_rate for s in rounds]
        assert rates == pytest.approx([0.8365, 0.2635], abs=1e-4) and sum(rates) / 2 == pytest.approx(0.55)
        steps = [0.1 + 0.45 * (1 + math.cos(math.pi * (k + 0.5) / 1000)) for k in range(1000)]
        assert rates == pytest.approx([fmean(steps[:500]), fmean(steps[500:])], abs=1e-5)
    trained = {s.name: s.settings for s in plan(run.config) if "round" in s.name}
    assert trained["rewriter_round_2"].learning_rate < 0.3 * run.config.rewriter.grpo.learning_rate
    assert any(line == "responder: learning rate by round 0.00013 constant, 4e-05 constant" for line in explain(run.config))
    anew = work("cotrain_alternate", "cotrain.schedule=restarted").config
    assert in_round(anew.grpo, 2, anew.cotrain).lr_schedule == "cosine"
    one = work("cotrain_alternate", "cotrain.rounds=1").config
    assert in_round(one.grpo, 1, one.cotrain).lr_schedule == "cosine"
    steady = work("cotrain_alternate", "grpo.lr_schedule=constant").config
    assert in_round(steady.grpo, 2, steady.cotrain).learning_rate == steady.grpo.learning_rate


def test_a_cosine_ends_where_the_engine_ends_it():
    given = dict(model=Path("m"), train_file=Path("t"), folder=Path("f"), resume_from=None, name="n")
    settings = grpo_settings(EngineConfig(), GRPOConfig(lr_schedule="cosine"), **given)
    assert settings["actor_rollout_ref.actor.optim.min_lr_ratio"] == COSINE_ENDS_AT


def test_the_shared_model_trains_as_many_texts_a_step():
    config = work("cotrain_shared").config
    grpo = shared_grpo(config)
    assert grpo.prompts_per_step * grpo.rollouts_per_prompt == config.grpo.prompts_per_step * config.grpo.rollouts_per_prompt
    assert grpo.rollouts_per_prompt == config.cotrain.episode.texts == 16 and grpo.steps == config.cotrain.steps


@pytest.mark.parametrize("name", ["rewriter", "cotrain_alternate", "cotrain_shared"])
def test_the_estimate_speaks_of_the_stages_that_train(name):
    run = work(name)
    trained = {stage.name for stage in plan(run.config)}
    supervised = {s.name for s in run.stages()} - {"data", "model", "rows", "eval", "matrix", "rewriter_rows", "shared_rows"}
    assert trained == {n for n in supervised if not n.startswith("rows_round")}
    assert any("time (estimate" in line for line in explain(run.config))


@pytest.mark.parametrize(
    ("name", "override", "named"),
    [
        ("rewriter", "pictograms.neighbours=0", "pictograms.neighbours"),
        ("rewriter", "rewriter.target_model=nowhere", "rewriter.target_model"),
        ("rewriter", "rewriter.target_model=endpoint", "rewriter.target_endpoint"),
        ("rewriter", "rewriter.from_run=nowhere", "rewriter.from_run"),
        ("rewriter", "rewriter.grpo.steps=0", "rewriter.grpo.steps"),
        ("rewriter", "rewriter.sft.batch_size=0", "rewriter.sft.batch_size"),
        ("rewriter", "rewriter.teacher.missed_share=2", "missed_share"),
        ("rewriter", "rewriter.target.samples=2", "target.samples"),
        ("rewriter", "rewriter.target_aligned_share=2", "rewriter.target_aligned_share"),
        ("rewriter", "cotrain.mode=alternate", "seats"),
        ("cotrain_alternate", "cotrain.rounds=0", "cotrain.rounds"),
        ("cotrain_alternate", "cotrain.rewritten_share=2", "cotrain.rewritten_share"),
        ("cotrain_shared", "cotrain.episode.answers=1", "episode.answers"),
        ("cotrain_shared", "judges.judges={refusal: {}}", "judges.judges"),
        ("cotrain_shared", "grpo.estimator=gdpo", "grpo.estimator"),
        ("rewriter", "rewriter.grpo.estimator=gdpo", "rewriter.grpo.estimator"),
        ("cotrain_alternate", "rewriter.grpo.estimator=gdpo", "rewriter.grpo.estimator"),
        ("quickstart", "seats=[]", "seats"),
    ],
)
def test_what_cannot_work_is_refused_by_name(name, override, named):
    with pytest.raises(UserError, match=named.replace(".", r"\.")):
        work(name, override)


def test_gdpo_is_refused_in_one_model_without_gates_too_and_taken_where_nothing_is_lost():
    open_gates = ["reward.format_gate=false", "reward.composition=weighted"]
    with pytest.raises(UserError, match="cotrain.mode=shared"):
        Run(resolve(load_config(RunConfig, FOLDER / "cotrain_shared.yaml", [*open_gates, "grpo.estimator=gdpo"])))
    assert work("rewriter", "rewriter.grpo.estimator=gdpo", "rewriter.reward.format_gate=false")
    assert work("cotrain_shared", "rewriter.grpo.estimator=gdpo"), "the rewriter's own settings train nothing there"
    assert work("responder", "rewriter.grpo.estimator=gdpo") and work("cotrain_alternate", "grpo.estimator=gdpo", *open_gates)


def test_rows_of_a_round_depend_on_what_decides_rewrites_and_its_responder_on_its_judges():
    def parts(*more: str):
        return {s.name: (s.config_part, s.inputs) for s in work("cotrain_alternate", *more).stages()}

    plain = parts()
    for setting in ("eval.max_tokens=90", "eval.server.dtype=float32"):
        assert parts(setting)["rows_round_1"] != plain["rows_round_1"], setting
    assert parts("eval.max_connections=3")["rows_round_1"] == plain["rows_round_1"]
    endpoint = "judge_endpoint={base_url: 'http://h/v1', model: m}"
    judged = parts("judges.judges={refusal: {}}", endpoint)
    assert judged["responder_round_2"] != plain["responder_round_2"] and judged["rows_round_1"] == plain["rows_round_1"]


def donor(folder: Path, *overrides: str) -> Path:
    """A finished run of a rewriter, as far as another run looks at it."""
    for name in ("rewriter_sft", "rewriter_grpo"):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "config.json").write_text("{}")
    (folder / "config.yaml").write_text(to_yaml(work("rewriter", *overrides).config))
    return folder


def test_a_rewriter_is_measured_in_its_own_world_only(tmp_path):
    """Lock: in another world the held-out items may be what it was trained on."""
    for seed in (0, 1):
        donor(tmp_path / f"seed-{seed}", f"seed={seed}")
    at = f"rewriter.from_run={tmp_path}/seed-{{seed}}"
    for seed in (0, 1):
        run = work("transfer_mix", at, f"seed={seed}")
        assert run.rewriter.models()["grpo"] == tmp_path / f"seed-{seed}" / "models" / "rewriter_grpo"
        assert load_config(RunConfig, FOLDER / "transfer_mix.yaml", [at]).rewriter.from_run.endswith("{seed}")
    assert work("transfer_qwen3", at, "seed=0"), "another architecture is another target, not another world"
    with pytest.raises(UserError, match=r"pictograms\.seed is 7 there and 8 here") as told:
        work("transfer_mix", f"rewriter.from_run={tmp_path}/seed-0", "seed=1")
    assert "\n" not in str(told.value) and "{seed} in the path" in str(told.value)
    with pytest.raises(UserError, match=r"pictograms\.spelled_share is"):
        work("transfer_mix", at, "pictograms.spelled_share=0.111")
    assert work("responder", at, "seed=7"), "nobody is taken over by a run without a rewriter"
    (tmp_path / "seed-0" / "config.yaml").write_text("pictograms: [1]")
    with pytest.raises(UserError, match="cannot be read"):
        work("transfer_mix", at)
    (tmp_path / "seed-0" / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"no config\.yaml there"):
        work("transfer_mix", at)


def test_a_foreign_rewriter_ends_the_command_with_one_line(tmp_path, capsys):
    donor(tmp_path / "seed-0")
    config = str(FOLDER / "transfer_mix.yaml")
    for command in (["run", config, "seed=1"], ["seeds", config, "--n", "2"]):
        assert main([*command, f"rewriter.from_run={tmp_path}/seed-0", f"folder={tmp_path}/out"]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_one_seed_changes_the_rewriters_sections_too():
    base, other = (work("rewriter", f"seed={s}").config.rewriter for s in (0, 5))
    assert [getattr(other, n).seed - getattr(base, n).seed for n in ("teacher", "sft", "grpo", "target_sft")] == [5] * 4


def test_where_an_endpoint_is_asked_is_not_what_its_answers_depend_on():
    def paid(*more: str):
        at = ["rewriter.target_model=endpoint", "rewriter.target_endpoint.model=m", *more]
        stages = {s.name: s for s in work("rewriter", *at).stages()}
        assert "target" not in stages
        return stages["rewriter_grpo"].config_part

    here, there = (paid(f"rewriter.target_endpoint.base_url=http://{host}:1/v1") for host in ("a", "b"))
    assert here == there != paid("rewriter.target_endpoint.base_url=http://a:1/v1", "rewriter.target.max_tokens=9")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Run:
    """A folder with everything up to the rows of both seats."""
    run = work("cotrain_shared", *SMALL, f"folder={tmp_path_factory.mktemp('run')}", "rewriter.target_model=unaligned")
    run.folder.mkdir(parents=True, exist_ok=True)
    run.make_data()
    run.make_model()
    run.make_rows()
    run.rewriter.make_rows()
    run.cotrain.make_shared_rows()
    return run


def systems(path) -> set[str]:
    table = pq.read_table(path).to_pylist()
    column = "messages" if "messages" in table[0] else "prompt"
    return {row[column][0]["content"] for row in table}


def test_rows_of_the_rewriter_ask_as_its_loop_does(made):
    data = made.data
    assert systems(data / "rewriter_sft.parquet") == systems(data / "rewriter_grpo.parquet") == {REWRITER_SYSTEM}
    for name in ("target", "sft", "shared"):
        assert systems(data / f"{name}.parquet") == {RESPONDER_SYSTEM}
    assert systems(data / "shared_sft.parquet") == {REWRITER_SYSTEM, RESPONDER_SYSTEM}
    loops = {name: set(pq.read_table(data / f"{name}.parquet")["agent_name"].to_pylist()) for name in ("rewriter_grpo", "shared")}
    assert loops == {"rewriter_grpo": {"rewriter"}, "shared": {"episode"}}
    label = json.loads(pq.read_table(data / "rewriter_grpo.parquet").to_pylist()[0]["reward_model"]["ground_truth"])
    assert "rejected" in label and "truth" not in label
    complies = [row["messages"][-1]["content"] for row in pq.read_table(data / "target.parquet").to_pylist()]
    assert all("### Normal Response" in text for text in complies)


def test_a_share_of_the_target_may_be_aligned(made):
    mixed = work("cotrain_shared", *SMALL, "rewriter.target_model=unaligned", "rewriter.target_aligned_share=0.5")
    items = read_items(made.data / "train.parquet")
    harmful = [mixed.rewriter._target_writes(i) for i in items if i.harmful]
    refused = sum("### Safe Response" in text for text in harmful)
    assert 0.2 < refused / len(harmful) < 0.8
    assert harmful == [mixed.rewriter._target_writes(i) for i in items if i.harmful]


def test_the_truth_of_rewrites_is_measured_by_their_text(made):
    settings = {"items": str(made.data / "train.parquet")}
    measure, both = worth_of_rewrites(settings), worth_of_both(settings)
    perfect = RewriterTeacherConfig(missed_share=0, meddling_share=0)
    for item in read_items(made.data / "train.parquet"):
        assert measure(item.id, transcript(item, perfect)) == 1.0 == both(item.id, transcript(item, perfect))
        assert measure(item.id, "nothing") == 0.0
    assert both(item.id, "an answer") is None and measure("unknown", "x") is None
