"""What models were made from, read out of the records of stages that really ran over small files."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import pytest

from rl_align.config import to_yaml
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.lineage import lineage, lines
from rl_align.pipeline.report import report
from rl_align.pipeline.stages import Stage, run_stages
from rl_align.pipeline.status import status
from rl_align.report.html import write_html
from rl_align.report.summary import build_summary
from rl_align.runfiles.atomic import write_json


def made(run: Path, name: str, inputs: list[Path], said: str = "") -> Stage:
    """A stage that makes `models/<name>`, or `data/<name>` where that is a file of rows."""
    rows = name.endswith(".parquet")
    out = run / ("data" if rows else "models") / name

    def work() -> None:
        place = out if rows else out / "config.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(name + said)

    return Stage(name.removesuffix(".parquet"), work, [name, said], inputs, [out])


def stages(run: Path, said: str = "") -> list[Stage]:
    models, data = run / "models", run / "data"
    return [
        made(run, "train.parquet", []),
        made(run, "untrained", [data / "train.parquet"]),
        made(run, "sft", [models / "untrained", data / "train.parquet"], said),
        made(run, "target", [models / "untrained", data / "train.parquet"]),
        made(run, "rewriter", [models / "sft", data / "train.parquet", models / "target"]),
        made(run, "rows_round_1.parquet", [models / "rewriter", data / "train.parquet"]),
        made(run, "responder", [models / "sft", data / "rows_round_1.parquet"]),
    ]


def told(node: dict) -> list[tuple[str, str, str]]:
    return [(parent["role"], parent["folder"], parent["stage"]) for parent in node["from"]]


@pytest.fixture
def run(tmp_path) -> Path:
    run_stages(tmp_path / "run", stages(tmp_path / "run"), lambda line: None)
    return tmp_path / "run"


def test_every_model_leads_back_to_the_untrained_one(run):
    found = lineage(run)
    assert told(found["models/rewriter"]) == [
        ("start", "models/sft", "sft"), ("rows", "data/train.parquet", "train"), ("partner", "models/target", "target"),
    ]  # fmt: skip
    assert ("rows", "data/rows_round_1.parquet", "rows_round_1") in told(found["models/responder"])
    assert ("source", "models/rewriter", "rewriter") in told(found["data/rows_round_1.parquet"])
    assert all(parent["same"] for node in found.values() for parent in node["from"])
    for name in ("sft", "target", "rewriter", "responder"):
        place, seen = f"models/{name}", []
        while place != "models/untrained":
            place = next(parent["folder"] for parent in found[place]["from"] if parent["role"] == "start")
            assert place not in seen
            seen.append(place)
    assert found["models/sft"]["hash"] == found["models/responder"]["from"][0]["hash"] and len(found["models/sft"]["hash"]) == 64


def test_a_parent_that_was_made_anew_is_said(run):
    """Only the start is made again here, as by a run that was stopped then: what it had been is in the record alone."""
    before = lineage(run)["models/sft"]["hash"]
    run_stages(run, stages(run, said="!")[:3], lambda line: None)
    found = lineage(run)
    start = found["models/responder"]["from"][0]
    assert start["hash"] == before != found["models/sft"]["hash"] and start["same"] is False
    assert any("start models/sft (sft, " + before[:12] + ", made anew since)" in line for line in lines(found))


def test_models_of_other_runs_bring_their_own_lineage(run, tmp_path):
    other, bought = tmp_path / "other", tmp_path / "bought"
    bought.mkdir()
    (bought / "config.json").write_text("{}")
    wanted = [*stages(other)[:3], made(other, "pupil", [bought, other / "data" / "train.parquet", run / "models" / "rewriter"])]
    run_stages(other, wanted, lambda line: None)
    found = lineage(other)
    assert told(found["models/pupil"]) == [
        ("start", "../bought", None), ("rows", "data/train.parquet", "train"), ("partner", "../run/models/rewriter", "rewriter"),
    ]  # fmt: skip
    assert found["models/pupil"]["from"][0]["same"] is None and found["models/pupil"]["from"][2]["same"] is True
    assert told(found["../run/models/rewriter"])[0] == ("start", "../run/models/sft", "sft")


def test_a_stage_that_was_taken_over_has_its_parents_here(run, tmp_path):
    heir = tmp_path / "deep" / "heir"
    run_stages(heir, stages(heir), lambda line: None, donors=[run])
    assert json.loads((heir / "stages" / "rewriter.json").read_text())["taken_from"] == str(run)
    mine, theirs = lineage(heir), lineage(run)
    assert {name: told(node) for name, node in mine.items()} == {name: told(node) for name, node in theirs.items()}
    shutil.rmtree(run)
    assert lineage(heir) == mine


def test_damaged_and_old_records_are_left_out(run):
    (run / "stages" / "target.json").write_text("{")
    record = json.loads((run / "stages" / "sft.json").read_text())
    del record["inputs"]
    (run / "stages" / "sft.json").write_text(json.dumps(record))
    found = lineage(run)
    assert "models/target" not in found and "models/sft" not in found
    assert told(found["models/rewriter"])[2] == ("partner", "models/target", None)
    assert lineage(run / "nothing") == {}


def test_report_summary_and_status_show_it(run):
    found = lineage(run)
    (run / "config.yaml").write_text(to_yaml(RunConfig()))
    report(run)
    assert json.loads((run / "summary.json").read_text())["lineage"] == found
    assert "lineage" not in build_summary(run, seed=0, timing_s={})
    page = html.unescape((run / "report.html").read_text())
    assert "What was made from what" in page and f"partner models/target <code>{found['models/target']['hash'][:12]}</code>" in page
    said = "\n".join(status(run))
    assert "lineage      models/responder (responder, " in said and "rows data/rows_round_1.parquet (rows_round_1, " in said


def test_what_a_record_says_is_text_on_the_page(run):
    hostile = {"<script>alert(1)</script>": {"stage": "<b>", "hash": "<i>", "finished": "", "from": []}}
    write_json(run / "summary.json", build_summary(run, seed=0, timing_s={}, lineage=hostile))
    page = write_html(run).read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page
    for damaged in ({"a": {}}, {"a": 1}, [1]):
        write_json(run / "summary.json", build_summary(run, seed=0, timing_s={}, lineage=hostile) | {"lineage": damaged})
        with pytest.raises(UserError, match="the summary is damaged"):
            write_html(run)
