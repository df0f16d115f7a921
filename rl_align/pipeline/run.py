"""A run: data → base model → rows → warm start → GRPO → evaluation → report, each stage once, resumable."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rl_align.config import load_config, to_yaml
from rl_align.data.quarantine import Quarantine
from rl_align.engine.config import EpisodeConfig, GRPOConfig, SFTConfig
from rl_align.engine.lora_config import LoRAConfig
from rl_align.engine.model_server import Served
from rl_align.engine.progress import path_of
from rl_align.engine.verl_config import check_extra
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, Source, Trained, resolve
from rl_align.pipeline.cotrain import CotrainPart, Mode
from rl_align.pipeline.parts import part, plain, plain_reward, reward_part
from rl_align.pipeline.report import write_report
from rl_align.pipeline.rewriter import RewriterPart
from rl_align.pipeline.stages import Stage, foresee, run_stages
from rl_align.policy.catalogue import own as own_catalogue
from rl_align.runfiles.atomic import write_text
from rl_align.runfiles.events import FILE as EVENTS
from rl_align.runfiles.lock import engine_lock, wait_for_workers
from rl_align.runfiles.manifest import MANIFEST
from rl_align.schema import Item
from rl_align.transcript.prompts import RESPONDER_SYSTEM

HELD_OUT = ("heldout_combinations", "heldout_paraphrases")
SCORER = "rl_align.engine.scoring:responder"
JUDGED = "rl_align.engine.judging:responder"
MEASURE = "rl_align.pictograms.measure:worth_of_texts"


class Run:
    """One run folder and the stages that fill it.

    Args:
        config: Resolved configuration.
    """

    def __init__(self, config: RunConfig):
        self.config = config
        self.folder = Path(config.folder).absolute()  # engine processes may stand elsewhere
        self.data, self.models = self.folder / "data", self.folder / "models"
        self.checkpoints = self.folder / "checkpoints"
        self.rewriter, self.cotrain = RewriterPart(self), CotrainPart(self)

    @property
    def base(self) -> Path:
        """Folder of the model that training starts from."""
        return Path(self.config.model.path) if self.config.model.path else self.models / "base"

    @property
    def untrained(self) -> Path:
        """Folder of the built model before it has seen a picture; `base` where there is nothing to name."""
        return self.models / "untrained" if self.names_pictures else self.base

    @property
    def names_pictures(self) -> bool:
        """Whether a built model is first taught to name what pictures show."""
        return self.config.model.path is None and self.config.source is Source.pictograms and self.config.pretrain.steps > 0

    @property
    def start(self) -> Path:
        """Folder of the model that GRPO starts from."""
        return self.models / "sft" if self.config.warm_start else self.base

    def stages(self) -> list[Stage]:
        """The pipeline of this run."""
        c = self.config
        supervised, reinforced = part(c.engine, "extra", "rollout_dtype", "tensor_parallel"), part(c.engine, "extra_sft")
        stages = [
            Stage("data", self.make_data, self._made_of(), self._read(), self.splits()),
            *([] if c.model.path else [Stage("model", self.make_model, asdict(c.model), self.splits()[:1], [self.untrained])]),
            Stage(
                "rows",
                self.make_rows,
                [
                    asdict(c.teacher),
                    asdict(c.pictograms),
                    RESPONDER_SYSTEM,
                    c.warm_start,
                    [c.pretrain.max_tokens, c.sft.max_tokens, c.grpo.max_prompt_tokens],
                ],
                [self.data / "train.parquet", self.untrained],
                [
                    *([self.data / "captions.parquet"] if self.names_pictures else []),
                    *([self.data / "sft.parquet"] if c.warm_start else []),
                    self.data / "grpo.parquet",
                ],
            ),
        ]
        if self.names_pictures:
            inputs = [self.untrained, self.data / "captions.parquet"]
            outputs, left = [self.base], self.left_by("pretrain")
            stages.append(Stage("pretrain", self.train_eyes, [part(c.pretrain), supervised], inputs, outputs, *left))
        if "sft" in self.responders():
            inputs = [self.base, self.data / "sft.parquet"]
            outputs, left = [self.models / "sft"], self.left_by("sft")
            stages.append(Stage("sft", self.train_sft, [part(c.sft), supervised], inputs, outputs, *left))
        if "grpo" in self.responders():
            inputs = [self.start, self.data / "grpo.parquet"]
            outputs, left = [self.models / "grpo"], self.left_by("grpo", *self._rollouts())
            judging, judge = self.judged_by()
            paid = [part(c.grpo), reward_part(c.reward), reinforced, *judging]
            stages.append(Stage("grpo", self.train_grpo, paid, [*inputs, *judge], outputs, *left))
        if Trained.rewriter in c.seats:
            stages += self.rewriter.stages() + self.cotrain.stages()
        if c.evaluate and self.models_to_measure():
            inputs = [*self.models_to_measure().values(), *self.splits_to_measure().values()]
            stages.append(Stage("eval", self.evaluate, asdict(c.eval), inputs, [self.folder / "eval" / "results.json"]))
        if c.evaluate and Trained.rewriter in c.seats:
            responders = {name: path for name, path in self.responders().items() if name != "base"} | self.cotrain.responders()
            rewriters = self.rewriter.models() | self.cotrain.rewriters()
            stages.append(self.rewriter.matrix(responders, rewriters, self.splits_to_measure()))
        if catalogue := own_catalogue():
            stages = [replace(stage, inputs=[*stage.inputs, Path(catalogue)]) for stage in stages]
        return stages

    def judged_by(self) -> tuple[list[Any], list[Path]]:
        """What a responder's reward depends on beside the rules: settings of its judges, and the judge that this run serves.

        Where a judge is asked is not what it says, and a key is not what it fences.
        """
        c = self.config
        if not c.judges.judges:
            return [], []
        paying = {name: value for name, value in asdict(c.judges).items() if name != "heldout"}
        asked = [paying, c.judge_endpoint.model, plain(c.judge_endpoint)["structured"]]
        return asked, [Path(c.judge_model)] if c.judge_model else []

    def responders(self) -> dict[str, Path]:
        """Name → folder of the responders that this run has or trains."""
        c = self.config
        trained = Trained.responder in c.seats
        needed = {"sft": trained or c.rewriter.target_model == "sft", "grpo": trained or c.rewriter.target_model == "grpo"}
        if c.cotrain.mode is Mode.shared:
            return {}  # its one model has a warm start of its own
        if c.cotrain.mode is Mode.alternate:
            needed["grpo"] = False
        found = {"base": self.base, **({"sft": self.models / "sft"} if c.warm_start else {}), "grpo": self.models / "grpo"}
        return {name: path for name, path in found.items() if needed.get(name, trained)}

    def _rollouts(self) -> list[Path]:
        """What the responder's GRPO leaves in `rollouts`; other stages have folders of their own in there."""
        return [path for path in (self.folder / "rollouts").glob("*") if path.is_file() or path.name == "images"]

    def left_by(self, stage: str, *more: Path) -> tuple[list[Path], list[Path]]:
        """What a training stage writes on its way: files of its own, and files that it shares with the other stages."""
        own = [self.checkpoints / stage, self.folder / "tensorboard" / stage, path_of(self.folder, stage), *more]
        return own, [self.folder / name for name in ("metrics.jsonl", "ledger.jsonl", EVENTS)]

    def _made_of(self) -> list[Any]:
        """What the items depend on beside what is read. Where a dataset lies is not part of it: its content is."""
        c = self.config
        known = [c.source.value, asdict(c.pictograms), asdict(c.real_inputs)]
        return known + ([asdict(replace(c.dataset, path=None))] if c.source is Source.dataset else [])

    def _read(self) -> list[Path]:
        """Folders of real records, or the manifest that vouches for a dataset; what is missing is reported where it is read."""
        if self.config.source is Source.dataset and self.config.dataset.path is not None:
            path = Path(self.config.dataset.path)
            return [path / MANIFEST if (path / MANIFEST).is_file() else path]
        c = self.config.real_inputs
        if self.config.source is not Source.real_inputs or c.folder is None:
            return []
        return [path for name in c.sources if (path := Path(c.folder) / name).is_dir()]

    def splits(self) -> list[Path]:
        """Parquet files of items that the data stage makes."""
        names = ("train", "validation", *HELD_OUT) if self.config.source is Source.pictograms else ("train",)
        return [self.data / f"{name}.parquet" for name in names]

    def models_to_measure(self) -> dict[str, Path]:
        """Name → folder."""
        named = self.config.eval.models
        return {name: path for name, path in self.responders().items() if name in named or not named}

    def splits_to_measure(self) -> dict[str, Path]:
        """Name → parquet file."""
        return {name: self.data / f"{name}.parquet" for name in HELD_OUT}

    def make_data(self) -> None:
        """Items → `data/<split>.parquet`; what was left out → `data/dropped-items.jsonl`."""
        from rl_align.data import training_set
        from rl_align.data.items import write_items
        from rl_align.data.sources.mix import load_mix
        from rl_align.data.sources.pictograms import make

        if self.config.source is Source.pictograms:
            counts = make(self.config.pictograms, self.data)
            sizes = {split: sum(sum(t.values()) for t in cells.values()) for split, cells in counts.items()}
            print("    " + ", ".join(f"{split} {n}" for split, n in sizes.items()))
            return
        quarantine = Quarantine(self.data / "dropped-items.jsonl")
        if self.config.source is Source.dataset:
            items = training_set.load(self.config.dataset, quarantine)
        else:
            items = load_mix(self.config.real_inputs, quarantine)
        written = write_items(self.data / "train.parquet", items)
        quarantine.save()
        print(f"    train {written}; {quarantine.summary()}")

    def make_model(self) -> None:
        """A small model with a tokenizer trained on the texts of the data."""
        from rl_align.models.tiny import build

        build(self.config.model, self.untrained, self._corpus())

    def make_rows(self) -> None:
        """Items → rows for the engine; items that do not fit → `data/dropped.jsonl`, counted by reason."""
        from reward.label import write_label
        from rl_align.data.rows import grpo_rows, sft_rows
        from rl_align.engine.lengths import PromptLengths
        from rl_align.models.vocabulary import special_tokens
        from rl_align.pictograms.captions import named

        c = self.config
        special = list(special_tokens(self.untrained))
        lengths = PromptLengths(self.untrained, special)
        quarantine = Quarantine(self.data / "dropped.jsonl")
        common = {"special_tokens": special, "quarantine": quarantine}
        if self.names_pictures:
            pictures = list(named(c.pictograms))
            captions = {item.id: item.reference for item in pictures}
            fits = lengths.fits_transcript(c.pretrain.max_tokens, captions)
            captioned = sft_rows(self.data / "captions.parquet", pictures, captions, fits=fits, system=None, **common)
            print(f"    captions {captioned}")
        if c.warm_start:
            transcripts = self._transcripts()
            fits = lengths.fits_transcript(c.sft.max_tokens, transcripts)
            sft = sft_rows(self.data / "sft.parquet", self._taught(), transcripts, fits=fits, **common)
            print(f"    sft {sft} transcripts")
        fits = lengths.fits_prompt(c.grpo.max_prompt_tokens)
        grpo = grpo_rows(self.data / "grpo.parquet", self._items(), fits=fits, label=write_label, **common)
        quarantine.save()
        print(f"    grpo {grpo} prompts; {quarantine.summary()}")
        if grpo < c.grpo.prompts_per_step:
            raise UserError(
                f"only {grpo} prompts are left",
                where=str(self.data / "grpo.parquet"),
                expected=f"at least grpo.prompts_per_step ({c.grpo.prompts_per_step})",
            )

    def _items(self) -> Iterator[Item]:
        """The items to train on, a few in memory at a time."""
        from rl_align.data.items import scan_items

        return (record for record in scan_items(self.data / "train.parquet") if isinstance(record, Item))

    def _transcripts(self) -> dict[str, str]:
        """Item → what the warm start learns to say: the teacher's words for pictograms, else the transcript it came with."""
        from rl_align.pictograms import teacher

        if self.config.source is Source.pictograms:
            return {item.id: teacher.transcript(item, self.config.teacher) for item in self._items()}
        found = {item.id: text for item in self._items() if isinstance(text := item.truth.get("transcript"), str)}
        if not found:
            what, fix = "no item came with a transcript, as msr_align's do", "start GRPO from the model: warm_start=false"
            raise UserError(what, where=str(self.config.dataset.path), fix=fix)
        return found

    def _taught(self) -> Iterator[Item]:
        """The items as the warm start meets them: some of the pictograms' prompts are worded loosely."""
        from rl_align.pictograms import teacher

        worded = self.config.source is Source.pictograms
        return (teacher.pupil(item, self.config.teacher) if worded else item for item in self._items())

    def train_eyes(self) -> None:
        """Naming what pictures show → `models/base`."""
        self.supervised("pretrain", self.config.pretrain, self.untrained, "captions", self.base)

    def train_sft(self) -> None:
        """The warm start → `models/sft`."""
        self.supervised("sft", self.config.sft, self.base, "sft", self.models / "sft")

    def supervised(self, stage: str, config: SFTConfig, model: Path, rows: str, out: Path) -> None:
        """Trains a model on the conversations of `data/<rows>.parquet`, or goes on, and puts it to `out`."""
        from rl_align.engine import sft

        root = self.checkpoints / stage
        _check_lora(stage, config.lora, model)
        resume = self._resume(root)
        if _step(resume) < config.steps:
            sft.run(
                self.config.engine,
                config,
                model=model,
                train_file=self.data / f"{rows}.parquet",
                folder=self.folder,
                resume_from=resume,
                name=self.folder.name,
                stage=stage,
                command_began=self._stage_began,
            )
        self._export(root, out, config.steps, "huggingface", model if config.lora.rank else None)

    def train_grpo(self) -> None:
        """Reinforcement learning → `models/grpo`."""
        self.reinforce_responder("grpo", self.config.grpo, self.start, "grpo")

    def reinforce_responder(self, stage: str, grpo: GRPOConfig, start: Path, rows: str) -> None:
        """Trains a responder on the prompts of `data/<rows>.parquet` → `models/<stage>`."""
        reward, judges = self.config.reward, self.config.judges.judges
        scorer, judging, partner = self._judging()
        self.reinforced(
            stage,
            grpo,
            model=start,
            rows=rows,
            scorer=scorer,
            settings={"reward": plain_reward(reward), **judging},
            weights=reward.signed() | {f"judge_{name}": judge.weight for name, judge in judges.items()},
            measure=MEASURE,
            judges=judging.get("judges", {}).get("judges"),
            partner=partner,
        )

    def reinforced(
        self,
        stage: str,
        config: GRPOConfig,
        *,
        model: Path,
        rows: str,
        scorer: str,
        settings: dict[str, Any],
        weights: dict[str, float],
        measure: str,
        judges: dict[str, Any] | None = None,
        partner: Served | None = None,
        episode: EpisodeConfig | None = None,
    ) -> None:
        """Trains a policy by GRPO on the prompts of `data/<rows>.parquet`, or goes on, and puts it to `models/<stage>`."""
        from rl_align.engine import grpo

        root = self.checkpoints / stage
        _check_lora(stage, config.lora, model)
        resume = self._resume(root)
        if _step(resume) < config.steps:
            grpo.run(
                self.config.engine,
                config,
                model=model,
                train_file=self.data / f"{rows}.parquet",
                folder=self.folder,
                resume_from=resume,
                scorer=scorer,
                scorer_settings={**settings, "max_response_tokens": config.max_response_tokens},
                weights=weights,
                name=self.folder.name,
                panel=self.config.panel,
                measure=measure if self.config.source is Source.pictograms else None,
                measure_settings={"items": str(self.data / "train.parquet")},
                judges=judges,
                partner=partner,
                episode=episode,
                stage=stage,
                command_began=self._stage_began,
            )
        self._export(root, self.models / stage, config.steps, "actor/huggingface", model if config.lora.rank else None)

    def _judging(self) -> tuple[str, dict[str, Any], Served | None]:
        """The scorer, what it needs for its judges, and the judge that this run serves, if it does."""
        config = self.config
        if not config.judges.judges:
            return SCORER, {}, None
        key, cache = str(self.folder / "judge.key"), str(self.folder / "judge-cache.sqlite")
        held = config.judges.heldout
        paying, second = (
            {name: replace(judge, fence_key_file=judge.fence_key_file or key) for name, judge in judges.items()}
            for judges in (config.judges.judges, held.judges)
        )
        endpoint, other = (replace(e, cache=e.cache or cache) for e in (config.judge_endpoint, held.endpoint))
        judges = replace(config.judges, judges=paying, heldout=replace(held, judges=second, endpoint=other))
        served = None
        if config.judge_model is not None:
            served = Served("judge", Path(config.judge_model).absolute(), config.judge_server, self.folder / "logs" / "judge")
        return JUDGED, {"judges": plain(judges), "endpoint": plain(endpoint)}, served

    def evaluate(self, out: Path | None = None) -> None:
        """Every model on every held-out split → `eval/`, or `out`."""
        from rl_align.eval.run import evaluate

        evaluate(self.models_to_measure(), self.splits_to_measure(), out or self.folder / "eval", self.config.eval)

    def _corpus(self) -> Any:
        if self.config.source is Source.pictograms:
            from rl_align.pictograms.corpus import corpus

            return corpus(self.config.pictograms)
        learnt = self._transcripts().values() if self.config.warm_start else ()
        return chain((item.prompt for item in self._items()), learnt)

    def _resume(self, root: Path) -> Path | None:
        from rl_align.engine.checkpoints import resume_point

        self._stage_began = time.time()
        good = resume_point(root)
        if good:
            print(f"    continues from {good.relative_to(self.folder)}")
        return good

    def _export(self, root: Path, out: Path, step: int, inner: str, start: Path | None = None) -> None:
        """The model of the last checkpoint, put in place whole; `start` is what its adapter belongs to, where it has one."""
        from rl_align.pipeline.kept import keep

        keep(root / f"global_step_{step}", inner, out, start, self.config.engine.rollout_dtype, self.config.engine.save_state)
        if not self.config.engine.save_state:
            shutil.rmtree(root)  # nothing resumes from it, and it is larger than the model


def run(config_path: str | Path, overrides: Sequence[str] = (), *, dry_run: bool = False, only: Sequence[str] = ()) -> None:
    """Runs an experiment, or continues it.

    Args:
        config_path: YAML file.
        overrides: `key=value` strings.
        dry_run: Print the resolved configuration, the batch arithmetic and an estimate; start nothing.
        only: Stages to run, in their order; the others are left as they are, and there is no report. None named means all.

    Raises:
        UserError: Anything a person can put right.
        StageFailed: Anything else.
    """
    config = resolve(load_config(RunConfig, config_path, overrides))
    check_extra(config.engine)
    work = Run(config)
    stages = work.stages()
    if unknown := set(only) - {stage.name for stage in stages}:
        expected = f"some of {', '.join(stage.name for stage in stages)}"
        raise UserError(f"there is no stage {min(unknown)!r}", where="--only", expected=expected)
    stages = [stage for stage in stages if stage.name in only or not only]
    if dry_run:
        from rl_align.pipeline.estimate import explain

        print(to_yaml(config), end="")
        print("\n".join(f"# {line}" for line in [*explain(config), *foresee(work.folder, stages)]))
        return
    print(f"run folder: {config.folder}")
    with engine_lock(str(work.folder)):
        wait_for_workers()
        work.folder.mkdir(parents=True, exist_ok=True)
        write_text(work.folder / "config.yaml", to_yaml(config))
        timing = run_stages(work.folder, stages, donors=config.reuse)
        if not only:
            write_report(work.folder, config, timing)


def _check_lora(stage: str, lora: LoRAConfig, model: Path) -> None:
    """Raises UserError for layers that the model does not have, before an engine is started."""
    if lora.rank and lora.target_modules:
        from rl_align.models.lora import check_targets

        check_targets(model, lora.target_modules, lora.leave_out, f"{stage}: lora.target_modules")


def _step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("_")[2]) if checkpoint else 0
