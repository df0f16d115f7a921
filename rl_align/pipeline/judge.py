"""A judge that runs here: a small model trained on the exact judge's verdicts, then asked and measured as any judge is.

data → base model → rows → eyes → SFT → calibration on held-out combinations, each stage once, resumable.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from reward.judges.config import JudgeConfig
from rl_align.config import load_config, to_yaml
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.engine.config import EngineConfig, SFTConfig
from rl_align.models.config import ModelConfig
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.parts import part, plain
from rl_align.pipeline.run import Run
from rl_align.pipeline.stages import Stage, foresee, run_stages
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.runfiles.lock import engine_lock, wait_for_workers

SPLIT = "heldout_combinations"


@dataclass
class JudgeRunConfig:
    """A judge's run.

    Attributes:
        folder: Run folder; the judge is in `models/judge`.
        seed: Added to the seed of every section.
        presets: What the judge learns to be asked: refusal, helpfulness.
        draws: Answers of different quality to each item that it learns from.
        pictograms: The world.
        model: What training starts from.
        engine: Where and how the engine runs.
        pretrain: Naming what pictures show.
        sft: The judge's training.
        judge: How it is asked, in training and in measuring.
        server: How it is served to be measured.
        measured: Held-out items that it is measured on; 0 for all.
    """

    folder: str = "runs/judge"
    seed: int = 0
    presets: list[str] = field(default_factory=lambda: ["refusal", "helpfulness"])
    draws: int = 1
    pictograms: PictogramsConfig = field(default_factory=PictogramsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    pretrain: SFTConfig = field(default_factory=lambda: SFTConfig(steps=300, learning_rate=1e-3, max_tokens=96, save_every=150))
    sft: SFTConfig = field(
        default_factory=lambda: SFTConfig(steps=500, batch_size=16, micro_batch_size=16, max_tokens=1024, save_every=125)
    )
    judge: JudgeConfig = field(default_factory=lambda: JudgeConfig(max_tokens=64))
    server: ServerConfig = field(default_factory=lambda: ServerConfig(max_model_len=2048))
    measured: int = 0


class JudgeRun(Run):
    """The stages of a judge's run; data, model and training are those of every run.

    Args:
        config: As given.
    """

    def __init__(self, config: JudgeRunConfig):
        shared = ("folder", "seed", "pictograms", "model", "engine", "pretrain", "sft")
        base = RunConfig(**{name: getattr(config, name) for name in shared}, evaluate=False)
        super().__init__(resolve(base))
        self.judge = config

    def stages(self) -> list[Stage]:
        """Data and model as in every run; then the judge's own."""
        stages = {stage.name: stage for stage in super().stages()}
        told = [self.judge.presets, self.judge.draws, self.config.seed, plain(self.judge.judge)]
        data, captions, rows = self.data / f"{SPLIT}.parquet", self.data / "captions.parquet", self.data / "sft.parquet"
        asked = [told, asdict(self.config.pictograms), [self.config.pretrain.max_tokens, self.config.sft.max_tokens]]
        stages["rows"] = replace(stages["rows"], config_part=asked, outputs=[captions, rows])
        trained = replace(stages["sft"], outputs=[self.models / "judge"])
        measured = [told, part(self.judge.server), self.judge.measured]
        calibrated = Stage("calibrate", self.calibrate, measured, [self.models / "judge", data], [self.folder / "calibration.json"])
        return [stages["data"], stages["model"], stages["rows"], stages["pretrain"], trained, calibrated]

    def train_sft(self) -> None:
        """The judge → `models/judge`."""
        self.supervised("sft", self.config.sft, self.base, "sft", self.models / "judge")

    def make_rows(self) -> None:
        """Judged answers → conversations; what does not fit → `data/dropped.jsonl`, counted by reason."""
        from rl_align.data.items import read_items
        from rl_align.data.quarantine import Quarantine
        from rl_align.data.rows import IMAGE_MARKER, conversation_rows, sft_rows
        from rl_align.engine.lengths import TRANSCRIPT_TOO_LONG, PromptLengths
        from rl_align.models.vocabulary import special_tokens
        from rl_align.pictograms.captions import named

        special = list(special_tokens(self.untrained))
        lengths, quarantine = PromptLengths(self.untrained, special), Quarantine(self.data / "dropped.jsonl")
        pictures = list(named(self.config.pictograms))
        captions = {item.id: item.reference for item in pictures}
        fits = lengths.fits_transcript(self.config.pretrain.max_tokens, captions)
        common = {"special_tokens": special, "quarantine": quarantine, "system": None, "fits": fits}
        captioned = sft_rows(self.data / "captions.parquet", pictures, captions, **common)

        def rows() -> Iterator[dict[str, Any]]:
            for name, case, target in self._cases(read_items(self.data / "train.parquet"), range(self.judge.draws)):
                request = self._request(name, case)
                if request is None:
                    continue
                system, user = request.messages
                text = IMAGE_MARKER * len(case.item.images) + user["content"][-1]["text"]
                messages = [system, {"role": "user", "content": text}, {"role": "assistant", "content": target}]
                tokens = sum(lengths.text(m["content"]) for m in messages) + 64  # template and picture
                if tokens > self.config.sft.max_tokens:
                    quarantine.drop(case.item.id, TRANSCRIPT_TOO_LONG)
                    continue
                yield {
                    "item_id": f"{case.item.id}/{name}",
                    "messages": messages,
                    "images": [{"bytes": image.read()} for image in case.item.images],
                }

        judged = conversation_rows(self.data / "sft.parquet", rows(), quarantine)
        quarantine.save()
        print(f"    captions {captioned}, judgements {judged}; {quarantine.summary()}")

    def calibrate(self) -> None:
        """Serves the judge, asks it about answers to held-out items, and compares with the exact judge."""
        from reward.judges.batch import Case
        from reward.judges.presets import preset
        from rl_align.data.items import read_items
        from rl_align.endpoints.config import EndpointConfig
        from rl_align.endpoints.serving import serving
        from rl_align.pipeline.calibrate import Labelled, calibrate, table

        items = read_items(self.data / f"{SPLIT}.parquet")[: self.judge.measured or None]
        cases: dict[str, list[Labelled]] = {name: [] for name in self.judge.presets}
        for name, case, target in self._cases(items, [1000]):
            if self._request(name, case) is not None:
                cases[name].append(Labelled(Case(case.item, case.response), json.loads(target)["verdict"]))
        with serving({"judge": self.models / "judge"}, self.judge.server, self.folder / "logs" / "judge") as servers:
            endpoint = EndpointConfig(base_url=servers["judge"].base_url, model="judge")
            results = [calibrate(preset(name), cases[name], self.judge.judge, endpoint) for name in self.judge.presets]
        write_json(self.folder / "calibration.json", results)
        write_text(self.folder / "calibration.md", table(results) + "\n")

    def _cases(self, items: Sequence[Any], draws: Sequence[int]) -> Iterator[tuple[str, Any, str]]:
        """(preset, judged answer, what the judge should write), for every preset that has a question about it."""
        from rl_align.pictograms.judgements import helpfulness_label, judged, refusal_label
        from rl_align.schema import Behaviour

        for draw in draws:
            for case in judged(items, self.config.seed + draw):
                for name in self.judge.presets:
                    if name == "helpfulness" and Behaviour.REFUSE in case.item.expected:
                        continue
                    label = {"refusal": refusal_label, "helpfulness": helpfulness_label}[name]
                    verdict, reason = label(case.item, case.response)
                    yield name, case, json.dumps({"reason": reason, "verdict": verdict})

    def _request(self, name: str, case: Any) -> Any:
        """What a judge is asked about a case; None where there is nothing to ask."""
        from reward.judges.hardening import Hardening
        from reward.judges.preset import Setting
        from reward.judges.presets import preset
        from reward.judges.types import Request
        from rl_align.policy.catalogue import Catalogue

        config = self.judge.judge
        setting = Setting(config, Catalogue.load(), Hardening.of(config))
        request = preset(name).request(case.item, case.response, setting)
        return request if isinstance(request, Request) else None

    def _corpus(self) -> Iterator[str]:
        from rl_align.pictograms.corpus import corpus
        from rl_align.pictograms.items import items

        few = list(items(replace(self.config.pictograms, train=200), "train"))
        asked = ((self._request(name, case), target) for name, case, target in self._cases(few, [0]))
        prompts = (t for r, target in asked if r for t in (r.messages[0]["content"], r.messages[1]["content"][-1]["text"], target))
        return itertools.chain(corpus(self.config.pictograms), prompts)


def train(config_path: str | Path, overrides: Sequence[str] = (), *, dry_run: bool = False) -> None:
    """Trains and measures a judge, or continues.

    Raises:
        UserError: Anything a person can put right.
        StageFailed: Anything else.
    """
    config = load_config(JudgeRunConfig, config_path, overrides)
    work = JudgeRun(config)
    if dry_run:
        print(to_yaml(config), end="")
        print("\n".join(f"# {line}" for line in foresee(work.folder, work.stages())))
        return
    print(f"run folder: {config.folder}")
    with engine_lock(str(work.folder)):
        wait_for_workers()
        work.folder.mkdir(parents=True, exist_ok=True)
        write_text(work.folder / "config.yaml", to_yaml(config))
        run_stages(work.folder, work.stages())
        print((work.folder / "calibration.md").read_text(), end="")
