"""The parts of a sweep that need no run: spaces, names, effects, tables, plots, and the sweeps that ship."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import ROOT

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.report.parallel import parallel
from rl_align.statistics import spearman
from rl_align.sweep.config import AxisConfig, Method, Scale, SweepConfig
from rl_align.sweep.effects import Outcome, effects, points
from rl_align.sweep.planned import Planned
from rl_align.sweep.space import Trial, trials
from rl_align.sweep.standing import Standing
from rl_align.sweep.tables import ordered
from rl_align.sweep.write import write

SHIPPED = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))


def drawn(**more) -> list[Trial]:
    space = {
        "rate": AxisConfig(low=1e-5, high=1e-3, scale=Scale.log),
        "size": AxisConfig(low=2, high=9, whole=True),
        "kind": AxisConfig(values=["a", "b", None]),
    }
    return trials(SweepConfig(method=Method.random, space={**space, **more.pop("space", {})}, **more))


def test_the_same_number_draws_the_same_trials():
    first = drawn(trials=8)
    assert [(t.name, t.settings) for t in first] == [(t.name, t.settings) for t in drawn(trials=8)]
    assert drawn(trials=12)[:8] == first, "more trials leave the first ones as they are"
    assert [t.point for t in first] != [t.point for t in drawn(trials=8, draw_seed=1)]
    wider = drawn(trials=8, space={"another": AxisConfig(low=0, high=1)})
    assert [t.point["rate"] for t in wider] == [t.point["rate"] for t in first], "another axis leaves the others as they are"


def test_draws_keep_to_their_ranges():
    found = drawn(trials=200)
    rates, sizes = [t.point["rate"] for t in found], [t.point["size"] for t in found]
    assert all(1e-5 <= rate <= 1e-3 for rate in rates) and 70 <= sum(rate < 1e-4 for rate in rates) <= 130
    assert set(sizes) == set(range(2, 10)) and {t.point["kind"] for t in found} == {"a", "b", None}
    narrow = SweepConfig(method=Method.random, trials=3, space={"x": AxisConfig(low=0.123456, high=0.123457)})
    with pytest.raises(UserError, match="room for 3; set trials=1"):
        trials(narrow)  # to four digits
    few = SweepConfig(method=Method.random, trials=5, space={"kind": AxisConfig(values=[1, 2])})
    with pytest.raises(UserError, match="set trials=2"):
        trials(few)


def test_a_grid_is_every_combination_with_every_seed():
    space = {"a.b": AxisConfig(values=[1, 0.5]), "way": AxisConfig(choices={"x": ["c=1", "d=[2]"], "y": []})}
    found = trials(SweepConfig(space=space, seed=3, seeds=2))
    assert [t.settings for t in found[:4]] == [("a.b=1", "c=1", "d=[2]"), ("a.b=1",), ("a.b=0.5", "c=1", "d=[2]"), ("a.b=0.5",)]
    assert [t.seed for t in found] == [3] * 4 + [4] * 4 and len({t.name for t in found}) == 8
    with pytest.raises(UserError, match="two trials are the same"):
        trials(SweepConfig(space={"a": AxisConfig(values=[1, 1])}))
    with pytest.raises(UserError, match="10000 trials"):
        trials(SweepConfig(space={name: AxisConfig(values=list(range(30))) for name in "abc"}))


def test_a_trials_folder_follows_from_its_settings_alone():
    """Lock: a changed name would run again what is done."""
    (trial,) = trials(SweepConfig(space={"grpo.kl_coef": AxisConfig(values=[0.01])}, seed=3))
    assert trial.name == "033f4d2e82c5"
    space = {"seats": AxisConfig(values=[["responder"]]), "grpo.kl_coef": AxisConfig(values=[0.01])}
    turned = dict(reversed(space.items()))
    assert trials(SweepConfig(space=space))[0].name == trials(SweepConfig(space=turned))[0].name


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("space: {}", "nothing is varied"),
        ("space: {a: {}}", "space.a: is none or several of them"),
        ("space: {a: {values: [1], low: 0, high: 1}}", "space.a: is none or several"),
        ("space: {a: {low: 0, high: 1}}", "space.a: a grid has no ranges"),
        ("method: random\nspace: {a: {low: 1, high: 1}}", "expected low below high"),
        ("method: random\nspace: {a: {low: 0, high: 1, scale: log}}", "a low end above 0"),
        ("method: random\nspace: {a: {low: 0.2, high: 0.8, whole: true}}", "there is no whole number"),
        ("seeds: 0\nspace: {a: {values: [1]}}", "seeds: is 0"),
        ("cell: [x]\nspace: {a: {values: [1]}}", r"cell: is \['x'\]"),
        ("asha: {mode: most}\nspace: {a: {values: [1]}}", "asha.mode: is 'most'"),
        ("methd: grid\nspace: {a: {values: [1]}}", "the nearest valid key is method"),
    ],
)
def test_a_sweep_that_cannot_work_is_refused(text, part, tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=part):
        load_config(SweepConfig, path)


def outcome(value: float, seed: int = 0, **point) -> Outcome:
    return Outcome(Trial(1, "n", point, (), seed), Standing.done, {"held": {"m": value}})


def test_effects_are_means_by_value_their_range_and_the_seeds_noise():
    found = [outcome(10 * a + b + seed / 10, seed, a=a, b=b) for a in (0, 1, 2) for b in (0, 1) for seed in (0, 1)]
    first, second = effects(found, ["b", "a"])
    assert (first["axis"], second["axis"]) == ("a", "b"), "the widest first"
    assert [group["mean"] for group in first["groups"]] == pytest.approx([0.55, 10.55, 20.55])
    assert first["range"] == pytest.approx(20)
    assert first["rho"] > 0.9 and second["rho"] is None and second["range"] == pytest.approx(1)
    assert first["noise"] == second["noise"] == pytest.approx(0, abs=1e-9), "the seed's own luck is no noise"
    noisy = [outcome(v, seed, a=a) for a, seed, v in ((0, 0, 0.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (2, 0, 7.0))]
    assert effects(noisy, ["a"])[0]["noise"] == pytest.approx(1.0), "of points that have all seeds"
    assert effects(noisy[:1] + noisy[2:3], ["a"])[0]["noise"] is None
    table = points(found)
    assert len(table) == 6 and table[0]["seeds"] == [0, 1] and table[0]["sections"]["held"]["m"]["n"] == 2
    assert ordered(table, "m", lower=True)[0]["point"] == {"a": 0, "b": 0}
    assert ordered(table, "m", lower=False)[0]["point"] == {"a": 2, "b": 1}
    assert ordered(table, "unknown", lower=True) == table


def test_many_numbers_are_told_in_thirds_and_names_that_are_numbers_in_their_order():
    (entry,) = effects([outcome(x, a=x / 10) for x in range(9)], ["a"])
    assert [(g["value"], g["mean"], g["n"]) for g in entry["groups"]] == [
        ("low third", 1, 3), ("middle third", 4, 3), ("high third", 7, 3),
    ]  # fmt: skip
    assert entry["rho"] == pytest.approx(1)
    (entry,) = effects([outcome(x, a=name) for x, name in enumerate(["16", "4", "8"])], ["a"])
    assert [g["value"] for g in entry["groups"]] == ["4", "8", "16"] and entry["rho"] == pytest.approx(-0.5)
    (entry,) = effects([outcome(x, a=value) for x, value in enumerate([None, True, "x"])], ["a"])
    assert [g["value"] for g in entry["groups"]] == ["null", "true", "x"] and entry["rho"] is None
    assert effects([outcome(1, a=1), outcome(2, a=1)], ["a"]) == [] == effects([], ["a"])


def test_spearman_is_undefined_where_nothing_varies():
    assert spearman([1, 2, 3], [1, 4, 9]) == pytest.approx(1) and spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1], [1, 2]) is None and spearman([], []) is None


HOSTILE = ["</text><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\u202eb\x00\ufffe", "&lt;", "x" * 5000]


def test_a_plot_is_one_sound_file_whatever_names_hold():
    rows = [{"key": name, HOSTILE[0]: i, "m": i / 3} for i, name in enumerate(HOSTILE)]
    svg = parallel(HOSTILE[0], rows, shades=[0, 1, 2, None, 4])
    root = ElementTree.fromstring(svg)
    assert {e.tag.partition("}")[2] for e in root.iter()} == {"svg", "title", "style", "rect", "text", "polyline", "line"}
    assert not {name for e in root.iter() for name in e.attrib if re.search("href|src|style|^on", name)}
    assert "\u202e" not in svg and "<script" not in svg and len(svg) < 20_000
    assert len(root.findall(".//{*}polyline")) == 5


def test_a_plot_scales_its_axes_and_counts_what_it_leaves_out():
    rows = [{"lr": 1e-5, "m": 1.0}, {"lr": 1e-4, "m": 2.0}, {"lr": 1e-3, "m": 3.0}, {"lr": 1e-3, "m": None}]
    svg = parallel("t", rows, logarithmic=["lr"], shades=[1.0, 2.0, 3.0, 4.0])
    assert "(3 of 4 drawn)" in svg
    low, middle, high = (float(y) for y in re.findall(r'points="90,([0-9.]+)', svg))
    assert low - middle == pytest.approx(middle - high, abs=0.2), "logarithmic"
    assert len(set(re.findall(r'stroke="(rgb[^"]+)"', svg))) == 3
    assert parallel("t", [{"a": 1}]) is None and parallel("t", [{"a": 1, "m": None}]) is None
    assert "<polyline" in parallel("t", [{"a": 1, "m": 2.0}]), "one point, axes of no length"


def test_what_is_written_escapes_names(tmp_path):
    name = "=HYPERLINK(1)<b>|x"
    config = SweepConfig(space={"k": AxisConfig(values=[name, "b"])}, folder=str(tmp_path))
    found = [outcome(1, k=name), outcome(2, k="b"), Outcome(Trial(3, "f", {"k": "b"}, (), 1), Standing.failed, {}, "<i>why</i>")]
    write(tmp_path, "<u>title</u>", config, found)
    page = (tmp_path / "sweep.html").read_text()
    assert "<b>" not in page and "<i>" not in page and "<u>" not in page and "&lt;i&gt;why" in page
    (figure,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert base64.b64decode(figure).decode() == (tmp_path / "parallel-held.svg").read_text()
    assert "'=HYPERLINK" in (tmp_path / "sweep.csv").read_text() and "<b>" not in (tmp_path / "sweep.md").read_text()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_sweeps_that_ship_compose_and_say_what_they_cost(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judge = Path("runs/judge/models/judge")
    judge.mkdir(parents=True)
    (judge / "config.json").write_text("{}")
    head = [line.split(":")[0] for line in path.read_text().splitlines()[:3]]
    assert head[:2] == ["# Question", "# Command"]
    planned = Planned.make(path)
    said = list(planned.explained())
    assert len(planned.trials) >= 4 and len(set(planned.hashes.values())) == len(planned.trials)
    assert re.search(r" of runs, at most, by an estimate of order", "\n".join(said))
    assert sum("seed 3" in line for line in said) >= 4 and not list(Path("runs").glob("sweeps*"))


def test_all_eight_ship():
    names = "composition gamma group_size judge_share kl reward_weights rewriter_share warm_start_noise"
    assert [path.stem for path in SHIPPED] == names.split()


def test_one_engine_at_a_time_here():
    path = ROOT / "experiments" / "sweeps" / "kl.yaml"
    with pytest.raises(UserError, match="concurrency: is 2"):
        Planned.make(path, ["concurrency=2"])
    assert Planned.make(path, ["concurrency=2", "target=slurm"]).config.concurrency == 2
    with pytest.raises(UserError, match=r"trial 2 \(grpo.kl_coef=0, grpo.temperature=0\): grpo.temperature"):
        Planned.make(path, ["space={grpo.kl_coef: {values: [0]}, grpo.temperature: {values: [1, 0]}}"])
