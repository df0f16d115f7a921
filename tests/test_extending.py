"""The pages' examples of what can be added, run as they stand there: a policy, a reward, a dataset, a benchmark, a defence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from defending import Scripted, run
from inspect_ai import eval as inspect_eval
from inspect_ai.solver import SolverSpec
from pages import blocks, write_examples, write_rows

from reward import citation
from reward.config import ExtraReward, RewardConfig, config_from
from reward.label import write_label
from reward.responder import score_response
from rl_align import outside
from rl_align.cli import main
from rl_align.config import load_config
from rl_align.data.dataset import open_dataset
from rl_align.engine import scoring
from rl_align.errors import UserError
from rl_align.eval.benchmarks import build
from rl_align.eval.grid.config import DefenceConfig
from rl_align.eval.grid.defending import depends_on, solver_of
from rl_align.eval.logs import summary_of
from rl_align.eval.quiet import quiet_inspect
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.parts import plain_reward
from rl_align.pipeline.run import Run
from rl_align.policy.catalogue import DEFAULT_PATH, OWN, Catalogue
from rl_align.schema import Behaviour, Citation, Component, Item, Verdict
from rl_align.transcript.responder import parse_response, render_response

HELP = "Take the lamp and hang it on the wall, then light it."
REFUSAL = "I cannot help with this."
COMMON = {"tokens": 9, "max_tokens": 99, "truncated": False}
ITEM = Item(id="1", images=(), prompt="Which lamp?", dataset="d", split="train", harmful=False,
            expected=(Behaviour.COMPLY,), reference=HELP)  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the pages show, and data for it; commands are given there."""
    (tmp_path / "my_rows").mkdir()
    write_examples(tmp_path)
    write_rows(tmp_path / "my_rows")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def respond(answer: str, assessment: str = "No policy applies.", safe: bool = False):
    text = render_response(think="I look.", description="A lamp.", assessment=assessment, answer=answer, safe=safe)
    return parse_response(text, Catalogue.load())


def test_every_example_is_short():
    files = {block.file: block.text.count("\n") for block in blocks() if block.file}
    assert {"my_policy.yaml", "my_reward.py", "my_source.py", "my_benchmark.py", "my_defence.py"} <= set(files)
    assert max(files.values()) <= 30, files


def test_a_policy(place, monkeypatch):
    mine = place / "my_catalogue.yaml"
    mine.write_text(DEFAULT_PATH.read_text(encoding="utf-8") + (place / "my_policy.yaml").read_text(encoding="utf-8"))
    assert Catalogue.load().resolve("unsafe food") is None
    before = Run(RunConfig()).stages()
    monkeypatch.setenv(OWN, str(mine))
    catalogue = Catalogue.load()
    assert len(catalogue.ids) == 21 and catalogue.resolve("Unsafe food").id == "food_safety"
    item = replace(ITEM, harmful=True, expected=(Behaviour.REFUSE,), citations=(Citation("food_safety"),))
    for rule, expected in ((1, 1.0), (7, 0.0)):
        said = respond(REFUSAL, f"food_safety (Rule {rule}) applies.", safe=True)
        assert said.citations == (Citation("food_safety", rule),)
        assert citation.score(item, said, catalogue).score == expected
    stages = Run(RunConfig()).stages()
    assert [set(now.inputs) - set(then.inputs) for now, then in zip(stages, before, strict=True)] == [{mine}] * len(stages)
    monkeypatch.setenv(OWN, "my_catalogue.yaml")
    with pytest.raises(UserError, match="is relative"):
        Catalogue.load()


def test_a_reward(place):
    cfg = RewardConfig(extra={"brevity": ExtraReward("my_reward.py", 1.0)})
    long = respond(" ".join([HELP, *(f"word{n}" for n in range(120))]))
    parts = {name: score_response(ITEM, said, cfg=cfg, catalogue=Catalogue.load(), **COMMON) for name, said in
             (("short", respond(HELP)), ("long", long), ("none", parse_response("Hm.")))}  # fmt: skip
    assert {name: b.scores()["brevity"] for name, b in parts.items()} == {"short": 1.0, "long": 0.0, "none": None}
    plain = score_response(ITEM, long, cfg=RewardConfig(), catalogue=Catalogue.load(), **COMMON)
    assert 0 < parts["long"].reward < plain.reward, "it counts, by its weight"
    unweighed = RewardConfig(extra={"brevity": ExtraReward("my_reward.py", 0.0)})
    logged = score_response(ITEM, long, cfg=unweighed, catalogue=Catalogue.load(), **COMMON)
    assert logged.reward == plain.reward and logged.scores()["brevity"] == 0.0
    assert cfg.signed()["brevity"] == 1.0 and config_from({"extra": {"brevity": {"module": "my_reward.py"}}}) == cfg


def test_a_reward_in_a_run(place):
    """A run depends on the file's content and not on its place, and gives engine processes a path that they find."""
    given = ["reward.extra.brevity.module=my_reward.py", "reward.extra.brevity.weight=0.3"]

    def paid(*more):
        config = resolve(load_config(RunConfig, None, [*given, *more]))
        return next(stage for stage in Run(config).stages() if stage.name == "grpo").config_part[1]

    assert "extra" not in Run(RunConfig()).stages()[-2].config_part[1], "runs without one are what they were"
    text = Path("my_reward.py").read_text()
    Path("elsewhere").mkdir()
    Path("elsewhere/copy.py").write_text(text)
    Path("other.py").write_text(text.replace("60", "50"))
    same, changed = (paid(f"reward.extra.brevity.module={path}") for path in ("elsewhere/copy.py", "other.py"))
    assert paid() == same != changed
    settings = plain_reward(load_config(RunConfig, None, given).reward)
    os.chdir("elsewhere")
    row = {
        "raw_prompt": [{"content": ITEM.prompt}],
        "reward_model": {"ground_truth": write_label(ITEM)},
        "extra_info": {"item_id": ITEM.id, "split": ITEM.split},
        "data_source": ITEM.dataset,
    }
    scored = scoring.responder({"reward": settings, "max_response_tokens": 99})(row, respond(HELP).raw, 9, False)
    assert scored.components["brevity"] == 1.0
    os.chdir(place)
    alone = [f"reward.weights.{name}=0" for name in ("citation", "behaviour", "helpfulness")]
    paid(*alone)
    with pytest.raises(UserError, match="nothing is paid for"):
        paid(*alone, "reward.extra.brevity.weight=0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be imported .FileNotFoundError"),
        ("LOW, HIGH = 0, 1", "defines no score"),
        ("import", "cannot be imported .SyntaxError"),
        ("LOW, HIGH = 0, 1\ndef score(item, response): return 1.0", "said 1.0; expected Unscored, or a Verdict from 0 to 1"),
        ("import rl_align.schema as s\nLOW, HIGH = 0, 1\ndef score(item, response): return s.Verdict(1.5)", "said Verdict"),
    ],
)
def test_a_reward_that_is_none(place, text, message):
    if text is not None:
        Path("bad.py").write_text(text)
    cfg = RewardConfig(extra={"mine": ExtraReward("bad.py")})
    with pytest.raises(UserError, match=message) as raised:
        score_response(ITEM, respond(HELP), cfg=cfg, catalogue=Catalogue.load(), **COMMON)
    assert str(raised.value).startswith("reward.extra.mine")


def test_names_and_weights_of_ones_own_rewards_are_checked():
    for extra, message in (
        ({"citation": ExtraReward("x.py")}, "the name is taken"),
        ({"judge_harm": ExtraReward("x.py")}, "the name is taken"),
        ({"mine": ExtraReward("x.py", -1.0)}, "reward.extra.mine.weight: -1.0"),
    ):
        with pytest.raises(UserError, match=message):
            RewardConfig(extra=extra)
    with pytest.raises(UserError, match="reward.extra.mine.modul"):
        config_from({"extra": {"mine": {"modul": "x.py"}}})


def test_a_component_of_ones_own_is_a_component(place):
    cfg = RewardConfig(extra={"brevity": ExtraReward("my_reward.py", 0.5)})
    found = score_response(ITEM, respond(HELP), cfg=cfg, catalogue=Catalogue.load(), **COMMON).components[-1]
    assert found == Component("brevity", Verdict(1.0, "12 words"), 0.5, 0.0, 1.0)


def test_a_dataset(place, capsys):
    assert main(["data", "prepare", "my_source.py", "--from", "my_rows", "--out", "data/my_source"]) == 0
    dataset = open_dataset("data/my_source")
    assert dataset.meta["source"] == "my_source" and dataset.meta["use"] == "train" and dataset.meta["held_out"] == ["test"]
    assert dataset.meta["dropped"] == {"no_picture": 1, "bad_row": 1} and dataset.meta["licence"] == "CC-BY-4.0"
    items = list(dataset.scan())
    assert len(items) == 8 and {item.split for item in items} == {"train", "test"} and all(item.images for item in items)
    assert main(["data", "validate", "data/my_source"]) == 0
    capsys.readouterr()
    text = Path("my_source.py").read_text()
    for name, changed, message in (
        ("use.py", text.replace('"train",', '"all",', 1), "USE is 'all'"),
        ("name.py", text.replace('"my_source"', '"xstest"', 1), "a source that is there"),
        ("no.py", "DATASET = 'no'", "defines no LICENCE"),
    ):
        Path(name).write_text(changed)
        assert main(["data", "prepare", name, "--from", "my_rows", "--out", "data/other"]) == 2
        assert message in capsys.readouterr().err
    assert main(["data", "prepare", "vlgard", "--from", "my_rows", "--out", "data/other"]) == 2
    assert "unknown source 'vlgard'" in capsys.readouterr().err


def test_a_benchmark_in_inspect_with_a_defence(place):
    """As `inspect eval my_benchmark.py -T data=my_rows --solver my_defence.py`: the files are Inspect's to find."""
    target = Scripted(lambda turns: REFUSAL if len(turns) > 1 else HELP)
    plain, defended = (_evaluate(place, target, **solver) for solver in ({}, {"solver": SolverSpec("my_defence.py", {}, {})}))
    assert plain["metrics"]["over_refusal"]["value"] == 0 and plain["metrics"]["attack_by_rules"]["value"] == 1
    assert defended["metrics"]["over_refusal"]["value"] == 1 and defended["metrics"]["attack_by_rules"]["value"] == 0
    assert plain["counts"]["answers"] == 4 and plain["data"]["dropped"] == {"no_picture": 1, "bad_row": 1}
    assert len(target.seen) == 4 + 2 * 4


def _evaluate(place, target, **more):
    with quiet_inspect(place):
        [log] = inspect_eval(
            "my_benchmark.py", task_args={"data": "my_rows"}, model=target.model, log_dir="logs", display="none",
            ctl_server=False, **more,
        )  # fmt: skip
    assert log.status == "success", log.error
    return summary_of(log)


def test_a_benchmark_and_a_defence_in_the_matrix(place, capsys):
    assert main(["eval", "matrix", "my_matrix.yaml", "--dry-run"]) == 0
    assert "mine" in capsys.readouterr().out
    benchmark = build("my_benchmark.py", "my_rows")
    assert benchmark.protocol.name == "my_benchmark" and len(benchmark.samples) == 4
    cfg = DefenceConfig("my_defence.py")
    solver = solver_of("mine", cfg, {}, seed=None, fence=place / "fence")
    target = Scripted(HELP, REFUSAL)
    assert run(solver, target).output.completion == REFUSAL and len(target.seen) == 2
    told = depends_on("mine", cfg, solver)
    Path("my_defence.py").write_text(Path("my_defence.py").read_text() + "\n# changed\n")
    assert depends_on("mine", cfg, solver) != told, "other code, other answers"


def test_one_of_ours_keeps_its_name(place):
    text = Path("my_benchmark.py").read_text().replace('Protocol("my_benchmark"', 'Protocol("xstest"')
    Path("taken.py").write_text(text)
    with pytest.raises(UserError, match="the name 'xstest' is taken"):
        build("taken.py", "my_rows")


def test_a_dotted_module_serves_as_well(place, monkeypatch):
    monkeypatch.syspath_prepend(str(place))
    (place / "mine").mkdir()
    (place / "mine" / "short.py").write_text(Path("my_reward.py").read_text())
    assert outside.load("mine.short", ("score",)).HIGH == 1.0 and outside.settled("mine.short") == "mine.short"
    assert outside.digest("mine.short") == outside.digest("my_reward.py")
    assert outside.settled("my_reward.py") == str(place / "my_reward.py")
    with pytest.raises(UserError, match="no.such: cannot be imported"):
        outside.load("no.such")
    with pytest.raises(UserError, match="no.such: cannot be read"):
        outside.digest("no.such")


def test_to_look_at_a_run_is_not_to_run_its_code(place):
    """Lock: a run folder of somebody else's names files, and whoever reads it must not run them."""
    Path("hostile.py").write_text("raise SystemExit('it ran')")
    config = load_config(RunConfig, None, ["reward.extra.mine.module=hostile.py"])
    assert Run(config).stages() and plain_reward(config.reward)
