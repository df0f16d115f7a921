"""The judge of an evaluation: which model, where, how it is asked, what is known of it, and that it is not the one of the training.

A policy that was trained against a judge has learnt to please it, so its verdict on that policy says little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from reward.judges.config import JudgeConfig
from reward.judges.preset import Preset
from rl_align.config import load_config
from rl_align.endpoints.config import EndpointConfig
from rl_align.errors import UserError
from rl_align.eval.options import Options

#: Name under which a run serves a judge of its own (`judge_model` of its configuration).
SERVED = "judge"
#: Settings of a judge that no verdict depends on, and votes, which are told by themselves.
_NO_MATTER = ("votes", "weight", "max_reason_chars", "fence_key_file", "concurrency", "max_unscored_share", "min_calls", "window")


@dataclass
class EvalJudgeConfig:
    """The file behind `judge_config`.

    Attributes:
        endpoint: Where the judge is asked.
        judge: How.
    """

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)


@dataclass(frozen=True)
class EvalJudge:
    """A judge that can be asked.

    Attributes:
        endpoint: Where.
        judge: How.
        figures: Preset → what calibration found of it; empty without a calibration.
    """

    endpoint: EndpointConfig
    judge: JudgeConfig
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def facts(self, preset: Preset) -> dict[str, Any]:
        """What stands beside every number that rests on this preset: preset, model, version of the prompt, calibration."""
        return {
            "preset": preset.name,
            "model": self.endpoint.model,
            "prompt": preset.version(self.judge),
            "votes": self.judge.votes,
            "calibration": self.figures.get(preset.name),
        }

    def manner(self) -> dict[str, Any]:
        """What verdicts depend on beside model, prompts and votes, where it is not the default."""
        usual = _plain(JudgeConfig())
        changed = {k: v for k, v in _plain(self.judge).items() if v != usual[k] and k not in _NO_MATTER}
        return changed | ({"extra": dict(self.endpoint.extra)} if self.endpoint.extra else {})

    def plain(self) -> dict[str, Any]:
        """As plain JSON; `EvalJudge.of` reads it back. It holds no key, only the name of a variable that does."""
        return {"endpoint": _plain(self.endpoint), "judge": _plain(self.judge), "figures": dict(self.figures)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> EvalJudge:
        """From plain JSON. Raises UserError for a setting that cannot work."""
        overrides = [f"{name}.{key}={json.dumps(value)}" for name in ("endpoint", "judge") for key, value in plain[name].items()]
        config = load_config(EvalJudgeConfig, None, overrides)
        return cls(config.endpoint, config.judge, plain.get("figures", {}))


def judge_from(options: Options) -> EvalJudge | None:
    """The judge that the options name; None where they name none.

    Raises:
        UserError: A setting that cannot work, the judge of the training, or a calibration that is not this judge's.
    """
    if not (options.judge_base_url or options.judge_model or options.judge_config):
        return None
    config = load_config(EvalJudgeConfig, options.judge_config)
    given = {
        "base_url": options.judge_base_url,
        "model": options.judge_model,
        "api_key_env": options.judge_api_key_env,
        "cache": options.judge_cache,
    }
    endpoint = replace(config.endpoint, **{key: value for key, value in given.items() if value is not None})
    endpoint.check("judge")
    judge = config.judge
    if options.judge_votes is not None:
        sampled = options.judge_votes > 1 and not judge.temperature
        judge = replace(judge, votes=options.judge_votes, temperature=1.0 if sampled else judge.temperature)
    if judge.template is not None:
        raise UserError("one prompt for all presets", where="judge.template", expected="none: an evaluation asks several")
    if endpoint.cache and judge.fence_key_file is None:
        # A new key would be another prompt, and nothing in the file would be found again.
        judge = replace(judge, fence_key_file=f"{endpoint.cache}.fence")
    if options.run_folder is not None:
        check_apart(endpoint, options.run_folder, options.allow_training_judge)
    figures = read_calibration(options.calibration, endpoint.model) if options.calibration else {}
    return EvalJudge(endpoint, judge, figures)


def check_apart(endpoint: EndpointConfig, run_folder: str | Path, allowed: bool) -> None:
    """Raises UserError when this judge is the one that a run was trained with, unless that is allowed.

    The same is the same model under whatever address, a model that the run served to itself, and the run's address where it names
    no model. A model under another name than the run's is taken for another one: nothing can be told by a name.
    """
    path = Path(run_folder) / "config.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"the run's configuration cannot be read ({error})", where=str(path), expected="a run folder") from error
    config = found if isinstance(found, dict) else {}
    judges = (config.get("judges") or {}).get("judges")
    if not judges or allowed:
        return
    trained = config.get("judge_endpoint") or {}
    own = config.get("judge_model")
    model, address = _name(endpoint.model), endpoint.base_url.rstrip("/")
    same_model = model in {_name(trained.get("model") or ""), _name(own or ""), SERVED if own else ""} - {""}
    same_place = not trained.get("model") and address == str(trained.get("base_url") or "").rstrip("/") and not own
    if same_model or same_place:
        raise UserError(
            f"{endpoint.model} is the judge that this run was trained with ({', '.join(judges)})",
            where=str(path),
            expected="another model as the judge of its evaluation",
            fix="pass allow_training_judge=true to measure with it all the same",
        )


def read_calibration(path: str | Path, model: str) -> dict[str, Mapping[str, Any]]:
    """Preset → its figures, from what `rl-align judge calibrate … --out FILE` or `rl-align judge train` wrote.

    Raises:
        UserError: Not such a file, or of another judge.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), expected="a calibration of judges, as JSON") from error
    rows = found if isinstance(found, list) else [found]
    figures = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("preset"), str) or "accuracy" not in row:
            raise UserError("is no calibration", where=str(path), expected="what `rl-align judge calibrate … --out FILE` writes")
        if row.get("model") != model:
            expected = f"the figures of {model}, which is asked here"
            raise UserError(f"measured {row.get('model')!r}", where=str(path), expected=expected, fix="calibrate this judge")
        figures[row["preset"]] = row
    return figures


def check_version(preset: Preset, judge: EvalJudge) -> None:
    """Raises UserError when this preset was calibrated with another prompt."""
    found = judge.figures.get(preset.name)
    asked = preset.version(judge.judge)
    if found is not None and found.get("prompt") != asked:
        what = f"{preset.name} was calibrated with the prompt {found.get('prompt')}"
        raise UserError(what, where="calibration", expected=asked, fix="calibrate it again")


def _name(model: str) -> str:
    return model.rstrip("/").rpartition("/")[2].casefold()


def _plain(config: Any) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Enum) else value for key, value in asdict(config).items()}
