"""What every benchmark takes as task arguments (`-T name=value`), some of it also from the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Optional

from rl_align.config import load_config
from rl_align.data.images import ImageConfig
from rl_align.errors import UserError
from rl_align.eval.presets.answer_safety import JUDGES
from rl_align.transcript.prompts import RESPONDER_SYSTEM

#: Fields that the environment sets where the arguments do not: RL_ALIGN_JUDGE_BASE_URL, RL_ALIGN_RUN_FOLDER, …
FROM_ENVIRONMENT = (
    "judge_base_url",
    "judge_model",
    "judge_api_key_env",
    "judge_cache",
    "judge_config",
    "calibration",
    "run_folder",
)  # fmt: skip

#: `system=responder` asks as this project's responder is trained.
RESPONDER = "responder"


@dataclass
class Options:
    """What is asked, how, and who judges it.

    Attributes:
        splits: Splits that are asked; the benchmark's own choice by default, `all` for all.
        limit: Most items, taken evenly from the whole; 0 means all.
        epochs: Answers to each item; more than one needs a temperature.
        system: System message: none by default, `responder` for the one of this project's training, or any other text.
        model_folder: Hugging Face folder of the model: its special tokens are neutralised in prompts, its vision tokens banned in
            answers. Without it only media markers are neutralised.
        max_tokens: Longest answer, thinking included. The verdict of a transcript comes last: keep it long.
        temperature: 0 is greedy.
        seed: Of sampling; each item and epoch draws from its own stream.
        image_pixels: Most pixels of a picture of a local copy.
        safety_judge: Judge of harm where a benchmark has none of its own: answer_safety, llama_guard or guardreasoner.
        judge_base_url: Address of the judge, up to and including `/v1`. Without a judge its metrics stay unscored.
        judge_model: Name under which it is served.
        judge_api_key_env: Environment variable that holds its key.
        judge_cache: SQLite file that keeps its answers.
        judge_votes: Votes of each opinion; more than one are sampled.
        judge_config: YAML file with everything else: sections `endpoint` and `judge`, such as `judge: {show_images: false}` for a
            judge that reads text only.
        calibration: What `rl-align judge calibrate … --out` wrote of this judge; its figures then stand beside the numbers.
        run_folder: Run that trained the model: its judge is refused here.
        allow_training_judge: Take it all the same.
    """

    splits: list[str] = field(default_factory=list)
    limit: int = 0
    epochs: int = 1
    system: str = ""
    model_folder: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    max_tokens: int = 2048
    temperature: float = 0.0
    seed: int = 0
    image_pixels: int = ImageConfig.max_pixels
    safety_judge: str = "answer_safety"
    judge_base_url: Optional[str] = None  # noqa: UP045
    judge_model: Optional[str] = None  # noqa: UP045
    judge_api_key_env: Optional[str] = None  # noqa: UP045
    judge_cache: Optional[str] = None  # noqa: UP045
    judge_votes: Optional[int] = None  # noqa: UP045
    judge_config: Optional[str] = None  # noqa: UP045
    calibration: Optional[str] = None  # noqa: UP045
    run_folder: Optional[str] = None  # noqa: UP045
    allow_training_judge: bool = False

    def __post_init__(self) -> None:
        for key in ("epochs", "max_tokens", "image_pixels"):
            if getattr(self, key) < 1:
                raise UserError(f"is {getattr(self, key)}", where=key, expected="1 or more")
        if self.safety_judge not in JUDGES:
            raise UserError(f"is {self.safety_judge!r}", where="safety_judge", expected=f"one of {', '.join(JUDGES)}")
        if self.limit < 0:
            raise UserError(f"is {self.limit}", where="limit", expected="a number of items, or 0 for all")
        if self.temperature < 0:
            raise UserError(f"is {self.temperature}", where="temperature", expected="0 or more")
        if self.epochs > 1 and self.temperature == 0:
            what = f"{self.epochs} greedy answers are one answer"
            raise UserError(what, where="epochs", fix="pass a temperature above 0, such as temperature=0.7")

    @property
    def system_message(self) -> str | None:
        """The text of the system message; None for none."""
        return {"": None, RESPONDER: RESPONDER_SYSTEM}.get(self.system, self.system)


def options_of(given: Mapping[str, Any]) -> Options:
    """The options of these arguments, and of the environment.

    Raises:
        UserError: An unknown argument (the nearest one is named), or a value that cannot work.
    """
    values = {name: found for name in FROM_ENVIRONMENT if (found := os.environ.get(f"RL_ALIGN_{name.upper()}"))}
    values |= {name: value for name, value in given.items() if value is not None}
    if isinstance(values.get("splits"), str):
        values["splits"] = [part.strip() for part in values["splits"].split(",")]
    for option in fields(Options):
        # Inspect's command line reads numbers where a name was meant, and a list where a text has a comma.
        value = values.get(option.name)
        if value is not None and option.type in ("str", "Optional[str]") and not isinstance(value, str):
            values[option.name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return load_config(Options, None, [f"{name}={json.dumps(value)}" for name, value in values.items()])
