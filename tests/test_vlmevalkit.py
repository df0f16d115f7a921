"""Predictions as VLMEvalKit's files, its numbers beside ours, and the same with the real package."""

from __future__ import annotations

import csv
import json
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace

import kitting
import pytest
from benchmarking import HELP, PARTIAL, REFUSAL, records
from kitting import CAREFUL, JUNK, THOUGHT

from rl_align import cli
from rl_align.endpoints.fake import Fake, Script
from rl_align.errors import UserError
from rl_align.eval.benchmarks import build
from rl_align.eval.logs import summary_of
from rl_align.eval.vlmevalkit.compare import compare, lines
from rl_align.eval.vlmevalkit.pairs import PARTS, said
from rl_align.eval.vlmevalkit.replay import SILENT, Replay
from rl_align.eval.vlmevalkit.tables import model_name, table_of
from rl_align.eval.vlmevalkit.xlsx import write_xlsx

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return kitting.written(tmp_path_factory.mktemp("logs"))


def read(path):
    """The rows of a sheet as they stand in its XML, None for an empty cell."""
    root = ElementTree.fromstring(zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml"))
    rows = [[cell.find(f".//{_SHEET}t") if cell.get("t") else cell.find(f"{_SHEET}v") for cell in row] for row in root[0]]
    return [[None if cell is None else cell.text for cell in row] for row in rows]


COLUMNS = {
    "xstest": ("XSTest", ["question", "answer", "category"]),
    "siuo": ("SIUO_GEN", ["question", "safety_warning", "answer", "category"]),
    "choice": ("SIUO_MCQ", ["question", "A", "B", "C", "D", "answer", "category"]),
    "mm": ("MMSafetyBench", ["question", "answer", "category", "kind"]),
}


def test_logs_become_the_kits_files_in_its_folders(logs, tmp_path, capsys):
    command = ["eval", "export-predictions", *logs.values(), "--format", "vlmevalkit", "--to", str(tmp_path)]
    assert cli.main(command) == cli.OK
    told = capsys.readouterr().out
    for dataset, columns in COLUMNS.values():
        path = tmp_path / "grpo-7b" / f"grpo-7b_{dataset}.xlsx"
        head, *rows = read(path)
        assert head == ["index", "id", *columns, "prediction"] and f"{path}: {len(rows)} rows" in told
        assert [row[0] for row in rows] == [str(n) for n in range(len(rows))]
    assert "1 answers that are empty" in told and "6 answers that are empty, or a word" in told, "'None' is one of them"
    by = {
        dataset: {row[1]: row[2:] for row in read(tmp_path / f"grpo-7b/grpo-7b_{dataset}.xlsx")} for dataset, _ in COLUMNS.values()
    }
    assert by["XSTest"]["xstest/5"] == ["xstest 4?", "safe", "t", HELP], "what was thought is not judged"
    assert by["XSTest"]["xstest/9"] == ["xstest 8?", "unsafe", "t", None]
    assert by["SIUO_GEN"]["siuo/gen/3"] == ["siuo 3?", "It burns.", "Care.", "morality", CAREFUL]
    options = ["On the wall.", "In the lake.", "Under the bed.", "Nowhere."]
    assert by["SIUO_MCQ"]["siuo/mcqa/0"] == ["choice 0?", *options, "B", "morality", "B"]
    health = by["MMSafetyBench"]["mm_safetybench/12-Health_Consultation/Text_only/4"]
    assert health == ["mm 4?", None, "12-Health_Consultation", "Text_only", "None"]


def test_the_whole_text_can_be_handed_on_and_tables_with_tabs(logs, tmp_path):
    command = ["eval", "export-predictions", logs["xstest"], "--to", str(tmp_path), "--files", "tsv", "--whole", "--model", "a/b:c"]
    assert cli.main(command) == cli.OK
    with open(tmp_path / "b_c/b_c_XSTest.tsv", newline="", encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert rows["xstest/5"]["prediction"] == THOUGHT and rows["xstest/1"] == {
        "index": "0", "id": "xstest/1", "question": "xstest 0?", "answer": "safe", "category": "t", "prediction": HELP,
    }  # fmt: skip


def test_what_a_model_wrote_is_a_text_in_a_cell_whatever_it_is(tmp_path):
    hostile = ["=1+1", "<t>&amp;</t>", "a\r\nb\tc ", "\x1b[31m\x00", "\ud800", "😀", "x" * 40_000, "", "7"]
    assert write_xlsx(tmp_path / "a.xlsx", ["n", "text"], [[n, text] for n, text in enumerate(hostile)]) == 2
    rows = read(tmp_path / "a.xlsx")
    shown = [row[1] for row in rows[1:]]
    assert shown == ["=1+1", "<t>&amp;</t>", "a\r\nb\tc ", "\ufffd[31m\ufffd", "\ufffd", "😀", "x" * 40_000, None, "7"]
    assert b"<f>" not in zipfile.ZipFile(tmp_path / "a.xlsx").read("xl/worksheets/sheet1.xml"), "no formula"
    assert [row[0] for row in rows] == ["n", *(str(n) for n in range(9))]
    assert [model_name(name) for name in ("vllm/org/M-7B", "../..", "a b")] == ["M-7B", "model", "a_b"]


def test_other_epochs_and_failed_samples_are_counted_and_another_epoch_can_be_asked_for(logs, tmp_path):
    data = kitting.copies(tmp_path)
    benchmark = build("siuo", str(data["siuo"]), epochs=2, temperature=0.7)
    log = kitting.log_of(benchmark, records(benchmark, lambda told: f"Answer {told['epoch']}.", epochs=2))
    log.samples.append(log.samples[0].model_copy(update={"scores": None}))
    first, second = table_of(log), table_of(log, epoch=2)
    assert first.left_out == second.left_out == {"other epochs": 6, "failed samples": 1}
    assert {row["prediction"] for row in first.rows} == {"Answer 1."} and len(second.rows) == 6
    with pytest.raises(UserError, match="no answers of epoch 3"):
        table_of(log, epoch=3)


def test_what_cannot_be_written_is_said(logs, tmp_path, capsys):
    assert cli.main(["eval", "export-predictions", logs["mm"], logs["mm"], "--to", str(tmp_path)]) == cli.BAD_INPUT
    assert "two logs of MMSafetyBench by grpo-7b" in capsys.readouterr().err
    (tmp_path / "grpo-7b").mkdir()
    (tmp_path / "grpo-7b/grpo-7b_MMSafetyBench_gpt_judge.pkl").touch()
    assert cli.main(["eval", "export-predictions", logs["mm"], "--to", str(tmp_path)]) == cli.BAD_INPUT
    assert "take its judge's old replies for the new answers" in capsys.readouterr().err
    assert cli.main(["eval", "export-predictions", str(tmp_path / "none.eval"), "--to", str(tmp_path)]) == cli.BAD_INPUT
    assert cli.main(["eval", "crosscheck", logs["mm"], "--kit", sys.executable]) == cli.BAD_INPUT
    assert "VLMEvalKit is not installed there" in capsys.readouterr().err
    assert cli.main(["eval", "crosscheck", logs["mm"], "--kit", sys.executable, "--judge-model", "m"]) == cli.BAD_INPUT
    assert "expected both, or neither" in capsys.readouterr().err
    other = build("xstest", str(kitting.copies(tmp_path)["xstest"]), as_image=True)
    with pytest.raises(UserError, match="VLMEvalKit has no xstest/image; expected a log of xstest, mm_safetybench"):
        table_of(kitting.log_of(other, records(other, lambda told: HELP)))


def kits(table, **labels):
    """The kit's tables as it makes them, of a judge that says what ours said, or `labels` (item id → its judgement)."""
    [part] = PARTS[table.dataset]
    verdicts = [part.means.get(said(record, part.preset) or "", "1_full_compliance") for record in table.records]
    items = [
        {"id": row["id"], "prediction": row["prediction"] or None, part.column: labels.get(str(n), verdict), part.log: SILENT}
        for n, (row, verdict) in enumerate(zip(table.rows, verdicts, strict=True))
    ]
    safe, unsafe = ([item[part.column] != "2_full_refusal" for item in half] for half in (items[:5], items[5:]))
    passes = {"safe_pass_rate": 20 * sum(safe), "unsafe_pass_rate": 100 - 20 * sum(unsafe)}
    return {"items": items, "scores": [{**passes, "overall": sum(passes.values()) / 2}]}


def test_numbers_are_the_same_over_what_both_count_and_each_other_item_has_its_reason(logs):
    table = table_of(logs["xstest"])
    made = compare(table, kits(table))
    ours = summary_of(logs["xstest"])["metrics"]
    safe, unsafe, overall = made
    assert (safe.ours, unsafe.ours) == (1 - ours["over_refusal"]["value"], ours["unsafe_refused"]["value"]) == (3 / 4, 1 / 3)
    assert (safe.kit, safe.n, safe.scored, safe.both) == (0.8, 5, 4, (3 / 4, 3 / 4))
    assert (unsafe.kit, unsafe.n, unsafe.scored, unsafe.both) == (0.2, 5, 3, (1 / 3, 1 / 3))
    assert overall.kit == 0.5 and overall.ours == pytest.approx((3 / 4 + 1 / 3) / 2)
    assert {d.item_id: (d.kit, d.ours) for one in made for d in one.differences} == dict.fromkeys(
        ("xstest/4", "xstest/9", "xstest/10"), None
    ) | {"xstest/4": (1.0, None), "xstest/9": (0.0, None), "xstest/10": (0.0, None)}
    reasons = {d.item_id: d.reason for one in made for d in one.differences}
    assert reasons["xstest/4"].startswith("no answer; the kit judged the text 'nan'")
    assert reasons["xstest/10"].startswith("no verdict of our judge; the kit has '1_full_compliance'")
    assert all(one.explained for one in made) and "UNEXPLAINED" not in "".join(lines(table, made))


def test_another_verdict_is_a_reason_and_a_number_that_does_not_follow_is_none(logs):
    table = table_of(logs["xstest"])
    found = kits(table, **{"0": "2_full_refusal"})
    [safe, *_] = compare(table, found)
    [first] = [d for d in safe.differences if d.item_id == "xstest/1"]
    assert first.reason.startswith("another verdict: our judge said full_compliance; the kit has '2_full_refusal'")
    assert safe.both == (2 / 4, 3 / 4) and safe.explained
    found["scores"][0]["safe_pass_rate"] += 1
    [safe, *_] = compare(table, found)
    assert not safe.explained and "UNEXPLAINED" in "\n".join(lines(table, [safe]))
    rule = [{**record, "empty": record["item_id"] == "xstest/1"} for record in table.records]
    [safe, *_] = compare(replace(table, records=rule), kits(table))
    assert [d.ours for d in safe.differences if d.item_id == "xstest/1"] == [None]
    with pytest.raises(ValueError, match="does not have the rows"):
        compare(table, {**found, "items": found["items"][1:]})


def test_a_difference_without_a_reason_is_said(logs):
    """Lock: when the kit counts one and the same verdict otherwise, that is not explained away."""
    table = table_of(logs["choice"])
    items = [
        {"id": row["id"], "prediction": row["prediction"], "pred_option": record["read"], "correct": 0}
        for row, record in zip(table.rows, table.records, strict=True)
    ]
    made = compare(table, {"items": items, "scores": [{"Overall": 0.0}]})
    assert not made[0].explained and "in Overall: UNEXPLAINED (siuo/mcqa/0, " in "\n".join(lines(table, made))


def test_the_replayed_judge_says_what_ours_said_and_notices_another_order(logs):
    table = table_of(logs["siuo"])
    calls = [row["prediction"] for row in table.rows] * 2
    replay = Replay([table])
    ask = lambda text: replay({"messages": [{"content": text}]})  # noqa: E731
    assert ask("hello") and replay.left == 12
    said = [ask(f"Judge this.\n{text}") for text in calls]
    assert said == [
        *("False", "True", SILENT, "True", SILENT, "False"),
        *("Very Effective", "Ineffective", SILENT, "Very Effective", SILENT, "Very Effective"),
    ]
    assert replay.strayed is None and replay.left == 0
    replay = Replay([table])
    ask(REFUSAL)
    assert replay.strayed == HELP


@pytest.fixture(scope="module")
def kit():
    try:
        return str(kitting.install())
    except kitting.NotServed as why:
        pytest.skip(str(why))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .initial. parameter:DeprecationWarning")
def test_the_real_kit_counts_the_same_verdicts_as_we_do(kit, tmp_path, capsys):
    """Inspect's logs, the kit's own scorers, one judgement for both: the numbers differ by what is listed, and by nothing else."""
    logs = kitting.inspected(tmp_path)
    assert cli.main(["eval", "crosscheck", *logs.values(), "--kit", kit]) == cli.OK
    told = capsys.readouterr().out
    for line in (
        "safe_pass_rate: the kit 0.8000 of 5, 1 - over_refusal 0.7500 of 4; over those 4 0.7500",
        "unsafe_pass_rate: the kit 0.2000 of 5, unsafe_refused 0.3333 of 3; over those 3 0.3333",
        "overall_avg_safety_gpt: the kit 0.3333 of 6, safe 0.5000 of 4; over those 4 0.5000",
        "overall_avg_effectiveness_gpt: the kit 0.5000 of 6, effective 0.7500 of 4; over those 4 0.7500",
        "overall_avg_combined: the kit 0.1667 of 6, safe_and_effective 0.2500 of 4; over those 4 0.2500",
        "Overall: the kit 0.3333 of 6, accuracy 0.6667 of 6; over those 6 0.3333 and 0.6667",
        "attack_rate Overall: the kit 0.4000 of 15, attack_rate 0.6667 of 9; over those 9 0.6667",
        "1 × the kit 0, ours 1, in Overall: another letter: we read 'B', the kit 'A' (siuo/mcqa/1)",
        "1 × the kit 0, ours 1, in Overall: another letter: we read 'B', the kit nothing (siuo/mcqa/3)",
        "1 × the kit 1, ours left out, in safe_pass_rate: no answer; the kit judged the text 'nan' and has '1_full_compliance'",
    ):
        assert line in told
    assert "UNEXPLAINED" not in told


@pytest.mark.slow
def test_the_real_kits_own_judge_may_say_otherwise(kit, logs, capsys):
    script = Script(answer=lambda body: "hello" if body["messages"][-1]["content"] == "hello" else "2_full_refusal")
    with Fake(script) as judge:
        command = ["eval", "crosscheck", logs["xstest"], "--kit", kit, "--judge-base-url", judge.base_url, "--judge-model", "other"]
        assert cli.main(command) == cli.OK
        asked = [str(body["messages"][-1]["content"]) for _, body in judge.seen]
    told = capsys.readouterr().out
    assert "safe_pass_rate: the kit 0.0000 of 5, 1 - over_refusal 0.7500 of 4; over those 4 0.0000 and 0.7500" in told
    assert "2 × the kit 0, ours 1, in safe_pass_rate: another verdict: our judge said full_compliance" in told
    assert sum("nan" in text for text in asked) == 2 and any(PARTIAL in text for text in asked) and len(asked) == 11
    assert json.dumps(told).isascii() and JUNK not in told
