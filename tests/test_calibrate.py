"""Calibration of a judge on labelled cases: against a scripted endpoint whose verdicts are known."""

from __future__ import annotations

import json

import pytest

from rl_align.cli import main
from rl_align.endpoints.fake import Fake, Script


def answer(body) -> str:
    """A judge that calls every answer right that holds the word good."""
    text = json.dumps(body["messages"][-1]["content"])
    return json.dumps({"reason": "r", "verdict": "right" if "good" in text else "wrong"})


def write(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def case(number: int, text: str, label: str, **more) -> dict:
    return {"id": str(number), "prompt": "p", "answer": text, "label": label, "expected": ["comply"], **more}


def run(fake: Fake, path: str, *more: str) -> int:
    return main(["judge", "calibrate", path, "refusal", f"endpoint.base_url={fake.base_url}", "endpoint.model=fake", *more])


def test_verdicts_are_compared_with_labels(tmp_path, capsys):
    rows = [case(1, "good one", "right"), case(2, "good two", "wrong"), case(3, "other", "wrong"), case(4, "other yet", "wrong")]
    rows.append(case(5, "good three", "right", expected=[]))  # nothing is known to be right, so nothing is asked
    with Fake(Script(answer=answer)) as fake:
        assert run(fake, write(tmp_path / "c.jsonl", rows)) == 0
    cells, under = table(capsys.readouterr().out)
    assert cells[:4] == ["refusal", "5", "1", "0.750"]
    assert cells[4].startswith("0.500") and cells[5].startswith("1.000") and cells[6].startswith("0.667")
    assert cells[8] == "0.250" and "with one vote ECE is the share of wrong labels" in under and "Position" not in under


def table(out: str) -> tuple[list[str], str]:
    """The cells of the only row, and what stands under the table."""
    head, _, under = out.partition("\n\n")
    return [cell.strip() for cell in head.splitlines()[-1].split("|")[1:-1]], under


def test_a_judge_that_leans_to_a_position_is_found_by_exchanging_the_answers(tmp_path, capsys):
    """It prefers what is good; where both or neither are, the first one, whichever that is."""

    def leaning(body) -> str:
        text = json.dumps(body["messages"][-1]["content"])
        first, second = ("good" in part for part in text.split("The first answer:")[1].split("The second answer:"))
        return json.dumps({"reason": "r", "verdict": "second" if second and not first else "first"})

    rows = [
        {**case(n, answer, label), "reference": reference}
        for n, (answer, reference, label) in enumerate(
            [("good one", "other", "second"), ("other", "good two", "first"), *[("plain", "plain too", "tie")] * 3]
        )
    ]
    path = write(tmp_path / "c.jsonl", [{**row, "prompt": f"p{n}"} for n, row in enumerate(rows)])
    with Fake(Script(answer=leaning)) as fake:
        told = ["endpoint.model=fake", f"endpoint.base_url={fake.base_url}"]
        assert main(["judge", "calibrate", path, "preference", *told]) == 0
        assert fake.counts["requests"] == 10, "every pair in both orders"
    cells, under = table(capsys.readouterr().out)
    assert cells[:4] == ["preference", "5", "0", "0.400"]
    assert (
        "0.400" in under.split("Position (preference): ")[1] and "first answer won whichever it was 3 times, the second 0" in under
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (case(1, "a", "great"), "c.jsonl:1: label 'great'; expected one of wrong, partly, right"),
        ({"id": "1", "prompt": "p", "label": "right"}, "c.jsonl:1: answer is None"),
        (case(1, "a", "right", expected=["obey"]), "c.jsonl:1"),
        ([1], "c.jsonl:1: is list"),
    ],
)
def test_a_bad_row_is_named(tmp_path, capsys, row, said):
    with Fake() as fake:
        assert run(fake, write(tmp_path / "c.jsonl", [row])) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_what_is_missing_is_said(tmp_path, capsys):
    with Fake() as fake:
        assert run(fake, str(tmp_path / "none.jsonl")) == 2
        assert run(fake, write(tmp_path / "c.jsonl", []), "judge.votes=0") == 2
    assert main(["judge", "calibrate", write(tmp_path / "c.jsonl", [case(1, "a", "right")]), "refusal"]) == 2
    assert "endpoint.base_url" in capsys.readouterr().err
