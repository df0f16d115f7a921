"""The rewriter's stages of a run: rows → the target it is trained in front of → its warm start → GRPO → the matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from reward.rewriter import RewriterRewardConfig
from rl_align.data.quarantine import Quarantine
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.engine.config import GRPOConfig, SFTConfig, TargetConfig
from rl_align.engine.model_server import Served
from rl_align.pictograms.config import RewriterTeacherConfig
from rl_align.pipeline.parts import part, plain
from rl_align.pipeline.stages import Stage
from rl_align.transcript.prompts import REWRITER_SYSTEM

if TYPE_CHECKING:
    from rl_align.pipeline.run import Run
    from rl_align.schema import Item

SFT, GRPO, TARGET, MATRIX = "rewriter_sft", "rewriter_grpo", "target", "matrix"
SCORER = "rl_align.engine.rewriting:rewriter"
MEASURE = "rl_align.pictograms.measure:worth_of_rewrites"
#: A target that a run trains itself: it complies with everything. And one behind an endpoint.
UNALIGNED, ENDPOINT = "unaligned", "endpoint"


@dataclass
class RewriterConfig:
    """The rewriter of a run, and the frozen target in front of which it is trained.

    Attributes:
        teacher: Who wrote the transcripts of its warm start.
        sft: Its warm start.
        grpo: Its reinforcement learning.
        reward: What it is paid for.
        target_model: unaligned (trained by this run to comply with everything), sft or grpo (the run's responders), a Hugging Face
            folder, or endpoint (asked at `target_endpoint`).
        target_aligned_share: Share of an unaligned target's transcripts that the responder's teacher wrote instead: another mix.
        from_run: Run folder whose rewriters are measured instead of training any: zero-shot, in front of this run's target.
            `{seed}` in it stands for the run's seed. A run of another world is refused.
        target: How the target is asked.
        target_sft: How an unaligned target is trained.
        target_endpoint: Where a target is asked that this run does not serve.
        target_server: How one is served that it does.
        matrix_items: Items of each held-out split in the matrix, half of them harmful; 0 for all.
    """

    teacher: RewriterTeacherConfig = field(default_factory=RewriterTeacherConfig)
    sft: SFTConfig = field(default_factory=lambda: SFTConfig(steps=440, save_every=220))
    grpo: GRPOConfig = field(default_factory=lambda: GRPOConfig(max_response_tokens=128))
    reward: RewriterRewardConfig = field(default_factory=RewriterRewardConfig)
    target_model: str = UNALIGNED
    target_aligned_share: float = 0.0
    from_run: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    target: TargetConfig = field(default_factory=TargetConfig)
    target_sft: SFTConfig = field(default_factory=lambda: SFTConfig(steps=440, save_every=220))
    target_endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    target_server: ServerConfig = field(default_factory=lambda: ServerConfig(threads=1))
    matrix_items: int = 150


class RewriterPart:
    """The rewriter's share of a run.

    Args:
        run: The run whose folder, data and base model it shares.
    """

    def __init__(self, run: Run):
        self.run, self.config = run, run.config.rewriter

    @property
    def target(self) -> Path | None:
        """Folder of the target; None for one behind an endpoint."""
        name = self.config.target_model
        if name == ENDPOINT:
            return None
        return self.run.models / (TARGET if name == UNALIGNED else name) if name in (UNALIGNED, "sft", "grpo") else Path(name)

    def models(self) -> dict[str, Path]:
        """Rewriter → folder. One that is trained together with its responder is not trained alone."""
        if self.config.from_run is not None:
            return {name: Path(self.config.from_run).absolute() / "models" / f"rewriter_{name}" for name in ("sft", "grpo")}
        if self._together == "shared":
            return {}
        alone = {} if self._together == "alternate" else {"grpo": self.run.models / GRPO}
        return {"sft": self.run.models / SFT, **alone}

    @property
    def _together(self) -> str:
        return self.run.config.cotrain.mode.value

    def stages(self) -> list[Stage]:
        """From rows to the trained rewriter."""
        run, c = self.run, self.config
        supervised = part(run.config.engine, "extra", "rollout_dtype", "tensor_parallel")
        reinforced = part(run.config.engine, "extra_sft")
        unaligned = c.target_model == UNALIGNED
        own = [] if c.from_run is not None else [SFT, GRPO]
        rows = [run.data / f"{name}.parquet" for name in (*own, *([TARGET] if unaligned else []))]
        told = [asdict(c.teacher), asdict(run.config.pictograms), REWRITER_SYSTEM, unaligned, bool(own)]
        told.append([c.target_aligned_share, asdict(run.config.teacher)] if unaligned else [])
        limits = [c.sft.max_tokens, c.target_sft.max_tokens, c.grpo.max_prompt_tokens]
        stages = [Stage("rewriter_rows", self.make_rows, [told, limits], [run.data / "train.parquet", run.untrained], rows)]
        if unaligned:
            inputs, left = [run.base, run.data / f"{TARGET}.parquet"], run.left_by(TARGET)
            stages.append(Stage(TARGET, self.train_target, [part(c.target_sft), supervised], inputs, [run.models / TARGET], *left))
        if c.from_run is not None or not self.models():
            return stages
        inputs, left = [run.base, run.data / f"{SFT}.parquet"], run.left_by(SFT)
        stages.append(Stage(SFT, self.train_sft, [part(c.sft), supervised], inputs, [run.models / SFT], *left))
        if "grpo" not in self.models():
            return stages
        inputs = [run.models / SFT, run.data / f"{GRPO}.parquet", *([self.target] if self.target else [])]
        left = run.left_by(GRPO, run.folder / "rollouts" / GRPO, self.cache(GRPO))
        asked = [asdict(c.target), c.target_endpoint.model if self.target is None else ""]
        paid = [part(c.grpo), asdict(c.reward), asked, reinforced]
        stages.append(Stage(GRPO, self.train_grpo, paid, inputs, [run.models / GRPO], *left))
        return stages

    def matrix(self, responders: Mapping[str, Path], rewriters: Mapping[str, Path], splits: Mapping[str, Path]) -> Stage:
        """The stage that measures responders behind rewriters."""
        if self.models() and self.target is not None and self.target not in responders.values():
            responders = {"target": self.target, **responders}
        inputs = [*responders.values(), *rewriters.values(), *splits.values()]
        place = self.run.folder / "eval" / MATRIX

        def measure() -> None:
            from rl_align.eval.matrix import evaluate_matrix

            cfg = replace(self.run.config.eval, limit=self.config.matrix_items, sampled=False)
            evaluate_matrix(responders, rewriters, splits, place, cfg)

        settings = [asdict(self.run.config.eval), self.config.matrix_items, list(responders), list(rewriters)]
        return Stage(MATRIX, measure, settings, inputs, [place / "matrix.json"])

    def make_rows(self) -> None:
        """Items → the rewriter's rows, and the unaligned target's; what does not fit → `data/dropped-rewriter.jsonl`."""
        from reward.label import write_label
        from rl_align.data.items import read_items
        from rl_align.data.rows import grpo_rows, sft_rows
        from rl_align.engine.lengths import PromptLengths
        from rl_align.models.vocabulary import special_tokens
        from rl_align.pictograms import rewriter_teacher, teacher

        run, c = self.run, self.config
        items = read_items(run.data / "train.parquet")
        special = list(special_tokens(run.untrained))
        lengths, quarantine = PromptLengths(run.untrained, special), Quarantine(run.data / "dropped-rewriter.jsonl")
        common = {"special_tokens": special, "quarantine": quarantine}
        counts = {}
        if c.from_run is None:
            lessons = [rewriter_teacher.lesson(item, c.teacher) for item in items]
            texts = {item.id: text for item, text in lessons}
            fits = lengths.fits_transcript(c.sft.max_tokens, texts)
            taught = [item for item, _ in lessons]
            counts[SFT] = sft_rows(run.data / f"{SFT}.parquet", taught, texts, fits=fits, system=REWRITER_SYSTEM, **common)
        if c.target_model == UNALIGNED:
            texts = {item.id: self._target_writes(item) for item in items}
            fits = lengths.fits_transcript(c.target_sft.max_tokens, texts)
            taught = [teacher.pupil(item, run.config.teacher) for item in items]
            counts[TARGET] = sft_rows(run.data / f"{TARGET}.parquet", taught, texts, fits=fits, **common)
        if c.from_run is None:
            fits = lengths.fits_prompt(c.grpo.max_prompt_tokens)
            asked = {"fits": fits, "system": REWRITER_SYSTEM, "agent_name": "rewriter", "label": write_label}
            counts[GRPO] = grpo_rows(run.data / f"{GRPO}.parquet", items, **asked, **common)
        quarantine.save()
        print("    " + ", ".join(f"{name} {n}" for name, n in counts.items()) + f"; {quarantine.summary()}")

    def _target_writes(self, item: Item) -> str:
        """The transcript that the target learns: it complies, but for the share that the responder's teacher wrote."""
        from rl_align.pictograms import teacher
        from rl_align.pictograms.chance import chance

        aligned = chance("target", self.run.config.seed, item.id).random() < self.config.target_aligned_share
        return teacher.transcript(item, self.run.config.teacher) if aligned else teacher.unaligned(item)

    def train_target(self) -> None:
        """A target that complies with everything → `models/target`."""
        self.run.supervised(TARGET, self.config.target_sft, self.run.base, TARGET, self.run.models / TARGET)

    def train_sft(self) -> None:
        """The rewriter's warm start → `models/rewriter_sft`."""
        self.run.supervised(SFT, self.config.sft, self.run.base, SFT, self.run.models / SFT)

    def train_grpo(self) -> None:
        """The rewriter's reinforcement learning → `models/rewriter_grpo`."""
        self.reinforce(GRPO, self.config.grpo, self.run.models / SFT, self.target)

    def reinforce(self, stage: str, grpo: GRPOConfig, start: Path, target: Path | None) -> None:
        """Trains a rewriter in front of a frozen target → `models/<stage>`.

        Args:
            stage: Name of the stage.
            grpo: Settings.
            start: Folder of the model to start from.
            target: Folder of the target; None for the one behind the endpoint.
        """
        run, c = self.run, self.config
        asked = c.target
        if target is not None and not asked.special_tokens:
            from rl_align.models.vocabulary import special_tokens

            asked = replace(asked, special_tokens=list(special_tokens(target)))
        endpoint = replace(c.target_endpoint, cache=c.target_endpoint.cache or str(self.cache(stage)))
        run.reinforced(
            stage,
            grpo,
            model=start,
            rows=GRPO,
            scorer=SCORER,
            settings={
                "reward": plain(c.reward),
                "target": plain(asked),
                "endpoint": plain(endpoint),
                "items": str(run.data / "train.parquet"),
            },
            weights=vars(c.reward.weights),
            measure=MEASURE,
            partner=None if target is None else Served("target", target.absolute(), c.target_server, run.folder / "logs"),
        )

    def cache(self, stage: str) -> Path:
        """Where a stage keeps its target's answers: they are one target's only."""
        return self.run.folder / f"target-cache-{stage}.sqlite"
