"""The report of a matrix: hostile names in every format, what stands beside the numbers; the experiments that come with it."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_grid_numbers import HIT, record

from rl_align.cli import main
from rl_align.eval.grid.cells import Cell
from rl_align.eval.grid.config import BenchmarkConfig, DefenceConfig, GridConfig, ModelConfig
from rl_align.eval.grid.results import Measured, Rows, results
from rl_align.report.grid.formats import csv_text, latex_text, markdown_text
from rl_align.report.grid.tables import interval, p_shown
from rl_align.report.grid.write import write_report

ROOT = Path(__file__).parent.parent
EVIL = "=cmd|'/c calc'!A1 <script>alert(1)</script> \\input{x} $\\frac{1}{0} %_^~&# |`[x](http://e)` \u202e\x1b[31m\ud800"
EXPERIMENTS = sorted((ROOT / "experiments" / "eval").glob("*.yaml"))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A matrix whose every name is hostile."""
    ids = [str(k) for k in range(9)]
    models = {name: ModelConfig(base_url="http://x/v1", model=name) for name in (EVIL, "m")}
    defences = {"none": DefenceConfig(), f"{EVIL} d": DefenceConfig("ecso")}
    benchmark = f"{EVIL} b"
    cfg = GridConfig(models=models, defences=defences, benchmarks={benchmark: BenchmarkConfig(data=".")}, draws=50)
    judge = {"preset": "p", "model": EVIL, "prompt": "p.v1", "votes": 3}
    judge["calibration"] = {"n": 40, "accuracy": 0.9, "kappa": {"value": 0.8, "low": 0.7, "high": 0.9}}
    hit = HIT.__class__("hit", HIT.counts, judges=("p",))
    facts = {"benchmark": EVIL, "version": 1, "data": {"items": 9, "dropped": {EVIL: 2}}, "judges": {"p": judge}}
    one = {benchmark: Measured((hit,), facts, ids, "hit", hit, hit, None)}
    cells = {}
    for model in models:
        for k, defence in enumerate(defences):
            rows = [record(i, int(i) % 3 > k, groups={EVIL: f"{EVIL}{int(i) % 4}"}, refusal="partial") for i in ids]
            cells[Cell(model, defence, benchmark, 0)] = Rows(rows, failed={"9": EVIL}, missing=1)
    folder = tmp_path_factory.mktemp("report")
    return folder, write_report(folder, results(cfg, one, cells), EVIL)


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_holds_no_foreign_markup_and_loads_nothing(report):
    page = (report[0] / "matrix.html").read_text(encoding="utf-8")
    found = _Tags()
    found.feed(page)
    assert "script" not in found.tags and "&lt;script&gt;" in page and "a" not in found.tags
    assert len(found.links) == 3 and all(link.startswith("data:image/png;base64,") for link in found.links)
    assert not re.search("[\u202e\x1b\ud800]", page) and "default-src 'none'" in page
    assert "accuracy 0.900, kappa 0.800" in page and "3 vote(s)" in page, "calibration stands beside the numbers"


def test_latex_holds_no_foreign_command(report):
    text = (report[0] / "matrix.tex").read_text(encoding="utf-8")
    assert r"\input" not in text and r"\frac" not in text
    assert latex_text("a\\b{c}$%&#_^~<>\nd") == (
        r"a\textbackslash{}b\{c\}\$\%\&\#\_\textasciicircum{}\textasciitilde{}\textless{}\textgreater{} d"
    )
    assert latex_text("[x]") == "{}[x]" and latex_text("* y") == "{}* y" and latex_text("1 [0, 2]") == "1 [0, 2]"
    assert not re.search(r"\\\\\s*[\[*]", text), "a row or note is no argument of the line break before it"
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") > 3


def test_markdown_rows_keep_their_columns_and_hold_no_html(report):
    lines = (report[0] / "matrix.md").read_text(encoding="utf-8").splitlines()
    assert not any("<script" in line for line in lines)
    width = 0
    for line in lines:
        if line.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", line.replace(r"\\", "")))
            width = width or columns
            assert columns == width, line
        else:
            width = 0
    assert markdown_text("a|b<c>*d* `e`\n# f") == r"a\|b&lt;c&gt;\*d\* \`e\` \# f"


def test_no_field_of_a_csv_file_is_a_formula(report):
    for path in report[0].glob("*.csv"):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1
        for field in (field for row in rows for field in row if field):
            number = re.fullmatch(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", field)
            assert number or field[0] not in "=+-@\t\r|%", (path.name, field)
    assert csv_text([{"a": "=1+1", "b": -1.5, "c": None, "d": True}]) == "a,b,c,d\n'=1+1,-1.5,,True\n"


def test_partial_refusals_missing_and_dropped_stand_beside_the_rates(report):
    text = (report[0] / "matrix.md").read_text(encoding="utf-8")
    assert "partial refusals" in text and "9 items, 2 dropped as unusable" in text and "McNemar, exact" in text
    assert "scored answers: hit 9" in text.replace("\\", "") and "calibrated on 40 cases: accuracy 0.900, kappa 0.800" in text
    front = text.partition("## Attack success against")[2].partition("##")[0]
    assert front.count("none\\*") == 2 and "answers are missing" in front, "a point that lacks answers is marked"
    rows = list(csv.DictReader(io.StringIO((report[0] / "cells.csv").read_text(encoding="utf-8"))))
    assert {row["answers"] for row in rows} == {"9"} and {row["missing"] for row in rows} == {"1"}
    rates = list(csv.DictReader(io.StringIO((report[0] / "rates.csv").read_text(encoding="utf-8"))))
    assert {(row["judge_accuracy"], row["judge_kappa"]) for row in rates} == {("0.9", "0.8")}
    assert "answers are missing" in text and (report[0] / "radar-1.png").read_bytes()[:4] == b"\x89PNG"


def test_numbers_for_people():
    assert interval({"value": 0.125, "low": 0.08, "high": 0.2, "how": "bootstrap"}) == "12.5 [8.0, 20.0]"
    assert interval({"value": 0.0, "low": 0.0, "high": 0.2, "how": "wilson"}) == "0.0 [0.0, 20.0]°"
    assert interval({"value": None, "low": None, "high": None}) == "–" and p_shown(1e-6) == "< 0.0001" and p_shown(None) == "–"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_every_experiment_opens_with_its_four_lines_and_says_what_is_missing(path, capsys, monkeypatch, tmp_path):
    head = path.read_text(encoding="utf-8").splitlines()[:4]
    assert [line.split(":")[0] for line in head] == ["# Question", "# Command", "# Expect", "# Cost"]
    assert all(len(line) <= 132 for line in head)
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "matrix", str(path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "MISSING model" in told and "MISSING benchmark" in told and "models:" in told and "defences:" in told
    assert main(["eval", "matrix", str(path)]) == 2, "it does not begin without them"
    assert not list(tmp_path.iterdir()), "a dry run leaves nothing"


def test_the_two_words_are_one_command_and_a_run_is_still_evaluated(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["eval", "matrix", "--help"])
    assert "--dry-run" in capsys.readouterr().out
    assert main(["eval", "nowhere"]) == 2 and "nowhere" in capsys.readouterr().err
    assert main(["eval", "matrix", "nowhere.yaml", "--no"]) == 2 and "--no" in capsys.readouterr().err
