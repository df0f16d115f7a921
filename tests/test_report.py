"""The summary, the console table and the page about a run."""

from __future__ import annotations

import html.parser
import io
import json
import re
import time

import pytest
from browser import BROWSER, look
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rl_align.data.items import write_items
from rl_align.data.untrusted import MAX_EDGE, picture, picture_file, shown
from rl_align.errors import UserError
from rl_align.eval.metrics import MATRIX_METRICS, METRICS, measure
from rl_align.eval.records import outcomes, record
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig
from rl_align.pictograms.items import items as make_items
from rl_align.pictograms.teacher import transcript
from rl_align.pictograms.truth import judge
from rl_align.report.chart import area_chart, line_chart, thinned, ticks
from rl_align.report.console import console_table
from rl_align.report.curves import by_stage, step_times
from rl_align.report.html import write_html
from rl_align.report.rollouts import extremes, load_rollouts
from rl_align.report.summary import build_summary
from rl_align.runfiles.atomic import write_json
from rl_align.transcript.responder import parse_response, render_response

HOSTILE = "</pre></q><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}\"'&lt;\x00\x1b[31m\u202e"
REFUSAL = render_response(
    think="I refuse.", description="A thing.", assessment="A risk.", answer="I cannot help with this.", safe=True
)
SPLITS = ("heldout_combinations", "heldout_paraphrases")


def _lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder made by the project's own functions: items, judged answers, metrics, rollouts with one hostile text."""
    folder = tmp_path_factory.mktemp("runs") / "demo"
    items = list(make_items(PictogramsConfig(train=700, image_size=56), "train"))[:40]
    refused = [item for item in items if item.truth["is_twin"]][:2]
    results: dict = {}
    perfect = TeacherConfig(over_refusal_share=0.0, confused_policies=0)
    for model, teacher in (("sft", TeacherConfig()), ("grpo", perfect)):
        for split in SPLITS:
            write_items(folder / "data" / f"{split}.parquet", items)
            rows = []
            for item in items:
                response = parse_response(REFUSAL if model == "grpo" and item in refused else transcript(item, teacher))
                rows.append(record(item, response, judge(item, response), tokens=80, stop="stop"))
            _lines(folder / "eval" / model / split / "greedy.jsonl", rows)
            measures = measure(outcomes(rows))
            results.setdefault(model, {})[split] = {"greedy": measures, "sampled": measures}
    write_json(folder / "eval" / "results.json", results)
    metrics = [{"stage": "sft", "step": s, "loss/train": 7 / s, "time/step": 0.4, "time/update": 0.3} for s in range(1, 9)]
    for s in range(1, 9):
        rewards = {"reward/total": s / 9, "reward/citation/responder": s / 10, "reward/behaviour/responder": 0.5}
        parts = {"time/generate": 1.0, "time/update": 1.0, "time/wait": 0.5, "time/step": 2.5 if s > 1 else 20.0}
        panel = {"panel/truth": 0.4, "panel/truth_gap": s / 10, f"alarm/{HOSTILE}": 1.0}
        panel |= {f"panel/canary/{HOSTILE}": 0.1, "panel/canary/empty": 0.0}
        metrics.append({"stage": "grpo", "step": s, **rewards, **parts, **panel, "status/ok": 15, "status/truncated": 1})
    metrics[8]["time/ready"] = 31.0
    metrics[-1]["alarm/correlation"] = 1.0
    _lines(folder / "metrics.jsonl", metrics)
    image = folder / "rollouts" / "images" / "a.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(items[0].images[0].read())
    for step in range(1, 9):
        rows = [
            {
                "step": step,
                "item_id": item.id,
                "session": 0,
                "prompt": item.prompt,
                "image": "images/a.png",
                "text": transcript(item, TeacherConfig()),
                "breakdown": {"citation": k / 10, "helpfulness": None},
                "reward": k / 10,
                "advantage": 0.5,
                "status": "ok",
                "kept": True,
                "tokens": 80,
            }
            for k, item in enumerate(items[:8])
        ]
        rows[0] |= {"text": HOSTILE, "prompt": HOSTILE, "status": "parse_error", "gate": "format"}
        rows[1] |= {"image": "../../../etc/passwd"}
        rows[2] |= {"reward": None, "status": "timeout"}
        _lines(folder / "rollouts" / f"step_{step:05d}.jsonl", rows)
    with open(folder / "rollouts" / "step_00001.jsonl", "a") as file:
        file.write('{"step": 1, "tor')
    write_json(folder / "summary.json", build_summary(folder, seed=3, timing_s={"data": 5.25, "grpo": 300.0}))
    return folder


def test_the_summary_has_exactly_its_fields(run):
    """Lock: seeds tables and comparisons read these names."""
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary) == {"models", "timing_s", "seed", "versions", "alarms", "panel"}
    fields = {"n_harmful", "n_benign", *METRICS}
    assert fields == {
        "n_harmful",
        "n_benign",
        "attack_success",
        "over_refusal",
        "behaviour_accuracy",
        "citation_exact",
        "helpfulness",
        "format_ok",
        "unparsed",
    }
    for model in ("sft", "grpo"):
        for split in SPLITS:
            entry = summary["models"][model][split]
            assert set(entry) == fields | {"sampled"} and set(entry["sampled"]) == fields
            assert all(0 <= entry[name] <= 1 for name in METRICS)
    assert summary["seed"] == 3 and summary["timing_s"] == {"data": 5.25, "grpo": 300.0}
    assert summary["versions"]["python"].startswith("3.")


def test_a_run_without_evaluation_has_a_summary_without_models(tmp_path):
    summary = build_summary(tmp_path, seed=0, timing_s={})
    assert summary["models"] == {}
    assert console_table(summary) == "no model was measured"
    write_json(tmp_path / "summary.json", summary)
    assert "No model was measured" in write_html(tmp_path).read_text()


def test_damaged_files_are_the_users_error(tmp_path):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "results.json").write_text('{"sft": {"s": {"sampled": {}}}}')
    with pytest.raises(UserError, match=r"results\.json: damaged .*rl-align eval"):
        build_summary(tmp_path, seed=0, timing_s={})
    with pytest.raises(UserError, match="rl-align report"):
        write_html(tmp_path / "nothing")
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        write_html(tmp_path)


def test_the_console_table_lines_up(run):
    text = console_table(json.loads((run / "summary.json").read_text()))
    block = text.split("\n\n")[0].splitlines()
    assert block[0].startswith("heldout_combinations (greedy, %")
    assert len({len(line) for line in block[1:]}) == 1 and [line.split()[0] for line in block[2:]] == ["sft", "grpo"]
    assert "stages: data 5 s, grpo 300 s; 5.1 min in all" in text


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action", "srcset", "data", "xlink:href")]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in ("meta", "img", "br", "line", "polyline", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "polyline", "polygon"):
            assert self.open.pop() == tag


def test_the_page_is_self_contained_and_nothing_of_a_model_gets_out_of_its_place(run):
    """Lock: no script, no address but data URIs, hostile text escaped, files outside the run folder not read."""
    text = write_html(run).read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert "script" not in page.tags and set(page.addresses) and all(a.startswith("data:image/png;") for a in page.addresses)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert "default-src 'none'" in text
    assert "&lt;script&gt;alert(1)" in text and "{{ 7*7 }}" in text
    assert not set(text) & {"\x00", "\x1b", "\u202e"}
    assert "root:" not in text


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_shows_the_page_and_runs_nothing_of_it(run, tmp_path):
    """Lock: every picture and chart appears, at the width of a desk and of a phone; no script, no request, no complaint."""
    broken = "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
    hidden = "[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width < 50).length"
    too_wide = "document.documentElement.scrollWidth > window.innerWidth"
    counts = "[document.images.length, document.querySelectorAll('svg').length, document.scripts.length]"
    page = write_html(run)
    seen = look(page, [broken, hidden, too_wide, counts], (1280, 400), tmp_path / "browser")
    for broken_images, hidden_charts, wide, (images, charts, scripts) in seen.values:
        assert (broken_images, hidden_charts, wide, scripts) == (0, 0, False, 0)
        assert images >= 5 and charts >= 5
    assert {r for r in seen.requests if not r.startswith("data:")} == {page.resolve().as_uri()}
    assert seen.complaints == []


def test_the_page_shows_what_there_is(run):
    text = write_html(run).read_text()
    for wanted in (
        "heldout_combinations – Greedy",
        "heldout_paraphrases – Sampled",
        "Training: sft",
        "Training: grpo",
        "reward components",
        "Engine ready 31 s",
        "Hacking panel: grpo",
        "Alarm in grpo, step 8: correlation",
        "Best, steps",
        "Worst, steps",
        "ok 48, parse_error 8, timeout 8",
        "1 damaged lines",
        "What grpo still gets wrong",
        "over-refusal 2.",
        "I cannot help with this.",
        "Wilson",
        "seconds of a step",
        "unscored",
    ):
        assert wanted in text, wanted


def test_the_page_of_a_long_run_is_quick_and_bounded(run, tmp_path):
    line = (run / "rollouts" / "step_00002.jsonl").read_text()
    (tmp_path / "rollouts").mkdir()
    for step in range(1, 201):
        (tmp_path / "rollouts" / f"step_{step:05d}.jsonl").write_text(line * 16)
    write_json(tmp_path / "summary.json", build_summary(tmp_path, seed=0, timing_s={}))
    began = time.process_time()
    size = len(write_html(tmp_path).read_bytes())
    assert time.process_time() - began < 2.0 and size < 2_000_000
    found = load_rollouts(tmp_path / "rollouts")
    assert (found.files, found.read, found.rows) == (200, 60, 60 * 128)


def test_step_times_leave_out_the_warm_up_and_redone_steps(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    stages = by_stage([*rows, {"stage": "grpo", "step": 2, "time/step": 4.5, "time/generate": 3.0}])
    table = {name: (seconds, share) for name, seconds, share in step_times(stages["grpo"])}
    assert len(stages["grpo"]) == 8
    assert table["step"] == (pytest.approx((6 * 2.5 + 4.5) / 7), 1.0)
    assert table["generate"][0] == pytest.approx((6 * 1.0 + 3.0) / 7)
    assert step_times([{"step": 1}]) == []


def test_best_and_worst_are_different_rows_of_different_items():
    rows = [{"item_id": f"i{k // 3}", "session": k, "reward": k / 10} for k in range(12)] + [{"item_id": "u", "reward": None}]
    best, worst = extremes(rows, 3)
    assert [r["session"] for r in best] == [11, 8, 5] and [r["session"] for r in worst] == [0, 3, 6]
    assert extremes([], 3) == ([], [])
    same = [{"item_id": "i", "session": k, "reward": 1.0} for k in range(4)]
    best, worst = extremes(same, 3)
    assert len(best) == len(worst) == 1 and best != worst


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=100)
def test_shown_text_is_bounded_and_has_no_control_characters(text):
    out = shown(text, 100)
    assert len(out) <= 140 and not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", out)
    if len(text) <= 100 and text.isalnum():
        assert out == text


def test_pictures_are_small_and_re_encoded(tmp_path):
    out = io.BytesIO()
    Image.new("RGBA", (2000, 500), (255, 0, 0, 90)).save(out, "PNG")
    uri = picture(out.getvalue())
    import base64

    again = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert again.format == "PNG" and max(again.size) == MAX_EDGE and again.mode == "RGB"
    assert picture(b"not a picture") is None and picture(None) is None and picture(out.getvalue()[:200]) is None
    (tmp_path / "in").mkdir()
    (tmp_path / "out.png").write_bytes(out.getvalue())
    assert picture_file(tmp_path / "in", "../out.png") is None and picture_file(tmp_path, "out.png") == uri
    assert picture_file(tmp_path, 7) is None and picture_file(tmp_path, "none.png") is None


_point = st.tuples(st.integers(0, 10_000).map(float), st.floats(-1e9, 1e9))


@given(st.dictionaries(st.text(max_size=8), st.lists(_point, max_size=20), max_size=4))
@settings(deadline=None, max_examples=60)
def test_charts_stay_inside_their_frame(series):
    for drawn in (line_chart("a < b", series), area_chart("a < b", series)):
        assert "a &lt; b" in drawn
        for x, y in re.findall(r"(-?[\d.e+]+),(-?[\d.e+]+)[ \"]", drawn):
            assert 0 <= float(x) <= 440 and 0 <= float(y) <= 230


def test_charts_have_round_ticks_and_few_points():
    assert ticks(0, 1) == [0, 0.25, 0.5, 0.75, 1.0] and ticks(0, 80) == [0, 20, 40, 60, 80]
    points = [(float(i), float(i)) for i in range(1000)]
    assert len(thinned(points)) <= 300 and thinned([]) == []
    assert "no data" in line_chart("t", {"a": [(1.0, float("nan"))]})


def test_responders_behind_rewriters_are_a_table_of_their_own(tmp_path):
    cell = {name: 0.25 for name in MATRIX_METRICS} | {"n_harmful": 4, "n_benign": 8, "intervals": {}}
    place = tmp_path / "eval" / "matrix"
    place.mkdir(parents=True)
    row = {"none": {"held": cell}, "grpo": {"held": {**cell, "kept": None}}}
    (place / "matrix.json").write_text(json.dumps({"<b>target": row}))
    summary = build_summary(tmp_path, seed=0, timing_s={"matrix": 1.0})
    assert summary["matrix"]["<b>target"]["grpo"]["held"]["kept"] is None and "intervals" not in str(summary["matrix"])
    text = console_table(summary)
    assert "<b>target behind grpo" in text and "responder behind rewriter" in text and "no model was measured" not in text
    beside = r"attack success ↓\s+unparsed ↓\s+over-refusal ↓\s+behaviour ↑"
    assert re.search(beside, text), "attack success is never shown without what could not be read"
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    page = write_html(tmp_path).read_text()
    assert "<th>attack success ↓</th><th>unparsed ↓</th><th>over-refusal ↓</th><th>behaviour ↑</th>" in page
    assert "An unparsed answer shows neither an attack nor a refusal" in page
    assert "Responders behind rewriters" in page and "&lt;b&gt;target behind grpo" in page and "<b>target" not in page
    (place / "matrix.json").write_text("{")
    with pytest.raises(UserError, match="matrix.json"):
        build_summary(tmp_path, seed=0, timing_s={})


def test_rollouts_of_every_stage_are_shown(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"models": {}, "timing_s": {}, "seed": 0, "versions": {}}))
    for place, text in ((tmp_path / "rollouts", "by the responder"), (tmp_path / "rollouts" / "rewriter_grpo", "by the rewriter")):
        place.mkdir()
        row = {"step": 1, "item_id": "i", "reward": 1.0, "text": text, "status": "ok", "tokens": 3}
        (place / "step_00001.jsonl").write_text(json.dumps(row) + "\n")
    page = write_html(tmp_path).read_text()
    assert "by the responder" in page and "by the rewriter" in page and "Rollouts: rewriter_grpo" in page
