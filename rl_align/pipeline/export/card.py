"""The model card: the metadata that the Hugging Face Hub reads, and the template's prose, filled with texts that were made fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from rl_align.data.untrusted import shown
from rl_align.engine.lora_config import FROZEN_TOWER
from rl_align.eval.metrics import LOWER_IS_BETTER
from rl_align.pipeline.config import Source as Data
from rl_align.pipeline.export import facts
from rl_align.pipeline.export.markdown import Made, fit, listed, table
from rl_align.pipeline.export.source import Source
from rl_align.pipeline.export.verify import told

NAME = "README.md"
#: Rates of a card. Attack success and over-refusal stand side by side: either is bought with the other.
RATES = ("attack_success", "over_refusal", "unparsed", "behaviour_accuracy", "citation_exact", "helpfulness", "format_ok")


def card(source: Source, checks: Mapping[str, Any] | None, keeps_adapter: bool = False) -> str:
    """The card of a model.

    Args:
        source: The model.
        checks: What verification found, by who loaded it; None where nothing was verified.
        keeps_adapter: Whether the folder is an adapter above `base`.

    Raises:
        UserError: Something that it must say is missing or damaged.
    """
    licences = facts.licences(source)
    base, base_licence = facts.base_of(source)
    known = facts.recorded(source)
    environment = Environment(
        loader=PackageLoader("rl_align.pipeline.export", "."),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML: `finalize` makes every value fit for both
        finalize=fit,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("card.md.j2").render(
        head=Made(metadata(source, licences, keeps_adapter)),
        name=f"{source.run.name} / {source.name}",
        source=source,
        seat="rewriter" if source.name.startswith("rewriter") else "judge" if source.name == "judge" else "responder",
        seats_shared=source.name.startswith("shared"),
        base=base,
        base_licence=base_licence,
        adapter=_adapter(source),
        keeps_adapter=keeps_adapter,
        lineage=_lineage(source),
        licences=licences,
        data=table(("data set", "licence", "items"), [(d or "unnamed", lic, n) for (d, lic), n in licences.counts.items()]),
        drawn=source.config.source is Data.pictograms,
        rewards=facts.rewards(source),
        rates=_rates(source),
        known=known,
        versions=listed(f"{package} {version}" for package, version in known["versions"].items()),
        alarms=listed(f"{stage}: {alarms}" for stage, alarms in known["alarms"].items()),
        checks=None if checks is None else listed(told(who, found) for who, found in checks["by"].items()),
        asked=None if checks is None else checks["texts"],
    )
    return text.rstrip() + "\n"


def metadata(source: Source, licences: facts.Licences, keeps_adapter: bool) -> str:
    """The YAML block. Who publishes the model decides its licence: the block names none that the data might not allow."""
    head: dict[str, Any] = {
        "library_name": "peft" if keeps_adapter else "transformers",
        "pipeline_tag": "image-text-to-text",
        "license": "other",
        "license_name": "non-commercial-data" if licences.restricted else "not-decided",
        "tags": ["safety", "grpo", "vision-language", "rl_align"],
        "datasets": sorted({shown(name, 80) for name, _ in licences.counts if name}),
    }
    if source.config.model.path is not None:
        head["base_model"] = shown(Path(source.config.model.path).name, 120)
    return "---\n" + yaml.safe_dump(head, sort_keys=False, allow_unicode=True) + "---"


def _adapter(source: Source) -> dict[str, Any] | None:
    from rl_align.models.lora import layers_of, rank_of

    if source.adapter is None:
        return None
    rank, alpha = rank_of(source.adapter)
    frozen = all(re.fullmatch(FROZEN_TOWER, layer) is None for layer in layers_of(source.adapter))
    return {"rank": rank, "alpha": alpha, "frozen": frozen}


def _lineage(source: Source) -> Made:
    rows = []
    for node in facts.ancestors(source):
        came = ", ".join(f"{parent['role']} {Path(parent['folder']).name}" for parent in node["from"]) or "–"
        rows.append((node["name"], node["stage"] or "not of this run", Made(f"`{_hex(node['hash'])}`"), came))
    return table(("what", "stage", "SHA-256", "made from"), rows)


def _rates(source: Source) -> Made | None:
    rows = []
    for row in facts.measures(source):
        who = row["model"] if row["behind"] in (None, "none") else f"{row['model']} behind {row['behind']}"
        cells = [_percent(row.get(name), row.get("intervals", {}).get(name)) for name in RATES]
        rows.append((who, row["split"], f"{row['n_harmful']} / {row['n_benign']}", *cells))
    if not rows:
        return None
    arrows = [f"{name.replace('_', ' ')} {'↓' if name in LOWER_IS_BETTER else '↑'}" for name in RATES]
    return table(("model", "split", "harmful / harmless items", *arrows), rows)


def _percent(rate: Any, interval: Any) -> Made:
    if not isinstance(rate, (int, float)):
        return Made("–")
    between = ""
    if isinstance(interval, list) and len(interval) == 2 and all(isinstance(end, (int, float)) for end in interval):
        between = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return Made(f"{100 * rate:.1f} %{between}")


def _hex(digest: str) -> str:
    return digest if all(c in "0123456789abcdef" for c in digest) else "damaged"
