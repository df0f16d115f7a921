"""Which policies of the catalogue other taxonomies' categories stand for: `crosswalk.yaml`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue, normalise_name
from rl_align.schema import Citation

PATH = Path(__file__).with_name("crosswalk.yaml")


@lru_cache(maxsize=1)
def taxonomies() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Taxonomy → category → ids of the policies it covers; empty where the catalogue has none.

    Raises:
        UserError: The file names a policy that is not in the catalogue, a taxonomy without its source, or two categories
            that lookup cannot tell apart.
    """
    import yaml

    tree = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    catalogue, made = Catalogue.load(), {}
    for taxonomy, entry in tree.items():
        where = f"{PATH.name}: {taxonomy}"
        if not str(entry.get("source", "")).startswith("https://"):
            raise UserError("no source", where=where, expected="the address that defines the categories")
        made[taxonomy] = {}
        for category, policies in entry["categories"].items():
            if unknown := [policy for policy in policies if policy not in catalogue.ids]:
                raise UserError(f"unknown policy {unknown[0]}", where=f"{where}.{category}")
            name = normalise_name(category)
            if name in made[taxonomy]:
                raise UserError("occurs twice", where=f"{where}.{category}")
            made[taxonomy][name] = tuple(policies)
    return made


def policies(taxonomy: str, category: str) -> tuple[str, ...]:
    """Ids of the policies that a category covers, whatever its case and separators; empty when it is unknown."""
    return taxonomies()[taxonomy].get(normalise_name(category), ())


def categories(taxonomy: str, policy: str) -> tuple[str, ...]:
    """The way back: normalised names of a taxonomy's categories that cover this policy."""
    return tuple(name for name, covered in taxonomies()[taxonomy].items() if policy in covered)


def cited(taxonomy: str, category: str | None) -> tuple[Citation, ...]:
    """What an item of this category cites: its policy where it covers exactly one, else nothing, since which is unknown."""
    found = policies(taxonomy, category or "")
    return (Citation(found[0]),) if len(found) == 1 else ()
