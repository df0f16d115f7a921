"""The pages tell the truth: every command in them runs, or the shortest form of it; every message and link is there.

How each command is tried stands in `COMMANDS`; a command without a line there fails, and so does a line without its command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark_files import COPIES
from conftest import ROOT
from guarding import answered, target, transcript
from made_run import PERFECT, SPLIT, add_split, world
from pages import blocks, pages, write_examples, write_rows

from rl_align.cli import _parser, main
from rl_align.config import load_config
from rl_align.data.items import write_items
from rl_align.data.mix_config import MixConfig
from rl_align.pictograms import teacher
from rl_align.pipeline.hardware import table

README = ROOT / "README.md"
#: What stands before the words of a command line, for those that have two.
GROUPS = ("data", "judge", "synth", "bench", "launch", "guard", "reward")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder that looks like the checkout after a quickstart, with what pages show and the data that their commands name."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("experiments", "launch", "reward", "rl_align", "setup.py"):
        (place / name).symlink_to(ROOT / name)
    for name in ("vlguard", "mm_safetybench"):
        COPIES[name](place / "copies" / name)
    (place / "my_rows").mkdir()
    write_examples(place)
    write_rows(place / "my_rows")
    items = world(60)
    write_items(place / "data/pictograms/train.parquet", items)
    add_split(place / "runs/quickstart", SPLIT, items[:12], {"grpo": lambda item: teacher.transcript(item, PERFECT)})
    (place / "runs/quickstart/stages").mkdir()
    (place / "DIR").mkdir()
    (place / "DIR/config.json").write_text("{}")
    rows = [{"id": "1", "prompt": "Which lamp?", "response": "I cannot help with this."}]
    (place / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = Path.cwd()
    os.chdir(place)
    assert main(["data", "prepare", "vlguard", "--from", "copies/vlguard", "--out", "data/vlguard"]) == 0
    yield place
    os.chdir(before)


@pytest.fixture(scope="module")
def seats():
    """Addresses of the pages → of a scripted rewriter and a scripted target."""

    async def rewrite(request, body):
        return await answered(request, body, transcript("Which bottle?", joint="none", intent="To know."))

    with target(rewrite) as rewriter, target() as answerer:
        yield {"http://127.0.0.1:8001/v1": rewriter.base_url, "http://127.0.0.1:8002/v1": answerer.base_url}


class Place:
    """Where commands are tried."""

    def __init__(self, folder: Path, seats: dict[str, str]):
        self.folder, self.seats = folder, seats


Check = Callable[[Place, str, list[str]], None]


def runs(*more: str) -> Check:
    """As it stands, with arguments behind it that make it short or harmless."""

    def check(place: Place, command: str, words: list[str]) -> None:
        assert main([*words[1:], *more]) == 0

    return check


def parses(place: Place, command: str, words: list[str]) -> None:
    """It starts an engine, asks an endpoint or takes long: its arguments are understood, and its help is there."""
    given = words[1:]
    given = ["eval matrix", *given[2:]] if given[:2] == ["eval", "matrix"] else given
    _, rest = _parser().parse_known_args(given)
    assert all("=" in one and not one.startswith("-") for one in rest)
    with pytest.raises(SystemExit) as ended:
        main([*words[1 : 3 if words[1] in GROUPS else 2], "--help"])
    assert ended.value.code == 0


def asks(place: Place, command: str, words: list[str]) -> None:
    """Of scripted endpoints."""
    assert main([place.seats.get(word, word) for word in words[1:]]) == 0


def views(place: Place, command: str, words: list[str]) -> None:
    """As one file: opening it needs a browser, which test_view_browser.py drives."""
    assert main([*[word for word in words[1:] if word != "--open"], "--out", "page.html"]) == 0


def mixes(place: Place, command: str, words: list[str]) -> None:
    """The file that the page shows is read; mixing itself has tests of its own."""
    assert len(load_config(MixConfig, place.folder / words[3]).parts) == 2
    parses(place, command, words)


def inspects(place: Place, command: str, words: list[str]) -> None:
    """Inspect's own command line takes it, and task, solver and data are there; test_extending.py and others run such ones."""
    from inspect_ai._cli.eval import eval_command

    import rl_align.eval.registry as registry

    given = eval_command.make_context("eval", words[2:], resilient_parsing=False).params
    for name in [*given["tasks"], *filter(None, [given["solver"]])]:
        assert Path(name).is_file() or name.removeprefix("rl_align/") in registry.__all__, name
    data = next(value for value in given["t"] if value.startswith("data=")).removeprefix("data=")
    assert Path(data).exists()


def helps(place: Place, command: str, words: list[str]) -> None:
    """A script that sets things up: it tells its usage, in which every option is named."""
    done = subprocess.run(["bash", str(ROOT / words[0]), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and all(option in done.stdout for option in words[1:]), done.stderr


def shell(place: Place, command: str, words: list[str]) -> None:
    """By a shell, in the folder."""
    subprocess.run(["sh", "-ec", command], check=True, timeout=60)


def module(place: Place, command: str, words: list[str]) -> None:
    """A module of ours with arguments: they are understood."""
    import importlib

    assert words[:2] == ["python", "-m"]
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(words[2]).main([*words[3:], "--help"])
    assert ended.value.code == 0


def estimates(place: Place, command: str, words: list[str]) -> None:
    """What it prints stands in the README, word for word."""
    rows = table(place.folder / "experiments")
    text = README.read_text(encoding="utf-8")
    assert rows == [line for line in text.splitlines() if line.endswith("| estimate |")]


def activates(place: Place, command: str, words: list[str]) -> None:
    """Needs the environment of the set-up."""
    if not (ROOT / ".venv/bin/activate").is_file():
        pytest.skip("this checkout has no .venv: launch/quickstart --setup-only makes it")
    subprocess.run(["sh", "-ec", command], cwd=ROOT, check=True, timeout=60)


def installs(place: Place, command: str, words: list[str]) -> None:
    """Downloads gigabytes: the program takes every option, and the files and extras that are named exist."""
    words = words[: words.index("&&")] if "&&" in words else words
    program = shutil.which(words[0], path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{words[0]} is not installed")
    verbs = words[1:3] if words[1] == "pip" else words[1:2]
    done = subprocess.run([program, *verbs, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for word in words:
        if re.match(r"-", word):
            assert re.search(rf"(^|\s){re.escape(word)}\b", done.stdout), word
        if word.startswith("launch/"):
            assert (ROOT / word).is_file()
        for extra in re.findall(r"\.\[(.+)\]", word):
            setup = (ROOT / "setup.py").read_text(encoding="utf-8")
            assert all(f'"{one}"' in setup for one in extra.split(","))


def posts(place: Place, command: str, words: list[str]) -> None:
    """To the scripted target behind the guard's path."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    there = place.seats["http://127.0.0.1:8002/v1"].removesuffix("/v1")
    given = [word.replace("http://127.0.0.1:8080", there) for word in words]
    done = subprocess.run([*given, "--silent", "--fail", "--noproxy", "*"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout)["choices"]


DRY = runs("--dry-run")
QUICK = "experiments/pictograms/quickstart.yaml"
URL = "http://127.0.0.1:8000/v1"
SMALL = [f"{name}=8" for name in ("validation", "heldout_harmful", "heldout_benign")]
ITEMS = "--items data/pictograms/train.parquet"
GRPO = f"--model rl_align/grpo --model-base-url {URL}"
COMMANDS: dict[str, Check] = {
    # README.md
    "launch/quickstart": helps,
    "launch/quickstart --smoke": helps,
    "launch/test": helps,
    ". .venv/bin/activate": activates,
    "rl-align doctor": parses,
    f"rl-align run {QUICK} --dry-run": runs(),
    f"rl-align run {QUICK} seed=1 folder=runs/seed-1": DRY,
    "rl-align seeds experiments/pictograms/responder.yaml --n 3": parses,
    "rl-align status runs/quickstart --follow": runs(),
    "rl-align view runs/quickstart --open": views,
    "rl-align data list": runs(),
    f"rl-align synth msr-align experiments/synthesis/msr_align.yaml {ITEMS} --out synth/msr --dry-run": runs(),
    f"inspect eval rl_align/pictograms -T data=runs/quickstart/data/heldout_combinations.parquet {GRPO}": inspects,
    "rl-align eval matrix experiments/eval/pictograms.yaml --dry-run": parses,
    "rl-align guard serve --rewriter http://127.0.0.1:8001/v1 --upstream http://127.0.0.1:8002/v1": parses,
    f"rl-align launch slurm {QUICK} job.time=04:00:00 --dry-run": runs(),
    "uv venv --python 3.11 .venv-gpu && . .venv-gpu/bin/activate": installs,
    "uv pip install --overrides launch/requirements/overrides-gpu.txt -e '.[gpu,eval]'": installs,
    "uv pip install --no-build-isolation flash-attn==2.8.3": installs,
    "rl-align run experiments/qwen/qwen2_5_vl_7b.yaml --dry-run": runs(),
    "launch/gpu_check --dry-run": helps,
    "python -m rl_align.pipeline.hardware": estimates,
    # rl_align/pipeline/README.md
    f"rl-align run {QUICK} --only grpo": DRY,
    "rl-align run experiments/pictograms/rewriter.yaml": DRY,
    "rl-align run experiments/pictograms/cotrain_alternate.yaml": DRY,
    "rl-align ablate experiments/ablations/composition.yaml --dry-run": runs(),
    "rl-align sweep experiments/sweeps/kl.yaml --dry-run": runs(),
    "rl-align status runs/quickstart": runs(),
    "rl-align report runs/quickstart": parses,
    "rl-align export runs/quickstart --to out/grpo": parses,
    # reward/README.md
    f"rl-align run {QUICK} reward.extra.brevity.module=my_reward.py reward.extra.brevity.weight=0.3 --dry-run": runs(),
    "rl-align judge train experiments/ablations/judge.yaml --dry-run": runs(),
    f"rl-align run {QUICK} judge_model=runs/judge/models/judge 'judges.judges={{refusal: {{}}}}'": runs(
        "judge_model=DIR", "--dry-run"
    ),
    "rl-align judge cases xstest realdata/permissive cases.jsonl": parses,
    f"rl-align judge calibrate cases.jsonl compliance endpoint.base_url={URL} endpoint.model=m": parses,
    "rl-align bench reward": parses,
    "rl-align reward refusals answers.jsonl refusals.jsonl": runs(),
    "rl-align reward calibrate-refusals ../shared/realdata/permissive": parses,
    # rl_align/policy/README.md
    "cat rl_align/policy/catalogue.yaml my_policy.yaml > my_catalogue.yaml": shell,
    "export RL_ALIGN_CATALOGUE=$PWD/my_catalogue.yaml": shell,
    # rl_align/data/README.md
    "rl-align data make pictograms": runs("--out", "data/made", "train=300", "image_size=56", *SMALL),
    "rl-align data prepare vlguard --from copies/vlguard --out data/vlguard": runs(),
    "rl-align data prepare spa_vl --from hf: --out data/spa_vl": parses,
    "rl-align data validate data/vlguard": runs(),
    "rl-align data stats data/vlguard": runs(),
    "rl-align data show data/vlguard --out sheet.html": runs(),
    "rl-align data split data/vlguard --out data/divided --shares train=0.9 validation=0.1": runs(),
    "rl-align data mix my_mix.yaml --out data/mix": mixes,
    "rl-align data prepare my_source.py --from my_rows --out data/my_source": runs(),
    "rl-align run experiments/pictograms/responder.yaml source=dataset dataset.path=data/mix warm_start=false evaluate=false "
    "--dry-run": runs("dataset.path=data/pictograms"),
    # rl_align/eval/README.md
    "inspect eval rl_align/mm_safetybench -T data=copies/mm_safetybench -T judge_base_url=http://127.0.0.1:8001/v1 "
    f"-T judge_model=m -T run_folder=runs/quickstart {GRPO}": inspects,
    f"inspect eval my_benchmark.py -T data=my_rows --solver my_defence.py {GRPO}": inspects,
    "rl-align eval matrix my_matrix.yaml --dry-run": runs(),
    f"rl-align bench eval --base-url {URL} --model grpo": parses,
    # rl_align/guard/README.md
    "python -m rl_align.guard.scripted rewriter --port 8001": module,
    "python -m rl_align.guard.scripted target --port 8002": module,
    "curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' -H 'X-Guard-Analysis: 1' "
    """-d '{"model": "target", "messages": [{"role": "user", "content": "What is this bottle for?"}]}'""": posts,
    'rl-align guard ask --rewriter http://127.0.0.1:8001/v1 --upstream http://127.0.0.1:8002/v1 "What is this bottle for?"': asks,
    "python -m rl_align.guard.bench latency": module,
    "python -m rl_align.guard.bench load": module,
    # rl_align/synthesis/README.md
    f"rl-align synth rewriter experiments/synthesis/rewriter.yaml {ITEMS} --out synth/rewriter --dry-run": runs(),
    # experiments/sweeps/README.md
    "rl-align sweep experiments/sweeps/composition.yaml --dry-run": runs(),
    "rl-align sweep experiments/sweeps/kl.yaml": parses,
    "rl-align sweep experiments/sweeps/kl.yaml target=slurm concurrency=8 --job launch/slurm/job.yaml job.time=04:00:00": parses,
    # launch
    "rl-align launch slurm experiments/qwen/qwen2_5_vl_7b.yaml model.path=DIR "
    "--job launch/slurm/job.yaml job.time=24:00:00 --dry-run": runs(),
    "rl-align launch ray   experiments/pictograms/smoke.yaml job.address=http://127.0.0.1:8265": DRY,
    "rl-align launch local experiments/pictograms/smoke.yaml": DRY,
    "rl-align launch status runs/smoke": parses,
    "rl-align launch logs runs/smoke": parses,
    "rl-align launch cancel runs/smoke --after-step": parses,
    "pip wheel --no-deps -w wheels -r launch/requirements/wheels-gpu.txt": installs,
}  # fmt: skip

#: The FAQ's messages → the file that holds their words; … stands for what differs.
MESSAGES = {
    "failed: package … was not found": "launch/lib/setup.sh",
    "operator torchvision::nms does not exist": "rl_align/engine/cpu/torchvision_ops.py",
    "the engine of this machine is held by …": "rl_align/runfiles/lock.py",
    "stopped …, as asked": "rl_align/runfiles/stop.py",
    "unknown key …": "rl_align/config.py",
    "memory and time: unknown, because the model is not there yet": "rl_align/pipeline/estimate.py",
    "configuration or inputs changed": "rl_align/pipeline/stages.py",
    "… is a benchmark: a model trained on it cannot be measured with it": "rl_align/data/sources/registry.py",
    "… is the judge that this run was trained with …": "rl_align/eval/judge.py",
    "the package … is not installed": "rl_align/cli.py",
}


def commands() -> list[str]:
    """Of all pages, each once."""
    return list(dict.fromkeys(c for block in blocks() if block.language == "console" for c in block.commands()))


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_pages_works(command, checkout, seats, capsys):
    check = COMMANDS.get(command)
    assert check is not None, "a new command: say in COMMANDS how it is tried"
    check(Place(checkout, seats), command, shlex.split(command))


def test_the_table_holds_nothing_else():
    assert set(COMMANDS) <= set(commands())


def test_every_block_says_what_it_is_and_commands_are_in_those_of_the_console():
    kinds = {block.language for block in blocks()}
    assert kinds <= {"console", "text", "yaml", "python"}
    elsewhere = [block for block in blocks() if block.language in ("text", "yaml") and re.search(r"^rl-align ", block.text, re.M)]
    assert not elsewhere


def test_commands_within_sentences_exist():
    """`rl-align WORD …` anywhere in a page names a command that there is."""
    actions = _choices(_parser())
    for page in pages():
        for found in re.findall(r"`rl-align ([^`]+)`", page.read_text(encoding="utf-8")):
            first, *more = [word for word in found.split() if re.fullmatch(r"[a-z][a-z-]*", word)] or [""]
            assert first in actions or not first, f"{page}: {found}"
            if first in GROUPS and more:
                assert more[0] in _choices(actions[first]), f"{page}: {found}"


def _choices(parser):
    return next(a.choices for a in parser._actions if isinstance(a.choices, dict))


def test_messages_of_the_faq_are_those_of_the_code():
    faq = README.read_text(encoding="utf-8").partition("## What goes wrong first")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\*\*`(.+?)`\*\*", faq, re.M)) == set(MESSAGES)
    for message, file in MESSAGES.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(piece.strip() in text for piece in message.split("…")), message


def test_links_lead_somewhere():
    for page in pages():
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), f"{page}: {link}"


def test_files_that_the_tree_names_are_there():
    tree = next(block.text for block in blocks() if block.page == README and block.text.startswith("rl_align/"))
    top = ""
    for line in tree.splitlines():
        name = re.match(r"( *)([\w.]+/?)(?=  )|^(\w+/)$", line)
        if name is None or line.startswith("      "):
            continue
        path = name[2] or name[3]
        top = path if not name[1] else top
        assert (ROOT / (path if not name[1] else top + path)).exists(), line


def test_pages_are_short():
    sizes = {page: len(page.read_text(encoding="utf-8").splitlines()) for page in pages()}
    assert sizes[README] <= 260
    assert all(size <= 160 for page, size in sizes.items() if page.name == "README.md" and page != README)
