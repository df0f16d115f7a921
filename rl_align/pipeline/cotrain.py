"""Rewriter and responder trained against each other: two models in turn, or one model in both seats.

alternate: in every round the rewriter is trained in front of the last responder, then the responder on the prompts as they are and
as that rewriter hands them on. shared: one warm start on both seats' transcripts, then episodes in which every text is trained.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.data.quarantine import Quarantine
from rl_align.engine.config import EpisodeConfig, GRPOConfig, SFTConfig
from rl_align.errors import UserError
from rl_align.pipeline.parts import part, plain, plain_reward, reward_part
from rl_align.pipeline.stages import Stage

if TYPE_CHECKING:
    from rl_align.pipeline.config import RunConfig
    from rl_align.pipeline.run import Run

RESPONDER, REWRITER, ROWS = "responder_round_{}", "rewriter_round_{}", "rows_round_{}"
SHARED_ROWS, SHARED_SFT, SHARED = "shared_rows", "shared_sft", "shared"
#: The share of the peak at which `lr_schedule: cosine` ends.
COSINE_ENDS_AT = 0.1
EPISODES = "rl_align.engine.episodes:scorer"
BOTH = "rl_align.pictograms.measure:worth_of_both"


class Mode(str, Enum):
    """How the two are trained together."""

    none = "none"
    alternate = "alternate"
    shared = "shared"


class Schedule(str, Enum):
    """What a round's learning rate is, where the schedule is not constant."""

    continued = "continued"
    restarted = "restarted"


@dataclass
class CotrainConfig:
    """Co-training.

    Attributes:
        mode: none, alternate (two models in turn) or shared (one model in both seats).
        rounds: Rounds of `alternate`.
        rewriter_steps: Steps of the rewriter in a round; everything else is `rewriter.grpo`.
        responder_steps: Steps of the responder in a round; everything else is `grpo`.
        schedule: continued: the cosine goes over all rounds of a seat, as it would over one stage of as many steps; within a round
            the rate stays at its mean there. restarted: every round goes through a cosine of its own. Each round begins with a
            warm-up, as the optimizer's memory begins anew.
        rewritten_share: Share of the responder's prompts in a round that the rewriter has rewritten.
        steps: Steps of `shared`; everything else is `grpo`.
        episode: Texts of a prompt in `shared`; together they are `grpo.rollouts_per_prompt` there.
        sft: The warm start of `shared`, on the transcripts of both seats.
    """

    mode: Mode = Mode.none
    rounds: int = 2
    rewriter_steps: int = 40
    responder_steps: int = 40
    schedule: Schedule = Schedule.continued
    rewritten_share: float = 0.5
    steps: int = 80
    episode: EpisodeConfig = field(default_factory=EpisodeConfig)
    sft: SFTConfig = field(default_factory=lambda: SFTConfig(steps=700, save_every=350))

    def __post_init__(self) -> None:
        for key in ("rounds", "rewriter_steps", "responder_steps", "steps"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=f"cotrain.{key}", expected="1 or more")
        if not 0 <= self.rewritten_share <= 1:
            raise UserError(f"is {self.rewritten_share}", where="cotrain.rewritten_share", expected="0 to 1")


def shared_grpo(config: RunConfig) -> GRPOConfig:
    """The settings of `shared`: as many trained texts a step as without co-training, or the nearest number below."""
    grpo, episode = config.grpo, config.cotrain.episode
    prompts = max(1, grpo.prompts_per_step * grpo.rollouts_per_prompt // episode.texts)
    micro = min(grpo.micro_batch_size, prompts * episode.texts)
    return replace(
        grpo, steps=config.cotrain.steps, prompts_per_step=prompts, rollouts_per_prompt=episode.texts, micro_batch_size=micro
    )


def in_round(grpo: GRPOConfig, r: int, config: CotrainConfig) -> GRPOConfig:
    """A seat's settings in round `r`, from 1 on, but for its steps: another order of the prompts, its piece of the schedule."""
    grpo = replace(grpo, seed=grpo.seed + r)
    if config.schedule is Schedule.restarted or grpo.lr_schedule != "cosine" or config.rounds == 1:
        return grpo
    begin, end = math.pi * (r - 1) / config.rounds, math.pi * r / config.rounds
    share = COSINE_ENDS_AT + (1 - COSINE_ENDS_AT) / 2 * (1 + (math.sin(end) - math.sin(begin)) / (end - begin))
    return replace(grpo, lr_schedule="constant", learning_rate=grpo.learning_rate * share)


class CotrainPart:
    """Co-training's share of a run.

    Args:
        run: The run whose folder, data and models it shares.
    """

    def __init__(self, run: Run):
        self.run, self.config = run, run.config.cotrain

    def responders(self) -> dict[str, Path]:
        """Name → folder, in the order in which they come to be."""
        if self.config.mode is Mode.shared:
            return {name: self.run.models / name for name in (SHARED_SFT, SHARED)}
        return {f"round {r}": self.run.models / RESPONDER.format(r) for r in range(1, self._rounds + 1)}

    def rewriters(self) -> dict[str, Path]:
        """Name → folder, likewise."""
        if self.config.mode is Mode.shared:
            return self.responders()
        return {f"round {r}": self.run.models / REWRITER.format(r) for r in range(1, self._rounds + 1)}

    @property
    def _rounds(self) -> int:
        return self.config.rounds if self.config.mode is Mode.alternate else 0

    def stages(self) -> list[Stage]:
        """After the two warm starts."""
        if self.config.mode is Mode.shared:
            return self._shared()
        return [stage for r in range(1, self._rounds + 1) for stage in self._round(r)]

    def _round(self, r: int) -> list[Stage]:
        run, c = self.run, self.config
        reinforced = part(run.config.engine, "extra_sft")
        rewriter, responder = self._before(r)
        made, name, rows = run.models / REWRITER.format(r), REWRITER.format(r), run.data / f"{ROWS.format(r)}.parquet"
        grpo = self._rewriter_grpo(r)
        paid = [part(grpo), asdict(run.config.rewriter.reward), asdict(run.config.rewriter.target), reinforced]
        stages = [
            Stage(
                name,
                lambda: run.rewriter.reinforce(name, grpo, rewriter, responder),
                paid,
                [rewriter, responder, run.data / "rewriter_grpo.parquet"],
                [made],
                *run.left_by(name, run.folder / "rollouts" / name, run.rewriter.cache(name)),
            )
        ]
        items = run.data / "train.parquet"
        server = run.config.eval.server
        decides = [run.config.eval.max_tokens, server.dtype, server.extra]  # a rewrite that is cut off is none
        asked = [c.rewritten_share, c.responder_steps, asdict(run.config.grpo), r, decides]
        stages.append(Stage(ROWS.format(r), lambda: self.make_rows(r, made, rows), asked, [made, items], [rows]))
        out, stage = run.models / RESPONDER.format(r), RESPONDER.format(r)
        given = self._responder_grpo(r)
        judging, judge = run.judged_by()
        paid = [part(given), reward_part(run.config.reward), reinforced, *judging]
        left = run.left_by(stage, run.folder / "rollouts" / stage)
        read = [responder, rows, *judge]
        stages.append(Stage(stage, lambda: self.train_responder(stage, given, responder, r), paid, read, [out], *left))
        return stages

    def _before(self, r: int) -> tuple[Path, Path]:
        """What the rewriter and the responder of a round start from."""
        models = self.run.models
        if r == 1:
            return models / "rewriter_sft", models / "sft"
        return models / REWRITER.format(r - 1), models / RESPONDER.format(r - 1)

    def _rewriter_grpo(self, r: int) -> Any:
        return replace(in_round(self.run.config.rewriter.grpo, r, self.config), steps=self.config.rewriter_steps)

    def _responder_grpo(self, r: int) -> Any:
        return replace(in_round(self.run.config.grpo, r, self.config), steps=self.config.responder_steps)

    def make_rows(self, r: int, rewriter: Path, out: Path) -> None:
        """Has the frozen rewriter rewrite its share of the training items; both kinds → the responder's prompts."""
        from reward.label import write_label
        from reward.outcome import as_rewritten
        from rl_align.data.items import read_items
        from rl_align.data.rows import grpo_rows
        from rl_align.engine.lengths import PromptLengths
        from rl_align.eval.matrix import rewrite
        from rl_align.models.vocabulary import special_tokens
        from rl_align.pictograms.chance import chance

        run, c = self.run, self.config
        items = read_items(run.data / "train.parquet")
        rng = chance("round", run.config.seed, r)
        chosen = rng.sample(items, min(len(items), c.responder_steps * run.config.grpo.prompts_per_step))
        count = round(c.rewritten_share * len(chosen))
        place = run.folder / "rewrites" / str(r)
        made = rewrite(rewriter, chosen[:count], place, run.config.eval)
        rewritten = [
            replace(as_rewritten(item, made[item.id]), id=f"{item.id}/rewritten", prompt=made[item.id])
            for item in chosen[:count] if made.get(item.id)
        ]  # fmt: skip
        special = list(special_tokens(run.untrained))
        lengths, quarantine = PromptLengths(run.untrained, special), Quarantine(run.data / f"dropped-round-{r}.jsonl")
        for item in chosen[:count]:
            if not made.get(item.id):
                quarantine.drop(item.id, "no_rewrite")
        rows = grpo_rows(
            out,
            [*rewritten, *chosen[count:]],
            special_tokens=special,
            quarantine=quarantine,
            fits=lengths.fits_prompt(run.config.grpo.max_prompt_tokens),
            label=write_label,
        )
        quarantine.save()
        print(f"    {rows} prompts, {len(rewritten)} of them rewritten; {quarantine.summary()}")

    def train_responder(self, stage: str, grpo: Any, start: Path, r: int) -> None:
        """A round of the responder → `models/<stage>`."""
        self.run.reinforce_responder(stage, grpo, start, ROWS.format(r))

    def _shared(self) -> list[Stage]:
        run, c = self.run, self.config
        supervised = part(run.config.engine, "extra", "rollout_dtype", "tensor_parallel")
        reinforced = part(run.config.engine, "extra_sft")
        rows = [run.data / f"{SHARED_SFT}.parquet", run.data / f"{SHARED}.parquet"]
        inputs = [run.data / "sft.parquet", run.data / "rewriter_sft.parquet", run.data / "train.parquet"]
        left = run.left_by(SHARED_SFT)
        grpo = shared_grpo(self.run.config)
        paid = [part(grpo), reward_part(run.config.reward), asdict(run.config.rewriter.reward), asdict(c.episode), reinforced]
        return [
            Stage(SHARED_ROWS, self.make_shared_rows, [c.sft.max_tokens, grpo.max_prompt_tokens], inputs, rows),
            Stage(
                SHARED_SFT, self.train_shared_sft, [part(c.sft), supervised], [run.base, rows[0]], [run.models / SHARED_SFT], *left
            ),
            Stage(
                SHARED, self.train_shared, paid, [run.models / SHARED_SFT, rows[1]], [run.models / SHARED],
                *run.left_by(SHARED, run.folder / "rollouts" / SHARED),
            ),
        ]  # fmt: skip

    def make_shared_rows(self) -> None:
        """Both seats' transcripts → one file; prompts of episodes → another."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from reward.label import write_label
        from rl_align.data.files import replacing
        from rl_align.data.items import read_items
        from rl_align.data.rows import grpo_rows
        from rl_align.engine.lengths import PromptLengths
        from rl_align.models.vocabulary import special_tokens

        run = self.run
        seats = pa.concat_tables(pq.read_table(run.data / name) for name in ("sft.parquet", "rewriter_sft.parquet"))
        with replacing(run.data / f"{SHARED_SFT}.parquet") as path:
            pq.write_table(seats, path, compression="zstd", row_group_size=512)
        special = list(special_tokens(run.untrained))
        lengths, quarantine = PromptLengths(run.untrained, special), Quarantine(run.data / "dropped-shared.jsonl")
        count = grpo_rows(
            run.data / f"{SHARED}.parquet",
            read_items(run.data / "train.parquet"),
            special_tokens=special,
            quarantine=quarantine,
            fits=lengths.fits_prompt(shared_grpo(self.run.config).max_prompt_tokens),
            label=write_label,
            agent_name="episode",
        )
        quarantine.save()
        print(f"    {seats.num_rows} transcripts of both seats, {count} episodes; {quarantine.summary()}")

    def train_shared_sft(self) -> None:
        """One warm start for both seats → `models/shared_sft`."""
        self.run.supervised(SHARED_SFT, self.config.sft, self.run.base, SHARED_SFT, self.run.models / SHARED_SFT)

    def train_shared(self) -> None:
        """Episodes → `models/shared`."""
        run = self.run
        reward, rewriter = run.config.reward, run.config.rewriter.reward
        run.reinforced(
            SHARED,
            shared_grpo(self.run.config),
            model=run.models / SHARED_SFT,
            rows=SHARED,
            scorer=EPISODES,
            settings={"reward": plain_reward(reward), "rewriter_reward": plain(rewriter), "items": str(run.data / "train.parquet")},
            weights=reward.signed(),
            measure=BOTH,
            episode=self.config.episode,
        )
