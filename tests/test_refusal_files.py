"""Labelling files of answers, and measuring the labels against people's."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from reward.refusal_calibration import MSTS, PYRIT, XSTEST, Labelled, calibrate, left_out, pyrit, supported, xstest
from reward.refusals import label_file
from rl_align.cli import main
from rl_align.errors import UserError
from rl_align.statistics import confusion, f1
from rl_align.transcript.refusal import Degree, classify_refusal

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "permissive"
real_files = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real dataset files at {REAL}")

ROWS = [
    {"id": "a", "prompt": "How do I open it?", "response": "I can't help with that."},
    {"id": 7, "prompt": None, "response": "Turn the key and push."},
    {"id": "ü-我\u2028", "prompt": "", "response": "I\u2019m sorry, I can\u2019t.", "more": [1]},
]


def lines(path: Path, *rows: object) -> str:
    texts = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return str(path)


# --- rl-align reward refusals ---------------------------------------------------------------------------------------


def test_every_row_gets_its_degree_in_order(tmp_path, capsys):
    source, target = lines(tmp_path / "in.jsonl", *ROWS, b"  "), tmp_path / "new" / "out.jsonl"
    assert main(["reward", "refusals", source, str(target)]) == 0
    labelled = [json.loads(line) for line in target.read_text(encoding="utf-8").split("\n") if line]
    assert labelled == [{"id": r["id"], "refusal": d} for r, d in zip(ROWS, ("full", "none", "full"), strict=True)]
    assert "3 rows: 2 full, 0 partial, 1 none" in capsys.readouterr().out


def test_a_lone_surrogate_in_an_id_comes_through(tmp_path):
    source = lines(tmp_path / "in.jsonl", b'{"id": "\\ud800", "prompt": null, "response": "Yes."}')
    label_file(source, str(tmp_path / "out.jsonl"))
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["id"] == "\ud800"


def test_a_file_may_be_empty_or_start_with_a_mark(tmp_path):
    assert label_file(lines(tmp_path / "in.jsonl", b""), str(tmp_path / "out.jsonl")) == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    marked = lines(tmp_path / "marked.jsonl", b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode())
    assert label_file(marked, str(tmp_path / "out.jsonl")) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"{", "row 2: the row is not JSON"),
        (b"[1]", "row 2: the row is a list"),
        (b'{"id": "\xff"}', "row 2: the row is not UTF-8"),
        ({"id": "a", "response": "x"}, "row 2: the key 'prompt' is missing"),
        ({"prompt": "a", "response": "x"}, "row 2: the key 'id' is missing"),
        ({"id": None, "prompt": "a", "response": "x"}, "row 2: 'id' is null; expected a string or a whole number"),
        ({"id": True, "prompt": "a", "response": "x"}, "row 2: 'id' is a truth value"),
        ({"id": "a", "prompt": 3, "response": "x"}, "row 2: 'prompt' is a number"),
        ({"id": "a", "prompt": "a", "response": None}, "row 2: 'response' is null; expected a string"),
        ({"id": "a", "prompt": "a", "response": {"text": "x"}}, "row 2: 'response' is an object"),
        (b"[" * 100_000, "row 2: the row is not JSON"),
    ],
)
def test_a_broken_row_is_named_and_nothing_is_written(tmp_path, capsys, row, message):
    source, target = lines(tmp_path / "in.jsonl", ROWS[0], row), tmp_path / "out.jsonl"
    target.write_text("as it was")
    assert main(["reward", "refusals", source, str(target)]) == 2
    error = capsys.readouterr().err
    assert f"{source}: {message}" in error and error.count("\n") == 1
    assert target.read_text() == "as it was" and sorted(tmp_path.iterdir()) == [Path(source), target]


def test_long_files_tell_how_far_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("reward.refusals.EVERY", 0.0)
    label_file(lines(tmp_path / "in.jsonl", *[ROWS[1]] * 600), str(tmp_path / "out.jsonl"))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and told[0].startswith("256 rows, ") and told[0].endswith(" a second")


# --- rl-align reward calibrate-refusals -----------------------------------------------------------------------------

DECLINES, ANSWERS = "I can't help with that.", "Turn the key and push."
MACHINE = "Error: command not recognized."


def table(path: Path, rows: list[dict[str, str]], comment: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(comment)
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The three labelled sets in their official layouts, harmless and tiny."""
    labels = [("2_full_refusal", DECLINES)] * 6 + [("1_full_compliance", ANSWERS)] * 6
    table(tmp_path / XSTEST, [{"prompt": "How do I open it?", "completion": a, "final_label": label} for label, a in labels])
    scores = [("1", DECLINES)] * 6 + [("0", ANSWERS)] * 6
    rows = [{"objective": "Tell me how", "assistant_response": a, "human_score": label} for label, a in scores]
    table(tmp_path / PYRIT, rows, "# dataset_version=1.2\n")
    classes = [("1.2 - refusal only", DECLINES), ("2.2 - advice", ANSWERS)]
    table(tmp_path / MSTS, [{"prompt_text": "Should I?", "response": a, "final_taxonomy": label} for label, a in classes])
    return tmp_path


def test_the_tables_hold_every_set(folder, capsys):
    assert main(["reward", "calibrate-refusals", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "| XSTest | 12 | 1_full_compliance: 6, 2_full_refusal: 6 |" in out
    for start in (
        "XSTest, full refusal | all | 6 | 0 | 0 | 6",
        "XSTest, full refusal | left out | 6 | 0 | 0 | 6",
        "PyRIT, refusal (shown: full) | left out | 6 | 0 | 0 | 6",
        "MSTS, 1.2 refusal only | all | 1 | 0 | 0 | 1",
    ):
        assert f"| {start} | 1.000 (" in out


def test_one_set_is_enough_and_none_is_an_error(folder, tmp_path_factory):
    (folder / PYRIT).unlink()
    (folder / MSTS).unlink()
    assert "PyRIT" not in calibrate(str(folder))
    with pytest.raises(UserError, match="no labelled answers here; expected one of xstest/"):
        calibrate(str(tmp_path_factory.mktemp("empty")))


def test_a_missing_column_is_named(folder):
    table(folder / PYRIT, [{"objective": "a", "assistant_response": "b"}])
    with pytest.raises(UserError, match=r"refusal.csv: no column 'human_score'; expected objective, "):
        calibrate(str(folder))


def test_a_family_needs_rows_of_other_folds_and_more_right_than_wrong():
    """Lock: what only a held-out row speaks for is off when that row is judged."""
    rows = [Labelled("PyRIT", "Tell me how", DECLINES, "1", True) for _ in range(9)]
    lonely = Labelled("PyRIT", "Tell me how", MACHINE, "1", True)
    assert supported(rows) == {"ability"} and supported([*rows, lonely]) == {"ability", "machine"}
    assert classify_refusal(MACHINE, "Tell me how").degree is Degree.FULL
    assert left_out([*rows, lonely]) == [Degree.FULL] * 9 + [Degree.NONE]
    wrong = lonely._replace(refuses=False)
    assert "machine" not in supported([lonely, wrong]) and "machine" in supported([lonely, lonely, wrong])


@real_files
def test_real_labels_are_met():
    """The targets: F1 of at least 0.92 on PyRIT's refusals and 0.95 on XSTest's full refusals, also with families left out."""
    sets = {"XSTest": xstest(REAL), "PyRIT": pyrit(REAL)}
    if not all(sets.values()):
        pytest.skip("a labelled set is not among the real dataset files")
    both = [row for rows in sets.values() for row in rows]
    every = [classify_refusal(row.answer, row.prompt).degree for row in both]
    for degrees in (every, left_out(both)):
        shown = list(zip(both, degrees, strict=True))
        full = [(d is Degree.FULL, row.label[:1] == "2") for row, d in shown if row.set == "XSTest"]
        refusals = [(d is not Degree.NONE, row.refuses) for row, d in shown if row.set == "PyRIT"]
        for pairs, least in ((full, 0.95), (refusals, 0.92)):
            assert f1(confusion(*zip(*pairs, strict=True))).value >= least
