"""What the tests of VLMEvalKit's files share: small benchmarks, logs of a scripted model and judge, and the kit's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import benchmarking
from benchmarking import HELP, PARTIAL, REFUSAL, judging, output, records
from conftest import ROOT
from dataset_files import picture, table, tree
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import Score

from rl_align.eval import registry
from rl_align.eval.benchmarks import build
from rl_align.eval.building import Benchmark
from rl_align.eval.logs import SCORER
from rl_align.eval.quiet import quiet_inspect
from rl_align.eval.vlmevalkit.scorer import PACKAGE

CAREFUL, JUNK = "That burns; hang it where nothing can catch fire.", "Lantern lantern."
THOUGHT = f"<think>I cannot say yet.</think>{HELP}"

#: Benchmark → answer to each of its questions, by number.
ANSWERS = {
    "xstest": [HELP, REFUSAL, PARTIAL, "", THOUGHT, REFUSAL, HELP, PARTIAL, "", JUNK],
    "siuo": [HELP, REFUSAL, "", CAREFUL, JUNK, PARTIAL],
    "choice": ["B", "The answer is B: a wall has none.", "", "In the lake.", "(B)", "Nobody can tell."],
    "mm": [HELP, REFUSAL, "", JUNK, "None"],
}
SCENARIOS = ("06-Fraud", "08-Political_Lobbying", "12-Health_Consultation")
#: Task → benchmark and arguments.
TASKS: dict[str, tuple[str, dict]] = {
    "xstest": ("xstest", {}),
    "siuo": ("siuo", {}),
    "choice": ("siuo", {"choice": True}),
    "mm": ("mm_safetybench", {"splits": "Text_only"}),
}


def copies(root: Path) -> dict[str, Path]:
    """Task → its data: half of XSTest is unsafe, MM-SafetyBench has every question in each of three scenarios."""
    ask = {name: [f"{name} {n}?" for n in range(len(answers))] for name, answers in ANSWERS.items()}
    rows = [{"id": str(n + 1), "prompt": text, "type": "t", "focus": "", "note": ""} for n, text in enumerate(ask["xstest"])]
    table(root / "xstest/xstest_prompts.csv", [row | {"label": "safe" if n < 5 else "unsafe"} for n, row in enumerate(rows)])
    gen = [{"question_id": n, "image": "S.png", "question": text, "category": "morality"} for n, text in enumerate(ask["siuo"])]
    tree(root / "siuo/data/siuo_gen.json", [row | {"safety_warning": "It burns.", "reference_answer": "Care."} for row in gen])
    options = {"A": "On the wall.", "B": "In the lake.", "C": "Under the bed.", "D": "Nowhere."}
    mcq = [row | {"question": text} for row, text in zip(gen, ask["choice"], strict=True)]
    tree(root / "siuo/data/siuo_mcqa.json", [row | {"options": options, "correct_option": "B"} for row in mcq])
    picture(root / "siuo/images/S.png")
    row = {"Key Phrase": "a lantern", "Rephrased Question": "re", "Rephrased Question(SD)": "sd"}
    questions = {str(n): row | {"Changed Question": text} for n, text in enumerate(ask["mm"])}
    for scenario in SCENARIOS:
        tree(root / f"mm/data/processed_questions/{scenario}.json", questions)
    return {"xstest": root / "xstest", "siuo": root / "siuo", "choice": root / "siuo", "mm": root / "mm"}


def decide(body: dict) -> str:
    """A judge that finds the careful answer safe and useful, and has no verdict on junk."""
    if JUNK in str(body["messages"]):  # asked again, the last message does not hold it
        return "neither"
    careful = benchmarking.material(body)["answer"] == CAREFUL
    return benchmarking.labels(body)[-1] if careful else benchmarking.sound(body)


def answer(prompt: str) -> str:
    """What the scripted model says."""
    name, number = prompt.splitlines()[0].rstrip("?").split()
    return ANSWERS[name][int(number)]


def inspected(root: Path) -> dict[str, str]:
    """Task → the log that Inspect leaves of the scripted model's answers, judged by the scripted judge."""
    data = copies(root / "data")
    model = get_model("mockllm/model", memoize=False, custom_outputs=lambda turns, *_: output(answer(turns[-1].text)))
    common = {"model": model, "log_dir": str(root / "logs"), "display": "none", "score_display": False, "log_realtime": False}
    with judging(decide) as (judge, _), quiet_inspect(root):
        made = [getattr(registry, name)(str(data[task]), **options, **judge) for task, (name, options) in TASKS.items()]
        found = inspect_eval(made, max_tasks=len(made), log_model_api=False, ctl_server=False, acp_server=False, **common)
    assert all(log.status == "success" for log in found)
    return dict(zip(TASKS, (log.location for log in found), strict=True))


def written(root: Path) -> dict[str, str]:
    """The same answers and judgements in logs that were put together, without Inspect's machinery."""
    data, found = copies(root / "data"), {}
    with judging(decide) as (judge, _):
        for task, (name, options) in TASKS.items():
            benchmark = build(name, str(data[task]), **options, **judge)
            made = records(benchmark, lambda told: answer(told["prompt"]))
            found[task] = str(root / f"{task}.eval")
            write_eval_log(log_of(benchmark, made), found[task])
    return found


def log_of(benchmark: Benchmark, made: list[dict], model: str = "openai/org/grpo-7b") -> EvalLog:
    """A log with these records, as many answers to a sample as there are."""
    asked = {str(sample.id): sample for sample in benchmark.samples}
    samples = [
        EvalSample(
            id=record["item_id"], epoch=record["epoch"], input="", target="", metadata=asked[record["item_id"]].metadata,
            scores={SCORER: Score(value="yes", metadata={"record": record})},
        )
        for record in made
    ]  # fmt: skip
    spec = EvalSpec(created="2026-01-01T00:00:00+00:00", task="t", dataset=EvalDataset(), model=model, config=EvalConfig())
    return EvalLog(eval=spec, status="success", samples=samples)


class NotServed(Exception):
    """The package index does not have the kit, or what it needs."""


def install() -> Path:
    """The Python of an environment with the real kit, made where it is missing: 2 GB, a minute, and a package index.

    Raises:
        NotServed: It cannot be installed.
    """
    place = ROOT / ".cache" / "vlmevalkit"
    python, done = place / "bin" / "python", place / "installed"
    if done.is_file() and done.read_text() == PACKAGE:
        return python
    links = os.environ.get("PIP_FIND_LINKS")
    source = ["--find-links", links] if links else ["--torch-backend", "cpu"]
    overrides = ROOT / "launch" / "requirements" / "overrides-cpu.txt"
    env = {"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **os.environ}
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], env=env, check=True)
    into = ["--python", str(python), "--override", str(overrides), *source]
    made = subprocess.run([*uv, "pip", "install", "--quiet", *into, PACKAGE], env=env, capture_output=True, text=True)
    if made.returncode:
        raise NotServed(f"{PACKAGE} cannot be installed: {made.stderr.strip()[:300]}")
    subprocess.run([str(python), "-m", "rl_align.engine.cpu.torchvision_ops", "install"], cwd=ROOT, check=True)
    done.write_text(PACKAGE)
    return python
