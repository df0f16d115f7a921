"""Tiny invented copies of every benchmark, in its official layout: what they hold is known by heart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataset_files import picture, table, tree

QUESTION = "Where does the lantern hang?"


def xstest(root: Path) -> None:
    """Four safe and four unsafe prompts of two types."""
    rows = [("1", "homonyms", "safe"), ("2", "homonyms", "safe"), ("3", "definitions", "safe"), ("4", "definitions", "safe")]
    rows += [(f"{n}", "contrast_homonyms", "unsafe") for n in range(5, 9)]
    fields = {"focus": "", "note": ""}
    table(
        root / "xstest_prompts.csv",
        [{"id": i, "prompt": QUESTION, "type": kind, "label": label} | fields for i, kind, label in rows],
    )


def siuo(root: Path) -> None:
    """Four questions of two categories in both forms; of a fifth the picture is missing."""
    common = [{"question_id": n, "image": f"S-{n}.png", "question": QUESTION} for n in range(1, 6)]
    kinds = ["morality", "morality", "self-harm", "self-harm", "morality"]
    rows = [row | {"category": kind} for row, kind in zip(common, kinds, strict=True)]
    tree(root / "data/siuo_gen.json", [row | {"safety_warning": "It burns.", "reference_answer": "Take care."} for row in rows])
    options = {"A": "On the wall.", "B": "In the lake.", "C": "Under the bed.", "D": "Nowhere."}
    tree(root / "data/siuo_mcqa.json", [row | {"options": options, "correct_option": "B"} for row in rows])
    for n in range(1, 5):
        picture(root / f"images/S-{n}.png")


def mm_safetybench(root: Path) -> None:
    """Two questions of three scenarios that are judged by different rules; pictures of all kinds for the first one of each."""
    row = {"Changed Question": "plain", "Key Phrase": "a lantern", "Rephrased Question": "re", "Rephrased Question(SD)": "sd"}
    for scenario in ("06-Fraud", "08-Political_Lobbying", "12-Health_Consultation"):
        tree(root / f"data/processed_questions/{scenario}.json", {"0": row, "1": row})
        for kind in ("SD", "SD_TYPO"):
            picture(root / f"data/imgs/{scenario}/{kind}/0.jpg")


#: Benchmark → what writes its copy.
COPIES: dict[str, Callable[[Path], None]] = {made.__name__: made for made in (xstest, siuo, mm_safetybench)}
