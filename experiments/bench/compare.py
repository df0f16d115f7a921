"""Question: how long is a step of this engine, beside a step of TRL's GRPOTrainer on the same model, batch and lengths?
Command: python experiments/bench/compare.py
Expect: a table with the median seconds of both sides and their ratio (≤ 1.3 at 3m, ≤ 0.9 at 30m), and compare.json.
Cost: about 5 minutes at 3m and 15 at 30m on two idle cores, and 20 seconds once to install TRL into .venv-trl.

The sides take turns (ours, TRL, ours, TRL), each run in its own process, so that a drift of the machine meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = HERE / ".venv-trl"
TRL = "trl==1.16.0"

#: Largest ratio of our step to TRL's that is good enough.
TARGETS = {"3m": 1.3, "30m": 0.9}
STEPS = {"3m": 12, "30m": 8}
DEADLINE_S = 1800


def install_trl() -> Path:
    """Make TRL's environment where it is missing, with the versions of torch and transformers that this one has."""
    python = VENV / "bin" / "python"
    done = VENV / "installed"
    same = [TRL, *(f"{name}=={metadata.version(name)}" for name in ("torch", "torchvision", "transformers", "pillow"))]
    if done.is_file() and done.read_text() == "\n".join(same):
        return python
    print(f"installing {TRL} into {VENV.relative_to(ROOT)}", file=sys.stderr)
    env = {"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **os.environ}
    links = os.environ.get("PIP_FIND_LINKS")
    source = ["--find-links", links] if links else ["--torch-backend", "cpu"]
    uv = [sys.executable, "-m", "uv"]
    overrides = ROOT / "launch" / "requirements" / "overrides-cpu.txt"
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], env=env, check=True)
    into = ["--python", str(python), "--override", str(overrides), *source]
    subprocess.run([*uv, "pip", "install", "--quiet", "--compile-bytecode", *into, *same], env=env, check=True)
    subprocess.run([str(python), "-m", "rl_align.engine.cpu.torchvision_ops", "install"], cwd=ROOT, check=True)
    done.write_text("\n".join(same))
    return python


def write_workload(folder: Path, size: str) -> tuple[Path, Path]:
    """The model and the rows that `rl_align.engine.bench` makes for itself; both are functions of their seeds."""
    from rl_align.engine.bench import CORPUS, write_rows
    from rl_align.models.config import ModelConfig
    from rl_align.models.tiny import build

    folder.mkdir(parents=True, exist_ok=True)
    model = build(ModelConfig(size=size, vocab_size=512), folder / "model", CORPUS)
    rows = folder / "rows.parquet"
    write_rows(rows, 256, 84)
    return model, rows


def run(command: list[str], log: Path, result: Path, env: dict[str, str]) -> dict:
    """Run one side to its end and read its JSON; it and its children end with this process or at the deadline."""
    result.unlink(missing_ok=True)
    load = os.getloadavg()[0]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(DEADLINE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            raise
    if code or not result.is_file():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        sys.exit(f"compare: {' '.join(command[:3])} … ended with code {code}; the end of {log}:\n{tail}")
    return {**json.loads(result.read_text()), "load_before": load}


def steady(runs: list[dict], warmup: int) -> dict:
    """Medians over the steps after the warm-up, of all runs together and of each run."""
    steps = [run["step_s"][warmup:] for run in runs]
    parts = {
        name: statistics.median([s for run in runs for s in run["parts"][name][warmup:]]) for name in runs[0]["parts"]
    }
    return {
        "median_s": statistics.median([s for run in steps for s in run]),
        "run_medians_s": [statistics.median(run) for run in steps],
        "parts_s": parts,
        "tokens": runs[0]["tokens"],
        "corr_min": min((c for run in runs for c in run.get("corr", [])), default=None),
        "load_before": [run["load_before"] for run in runs],
    }


def compare(size: str, args: argparse.Namespace, trl_python: Path) -> dict:
    """Both sides in turn at one size."""
    folder = args.out / size
    model, rows = write_workload(folder, size)
    steps = str(args.steps or STEPS.get(size, 8))
    threads = str(args.threads)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    ours: list[dict] = []
    theirs: list[dict] = []
    for turn in range(args.rounds):
        result = folder / f"ours-{turn}.json"
        command = [sys.executable, "-m", "rl_align.engine.bench", "--size", size, "--steps", steps]
        command += ["--json", str(result)]
        ours.append(run(command, folder / f"ours-{turn}.log", result, dict(os.environ)))
        result = folder / f"trl-{turn}.json"
        command = [str(trl_python), str(HERE / "trl_step.py"), "--model", str(model), "--data", str(rows)]
        command += ["--steps", steps, "--json", str(result), *(["--float32"] if args.trl_float32 else [])]
        theirs.append(run(command, folder / f"trl-{turn}.log", result, env))
        mine, other = (statistics.median(side[-1]["step_s"][args.warmup :]) for side in (ours, theirs))
        print(f"{size}, round {turn + 1} of {args.rounds}: ours {mine:.2f} s, TRL {other:.2f} s", file=sys.stderr)
    sides = {"ours": steady(ours, args.warmup), "trl": steady(theirs, args.warmup)}
    ratio = sides["ours"]["median_s"] / sides["trl"]["median_s"]
    return {"size": size, "steps": int(steps), **sides, "ratio": ratio, "target": TARGETS.get(size)}


def table(results: list[dict]) -> str:
    """The comparison as Markdown."""
    head = "| size | side | step s (median) | runs | parts | tokens/step | ratio | target |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for result in results:
        for name in ("ours", "trl"):
            side = result[name]
            runs = ", ".join(f"{s:.2f}" for s in side["run_medians_s"])
            parts = ", ".join(f"{part} {s:.2f}" for part, s in side["parts_s"].items() if s >= 0.005)
            verdict = (f"{result['ratio']:.2f}", f"≤ {result['target']}") if name == "ours" else ("", "")
            lines.append(
                f"| {result['size']} | {name} | {side['median_s']:.2f} | {runs} | {parts} | {side['tokens']:.0f} | "
                f"{verdict[0]} | {verdict[1]} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["3m", "30m"])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument("--steps", type=int, help="steps of each run (12 at 3m, 8 at 30m)")
    parser.add_argument("--warmup", type=int, default=3, help="steps of each run that do not count")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of TRL's process")
    parser.add_argument("--trl-float32", action="store_true", help="TRL without its default autocast to bfloat16")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    args = parser.parse_args()
    if args.warmup >= (args.steps or min(STEPS.values())):
        parser.error("--warmup leaves no step to count")
    args.out = args.out.resolve()
    # Without this a SIGTERM would leave the side that runs behind, in a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    python = install_trl()
    results = [compare(size, args, python) for size in args.sizes]
    (args.out / "compare.json").write_text(json.dumps(results, indent=1))
    print(table(results))
    if any(load > 0.7 for result in results for side in ("ours", "trl") for load in result[side]["load_before"]):
        print("The machine was not idle before a run (load_before in compare.json): trust the ratio less.")


if __name__ == "__main__":
    main()
