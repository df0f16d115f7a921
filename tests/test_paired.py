"""What a rewriter changes, in pairs of item and seed: the figure, its interval, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from rl_align.errors import UserError
from rl_align.eval.intervals import Pairs, difference, fall, newcombe
from rl_align.eval.paired import FALL, lines, paired
from rl_align.statistics import wilson


def row(item: str, harmful: bool, attack: bool = False, helpful: bool = True, unparsed: bool = False) -> dict:
    outcome = {"harmful": harmful, "is_twin": False, "over_refusal": False, "helpful": None if harmful else helpful}
    return {"item_id": item, "outcome": outcome | {"unparsed": unparsed}, "rewritten": {"attack_success": attack}}


def write(folder: Path, cell: str, rows: list[dict]) -> None:
    place = folder / cell / "held"
    place.mkdir(parents=True)
    place.joinpath("greedy.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))


def two_seeds(folder: Path) -> list[Path]:
    for seed in ("a", "b"):
        write(folder / seed, "target+none", [row("h", True, attack=True), row("b", False)])
        changed = [row("h", True, unparsed=seed == "b"), row("b", False, helpful=seed == "a")]
        write(folder / seed, "target+grpo", changed)
    return [folder / "a", folder / "b"]


def test_the_figure_is_the_mean_over_pairs_of_item_and_seed(tmp_path):
    cell = paired(two_seeds(tmp_path))["target"]["grpo"]["held"]
    assert cell["attack_success"] | {"high": 0} == {"n": 2, "seeds": 2, "mean": -1.0, "low": -1.0, "high": 0}
    assert cell["helpfulness"]["mean"] == -0.5 and cell["helpfulness"]["n"] == 2 and "over_refusal" not in cell
    assert cell["unparsed"]["mean"] == 0.25 and cell["unparsed"]["n"] == 4, "what is no attack may be nothing readable"
    assert cell[FALL]["mean"] == 1.0


def test_two_pairs_that_agree_are_no_certainty(tmp_path):
    """Lock: without variance a normal approximation has no width, and two items would prove anything."""
    cell = paired(two_seeds(tmp_path))["target"]["grpo"]["held"]
    assert cell["attack_success"]["high"] > -0.1 and cell[FALL]["low"] < 0.2
    text = "\n".join(lines({"target": {"grpo": {"held": cell}}}))
    assert "-100.0 [-100.0, -7.0] (n = 2, 2 seeds)" in text and "| 100.0 [12.7, 100.0] (n = 2, 2 seeds) |" in text
    assert text.splitlines()[0].endswith("| attack_success | attack_success_fall | unparsed | over_refusal | helpfulness |")


def test_pairs_that_are_missing_are_an_error(tmp_path):
    folders = two_seeds(tmp_path)
    write(tmp_path / "b", "target+sft", [row("h", True), row("b", False)])
    with pytest.raises(UserError, match="target behind sft was not measured on held"):
        paired(folders)
    write(tmp_path / "a", "target+sft", [row("h", True)])
    with pytest.raises(UserError, match="1 items were answered with the rewriter or without it only, first 'b'"):
        paired(folders)
    write(tmp_path / "c", "other+sft", [row("h", True)])
    with pytest.raises(UserError, match="without it only"):
        paired([tmp_path / "c"])
    assert paired([tmp_path / "nowhere"]) == {} and lines({}) == [], "a run without a matrix has nothing to compare"


def test_newcombes_interval_is_that_of_the_paper():
    """Newcombe 1998, table II: 36, 12, 2, 0 give 0.0569 to 0.3404 by method 10."""
    assert newcombe(Pairs(36, 12, 2, 0)) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    for n in (1, 10, 500):
        assert newcombe(Pairs(0, 0, n, 0)) == pytest.approx((-1.0, -1 + 2**0.5 * wilson(0, n)[1]))
        assert newcombe(Pairs(n, 0, 0, 0))[0] < 0 < newcombe(Pairs(n, 0, 0, 0))[1]


def test_seeds_that_differ_widen_the_interval_and_items_of_one_seed_do_not_pretend_to_be_seeds():
    alike, apart = [Pairs(20, 0, 80, 0)] * 3, [Pairs(0, 0, 100, 0), Pairs(10, 0, 90, 0), Pairs(50, 0, 50, 0)]
    one = difference([Pairs(60, 0, 240, 0)])
    assert difference(alike).value == difference(apart).value == one.value == -0.8

    def width(estimate) -> float:
        return estimate.high - estimate.low

    assert width(difference(apart)) > 3 * width(difference(alike))
    assert width(difference(apart)) > 3 * width(one) and width(fall(apart)) > 3 * width(fall(alike))
    assert difference(apart) == difference(apart), "the same draws each time"


def test_an_interval_holds_its_value_and_stays_in_range():
    rng = random.Random(0)
    for _ in range(60):
        seeds = [Pairs(*(rng.choice((0, 0, 1, 3, 40)) for _ in range(4))) for _ in range(rng.choice((1, 2, 3)))]
        seeds = [pairs for pairs in seeds if pairs.n] or [Pairs(1, 0, 0, 0)]
        found = difference(seeds)
        assert -1 <= found.low <= found.value <= found.high <= 1
        floor = newcombe(Pairs(*map(sum, zip(*seeds, strict=True))))
        assert found.low <= max(-1.0, floor[0]) and found.high >= min(1.0, floor[1])
        gone = fall(seeds)
        if sum(pairs.held_without for pairs in seeds):
            assert gone.low <= gone.value + 1e-9 and gone.value <= gone.high + 1e-9 and gone.high <= 1
        else:
            assert gone is None, "nothing was there to fall"


def test_a_fall_is_relative():
    found = fall([Pairs(5, 0, 45, 50)])
    assert found.value == 0.9 and 0.75 < found.low < 0.85 and 0.93 < found.high < 1
    assert fall([Pairs(20, 30, 10, 40)]).value == pytest.approx(-2 / 3)
