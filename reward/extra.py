"""Components of one's own beside the built-in ones: `reward.extra.<name>` names a Python file or module, and its weight.

It defines `LOW` and `HIGH`, between which its scores lie, and a pure `score(item, response) -> Verdict | Unscored`. It earns
where `HIGH` is above 0, and is a penalty where it is not, as `reward/compose.py` says of all components.
"""

from __future__ import annotations

from types import ModuleType

from reward.config import RewardConfig
from rl_align import outside
from rl_align.errors import UserError
from rl_align.schema import Component, Item, Response, Unscored, Verdict

NEEDS = ("LOW", "HIGH", "score")


def components(cfg: RewardConfig, item: Item, response: Response) -> list[Component]:
    """One for every name. Raises UserError where a module cannot be used, or what it says is no score."""
    found = []
    for name, extra in cfg.extra.items():
        part = _module(name, extra.module)
        found.append(Component(name, _score(name, part, item, response), extra.weight, part.LOW, part.HIGH))
    return found


def earnings(cfg: RewardConfig) -> list[str]:
    """Names of those that earn something. Raises UserError where a module cannot be used."""
    return [name for name, extra in cfg.extra.items() if _module(name, extra.module).HIGH > 0 and extra.weight > 0]


def _module(name: str, module: str) -> ModuleType:
    return outside.load(module, NEEDS, f"reward.extra.{name}.module")


def _score(name: str, part: ModuleType, item: Item, response: Response) -> Verdict | Unscored:
    said = part.score(item, response)
    if isinstance(said, Unscored) or (isinstance(said, Verdict) and part.LOW <= said.score <= part.HIGH):
        return said
    expected = f"Unscored, or a Verdict from {part.LOW} to {part.HIGH}"
    raise UserError(f"said {str(said)[:80]}", where=f"reward.extra.{name}", expected=expected)
