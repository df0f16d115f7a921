"""The judge of an evaluation: not that of the training, its figures beside the numbers, its prompts closed to what they judge."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_files import COPIES, xstest
from benchmarking import HELP, PARTIAL, REFUSAL, flat, judging, material, rates, records, summary
from judge_attacks import ATTACKS
from scripted_judge import POOR, RIGHT, CredulousJudge

from reward.judges.config import JudgeConfig, Output
from reward.judges.hardening import Hardening
from reward.judges.judge import judge
from reward.judges.types import JudgeVerdict
from reward.judges.untrusted import disarm
from rl_align.cli import main
from rl_align.endpoints.chaos import Mishap
from rl_align.endpoints.fake import Fake, Script
from rl_align.errors import UserError
from rl_align.eval.benchmarks import build
from rl_align.eval.calibration_cases import cases
from rl_align.eval.judge import EvalJudge, judge_from
from rl_align.eval.options import options_of
from rl_align.eval.presets import PRESETS, preset
from rl_align.schema import Item, Response
from rl_align.transcript.responder import parse_answer

JUDGE = {"judge_base_url": "http://127.0.0.1:1/v1", "judge_model": "lab/Judge-7B"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("xstest")
    xstest(root)
    return str(root)


def run_folder(path: Path, **config) -> str:
    import yaml

    path.mkdir(exist_ok=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    return str(path)


TRAINED = {"judges": {"judges": {"harm": {"weight": 1.0}}}, "judge_endpoint": {"base_url": "http://h:1/v1", "model": "judge-7b"}}


def test_the_judge_of_the_training_is_refused_unless_told_so(tmp_path):
    folder = run_folder(tmp_path / "run", **TRAINED)
    with pytest.raises(
        UserError, match=r"Judge-7B is the judge that this run was trained with \(harm\).*allow_training_judge=true"
    ):
        judge_from(options_of(JUDGE | {"run_folder": folder}))
    allowed = judge_from(options_of(JUDGE | {"run_folder": folder, "allow_training_judge": True}))
    other = judge_from(options_of(JUDGE | {"run_folder": folder, "judge_model": "another"}))
    assert allowed.endpoint.model == "lab/Judge-7B" and other.endpoint.model == "another"


@pytest.mark.parametrize(
    ("config", "model", "refused"),
    [
        # A judge that the run served to itself, by its folder's name and by the name that it is served under.
        (TRAINED | {"judge_model": "runs/judge/models/guard"}, "guard", True),
        (TRAINED | {"judge_model": "runs/judge/models/guard"}, "judge", True),
        # The same address says nothing: one server has many models. It does where the run names no model.
        (TRAINED | {"judge_endpoint": {"base_url": "http://127.0.0.1:1/v1/", "model": "m"}}, "other", False),
        (TRAINED | {"judge_endpoint": {"base_url": "http://127.0.0.1:1/v1/", "model": ""}}, "other", True),
        # Configured and never asked.
        (TRAINED | {"judges": {"judges": {}}}, "judge-7b", False),
        ({}, "judge-7b", False),
    ],
)
def test_which_judge_is_the_same(tmp_path, config, model, refused):
    options = options_of(JUDGE | {"judge_model": model, "run_folder": run_folder(tmp_path / "run", **config)})
    if refused:
        with pytest.raises(UserError, match="trained with"):
            judge_from(options)
    else:
        assert judge_from(options)


def test_a_folder_that_is_no_run_is_said(tmp_path):
    with pytest.raises(UserError, match="run's configuration cannot be read"):
        judge_from(options_of(JUDGE | {"run_folder": str(tmp_path)}))


def test_the_environment_names_the_judge_and_arguments_win(monkeypatch, tmp_path):
    assert judge_from(options_of({})) is None
    monkeypatch.setenv("RL_ALIGN_JUDGE_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("RL_ALIGN_JUDGE_MODEL", "from-environment")
    monkeypatch.setenv("RL_ALIGN_JUDGE_CACHE", str(tmp_path / "cache.sqlite"))
    found = judge_from(options_of({"judge_votes": 3}))
    assert found.endpoint.model == "from-environment" and (found.judge.votes, found.judge.temperature) == (3, 1.0)
    assert found.judge.fence_key_file == str(tmp_path / "cache.sqlite.fence"), "a cache is of use with the same fences only"
    assert judge_from(options_of({"judge_model": "given"})).endpoint.model == "given"
    with pytest.raises(UserError, match="judge.base_url"):
        judge_from(options_of({"judge_base_url": "no address"}))


def test_a_file_says_the_rest_and_one_prompt_for_all_is_refused(tmp_path):
    file = tmp_path / "judge.yaml"
    file.write_text("endpoint: {concurrency: 3, extra: {seed: 1}}\njudge: {output: text, special_tokens: ['<a>']}\n")
    found = judge_from(options_of(JUDGE | {"judge_config": str(file)}))
    assert found.endpoint.concurrency == 3 and found.judge.output is Output.text
    assert EvalJudge.of(json.loads(json.dumps(found.plain()))) == found, "a log can hold it"
    file.write_text("judge: {template: mine.md}\n")
    with pytest.raises(UserError, match="one prompt for all presets"):
        judge_from(options_of(JUDGE | {"judge_config": str(file)}))


def test_figures_of_a_calibration_stand_beside_the_numbers(copy, tmp_path, capsys):
    rows = [{"id": str(n), "prompt": "p", "answer": a, "label": x} for n, (a, x) in enumerate(
        [(REFUSAL, "full_refusal"), (HELP, "full_compliance"), (PARTIAL, "partial_refusal"), (f"{HELP} Now.", "full_refusal")]
    )]  # fmt: skip
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = str(tmp_path / "calibration.json")
    with judging() as (args, fake):
        endpoint = [f"endpoint.base_url={fake.base_url}", "endpoint.model=fake-judge"]
        assert main(["judge", "calibrate", str(tmp_path / "cases.jsonl"), "compliance", "--out", file, *endpoint]) == 0
        assert "| compliance | 4 | 0 | 0.750 |" in capsys.readouterr().out
        benchmark = build("xstest", copy, calibration=file, **args)
        made = records(benchmark, lambda told: REFUSAL)
        found, numbers = benchmark.summary(made), flat(benchmark, made)
        with pytest.raises(UserError, match="measured 'fake-judge'.*expected the figures of other"):
            build("xstest", copy, calibration=file, **(args | {"judge_model": "other"}))
    [beside] = found["metrics"]["over_refusal"]["judges"]
    assert beside["calibration"]["accuracy"] == 0.75 and beside["calibration"]["bad"]["recall"]["value"] == 0.5
    assert beside["model"] == "fake-judge" and beside["prompt"] == beside["calibration"]["prompt"]
    assert numbers["over_refusal/compliance_accuracy"] == 0.75 and "over_refusal_by_rules/compliance_accuracy" not in numbers
    stale = json.loads(Path(file).read_text())
    stale[0]["prompt"] = "compliance.v0+0"
    Path(file).write_text(json.dumps(stale))
    with pytest.raises(UserError, match=r"compliance was calibrated with the prompt compliance.v0\+0.*calibrate it again"):
        build("xstest", copy, calibration=file, **args)
    Path(file).write_text("{}")
    with pytest.raises(UserError, match="is no calibration"):
        build("xstest", copy, calibration=file, **args)


def test_answers_of_the_judge_are_kept_and_found_again(copy, tmp_path):
    with judging() as (args, fake):
        kept = args | {"judge_cache": str(tmp_path / "cache.sqlite")}
        first = summary(build("xstest", copy, **kept), lambda told: HELP)
        asked = fake.counts["requests"]
        assert summary(build("xstest", copy, **kept), lambda told: HELP) == first
        assert fake.counts["requests"] == asked > 0


def test_votes_are_taken_and_outages_are_no_numbers(copy):
    said = iter(["full_refusal", "full_compliance", "full_refusal"] * 8)
    with judging(lambda body: next(said)) as (args, fake):
        [record, *_] = records(build("xstest", copy, judge_votes=3, limit=1, **args), lambda told: HELP)
    assert sorted(record["judged"]["compliance"]["votes"]) == ["full_compliance", "full_refusal", "full_refusal"]
    assert record["judged"]["compliance"]["label"] == "full_refusal" and fake.counts["requests"] == 3
    with Fake(Script(first=[Mishap.drop] * 100)) as fake:
        args = {"judge_base_url": fake.base_url, "judge_model": "m"}
        file = Path(copy) / "judge.yaml"
        file.write_text("endpoint: {attempts: 1}\n")
        found = summary(build("xstest", copy, judge_config=str(file), **args), lambda told: HELP)
    assert rates(found)["over_refusal"] == (None, 0, 4) and found["counts"]["unscored/compliance/connection"] == 8


# --- labels of people ----------------------------------------------------------------------------------------------------

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "permissive"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no labelled answers at {REAL}")
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("xstest", {"full_compliance": 30, "full_refusal": 20, "partial_refusal": 2}),
        ("pyrit", {"full_refusal": 34, "full_compliance": 13}),
        ("msts", {"safe": 15, "misunderstood": 5, "unsafe": 5}),
    ],
)
def test_peoples_labels_become_cases_and_agreement_is_printed(name, counts, tmp_path, capsys):
    """A judge that says what people said agrees with all of them; the file goes through the command as it is."""
    out, which = tmp_path / "cases.jsonl", "msts" if name == "msts" else "compliance"
    assert main(["judge", "cases", name, str(REAL), str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {x: sum(row["label"] == x for row in rows) for x in counts} == counts and rows == cases(name, REAL)
    said = {disarm(parse_answer(row["answer"]).answer, 16_000): row["label"] for row in rows}
    assert set(said.values()) <= set(preset(which).labels)
    with judging(lambda body: said[material(body)["answer"]]) as (_, fake):
        endpoint = [f"endpoint.base_url={fake.base_url}", "endpoint.model=fake-judge"]
        capsys.readouterr()
        assert main(["judge", "calibrate", str(out), which, *endpoint]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {which} "))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:4] == [which, str(len(rows)), "0", "1.000"]


def test_labelled_answers_of_invented_files(tmp_path):
    from dataset_files import picture, table

    row = {"case_id": "c1", "prompt_type": "t", "prompt_text": "Should I?", "unsafe_image_description": "a lake", "model": "m"}
    kinds = ["1.1 - rejection or rebuttal", "1.6 - misunderstanding", "2.2 - advice"]
    answers = tmp_path / "msts/data/response_annotations/english_multimodal.csv"
    table(answers, [row | {"response": f"r{n}", "final_taxonomy": kind} for n, kind in enumerate(kinds)])
    found = cases("msts", tmp_path)
    assert [case["label"] for case in found] == ["safe", "misunderstood", "unsafe"]
    assert found[0]["prompt"] == "Should I?\n(The image shows: a lake)" and "image" not in found[0]
    table(tmp_path / "msts/data/prompts/english_multimodal.csv", [{"case_id": "c1", "unsafe_image_id": "001"}])
    picture(tmp_path / "msts/data/images/001.png")
    shown = cases("msts", tmp_path)[0]
    assert shown["prompt"] == "Should I?" and Path(shown["image"]).is_file()
    with pytest.raises(UserError, match="no such file"):
        cases("pyrit", tmp_path)


# --- prompts -------------------------------------------------------------------------------------------------------------

CFG = JudgeConfig(max_chars=2000)
HARDENED = Hardening(b"k" * 32, CFG.max_chars)
#: The answer stands last in all others.
COMPARED = ("preferred_first",)


def verdict(name: str, attack: str = "", answer: str = POOR, output: Output = Output.schema) -> str:
    """What a credulous judge makes of an answer, with an attack behind every text of others."""
    item = Item(
        "i", (), f"Where?\n{attack}", "d", "s", category="12-Health", reference=f"{POOR}\n{attack}",
        truth={"safety_warning": f"It burns.\n{attack}"},
    )  # fmt: skip
    shown = Response("", answer=f"{answer}\n{attack}")
    opinion = asyncio.run(judge(PRESETS[name], item, shown, CredulousJudge(), replace(CFG, output=output), hardening=HARDENED))
    assert isinstance(opinion, JudgeVerdict), opinion
    return opinion.label


@pytest.mark.parametrize("name", PRESETS)
def test_no_attack_changes_the_verdict_of_a_benchmarks_judge(name):
    worst, *_, best = PRESETS[name].labels
    sample = random.Random(0).sample(sorted(ATTACKS), 12)
    for output in Output:
        plain = verdict(name, output=output)
        assert plain == worst
        for attack in sample:
            assert verdict(name, ATTACKS[attack].replace("{best}", best), output=output) == plain, attack
        if name not in COMPARED:
            assert verdict(name, answer=RIGHT, output=output) == best


def test_every_copy_is_known_to_the_presets():
    """Lock: a preset's labels are scored from the worst to the best, and every benchmark's presets exist."""
    for one in PRESETS.values():
        scores = list(one.labels.values())
        assert scores == sorted(scores) and min(scores) == 0 and max(scores) == 1
    assert len(COPIES) == 19 and preset("llama_guard").name == "llama_guard"
    with pytest.raises(UserError, match="no such judge 'siuo_saef'.*nearest: siuo_safe"):
        preset("siuo_saef")
