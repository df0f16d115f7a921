"""Which of the rows that passed are kept: a pure function of their ids and categories, and of the seed."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping

from rl_align.synthesis.config import BalanceConfig

BENIGN = "benign"


def by_category(passed: Mapping[str, str], cfg: BalanceConfig, seed: int) -> dict[str, str]:
    """MSR-Align's balance: caps on categories (STAR-1, arXiv 2504.01903, balances as well; neither publishes numbers).

    Args:
        passed: Item id → category, of the rows that passed.
        cfg: Caps.
        seed: Of the draw.

    Returns:
        Item id → reason, of the rows that are left out.
    """
    sizes = Counter(passed.values())
    harmful = {name: n for name, n in sizes.items() if name != BENIGN}
    caps = dict(sizes)
    for name in harmful:
        if cfg.most:
            caps[name] = min(caps[name], cfg.most)
        if cfg.ratio:
            caps[name] = min(caps[name], math.floor(cfg.ratio * min(harmful.values())))
    if cfg.benign_ratio and harmful:
        caps[BENIGN] = min(sizes[BENIGN], math.floor(cfg.benign_ratio * sum(caps[name] for name in harmful)))
    out: dict[str, str] = {}
    for name, cap in caps.items():
        out |= dict.fromkeys(_surplus([i for i, category in passed.items() if category == name], cap, seed), "category_full")
    return out


def by_help(passed: Mapping[str, str], least_share: float, seed: int) -> dict[str, str]:
    """VLMGuard-R1's balance: at least this share of rows keep a harmless request (977 of 9,881 in the paper).

    Args:
        passed: Item id → category, of the rows that passed.
        least_share: Of harmless ones, in [0, 1].
        seed: Of the draw.

    Returns:
        Item id → reason, of the rows that are left out: harmful ones beyond the share.
    """
    if not least_share:
        return {}
    harmful = [i for i, category in passed.items() if category != BENIGN]
    helpful = len(passed) - len(harmful)
    most = math.floor(helpful * (1 - least_share) / least_share + 1e-9)
    return dict.fromkeys(_surplus(harmful, most, seed), "too_few_harmless_rows")


def _surplus(ids: list[str], most: int, seed: int) -> list[str]:
    """The ids beyond this many in an order that the seed draws, whatever order they come in."""

    def drawn(item: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{item}".encode("utf-8", "surrogatepass")).digest()

    return sorted(ids, key=drawn)[most:]
