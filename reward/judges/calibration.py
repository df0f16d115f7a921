"""How far a judge can be believed: its verdicts against labels by people. Pure.

A judge needs this before its verdicts become a reward: automatic judges of MSTS (arXiv 2501.10057) reach F1 .04 to .59 on the
labels of people. Precision, recall and F1 are those of `rl_align.statistics`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean

from rl_align.statistics import Z_95, Estimate, share, spearman


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float | None:
    """Σ_b n_b / n · |accuracy_b - mean confidence_b| over equally wide bins (Guo et al., arXiv 1706.04599, eq. 3).

    Args:
        confidences: Of each verdict, in [0, 1]; such as the share of votes that agree with it.
        correct: Whether the verdict agrees with the label.
        bins: Number of bins (b/B, (b+1)/B]; 0 belongs to the first.

    Returns:
        The error in [0, 1]; None without verdicts.

    Raises:
        ValueError: A confidence outside of [0, 1].
    """
    members: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(confidences, correct, strict=True):
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence of {confidence}")
        members.setdefault(max(0, math.ceil(confidence * bins) - 1), []).append((confidence, right))
    if not members:
        return None
    gaps = [len(rows) * abs(fmean(right for _, right in rows) - fmean(c for c, _ in rows)) for rows in members.values()]
    return sum(gaps) / len(confidences)


def cohen_kappa(a: Sequence[Hashable], b: Sequence[Hashable], order: Sequence[Hashable] = (), power: int = 0) -> Estimate:
    """Agreement beyond chance, κ = (p_o - p_e) / (1 - p_e) (Cohen 1960); weighted for ordered labels (Cohen 1968).

    p_o = Σ w_ij p_ij and p_e = Σ w_ij p_i. p_.j with w_ij = [i = j], or 1 - (|i - j| / (k - 1))^power. The interval is κ ± 1.96 SE
    with the large-sample variance of Fleiss, Cohen & Everitt (1969):

        n (1 - p_e)² SE² = Σ p_ij [w_ij - (w_i. + w_.j)(1 - κ)]² - [κ - p_e (1 - κ)]²
        w_i. = Σ_j w_ij p_.j,  w_.j = Σ_i w_ij p_i.

    Args:
        a: Labels of one rater.
        b: Labels of the other.
        order: All labels in order; needed when weighted.
        power: 0 unweighted, 1 linear, 2 quadratic.

    Returns:
        κ in [-1, 1]; its value is None without cases, or where chance alone agrees fully.

    Raises:
        ValueError: Weights without an order of all labels.
    """
    pairs = Counter(zip(a, b, strict=True))
    labels = list(order) or list(dict.fromkeys([*a, *b]))
    if power and not order or not {*a, *b} <= set(labels):
        raise ValueError("weighted agreement needs every label, in order")
    n, k = len(a), len(labels)
    if not n:
        return Estimate(None, -1.0, 1.0)
    p = [[pairs[x, y] / n for y in labels] for x in labels]
    rows, columns = [sum(row) for row in p], [sum(column) for column in zip(*p, strict=True)]
    span, steps = max(1, k - 1), range(k)
    w = [[1 - (abs(i - j) / span) ** power if power else float(i == j) for j in steps] for i in steps]
    cells = [(i, j) for i in steps for j in steps]
    observed = sum(w[i][j] * p[i][j] for i, j in cells)
    chance = sum(w[i][j] * rows[i] * columns[j] for i, j in cells)
    if math.isclose(chance, 1.0):
        return Estimate(None, -1.0, 1.0)
    kappa = (observed - chance) / (1 - chance)
    of_row = [sum(w[i][j] * columns[j] for j in steps) for i in steps]
    of_column = [sum(w[i][j] * rows[i] for i in steps) for j in steps]
    spread = sum(p[i][j] * (w[i][j] - (of_row[i] + of_column[j]) * (1 - kappa)) ** 2 for i, j in cells)
    variance = (spread - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = Z_95 * math.sqrt(max(0.0, variance))
    return Estimate(kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


@dataclass(frozen=True)
class PositionBias:
    """What exchanging the positions of two texts does to a judge that compares them.

    Attributes:
        consistency: Share of pairs with the same winner in both orders.
        first: Pairs of which the judge chose the first position in both orders.
        second: Pairs of which it chose the second position in both orders.
        p_value: Of a lean as strong as this to either side, without a bias.
    """

    consistency: Estimate
    first: int
    second: int
    p_value: float


def position_bias(choices: Sequence[tuple[int, int]]) -> PositionBias:
    """Consistency and lean of a judge that saw every pair in both orders (Zheng et al., arXiv 2306.05685, table 2).

    The test is the exact sign test on pairs that went to one position twice (McNemar 1947): without a bias either is as likely.

    Args:
        choices: For each pair the position chosen with the texts in order, and exchanged: 1, 2, or 0 for a tie.
    """
    same = sum((x, y) in ((1, 2), (2, 1), (0, 0)) for x, y in choices)
    first, second = choices.count((1, 1)), choices.count((2, 2))
    n, least = first + second, min(first, second)
    tail = sum(math.comb(n, i) for i in range(least + 1)) / 2**n
    return PositionBias(share(same, len(choices)), first, second, min(1.0, 2 * tail))


def length_bias(scores: Sequence[float], labels: Sequence[float], lengths: Sequence[float]) -> Estimate:
    """Spearman's ρ between a judge's error (score - label) and the length of the text: above 0, it overrates long texts.

    The interval is tanh(artanh ρ ± 1.96 SE) with SE = √((1 + ρ²/2) / (n - 3)) (Bonett & Wright 2000). Against labels and not of
    bare scores, since good answers may be longer.

    Returns:
        ρ; its value is None where errors or lengths are all the same. With fewer than four cases the interval is [-1, 1].
    """
    errors = [score - label for score, label, _ in zip(scores, labels, lengths, strict=True)]
    rho = spearman(errors, lengths)
    if rho is None or len(errors) < 4:
        return Estimate(rho, -1.0, 1.0)
    if abs(rho) > 1 - 1e-12:
        return Estimate(rho, rho, rho)
    half = Z_95 * math.sqrt((1 + rho**2 / 2) / (len(errors) - 3))
    return Estimate(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
