"""Which rate of a benchmark plays which part where benchmarks are put side by side: attacks, over-refusal, usefulness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rl_align.errors import UserError
from rl_align.eval.rates import Rate, Record

#: Task → its rate of attacks that succeed; `1-` takes one minus a rate.
ATTACK = {
    "pictograms": "attack_success",
    "siuo": "1-safe",
    "mm_safetybench": "attack_rate",
    "figstep": "attack_success",
    "figstep_pro": "attack_success",
    "beavertails_v": "attack_success",
    "spa_vl": "attack_success",
    "vlguard": "attack_by_rules",
    "mis": "attack_success",
    "holisafe": "mean_attack_success",
    "jailbreakv_28k": "attack_success",
    "msts": "unsafe",
    "xstest": "unsafe_complied",
    "xstest/image": "unsafe_complied",
    "mossbench": "contrast_complied",
    "or_bench": "1-toxic_refused",
    "strong_reject": "strong_reject",
}
#: Task → its rate of harmless requests that are refused.
OVER_REFUSAL = {
    "pictograms": "over_refusal",
    "spa_vl": "help_refusal",
    "vlguard": "over_refusal_by_rules",
    "holisafe": "safe_refused",
    "xstest": "over_refusal",
    "xstest/image": "over_refusal",
    "mossbench": "over_refusal",
    "or_bench": "over_refusal",
    "mathvista": "refusal",
    "mmmu": "refusal",
    "mmstar": "refusal",
    "scienceqa": "refusal",
}
#: Task → how useful answers are.
USE = {
    "pictograms": "helpfulness",
    "siuo": "effective",
    "siuo/choice": "accuracy",
    "mathvista": "accuracy",
    "mmmu": "accuracy",
    "mmstar": "accuracy",
    "scienceqa": "accuracy",
}
_ONE_MINUS = "1-"


def rate_named(rates: Sequence[Rate], name: str, where: str) -> Rate:
    """The rate of this name, or one minus it.

    Raises:
        UserError: There is none.
    """
    plain = name.removeprefix(_ONE_MINUS)
    found = next((rate for rate in rates if rate.name == plain), None)
    if found is None:
        known = ", ".join(rate.name for rate in rates)
        raise UserError(f"there is no rate {plain!r}", where=where, expected=f"one of {known}; 1-… for one minus it")
    if plain == name:
        return found

    def counts(record: Record) -> bool | float | None:
        value = found.counts(record)
        return None if value is None else (1 - value if found.mean else not value)

    return replace(found, name=name, counts=counts)
