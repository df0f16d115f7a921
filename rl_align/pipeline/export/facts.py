"""What a model card says, read out of a run folder: lineage, data and licences, rewards, measures."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import reward
from reward.judges.presets import chosen
from rl_align.config import config_hash
from rl_align.errors import UserError
from rl_align.eval.matrix import MATRIX
from rl_align.eval.run import GREEDY
from rl_align.pipeline.export.source import Source
from rl_align.pipeline.lineage import lineage
from rl_align.report.summary import read_results, versions
from rl_align.runfiles.manifest import hash_file

_RESTRICTED = re.compile(r"(?i)(?<![a-z])nc(?![a-z])|non[- ]?commercial|research[- ](use )?only|academic")
_UNKNOWN = ("", "unknown", "none", "none given", "other")
#: Stages of GRPO, beside those of rounds.
REINFORCED = ("grpo", "rewriter_grpo", "shared")
#: Bytes of a base model's card that are read for its licence.
_CARD_BYTES = 1 << 20


@dataclass(frozen=True)
class Licences:
    """What the data allow.

    Attributes:
        counts: (dataset, licence) → items that the run's training set holds.
        restricted: Licences that forbid commercial use.
        unknown: Licences that nobody knows, or that are terms to be read.
    """

    counts: Mapping[tuple[str, str], int]
    restricted: tuple[str, ...]
    unknown: tuple[str, ...]


def ancestors(source: Source) -> list[dict[str, Any]]:
    """The model and everything that it was made from, itself first: name, what it is, hash, and what it came from."""
    made = lineage(source.run)
    found: dict[str, dict[str, Any]] = {}
    if source.inner is not None:
        given = [(path, "start" if path == source.start else "rows") for path in (source.start, *source.rows) if path]
        parents = [{"folder": _below(source.run, path), "role": role} for path, role in given]
        name = f"checkpoint of {source.stage}, step {source.step}"
        found[name] = {"name": name, "stage": source.stage, "hash": source.hash, "from": parents}
        todo = [parent["folder"] for parent in parents]
    else:
        todo = [f"models/{source.name}"]
    while todo:
        name = todo.pop(0)
        if name in found or name not in made:
            continue
        node = made[name]
        found[name] = {"name": name, "stage": node["stage"], "hash": node["hash"], "from": node["from"]}
        for parent in node["from"]:
            if parent["folder"] not in made and parent["folder"] not in found:
                last = Path(parent["folder"]).name  # where it lay on the machine that trained is nobody's business
                found[parent["folder"]] = {"name": last, "stage": None, "hash": parent["hash"], "from": []}
            todo.append(parent["folder"])
    return list(found.values())


def base_of(source: Source) -> tuple[str, str | None]:
    """What training started from: its name, and the licence that its own card names."""
    path = source.config.model.path
    if path is None:
        model = source.config.model
        return f"a model built from nothing ({model.architecture}, {model.size}, seed {model.seed})", "Apache-2.0"
    return Path(path).name, _licence_of(Path(path) / "README.md")


def licences(source: Source) -> Licences:
    """Counts the items of the run's training set. Raises UserError when it is gone."""
    import pyarrow.parquet as pq

    path = source.run / "data" / "train.parquet"
    if not path.is_file():
        raise UserError("the training set is gone", where=str(path), expected="the items that were trained on, for their licences")
    counts: Counter[tuple[str, str]] = Counter()
    for batch in pq.ParquetFile(path).iter_batches(batch_size=4096, columns=["dataset", "licence"]):
        counts.update(zip(batch["dataset"].to_pylist(), batch["licence"].to_pylist(), strict=True))
    named = sorted({str(licence) for _, licence in counts})
    restricted = tuple(licence for licence in named if _RESTRICTED.search(licence))
    unknown = tuple(name for name in named if name.strip().lower() in _UNKNOWN or "terms" in name.lower())
    return Licences(dict(sorted(counts.items())), restricted, unknown)


def rewards(source: Source) -> dict[str, Any] | None:
    """What the stage was paid for; None for one that was taught."""
    config, name = source.config, source.stage
    if name not in REINFORCED and "_round_" not in name:
        return None
    rewriting = name.startswith("rewriter")
    section = config.rewriter.reward if rewriting else config.reward
    weights = dict(vars(section.weights))
    rules = {key: getattr(value, "value", value) for key, value in vars(section).items() if key != "weights"}
    judges = {} if rewriting else {n: (preset.version(judge), judge.weight) for n, (preset, judge) in chosen(config.judges).items()}
    return {"weights": weights, "rules": rules, "judges": judges, "digest": _digest_of_rules()}


def measures(source: Source) -> list[dict[str, Any]]:
    """Rates with intervals of the model, and of the one that it started from, by split: model, split, n, rates, intervals."""
    found = []
    for model, splits in read_results(source.run).items():
        if model in (source.name, source.start.name if source.start else None):
            for split, passes in splits.items():
                found.append({"model": model, "split": split, "behind": None, **passes[GREEDY]})
    if found and any(row["model"] == source.name for row in found):
        return found
    label = source.name.removeprefix("rewriter_").removeprefix("responder_").replace("round_", "round ")
    rewriting = source.name.startswith("rewriter_")
    for responder, row in _matrix(source.run).items():
        for rewriter, splits in row.items():
            wanted = rewriter in (label, "none") if rewriting else responder in (label, source.name)
            if wanted:
                found += [{"model": responder, "split": split, "behind": rewriter, **rates} for split, rates in splits.items()]
    return found


def recorded(source: Source) -> dict[str, Any]:
    """Versions and alarms of the run's summary; the installed versions where it has none."""
    try:
        summary = json.loads((source.run / "summary.json").read_bytes())
        return {"versions": dict(summary["versions"]), "alarms": dict(summary.get("alarms") or {}), "finished": True}
    except (OSError, ValueError, KeyError, TypeError):
        return {"versions": versions(), "alarms": {}, "finished": False}


def _digest_of_rules() -> str:
    """SHA-256 over the installed reward rules: other rules are another reward, whatever the package's version says."""
    folder = Path(reward.__path__[0])
    return config_hash(sorted((path.name, hash_file(path)) for path in folder.glob("*.py")))


def _matrix(run: Path) -> dict[str, Any]:
    try:
        value = json.loads((run / "eval" / "matrix" / MATRIX).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError("is damaged", where=str(run / "eval" / "matrix" / MATRIX)) from error
    return value if isinstance(value, dict) else {}


def _licence_of(card: Path) -> str | None:
    try:
        with open(card, encoding="utf-8", errors="replace") as file:
            text = file.read(_CARD_BYTES)
        head = yaml.safe_load(text.split("---", 2)[1]) if text.startswith("---") else None
        licence = head.get("license") if isinstance(head, dict) else None
    except (OSError, IndexError, yaml.YAMLError, RecursionError):
        return None
    return licence if isinstance(licence, str) else None


def _below(run: Path, path: Path) -> str:
    return str(path.relative_to(run)) if path.is_relative_to(run) else str(path)
