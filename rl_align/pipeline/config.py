"""The configuration of a run: one section a package, each defined beside its code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Optional

from reward import extra
from reward.config import EARNINGS, Composition, RewardConfig, check_paid
from reward.judges.config import JudgesConfig, check_heldout
from reward.judges.presets import chosen
from reward.panel import PanelConfig
from rl_align.data.sources.mix import RealInputsConfig
from rl_align.data.sources.mix import check as check_real_inputs
from rl_align.data.training_set import TrainingSetConfig
from rl_align.data.training_set import check as check_training_set
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.engine.config import EngineConfig, GRPOConfig, SFTConfig
from rl_align.engine.config import check as check_engine
from rl_align.errors import UserError
from rl_align.eval.config import EvalConfig
from rl_align.eval.config import check as check_eval
from rl_align.models.config import ModelConfig
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig, check, check_rewriter_teacher, check_teacher
from rl_align.pipeline.cotrain import CotrainConfig, Mode
from rl_align.pipeline.rewriter import ENDPOINT, UNALIGNED, RewriterConfig
from rl_align.pipeline.transfer import SEED, check_donor


class Source(str, Enum):
    """Where the items of a run come from."""

    pictograms = "pictograms"
    real_inputs = "real_inputs"
    dataset = "dataset"


class Trained(str, Enum):
    """The policies that a run can train."""

    responder = "responder"
    rewriter = "rewriter"


@dataclass
class RunConfig:
    """A run.

    Attributes:
        folder: Run folder, relative to where the command is given.
        seed: Added to the seed of every section, so that one number changes all of them.
        source: Where the items come from.
        seats: Which policies are trained: responder, rewriter.
        warm_start: Whether there is one; without it GRPO begins from the base model.
        evaluate: Whether models are measured.
        reuse: Other run folders. Stages that they have finished with the same configuration and inputs are taken over.
        pictograms: The procedural world.
        teacher: Who wrote the transcripts of the warm start.
        real_inputs: The mix of real records.
        dataset: A dataset that `rl-align data` made.
        model: What training starts from.
        engine: Where and how the engine runs.
        pretrain: Naming what pictures show, for a model built from nothing; a real model comes with eyes.
        sft: The warm start.
        grpo: Reinforcement learning.
        reward: What it is paid for.
        judges: Judge models that score texts beside the rules; none by default.
        judge_endpoint: Where they are asked.
        judge_model: Folder of a model that this run serves as its judge while it trains, in place of `judge_endpoint.base_url`.
        judge_server: How it is served.
        rewriter: The rewriter, and the target that it is trained in front of.
        cotrain: Rewriter and responder trained together.
        panel: The instruments that show when the reward is gamed, and their alarms.
        eval: How models are measured.
    """

    folder: str = "runs/run"
    seed: int = 0
    source: Source = Source.pictograms
    seats: list[Trained] = field(default_factory=lambda: [Trained.responder])
    warm_start: bool = True
    evaluate: bool = True
    reuse: list[str] = field(default_factory=list)
    pictograms: PictogramsConfig = field(default_factory=PictogramsConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    real_inputs: RealInputsConfig = field(default_factory=RealInputsConfig)
    dataset: TrainingSetConfig = field(default_factory=TrainingSetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    pretrain: SFTConfig = field(default_factory=lambda: SFTConfig(steps=240, learning_rate=1e-3, max_tokens=96, save_every=120))
    sft: SFTConfig = field(default_factory=SFTConfig)
    grpo: GRPOConfig = field(default_factory=GRPOConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    judges: JudgesConfig = field(default_factory=JudgesConfig)
    judge_endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    judge_model: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    judge_server: ServerConfig = field(default_factory=lambda: ServerConfig(max_model_len=2048, threads=1))
    rewriter: RewriterConfig = field(default_factory=RewriterConfig)
    cotrain: CotrainConfig = field(default_factory=CotrainConfig)
    panel: PanelConfig = field(default_factory=PanelConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)


def resolve(config: RunConfig) -> RunConfig:
    """Adds the run's seed to every section's, and checks what can be checked without starting anything.

    Raises:
        UserError: A value that cannot work, by its key.
    """
    if config.source is Source.pictograms:
        _named("pictograms", check, config.pictograms)
        _named("teacher", check_teacher, config.teacher)
    problems = check_engine(config.engine, config.sft, config.grpo)
    eyes = check_engine(config.engine, config.pretrain, config.grpo) if config.pretrain.steps else []
    problems += [(key.replace("sft.", "pretrain."), *rest) for key, *rest in eyes if key.startswith("sft.")]
    if problems:
        key, problem, expected = problems[0]
        raise UserError(problem, where=key, expected=expected)
    check_eval(config.eval)
    _check_rewriter(config)
    known = ["base", "sft", "grpo"] if config.warm_start else ["base", "grpo"]
    if unknown := [name for name in config.eval.models if name not in known]:
        raise UserError(f"there is no model {unknown[0]!r}", where="eval.models", expected=f"some of {', '.join(known)}")
    if config.source is not Source.pictograms and config.evaluate:
        raise UserError("only the pictograms' held-out splits are measured in a run", where="evaluate", expected="false")
    _check_judges(config)
    _check_gdpo(config)
    if config.source is Source.real_inputs and config.warm_start:
        raise UserError("there are no transcripts for real inputs", where="warm_start", expected="false")
    if config.source is Source.real_inputs:
        check_real_inputs(config.real_inputs)
    if config.source is Source.dataset:
        check_training_set(config.dataset)
    sections = {}
    for name in ("pictograms", "teacher", "real_inputs", "dataset", "model", "pretrain", "sft", "grpo", "eval"):
        section = getattr(config, name)
        sections[name] = replace(section, seed=section.seed + config.seed)
    if config.eval.temperature is None:
        sections["eval"] = replace(sections["eval"], temperature=config.grpo.temperature)
    near = config.rewriter
    if near.from_run is not None and Trained.rewriter in config.seats:
        near = replace(near, from_run=near.from_run.replace(SEED, str(config.seed)))
        check_donor(near.from_run, sections["pictograms"])
    parts = {name: getattr(near, name) for name in ("teacher", "sft", "grpo", "target_sft")}
    seeded = {name: replace(section, seed=section.seed + config.seed) for name, section in parts.items()}
    together = replace(config.cotrain, sft=replace(config.cotrain.sft, seed=config.cotrain.sft.seed + config.seed))
    return replace(config, **sections, rewriter=replace(near, **seeded), cotrain=together)


def _check_rewriter(config: RunConfig) -> None:
    """Raises UserError for the first setting of the rewriter's that cannot work."""
    if not config.seats:
        raise UserError("nobody is trained", where="seats", expected="responder, rewriter or both")
    if config.cotrain.mode is not Mode.none and (len(config.seats) < 2 or not config.warm_start):
        raise UserError("one seat cannot be trained together", where="seats", expected="[responder, rewriter] and warm_start: true")
    if Trained.rewriter not in config.seats:
        return
    c = config.rewriter
    if config.source is not Source.pictograms:
        raise UserError("there are transcripts of a rewriter for pictograms only", where="seats", expected="[responder]")
    if not config.pictograms.neighbours:
        what = "0, and a rewriter leads to what targets were never asked"
        raise UserError(what, where="pictograms.neighbours", expected="about a fifth of pictograms.train")
    _named("rewriter.teacher", check_rewriter_teacher, c.teacher)
    for key, sft, grpo in (("sft", c.sft, c.grpo), ("target_sft", c.target_sft, c.grpo)):
        for problem in check_engine(config.engine, sft, grpo):
            where, what, expected = problem
            raise UserError(what, where=f"rewriter.{where.replace('sft.', f'{key}.')}", expected=expected)
    if not 0 <= c.target_aligned_share <= 1:
        raise UserError(f"is {c.target_aligned_share}", where="rewriter.target_aligned_share", expected="0 to 1")
    if c.target_model == ENDPOINT:
        c.target_endpoint.check("rewriter.target_endpoint")
    elif c.target_model not in (UNALIGNED, "sft", "grpo") and not (Path(c.target_model) / "config.json").is_file():
        expected = "unaligned, sft, grpo, endpoint or a Hugging Face folder"
        raise UserError(f"no model {c.target_model!r}", where="rewriter.target_model", expected=expected)


def _check_gdpo(config: RunConfig) -> None:
    """Raises UserError where an estimator looks past the composed reward, and something in it would be lost without a word."""
    c, near, mode = config.reward, config.rewriter, config.cotrain.mode
    what = "gdpo normalises each component by itself and knows no gate"
    if config.grpo.estimator == "gdpo":
        if mode is Mode.shared:
            what = "gdpo weighs the responder's components, and a rewrite in the other seat has none of them"
            raise UserError(what, where="grpo.estimator", expected="grpo or dr_grpo with cotrain.mode=shared")
        if c.format_gate or c.composition is not Composition.weighted:
            expected = "reward.composition=weighted and reward.format_gate=false with it"
            raise UserError(what, where="grpo.estimator", expected=expected)
    trained = Trained.rewriter in config.seats and near.from_run is None and mode is not Mode.shared
    if trained and near.grpo.estimator == "gdpo" and near.reward.format_gate:
        raise UserError(what, where="rewriter.grpo.estimator", expected="rewriter.reward.format_gate=false with it")


def _check_judges(config: RunConfig) -> None:
    weighed = [name for name, (_, judge) in chosen(config.judges).items() if judge.weight]
    earning = extra.earnings(config.reward)
    if not weighed and not earning:
        check_paid("reward.weights", vars(config.reward.weights), EARNINGS)
    check_heldout(config.judges, config.judge_endpoint)
    if not config.judges.judges:
        return
    if config.cotrain.mode is Mode.shared:
        what = f"{', '.join(config.judges.judges)}: no judge is asked in the episodes of one model in both seats"
        raise UserError(what, where="judges.judges", expected="none with cotrain.mode=shared, or cotrain.mode=alternate")
    if config.judge_model is None:
        config.judge_endpoint.check("judge_endpoint")
    elif not (Path(config.judge_model) / "config.json").is_file():
        expected = "a Hugging Face folder, such as the models/judge of a judge's run"
        raise UserError("no model", where=f"judge_model: {config.judge_model}", expected=expected)


def _named(section: str, check, value) -> None:
    try:
        check(value)
    except UserError as error:
        raise UserError(f"{section}.{error}") from error
