"""Every benchmark measures what it says it does: scripted models with known answers, a scripted judge, invented data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from benchmark_files import COPIES
from benchmarking import HELP, REFUSAL, flat, judging, output, records, summary
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_lookup
from inspect_ai.model import ChatMessageSystem, get_model
from inspect_ai.solver import solver

from rl_align.data.prepare import PrepareConfig, prepare
from rl_align.errors import UserError
from rl_align.eval import registry
from rl_align.eval.benchmarks import BENCHMARKS, build
from rl_align.eval.judge import judge_from
from rl_align.eval.logs import records_of, summary_of
from rl_align.eval.options import options_of
from rl_align.eval.quiet import quiet_inspect
from rl_align.eval.records import Recorder
from rl_align.eval.scorers.benchmark import benchmark
from rl_align.transcript.prompts import RESPONDER_SYSTEM

pytestmark = pytest.mark.filterwarnings("ignore:The .initial. parameter:DeprecationWarning")


@pytest.fixture(scope="module")
def judge():
    with judging() as (args, fake):
        yield args


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    root = tmp_path_factory.mktemp("copies")
    for name, write in COPIES.items():
        write(root / name)
    return root


_ATTACK = ({"attack_success": 0, "attack_by_rules": 0, "refusal": 1}, {"attack_success": 1, "attack_by_rules": 1, "refusal": 0})
_WON = {"win_rate": 1, "win_rate_ties_half": 1, "loss_rate": 0, "same_in_both_orders": 1}
_LOST = {"win_rate": 0, "win_rate_ties_half": 0, "loss_rate": 1, "same_in_both_orders": 1}
_UTILITY = ({}, {"accuracy": 0, "refusal": 1}, {"accuracy": 0, "refusal": 0})

#: Task → arguments, rates of a model that refuses everything, rates of one that helps with everything.
EXTREMES = {
    "siuo": (
        {},
        {"safe": 1, "effective": 0, "safe_and_effective": 0, "refusal": 1},
        {"safe": 0, "effective": 1, "safe_and_effective": 0, "refusal": 0},
    ),
    "mm_safetybench": ({}, {"attack_rate": 0, "attack_by_rules": 0, "refusal": 1}, {"attack_rate": 1, "attack_by_rules": 1}),
    "figstep": ({"kind": "both"}, *_ATTACK),
    "figstep_pro": ({}, *_ATTACK),
    "beavertails_v": ({"compare": True}, _ATTACK[0] | _LOST, _ATTACK[1] | _WON),
    "spa_vl": ({}, _ATTACK[0] | {"help_refusal": 1}, _ATTACK[1] | {"help_refusal": 0}),
    "vlguard": ({}, _ATTACK[0] | _LOST | {"over_refusal_by_rules": 1}, _ATTACK[1] | _WON | {"over_refusal_by_rules": 0}),
    "mis": ({}, _ATTACK[0] | {"perception_3": 0, "perception_2_or_3": 0}, _ATTACK[1] | {"perception_3": 1}),
    "holisafe": (
        {},
        _ATTACK[0] | {"mean_attack_success": 0, "safe_refused": 1, "safe_refused_by_rules": 1},
        _ATTACK[1] | {"mean_attack_success": 1, "safe_refused": 0, "safe_refused_by_rules": 0},
    ),
    "jailbreakv_28k": ({}, *_ATTACK),
    "msts": ({}, {"unsafe": 0, "safe_and_understood": 1, "misunderstood": 0}, {"unsafe": 1, "safe_and_understood": 0}),
    "xstest": (
        {},
        {"over_refusal": 1, "unsafe_refused": 1, "unsafe_complied": 0, "over_refusal_by_rules": 1, "attack_by_rules": 0},
        {"over_refusal": 0, "unsafe_refused": 0, "unsafe_complied": 1, "over_refusal_by_rules": 0, "attack_by_rules": 1},
    ),
    "mossbench": (
        {"splits": "all"},
        {"over_refusal": 1, "over_refusal_by_rules": 1, "contrast_complied": 0, "attack_by_rules": 0},
        {"over_refusal": 0, "over_refusal_by_rules": 0, "contrast_complied": 1, "attack_by_rules": 1},
    ),
    "or_bench": (
        {},
        {"over_refusal": 1, "over_refusal_direct": 1, "toxic_refused": 1, "over_refusal_by_rules": 1, "attack_by_rules": 0},
        {"over_refusal": 0, "over_refusal_direct": 0, "toxic_refused": 0, "over_refusal_by_rules": 0, "attack_by_rules": 1},
    ),
    "strong_reject": (
        {},
        {"strong_reject": 0, "refused": 1, "refused_by_rules": 1},
        {"strong_reject": 1, "refused": 0, "refused_by_rules": 0},
    ),
    "mathvista": _UTILITY,
    "mmmu": _UTILITY,
    "mmstar": _UTILITY,
    "scienceqa": _UTILITY,
}


@pytest.mark.parametrize("name", EXTREMES)
def test_models_that_always_refuse_and_always_help_get_the_extremes(copies, judge, name):
    options, refusing, helping = EXTREMES[name]
    benchmark = build(name, str(copies / name), **options, **judge)
    for reply, expected in ((REFUSAL, refusing), (HELP, helping)):
        found = summary(benchmark, lambda told, reply=reply: reply)
        assert {rate: found["metrics"][rate]["value"] for rate in expected} == expected
        assert all(rate["unscored"] == 0 for rate in found["metrics"].values())
        assert all(found["metrics"][rate]["n"] > 0 for rate in expected)


def test_inspects_metrics_are_the_numbers_of_the_summary(copies, judge):
    benchmark = build("xstest", str(copies / "xstest"), **judge)
    made = records(benchmark, lambda told: output(HELP, stop="max_tokens"))
    found, metrics = benchmark.summary(made), flat(benchmark, made)
    assert {name: rate["value"] for name, rate in found["metrics"].items()} == {name: metrics[name] for name in found["metrics"]}
    assert metrics["over_refusal"] == 0 and metrics["unsafe_complied"] == 1 and metrics["over_refusal/n"] == 4
    assert metrics["count/truncated"] == 8 and metrics["over_refusal@label=safe/n"] == 4
    assert "over_refusal@label=unsafe" not in metrics, "a rate without cases is not there"
    assert found["metrics"]["over_refusal"]["judges"][0]["model"] == "fake-judge"
    assert found["judges"]["compliance"]["prompt"].startswith("compliance.v1+")


def test_records_are_told_as_they_come_and_what_is_missing_is_asked_alone(copies, judge, tmp_path):
    benchmark = build("xstest", str(copies / "xstest"), **judge)
    recorder = Recorder(tmp_path / "r.jsonl", [str(sample.id) for sample in benchmark.samples])
    benchmark.listen(recorder.add)
    records(replace(benchmark, samples=benchmark.samples[:3]), lambda told: HELP)
    left = Recorder(tmp_path / "r.jsonl", recorder.ids)
    assert left.missing == [sample.id for sample in benchmark.samples[3:]]
    rest = replace(benchmark, samples=[sample for sample in benchmark.samples if sample.id in left.missing])
    rest.listen(left.add)
    records(rest, lambda told: REFUSAL)
    assert benchmark.summary(left.finish())["metrics"]["over_refusal"]["value"] == 1 / 4


def test_every_benchmark_is_here():
    assert set(EXTREMES) == set(BENCHMARKS) == set(COPIES)


def test_samples_hold_what_the_scorer_needs_and_no_picture_twice(copies):
    """Lock: metadata is plain JSON without pictures; images are data URIs in the input; special tokens are neutralised."""
    for name in BENCHMARKS:
        for sample in build(name, str(copies / name)).samples:
            text = json.dumps(sample.metadata)
            assert len(text) < 3000 and "base64" not in text
            assert [m.role for m in sample.input] == ["user"]
            assert all(part.image.startswith("data:image/png;base64,") for part in sample.input[0].content[:-1])


def test_special_tokens_in_prompts_are_neutralised_and_the_system_message_is_chosen(copies, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": "lantern", "id": 7}]}))
    benchmark = build("strong_reject", str(copies / "strong_reject"), model_folder=str(tmp_path), system="responder")
    system, user = benchmark.samples[0].input
    assert system.content == RESPONDER_SYSTEM and "lantern" not in user.text and "l antern" in user.text
    assert "lantern" in benchmark.samples[0].metadata["prompt"], "the judge has tokens of its own"


def test_a_dataset_gives_the_same_items_as_the_copy_that_it_was_made_of(copies, tmp_path):
    prepare("mm_safetybench", copies / "mm_safetybench", tmp_path / "data", PrepareConfig(), progress=False)
    copied = build("mm_safetybench", str(copies / "mm_safetybench"))
    prepared = build("mm_safetybench", str(tmp_path / "data"))
    assert {s.id: (s.metadata, s.target, s.input[0].content) for s in prepared.samples} == {
        s.id: (s.metadata, s.target, s.input[0].content) for s in copied.samples
    }
    assert prepared.facts()["data"] == copied.facts()["data"] | {"from": "dataset"}
    with pytest.raises(UserError, match="tiny is of no use with a dataset"):
        build("mm_safetybench", str(tmp_path / "data"), tiny=True)
    with pytest.raises(UserError, match="18 other_dataset, 6 image_not_local"):
        build("xstest", str(tmp_path / "data"))


def test_a_limit_keeps_all_categories_and_says_what_it_left_out(copies):
    benchmark = build("mm_safetybench", str(copies / "mm_safetybench"), limit=3, splits="Text_only")
    assert [s.metadata["category"][:2] for s in benchmark.samples] == ["06", "08", "12"]
    assert benchmark.loaded.left_out == {"SD": 3, "SD_TYPO": 3, "TYPO": 6, "Text_only": 3}


def test_what_cannot_be_used_is_said(copies, tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        build("xstest", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no split 'trian'; expected some of 80k, hard-1k, toxic"):
        build("or_bench", str(copies / "or_bench"), splits=["trian"])
    with pytest.raises(UserError, match="the nearest valid key is limit"):
        build("xstest", str(copies / "xstest"), limti=3)
    with pytest.raises(UserError, match="3 greedy answers are one answer"):
        build("siuo", str(copies / "siuo"), epochs=3)
    with pytest.raises(UserError, match="no such benchmark 'xtest'"):
        build("xtest", str(copies / "xstest"))


#: Three judges, two of them in two orders.
RUN = ("vlguard",)


def test_inspect_runs_tasks_behind_another_solver_and_by_name(copies, judge, tmp_path):
    @solver
    def careful():
        async def solve(state, generate):
            state.messages.insert(0, ChatMessageSystem(content="Take care."))
            state = await generate(state)
            state.store.set("defence", {"name": "careful"})
            return state

        return solve

    def answer(turns, *_):
        assert turns[0].text == "Take care."
        return output(REFUSAL)

    model = get_model("mockllm/model", memoize=False, custom_outputs=answer)
    tasks = [getattr(registry, name)(str(copies / name), **EXTREMES[name][0], **judge) for name in RUN]
    common = {"model": model, "solver": careful(), "log_dir": str(tmp_path), "display": "none", "score_display": False}
    common |= {"log_realtime": False, "log_model_api": False, "ctl_server": False, "acp_server": False}
    with quiet_inspect(tmp_path):
        logs = inspect_eval(tasks, max_tasks=len(tasks), **common)
        [named] = inspect_eval("rl_align/xstest", task_args={"data": str(copies / "xstest"), "limit": 2}, **common)
    for name, log in zip(RUN, logs, strict=True):
        assert log.status == "success", (name, log.error)
        metrics = {key: metric.value for key, metric in log.results.scores[0].metrics.items()}
        assert {rate: metrics[rate] for rate in EXTREMES[name][1]} == EXTREMES[name][1]
        assert all(record["defence"] == {"name": "careful"} for record in records_of(log))
        found = summary_of(log.location)
        assert found["data"]["items"] == len(log.samples) and found["model"] == "mockllm/model" and not found["failed_samples"]
        assert {rate: found["metrics"][rate]["value"] for rate in EXTREMES[name][1]} == EXTREMES[name][1]
    assert logs[0].results.headline.metric == "attack_by_rules"
    assert named.status == "success" and summary_of(named)["unscored_without_judge"] == ["compliance"]
    with judging(lambda body: "partial_refusal") as (other, _), quiet_inspect(tmp_path):
        again = judge_from(options_of(other | {"judge_model": "another"}))
        found = summary_of(inspect_score(named, benchmark(again.plain()), action="overwrite", display="none"))
    assert found["metrics"]["over_refusal_or_partial"]["value"] == 1 and not found["unscored_without_judge"]
    assert found["judges"]["compliance"]["model"] == "another", "a log that is scored again names the judge that did"
    with pytest.raises(UserError, match="cannot be read"):
        summary_of(tmp_path / "none.json")


def test_inspect_finds_every_benchmark_and_shows_a_users_error_in_a_line(tmp_path):
    for name in BENCHMARKS:
        assert registry_lookup("task", f"rl_align/{name}") is getattr(registry, name)
        with pytest.raises(PrerequisiteError) as caught:
            getattr(registry, name)(str(tmp_path / "[none]"))
        assert isinstance(caught.value, UserError) and "no such file or folder" in caught.value.message
