"""Tiny invented copies of every benchmark, in its official layout: what they hold is known by heart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataset_files import embedded, parquet, picture, table, tree

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


def figstep(root: Path) -> None:
    """Three rows of two categories; of the third the picture is missing."""
    rows = [("1", "1", "Fraud"), ("1", "2", "Fraud"), ("9", "1", "Financial Advice")]
    made = [{"category_id": c, "task_id": t, "category_name": n, "question": QUESTION, "instruction": "i"} for c, t, n in rows]
    table(root / "data/question/SafeBench-Tiny.csv", made)
    for task in (1, 2):
        picture(root / f"data/images/SafeBench-Tiny/query_ForbidQI_1_{task}_6.png")


def figstep_pro(root: Path) -> None:
    """The same rows, two of them with pieces."""
    figstep(root)
    sentences = root / "data/question/benign_sentences_without_harmful_phase.csv"
    sentences.write_text("sentence\nSteps to *.\nWays to *, slowly.\nHow to *.\n", encoding="utf-8")
    for row in (0, 1):
        for piece in (0, 1):
            picture(root / f"data/images/FigStep-Pro/sub-figures/image_{row}_splits/image_{row}_split_{piece}.png")


def beavertails_v(root: Path) -> None:
    """Two questions each of two categories, one in each layout: with a safe answer and without."""
    row = {"question": QUESTION, "image": embedded(), "image_severity": 1}
    pair = {"response_1": "Do.", "response_2": "Do not.", "more_helpful_response_id": "1", "safer_response_id": "2"}
    pair |= {"is_response_1_safe": "no", "is_response_2_safe": "yes"}
    rows = [row | pair | {"category": "animal_abuse"}, row | pair | {"category": "animal_abuse", "is_response_2_safe": "no"}]
    parquet(root / "data/animal_abuse/evaluation.parquet", rows)
    parquet(root / "data/animal_abuse/train.parquet", rows)
    flat = row | {"category": "false_information", "response": "Do not."}
    parquet(
        root / "data/false_information/evaluation.parquet", [flat | {"is_response_safe": "yes"}, flat | {"is_response_safe": "no"}]
    )


def spa_vl(root: Path) -> None:
    """Two harmful questions of two domains, two of the help split, and training rows that are not asked."""
    row = {"image": embedded(), "question": QUESTION}
    kinds = [{"class1": name, "class2": "b", "class3": "c"} for name in ("Toxicity", "Privacy")]
    for split in ("harm", "help"):
        parquet(root / f"test/{split}-0.parquet", [row | kind for kind in kinds])
    parquet(root / "data/train-0.parquet", [row | {"chosen": "a", "rejected": "b", "image_name": "x"}])


def vlguard(root: Path) -> None:
    """Two safe pictures with both instructions, one of them without a stored answer; two unsafe pictures."""
    safe = {"image": "a.png", "safe": True}
    turns = [{"safe_instruction": QUESTION, "response": "There."}, {"unsafe_instruction": QUESTION, "response": "No."}]
    silent = [{"safe_instruction": QUESTION, "response": ""}, turns[1]]
    unsafe = {"image": "a.png", "safe": False, "harmful_category": "privacy", "harmful_subcategory": "personal data"}
    unsafe |= {"instr-resp": [{"instruction": QUESTION, "response": "No."}]}
    rows = [safe | {"id": "1", "instr-resp": turns}, safe | {"id": "2", "instr-resp": silent}, unsafe | {"id": "3"}]
    tree(root / "test.json", [*rows, unsafe | {"id": "4"}])
    picture(root / "test/a.png")


def mis(root: Path) -> None:
    """Two easy questions and one hard one."""
    row = {"question": QUESTION, "category": "c", "sub_category": "s", "image_path1": "i/1.png", "image_path2": "i/2.png"}
    tree(root / "mis_easy.json", [row | {"id": 1}, row | {"id": 2}])
    tree(root / "mis_hard.json", [row | {"id": 1}])
    picture(root / "i/1.png"), picture(root / "i/2.png")


def holisafe(root: Path) -> None:
    """Two SSS, three SSU, one UUU."""
    row = {"image": "a.png", "query": QUESTION, "category": "c", "subcategory": "animal_abuse"}
    kinds = ["SSS", "SSS", "SSU", "SSU", "SSU", "UUU"]
    tree(root / "holisafe_bench.json", [row | {"id": n, "type": kind} for n, kind in enumerate(kinds)])
    picture(root / "images/a.png")


def jailbreakv_28k(root: Path) -> None:
    """Two attacks by text and one by a picture, under both names of a policy; a question alone, which is not asked."""
    row = {"jailbreak_query": "Wrapped.", "redteam_query": QUESTION, "policy": "Child Abuse", "image_path": "i/a.png"}
    rows = [row | {"id": "0", "format": "Template"}, row | {"id": "1", "format": "Logic", "policy": "Child Abuse Content"}]
    table(root / "JailBreakV_28K.csv", [*rows, row | {"id": "2", "format": "SD"}])
    table(root / "RedTeam_2K.csv", [{"id": "0", "question": QUESTION, "policy": "Fraud", "from": "x"}])
    picture(root / "i/a.png")


def msts(root: Path) -> None:
    """Two English cases in both forms of the prompt, one without its picture; a case of text alone; a German one."""
    row = {"hazard_category": "Violent crimes", "prompt_text": "Should I do this?"}
    kinds = ("prompt_assistance_text", "prompt_intention_text")
    rows = [row | {"case_id": case, "unsafe_image_id": case, "prompt_type": kind} for case in ("c1", "c2") for kind in kinds]
    table(root / "data/prompts/english_multimodal.csv", rows)
    table(root / "data/prompts/german_multimodal.csv", rows[:1])
    table(root / "data/prompts/english_textonly.csv", [row | {"case_id": "c1", "prompt_type": kinds[0]}])
    picture(root / "data/images/c1.png")


def mossbench(root: Path) -> None:
    """Three harmless questions of two kinds, a fourth without its picture, and a contrast, which is not asked."""
    rows = {
        str(n): {"image": f"images/{n}.png", "question": QUESTION, "pid": str(n), "metadata": {"over": over}}
        for n, over in ((1, "type 1"), (2, "type 1"), (3, "type 2"), (21, "type 3"))
    }
    tree(root / "data/images_information/information.json", rows)
    tree(root / "data_contrast/images_information/information.json", {"1": rows["1"]})
    for n in (1, 2, 3):
        picture(root / f"data/images/{n}.png")
    picture(root / "data_contrast/images/1.png")


def or_bench(root: Path) -> None:
    """Two hard prompts, three toxic ones; those of 80k are not asked."""
    for name, n in (("80k", 4), ("hard-1k", 2), ("toxic", 3)):
        table(root / f"or-bench-{name}.csv", [{"prompt": QUESTION, "category": "privacy"}] * n)


def strong_reject(root: Path) -> None:
    """Three prompts of two categories."""
    row = {"source": "custom", "forbidden_prompt": QUESTION}
    table(root / "strongreject_dataset.csv", [row | {"category": kind} for kind in ("Violence", "Violence", "Sexual content")])


def mathvista(root: Path) -> None:
    """A choice, a whole number, a number with one decimal, a word, a list."""
    row = {"question": "How many?", "image": "images/1.jpg", "choices": None, "unit": None, "precision": None}
    rows = [
        row | {"question_type": "multi_choice", "choices": ["3", "4"], "answer": "4", "answer_type": "text"},
        row | {"question_type": "free_form", "answer": "12", "answer_type": "integer"},
        row | {"question_type": "free_form", "answer": "1.2", "answer_type": "float", "precision": 1.0},
        row | {"question_type": "free_form", "answer": "Blue lantern", "answer_type": "text"},
        row | {"question_type": "free_form", "answer": "[1, 2]", "answer_type": "list"},
    ]
    tree(root / "data/testmini.json", {str(n): made for n, made in enumerate(rows)})
    picture(root / "data/images/1.jpg")


def mmmu(root: Path) -> None:
    """A choice, an open question with two right spellings, and a question whose answer is withheld."""
    row = {"question": "What is in <image 1>?", "options": "['a wall', 'a lake']", "image_1": embedded(), "image_2": None}
    row |= {"question_type": "multiple-choice"}
    open_ = {"question_type": "open", "options": "[]", "answer": "['seven', '7.0']"}
    rows = [row | {"id": "1", "answer": "B"}, row | open_ | {"id": "2"}]
    parquet(root / "Art/validation-0.parquet", rows)
    parquet(root / "Art/test-0.parquet", [row | {"id": "3", "answer": "?"}])


def mmstar(root: Path) -> None:
    """Three questions of two categories, all of them answered by C."""
    row = {"question": "Where? Options: A: wall, B: bed, C: lake, D: sky", "image": embedded(), "answer": "C", "l2_category": "l"}
    rows = [row | {"index": n, "category": kind} for n, kind in enumerate(("math", "math", "logic"))]
    parquet(root / "val-0.parquet", rows)


def scienceqa(root: Path) -> None:
    """Two test questions, one with a picture, and one for training, which is not asked."""
    row = {"question": "Where?", "choices": ["lake", "wall"], "answer": 1, "hint": "", "subject": "s", "topic": "t"}
    row |= {"split": "test"}
    rows = {"1": row | {"image": "image.png"}, "2": row | {"image": None}, "3": row | {"image": None, "split": "train"}}
    tree(root / "problems.json", rows)
    picture(root / "test/1/image.png")


_WRITERS = (
    siuo,
    mm_safetybench,
    figstep,
    figstep_pro,
    beavertails_v,
    spa_vl,
    vlguard,
    mis,
    holisafe,
    jailbreakv_28k,
    msts,
    xstest,
    mossbench,
    or_bench,
    strong_reject,
    mathvista,
    mmmu,
    mmstar,
    scienceqa,
)

#: Benchmark → what writes its copy.
COPIES: dict[str, Callable[[Path], None]] = {made.__name__: made for made in _WRITERS}
