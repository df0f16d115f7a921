"""The numbers of the matrix: against hand-computed values and SciPy's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rl_align.errors import UserError
from rl_align.eval.grid.bootstrap import Drawn, Resamples, p_value
from rl_align.eval.grid.cells import Cell, opened, slug
from rl_align.eval.grid.config import BenchmarkConfig, DefenceConfig, GridConfig, ModelConfig
from rl_align.eval.grid.costs import quantile, spent
from rl_align.eval.grid.results import Measured, Rows, results
from rl_align.eval.grid.roles import ATTACK, OVER_REFUSAL, USE, rate_named
from rl_align.eval.rates import Rate
from rl_align.statistics import Estimate, average, holm, mcnemar, wilson


@pytest.fixture(scope="module")
def stats():
    """Imported only where it is compared with: it takes a second, and every worker reads this file."""
    from scipy import stats

    return stats


HIT = Rate("hit", lambda r: r["hit"])


def record(id: str, hit: object, **more) -> dict:
    plain = {"epoch": 1, "empty": False, "text": "x", "truncated": False, "stop": "stop", "refusal": "none", "fake_refusal": False}
    return {**plain, "item_id": id, "hit": hit, "groups": {}, "judged": {}, **more}


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (3, 9), (9, 3), (10, 10), (0, 40), (7, 31)])
def test_mcnemar_is_the_exact_binomial_test(b, c, stats):
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([]) == []


def test_the_interval_over_items_is_scipys(stats):
    rng = np.random.default_rng(1)
    hits = rng.random(80) < 0.3
    rows = [record(str(k), bool(h)) for k, h in enumerate(hits)]
    drawn = Resamples([row["item_id"] for row in rows], [0], 6000).rate(HIT, {0: rows})
    settings = {"n_resamples": 6000, "method": "percentile", "rng": 2}
    theirs = stats.bootstrap((hits.astype(float),), np.mean, **settings).confidence_interval
    assert drawn.value == pytest.approx(hits.mean())
    assert drawn.interval == pytest.approx((theirs.low, theirs.high), abs=0.016)


def test_answers_of_one_item_stay_together_and_seeds_widen_the_interval():
    """Ten items with the same answers under all seeds are ten cases, not thirty; seeds that differ add a spread of their own."""
    ids, seeds = [str(k) for k in range(10)], [0, 1, 2]
    same = {s: [record(i, int(i) < 5) for i in ids] for s in seeds}
    alone, crossed = Resamples(ids, [0], 4000).rate(HIT, {0: same[0]}), Resamples(ids, seeds, 4000).rate(HIT, same)
    assert crossed.interval == pytest.approx(alone.interval, abs=0.06)
    apart = {s: [record(i, s == 0) for i in ids] for s in seeds}
    low, high = Resamples(ids, seeds, 4000).rate(HIT, apart).interval
    assert (low, high) == (0.0, 1.0)


def test_cases_without_an_opinion_are_in_no_resample_and_strata_weigh_the_same():
    ids = [str(k) for k in range(8)]
    some = Resamples(ids, [0], 50).rate(HIT, {0: [record(i, None if int(i) > 3 else True) for i in ids]})
    assert some.value == 1 and set(some.draws[np.isfinite(some.draws)]) == {1.0}
    none = Resamples(ids, [0], 50).rate(HIT, {0: [record(i, None) for i in ids]})
    assert math.isnan(none.value) and math.isnan(none.interval[0])
    over = Rate("hit", lambda r: r["hit"], over="kind")
    rows = [record(i, int(i) == 0, groups={"kind": "rare" if int(i) == 0 else "common"}) for i in ids]
    assert Resamples(ids, [0], 50).rate(over, {0: rows}).value == 0.5


def test_p_values_of_resamples():
    assert p_value(Drawn(0.2, np.full(99, 0.2))) == pytest.approx(2 / 100)
    assert p_value(Drawn(0.0, np.zeros(99))) == 1.0
    assert p_value(Drawn(0.1, np.array([-1.0] * 10 + [1.0] * 89))) == pytest.approx(22 / 100)
    assert p_value(Drawn(float("nan"), np.full(5, np.nan))) is None


def grid(**changed) -> GridConfig:
    models, defences = {"m": ModelConfig(base_url="http://x/v1", model="m")}, {"none": DefenceConfig(), "d": DefenceConfig("ecso")}
    return GridConfig(models=models, defences=defences, benchmarks={"b": BenchmarkConfig(data=".")}, draws=500, **changed)


def measured(items: list[str], attack: Rate | None = HIT) -> dict[str, Measured]:
    facts = {"benchmark": "b", "version": 1, "data": {"items": len(items)}, "judges": {}}
    return {"b": Measured((HIT,), facts, items, "hit", attack, None, None)}


def test_defences_are_compared_on_the_items_that_both_have_an_opinion_on(stats):
    ids = [str(k) for k in range(12)]
    base = [record(i, int(i) < 9) for i in ids]
    other = [record(i, int(i) < 2 or int(i) == 11) for i in ids[1:]]
    cells = {Cell("m", "none", "b", 0): Rows(base), Cell("m", "d", "b", 0): Rows(other, missing=1, failed={"0": "broke"})}
    told = results(grid(), measured(ids), cells)
    [row] = told["comparisons"]
    # Without item 0: the baseline hits 1 … 8, the defence 1 and 11.
    assert (row["n"], row["only_baseline"], row["only_defence"]) == (11, 7, 1)
    assert row["difference"] == pytest.approx(2 / 11 - 8 / 11) and row["low"] <= row["difference"] <= row["high"]
    assert row["test"] == "McNemar, exact" and row["p"] == row["p_holm"] == pytest.approx(stats.binomtest(1, 8).pvalue)
    first, second = told["cells"]
    assert (first["metrics"]["hit"]["value"], first["metrics"]["hit"]["n"], first["complete"]) == (0.75, 12, True)
    assert (second["complete"], second["missing"], second["failed"]) == (False, 1, {"broke": 1})


def test_several_seeds_are_compared_by_the_paired_bootstrap():
    ids = [str(k) for k in range(20)]
    cells = {Cell("m", "none", "b", s): Rows([record(i, True) for i in ids]) for s in (0, 1)}
    cells |= {Cell("m", "d", "b", s): Rows([record(i, int(i) % 4 == s) for i in ids]) for s in (0, 1)}
    [row] = results(grid(seeds=[0, 1]), measured(ids), cells)["comparisons"]
    assert (row["test"], row["n"], row["difference"]) == ("paired bootstrap", 40, -0.75)
    assert row["p"] == pytest.approx(2 / 501) and row["high"] < 0


def test_where_every_case_is_the_same_the_interval_is_wilsons():
    ids = [str(k) for k in range(30)]
    rows = [record(i, False) for i in ids] + []
    told = results(grid(), measured(ids), {Cell("m", "none", "b", 0): Rows(rows)})["cells"][0]["metrics"]["hit"]
    assert (told["value"], told["how"]) == (0.0, "wilson") and (told["low"], told["high"]) == wilson(0, 30)


def test_several_answers_to_an_item_are_no_more_cases_and_scores_and_strata_have_an_interval_at_their_ends():
    ids = [str(k) for k in range(10)]
    seeds = {s: Rows([record(i, True) for i in ids]) for s in (0, 1, 2)}
    told = results(grid(seeds=[0, 1, 2]), measured(ids), {Cell("m", "none", "b", s): rows for s, rows in seeds.items()})
    metric = told["cells"][0]["metrics"]["hit"]
    assert (metric["n"], metric["low"], metric["high"]) == (30, *wilson(10, 10)), "thirty answers to ten items are ten cases"
    for rate, rows in (
        (Rate("hit", HIT.counts, mean=True), [record(i, 0.0) for i in ids]),
        (Rate("hit", HIT.counts, over="kind"), [record(i, False, groups={"kind": str(int(i) % 2)}) for i in ids]),
    ):
        one = {"b": replace(measured(ids)["b"], rates=(rate,), attack=rate)}
        metric = results(grid(), one, {Cell("m", "none", "b", 0): Rows(rows)})["cells"][0]["metrics"]["hit"]
        assert (metric["value"], metric["low"], metric["how"]) == (0, 0, "wilson") and 0.1 < metric["high"] < 0.4, rate
    assert average([0.0] * 10) == Estimate(0.0, *wilson(0, 10)) and average([0.5] * 3).low < 0.3


def test_answers_are_compared_one_by_one():
    """Of two answers to an item only the one that both have an opinion on counts."""
    base = [record("0", False), record("0", True, epoch=2)]
    other = [record("0", False), record("0", None, epoch=2)]
    [row] = results(grid(), measured(["0"]), {Cell("m", "none", "b", 0): Rows(base), Cell("m", "d", "b", 0): Rows(other)})[
        "comparisons"
    ]
    assert (row["n"], row["difference"]) == (1, 0.0)


def test_differences_that_are_all_the_same_are_not_certain():
    ids = [str(k) for k in range(20)]
    for first, second, value in ((False, False, 0), (True, False, -1), (True, True, 0)):
        cells = {Cell("m", d, "b", 0): Rows([record(i, hit) for i in ids]) for d, hit in (("none", first), ("d", second))}
        [row] = results(grid(), measured(ids), cells)["comparisons"]
        assert row["difference"] == value and -1 <= row["low"] < row["high"] <= 1 and row["high"] - row["low"] > 0.1, row
        assert row["low"] <= value <= row["high"]


def test_few_items_give_no_small_p_however_often_they_are_resampled():
    ids = ["0", "1", "2"]
    rate = Rate("hit", HIT.counts, mean=True)
    one = {"b": replace(measured(ids)["b"], rates=(rate,), attack=rate)}
    cells = {Cell("m", "none", "b", 0): Rows([record(i, 0.5) for i in ids])}
    cells[Cell("m", "d", "b", 0)] = Rows([record(i, 0.1 * int(i)) for i in ids])
    [row] = results(grid(), one, cells)["comparisons"]
    assert (row["test"], row["p"]) == ("paired bootstrap", 0.25), "three items that differ: 2 / 2³"


def test_a_part_without_a_case_takes_no_front_away_and_what_is_missing_is_marked():
    """Of a benchmark that asks harmless items only there is no attack; the others still have a mean."""
    ids = [str(k) for k in range(4)]
    never = Rate("never", HIT.counts, lambda r: False)
    one = measured(ids)["b"]
    both = {"b": replace(one, over_refusal=HIT), "c": Measured((HIT, never), one.facts, ids, "hit", never, HIT, None)}
    cfg = grid()
    cfg.benchmarks["c"] = BenchmarkConfig(data=".")
    cells = {Cell("m", d, name, 0): Rows([record(i, d == "none") for i in ids]) for d in ("none", "d") for name in both}
    cells[Cell("m", "d", "c", 0)].missing = 1
    told = results(cfg, both, cells)
    first, second = told["fronts"]
    assert (first["attack"]["value"], first["attack"]["benchmarks"], first["over_refusal"]["benchmarks"]) == (1, ["b"], ["b", "c"])
    assert (first["complete"], second["complete"], second["front"]) == (True, False, True)
    refused = first["over_refusal"]
    assert refused["how"] == "square-and-add" and wilson(4, 4)[0] < refused["low"] < refused["high"] == 1, "ones are not certain"
    assert told["benchmarks"]["c"]["attack"] is None and "never" not in told["benchmarks"]["c"]["keys"]


def test_the_judge_beside_a_number_is_the_one_that_gave_it():
    """Also where the matrix is run again without a judge, or with another one that was asked nothing."""
    opinion = {"p": {"label": "bad", "score": 0.0, "prompt": "p.v1"}}
    rows = [record(str(k), True, judged=opinion, judge_model="old") for k in range(3)]
    hit = replace(HIT, judges=("p",))
    for configured in ({}, {"p": {"preset": "p", "model": "new", "prompt": "p.v1", "votes": 1, "calibration": {"n": 1}}}):
        one = measured(["0", "1", "2"])["b"]
        one = replace(one, rates=(hit,), attack=hit, facts={**one.facts, "judges": configured})
        [judge] = results(grid(), {"b": one}, {Cell("m", "none", "b", 0): Rows(rows)})["cells"][0]["metrics"]["hit"]["judges"]
        assert (judge["model"], judge["prompt"], judge["calibration"]) == ("old", "p.v1", None)


def test_one_minus_a_rate():
    flipped = rate_named((HIT,), "1-hit", "here")
    assert [flipped.counts({"hit": value}) for value in (True, False, None)] == [False, True, None]
    assert rate_named((Rate("hit", HIT.counts, mean=True),), "1-hit", "here").counts({"hit": 0.25}) == 0.75
    with pytest.raises(UserError, match="no rate 'miss'"):
        rate_named((HIT,), "miss", "here")


def test_every_part_of_a_benchmark_is_a_rate_that_it_has():
    from rl_align.eval.benchmarks import protocol
    from rl_align.eval.grid.world import RATES
    from rl_align.eval.metrics import METRICS

    for table in (ATTACK, OVER_REFUSAL, USE):
        for task, name in table.items():
            rate_named(RATES if task == "pictograms" else protocol(task).rates, name, task)
    assert {rate.name for rate in RATES} == {*METRICS, "attack_success_by_behaviour"}


def test_costs_by_hand():
    models = {"m": ModelConfig(price_prompt=2.0, price_completion=10.0), "g": ModelConfig(price_prompt=1.0)}
    answer = {
        "purpose": "answer",
        "role": "target",
        "model": "rl_align/m",
        "input_tokens": 100,
        "output_tokens": 20,
        "seconds": 0.5,
    }
    guard = {"purpose": "check", "role": "guard", "model": "rl_align/g", "input_tokens": 50, "output_tokens": 1, "seconds": 0.1}
    ocr = {"purpose": "ocr", "role": "ocr", "model": None, "input_tokens": 0, "output_tokens": 0, "seconds": 1.0}
    rows = [{"defence": {"seconds": float(k), "extra_calls": 1, "steps": [ocr, guard, answer]}} for k in (1, 2, 3)] + [
        {"defence": None}
    ]
    told = spent(rows, "m", {"guard": "g"}, models)
    assert (told["answers"], told["calls"], told["input_tokens"], told["output_tokens"], told["extra_calls"]) == (
        4,
        6,
        450,
        63,
        0.75,
    )
    assert told["models"]["m"]["cost"] == pytest.approx(3 * (100 * 2 + 20 * 10) / 1e6) and told["models"]["g"]["calls"] == 3
    assert told["cost"] == pytest.approx(3 * 450 / 1e6)
    assert (told["seconds_p50"], told["seconds_p95"], told["answer_seconds_p50"]) == (2.0, 3.0, 0.5)
    assert spent(rows, "m", {"guard": "g"}, {"m": ModelConfig(), "g": ModelConfig()})["cost"] is None and quantile([], 0.5) is None


def test_a_cell_keeps_what_is_its_own_and_an_unfinished_file_is_never_hidden(tmp_path):
    cell, asked = Cell("m", "d", "b", 0), {"1": "a", "2": "b"}
    place = opened(cell, tmp_path, {"model": 1}, asked, 1)
    for id in asked:
        place.recorders[0].add({"item_id": id, "asked": asked[id]})
    place.recorders[0].finish()
    more = {**asked, "3": "c"}
    grown = opened(cell, tmp_path, {"model": 1}, more, 1)
    assert (grown.missing, grown.dropped) == (1, 0)
    grown.recorders[0].add({"item_id": "3", "asked": "c"})
    grown.recorders[0].close()  # as a kill would
    assert opened(cell, tmp_path, {"model": 1}, more, 1).missing == 0
    other = opened(cell, tmp_path, {"model": 1}, {**more, "2": "B"}, 1, look=True)
    assert (other.missing, other.dropped, other.why) == (1, 1, "items")
    assert opened(cell, tmp_path, {"model": 1}, more, 1, look=True).missing == 0, "looking changes nothing"
    changed = opened(cell, tmp_path, {"model": 2}, more, 1)
    assert (changed.missing, changed.dropped, changed.why) == (3, 3, "model")
    for path in cell.folder(tmp_path).glob("identity.json"):
        path.unlink()
    (cell.folder(tmp_path) / "answers-1.jsonl.part").write_text('{"item_id": "1", "asked": "a"}\n')
    assert opened(cell, tmp_path, {"model": 2}, more, 1).why == "origin"


def test_names_are_folders_of_their_own():
    names = ["a", "A/b", "A b", "../x", "", ".", "..", "é", "a" * 80, "a" * 81, "=1+1", "x\ud800"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names) and slugs[0] == "a"
    assert not any("/" in s or s in ("", ".", "..") or s.startswith(".") for s in slugs)
