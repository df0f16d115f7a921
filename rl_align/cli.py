"""The command line. It imports what a command needs when the command runs: `rl-align --help` is instant."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rl_align.data.commands import add_actions, add_bench
from rl_align.errors import EngineFailed, Stopped, UserError

PROG = "rl-align"
#: Commands of two words, the first of which is a command of its own. A run folder of the second name is written ./matrix.
MATRIX, EXPORT, CROSSCHECK = "eval matrix", "eval export-predictions", "eval crosscheck"
OK, FAILED, BAD_INPUT, STOPPED, INTERRUPTED = 0, 1, 2, 75, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, fix=f"see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; those of the process when None.

    Returns:
        The exit code: 0 done, 1 failed, 2 bad input, 75 stopped because it was asked to, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        # A batch system's signals must run the `finally` blocks that end the engine's processes.
        for ending in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    debug = "--debug" in arguments
    try:
        return _run([a for a in arguments if a != "--debug"])
    except Stopped as stopped:
        return _fail(str(stopped), STOPPED, debug)
    except UserError as error:
        return _fail(f"error: {error}", FAILED if isinstance(error, EngineFailed) else BAD_INPUT, debug)
    except KeyboardInterrupt:
        return _fail("interrupted; run the same command again to continue", INTERRUPTED, debug)
    except BrokenPipeError:
        # The reader of our output is gone; keep the interpreter from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("rl_align", "reward"):
            return _fail(_unexpected(error), FAILED, debug)
        fix = "install it: `launch/quickstart --setup-only`, or pip with setup.py's extras"
        return _fail(f"error: the package {error.name} is not installed; {fix}", BAD_INPUT, debug)
    except Exception as error:
        return _fail(_unexpected(error), FAILED, debug)


def _run(arguments: list[str]) -> int:
    parser = _parser()
    if not arguments:
        parser.print_help()
        return BAD_INPUT
    if " ".join(arguments[:2]) in (MATRIX, EXPORT, CROSSCHECK):
        arguments = [" ".join(arguments[:2]), *arguments[2:]]
    known, rest = parser.parse_known_args(arguments)
    unknown = [a for a in rest if a.startswith("-") or not hasattr(known, "overrides")]
    if unknown:
        raise UserError(f"unknown argument {unknown[0]}", fix=f"see `{PROG} {known.command} --help`")
    if rest:
        known.overrides = [*known.overrides, *rest]
    return known.call(known) or OK


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"{PROG}: {message}", file=sys.stderr, flush=True)
    return code


def _unexpected(error: Exception) -> str:
    if getattr(error, "traceback_file", None):
        return str(error)
    lines = [line for line in str(error).splitlines() if line.strip()] or ["no message"]
    return f"failed: {type(error).__name__}: {lines[0][:300]}; run it with --debug to see where"


def _lazy(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _run_command(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.run:run")(a.config, a.overrides, dry_run=a.dry_run, only=a.only)


def _gpu_check(a: argparse.Namespace) -> int:
    return _lazy("rl_align.pipeline.gpu_check.command:command")(
        big=a.big,
        device=a.device,
        minutes=a.minutes,
        folder=a.folder,
        dry_run=a.dry_run,
        began=a.began,
        overrides=a.overrides,
    )


def _launch(a: argparse.Namespace) -> int:
    return _lazy("rl_align.launch.commands:launch")(a.action, a.config, a.overrides, a.job, dry_run=a.dry_run)


def _launch_status(a: argparse.Namespace) -> None:
    print("\n".join(_lazy("rl_align.launch.commands:status")(a.job)))


def _launch_logs(a: argparse.Namespace) -> None:
    print("\n".join(_lazy("rl_align.launch.commands:logs")(a.job, a.attempt, a.lines)))


def _launch_cancel(a: argparse.Namespace) -> None:
    print(_lazy("rl_align.launch.commands:cancel")(a.job, after_step=a.after_step))


def _seeds(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.seeds:run_seeds")(a.config, a.overrides, a.n)


def _ablate(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.ablation:ablate")(a.config, a.overrides, dry_run=a.dry_run)


def _sweep(a: argparse.Namespace) -> int | None:
    given = [*a.configs, *a.overrides]
    paths = [text for text in given if "=" not in text or Path(text).is_file()]
    overrides = [text for text in given if text not in paths]
    if not paths:
        raise UserError("no configuration", fix=f"see `{PROG} sweep --help`")
    call = _lazy("rl_align.sweep.run:sweep")
    return call(paths, overrides, a.job, dry_run=a.dry_run, retry_failed=a.retry_failed)


def _status(a: argparse.Namespace) -> None:
    if a.follow:
        _lazy("rl_align.pipeline.status:follow")(a.folder)
    else:
        print("\n".join(_lazy("rl_align.pipeline.status:status")(a.folder)))


def _evaluate(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.evaluate:evaluate")(a.folder, a.overrides)


def _matrix(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.grid:matrix")(a.config, a.overrides, dry_run=a.dry_run)


def _export_predictions(a: argparse.Namespace) -> None:
    export = _lazy("rl_align.eval.vlmevalkit.commands:export")
    print("\n".join(export(a.logs, a.to, kind=a.files, model=a.model, epoch=a.epoch, whole=a.whole)))


def _crosscheck(a: argparse.Namespace) -> int:
    judge = {"judge_base_url": a.judge_base_url, "judge_model": a.judge_model, "judge_api_key_env": a.judge_api_key_env}
    crosscheck = _lazy("rl_align.eval.vlmevalkit.commands:crosscheck")
    lines, explained = crosscheck(a.logs, a.kit, epoch=a.epoch, whole=a.whole, **judge)
    print("\n".join(lines))
    return OK if explained else FAILED


def _report(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.report:report")(a.folder)


def _export(a: argparse.Namespace) -> None:
    given = {"stage": a.stage, "card_only": a.card_only, "vllm": not a.no_vllm, "keep_adapter": a.keep_adapter}
    _lazy("rl_align.pipeline.export.command:export")(a.folder, a.to, **given)


def _view(a: argparse.Namespace) -> None:
    _lazy("rl_align.report.view.command:view")(a.folder, a.out, a.max_mb, a.host, a.port, a.open)


def _judge_train(a: argparse.Namespace) -> int | None:
    return _lazy("rl_align.pipeline.judge:train")(a.config, a.overrides, dry_run=a.dry_run)


def _judge_calibrate(a: argparse.Namespace) -> None:
    print(_lazy("rl_align.pipeline.calibrate:calibrate_file")(a.cases, a.preset, a.overrides, a.out))


def _judge_cases(a: argparse.Namespace) -> None:
    print("\n".join(_lazy("rl_align.eval.calibration_cases:write_cases")(a.set, a.folder, a.out)))


def _synth(a: argparse.Namespace) -> None:
    _lazy("rl_align.pipeline.synthesis:synthesise")(a.action, a.config, a.overrides, a.items, a.out, dry_run=a.dry_run)


def _bench_reward(a: argparse.Namespace) -> None:
    _lazy("rl_align.pipeline.reward_bench:bench")(a.count)
    _lazy("rl_align.pipeline.judge_bench:bench")(a.opinions)


def _bench_eval(a: argparse.Namespace) -> None:
    given = {"count": a.count, "concurrency": a.concurrency, "rounds": a.rounds, "max_tokens": a.max_tokens}
    folder = Path(a.model_folder) if a.model_folder else None
    _lazy("rl_align.eval.bench:bench")(a.base_url, a.model, folder=folder, api_key_env=a.api_key_env, **given)


def _doctor(a: argparse.Namespace) -> int:
    return _lazy("rl_align.doctor:doctor")()


def _refusals(a: argparse.Namespace) -> None:
    _lazy("reward.refusals:label_file")(a.source, a.target)


def _calibrate_refusals(a: argparse.Namespace) -> None:
    print(_lazy("reward.refusal_calibration:calibrate")(a.folder))


def _guard_serve(a: argparse.Namespace) -> None:
    _lazy("rl_align.guard.commands:serve")(_guard(a))


def _guard_ask(a: argparse.Namespace) -> None:
    _lazy("rl_align.guard.commands:ask")(_guard(a), a.model, a.prompt, a.image, a.max_tokens)


def _guard(a: argparse.Namespace) -> Any:
    given = {"server.host": getattr(a, "host", None), "server.port": getattr(a, "port", None), "rewriting.on_failure": a.on_failure}
    overrides = [*(f"{key}={value}" for key, value in given.items() if value is not None), *a.overrides]
    return _lazy("rl_align.guard.commands:load")(a.config, overrides, a.rewriter, a.rewriter_model, a.upstream)


def _parser() -> argparse.ArgumentParser:
    about = "Safety alignment of vision-language models by GRPO: data, warm start, training, evaluation, report."
    epilog = "Settings are written key=value. Every command takes --debug, which shows where an error comes from."
    parser = _Parser(prog=PROG, description=about, epilog=epilog)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    quickstart = "experiments/pictograms/quickstart.yaml"
    run = _add(commands, "run", _run_command, "run an experiment, or continue it", f"run {quickstart} seed=2")
    _config(run)
    run.add_argument("--dry-run", action="store_true", help="print what would be done, and start nothing")
    run.add_argument("--only", action="append", default=[], metavar="STAGE", help="run this stage alone; may be repeated")

    seeds = _add(commands, "seeds", _seeds, "run it with several seeds, then tabulate", f"seeds {quickstart} --n 3")
    _config(seeds)
    seeds.add_argument("--n", type=_count, default=3, metavar="N", help="number of seeds (default: 3)")

    composition = "experiments/ablations/composition.yaml"
    ablate = _add(commands, "ablate", _ablate, "compare arms of an experiment over seeds", f"ablate {composition} --dry-run")
    _config(ablate)
    ablate.add_argument("--dry-run", action="store_true", help="print the runs, and start nothing")

    example = "sweep experiments/sweeps/*.yaml --dry-run"
    sweep = _add(commands, "sweep", _sweep, "vary settings of an experiment: grid, random or ASHA", example)
    sweep.add_argument("configs", metavar="CONFIG", nargs="+", help="YAML files of sweeps, then key=value for all of them")
    sweep.add_argument("--job", metavar="FILE", help="YAML file of the jobs, as for `launch`; job.key=value replaces keys")
    sweep.add_argument("--dry-run", action="store_true", help="print the trials and what they cost, and start nothing")
    sweep.add_argument("--retry-failed", action="store_true", help="run failed trials again")
    sweep.set_defaults(overrides=[])

    slurm = "job.nodes=2 job.gpus_per_node=8 job.time=12:00:00"
    launch = _add(commands, "launch", None, "run an experiment here, on Ray or on SLURM", f"launch slurm {quickstart} {slurm}")
    actions = launch.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    for target, help, settings in (
        ("local", "run it here, and keep the log of every attempt", "seed=2"),
        ("ray", "submit it to a Ray cluster", "job.address=http://127.0.0.1:8265"),
        ("slurm", "submit it to SLURM; it goes back into the queue when its time is over", slurm),
    ):
        _launched(_add(actions, target, _launch, help, f"launch {target} {quickstart} {settings}"))
    _job(_add(actions, "status", _launch_status, "where a job stands, and how its attempts ended", "launch status runs/quickstart"))
    logs = _add(actions, "logs", _launch_logs, "the last lines of an attempt", "launch logs runs/quickstart --attempt 2")
    _job(logs)
    logs.add_argument("--attempt", type=_count, metavar="N", help="which one (default: the last)")
    logs.add_argument("--lines", type=_count, default=50, metavar="N", help="how many (default: 50)")
    cancel = _add(actions, "cancel", _launch_cancel, "end a job", "launch cancel runs/quickstart --after-step")
    _job(cancel)
    cancel.add_argument("--after-step", action="store_true", help="let it finish its step and save a checkpoint first")

    data = _add(commands, "data", None, "make, check, look at, mix and divide datasets", "data list")
    actions = data.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    add_actions(actions, _add)

    status = _add(commands, "status", _status, "where a run stands", "status runs/quickstart")
    _folder(status)
    status.add_argument("--follow", action="store_true", help="then show what its stages say until none of them runs any more")
    report = _add(commands, "report", _report, "write summary.json and report.html again", "report runs/quickstart")
    _folder(report)
    view = _add(commands, "view", _view, "browse a run's answers and rollouts", "view runs/quickstart --open")
    _folder(view)
    view.add_argument("--out", metavar="FILE.html", help="write one self-contained file instead of serving")
    view.add_argument("--max-mb", type=_size, default=16.0, metavar="MB", help="rows that go into that file at most (default: 16)")
    view.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    view.add_argument("--port", type=int, help="port to listen on (default: 8760, or any that is free)")
    view.add_argument("--open", action="store_true", help="open it in a browser")
    export = _add(commands, "export", _export, "a model of a run as a Hugging Face folder", "export runs/quickstart --to out/grpo")
    _folder(export)
    export.add_argument("--to", required=True, metavar="DIR", help="folder to write, which must not hold anything")
    export.add_argument("--stage", default="grpo", metavar="NAME", help="which model of the run (default: grpo)")
    export.add_argument("--card-only", action="store_true", help="write the model card, and no model")
    export.add_argument("--no-vllm", action="store_true", help="verify with transformers only")
    export.add_argument("--keep-adapter", action="store_true", help="of LoRA: keep the adapter beside its model")
    evaluate = _add(commands, "eval", _evaluate, "evaluate the models of a run", "eval runs/quickstart eval.temperature=0.7")
    _folder(evaluate)
    _overrides(evaluate)
    example = "eval matrix experiments/eval/pictograms.yaml --dry-run"
    matrix = _add(commands, MATRIX, _matrix, "models × defences × benchmarks × seeds, or continue", example)
    _config(matrix)
    matrix.add_argument("--dry-run", action="store_true", help="print what would be asked, what it takes, and what is missing")
    example = "eval export-predictions logs/a.eval --format vlmevalkit --to predictions"
    export = _add(commands, EXPORT, _export_predictions, "write the answers of logs as another harness's prediction files", example)
    _logs(export)
    export.add_argument("--format", choices=["vlmevalkit"], default="vlmevalkit", help="whose (default: vlmevalkit)")
    export.add_argument("--to", required=True, metavar="DIR", help="folder of the files, the harness's own --work-dir")
    export.add_argument("--files", choices=["xlsx", "tsv"], default="xlsx", help="what it reads (default: xlsx)")
    export.add_argument("--model", metavar="NAME", help="name of the model in them (default: the log's)")
    example = "eval crosscheck logs/a.eval --kit .venv-vlmevalkit/bin/python"
    crosscheck = _add(commands, CROSSCHECK, _crosscheck, "VLMEvalKit's scorer beside ours, and what differs", example)
    _logs(crosscheck)
    crosscheck.add_argument("--kit", required=True, metavar="PYTHON", help="Python of an environment with ms-vlmeval 0.0.20")
    crosscheck.add_argument("--judge-base-url", metavar="URL", help="its judge (default: it is told what ours said)")
    crosscheck.add_argument("--judge-model", metavar="NAME", help="name under which that is served")
    crosscheck.add_argument("--judge-api-key-env", metavar="VARIABLE", help="environment variable that holds the key")

    judge = _add(commands, "judge", None, "train and measure judges", "judge train experiments/ablations/judge.yaml")
    actions = judge.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    example = "judge train experiments/ablations/judge.yaml sft.steps=800"
    train = _add(actions, "train", _judge_train, "train a small judge and measure it, or continue", example)
    _config(train)
    train.add_argument("--dry-run", action="store_true", help="print what would be done, and start nothing")
    example = "judge calibrate cases.jsonl refusal endpoint.base_url=http://127.0.0.1:8000/v1 endpoint.model=m"
    calibrate = _add(actions, "calibrate", _judge_calibrate, "compare a judge's verdicts with labels", example)
    rows = 'rows {"id", "prompt", "answer", "label"}; where known "expected", "reference", "policy", "image" (beside the file)'
    calibrate.add_argument("cases", metavar="CASES.jsonl", help=rows)
    presets = "such as refusal, harm, llama_guard; of benchmarks compliance, answer_safety, msts, siuo_safe, strong_reject"
    calibrate.add_argument("preset", metavar="PRESET", help=presets)
    calibrate.add_argument("--out", metavar="FILE", help="where to keep the figures, for the `calibration` of an evaluation")
    _overrides(calibrate)
    example = "judge cases msts realdata/permissive msts.jsonl"
    cases = _add(actions, "cases", _judge_cases, "write answers that people have labelled, for calibrate", example)
    cases.add_argument("set", choices=["xstest", "pyrit", "msts"], help="whose labels")
    cases.add_argument("folder", metavar="FOLDER", help="holds xstest/, pyrit/ or msts/ in their official layouts")
    cases.add_argument("out", metavar="OUT.jsonl", help="where they go")

    example = "synth msr-align experiments/synthesis/msr_align.yaml --items data/pictograms/train.parquet --out synth/msr"
    synth = _add(commands, "synth", None, "make rows for SFT with models", example)
    actions = synth.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    _synthesised(_add(actions, "msr-align", _synth, "policy-grounded answers, checked and judged, or continue", example))
    example = "synth rewriter experiments/synthesis/rewriter.yaml --items data/pictograms --out synth/rewriter --dry-run"
    _synthesised(_add(actions, "rewriter", _synth, "safer prompts, proved at a target, or continue", example))

    bench = _add(commands, "bench", None, "measure speed", "bench reward")
    actions = bench.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    about = "rollouts a second through the rule rewards, on one core; what judging costs beside the judge"
    reward = _add(actions, "reward", _bench_reward, about, "bench reward")
    reward.add_argument("--count", type=_count, default=1000, metavar="N", help="different rollouts (default: 1000)")
    more = "opinions of a scripted judge (default: 4096)"
    reward.add_argument("--opinions", type=_opinions, default=4096, metavar="N", help=more)
    add_bench(actions, _add)
    example = "bench eval --base-url http://127.0.0.1:8000/v1 --model grpo"
    asked = _add(actions, "eval", _bench_eval, "tokens a second of the matrix beside a bare client's, at one endpoint", example)
    asked.add_argument("--base-url", required=True, metavar="URL", help="the endpoint, up to and including /v1")
    asked.add_argument("--model", required=True, metavar="NAME", help="name under which it serves the model")
    asked.add_argument("--model-folder", metavar="FOLDER", help="its Hugging Face folder: vision tokens are banned in answers")
    asked.add_argument("--api-key-env", metavar="VARIABLE", help="environment variable that holds the key")
    asked.add_argument("--count", type=_count, default=512, metavar="N", help="items (default: 512)")
    asked.add_argument("--concurrency", type=_count, default=128, metavar="N", help="requests in flight (default: 128)")
    asked.add_argument("--rounds", type=_count, default=2, metavar="N", help="passes of each (default: 2)")
    asked.add_argument("--max-tokens", type=_count, default=160, metavar="N", help="longest answer (default: 160)")

    reward = _add(commands, "reward", None, "run rule rewards on files", "reward refusals answers.jsonl refusals.jsonl")
    actions = reward.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    example = "reward refusals answers.jsonl refusals.jsonl"
    refusals = _add(actions, "refusals", _refusals, "label answers as full, partial or no refusals", example)
    refusals.add_argument("source", metavar="IN.jsonl", help='rows {"id", "prompt", "response"}; a prompt may be null')
    refusals.add_argument("target", metavar="OUT.jsonl", help='rows {"id", "refusal": "full" | "partial" | "none"}')
    example = "reward calibrate-refusals realdata/permissive"
    calibrate = _add(actions, "calibrate-refusals", _calibrate_refusals, "measure those labels against people's", example)
    calibrate.add_argument("folder", metavar="FOLDER", help="holds xstest/, pyrit/ or msts/ in their official layouts")

    endpoints = "--rewriter http://127.0.0.1:8001/v1 --upstream http://127.0.0.1:8002/v1"
    guard = _add(commands, "guard", None, "put a rewriter in front of a model", f"guard serve {endpoints}")
    actions = guard.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    example = f"guard serve {endpoints} --port 8080 server.concurrency=64"
    serve = _add(actions, "serve", _guard_serve, "an OpenAI-compatible proxy that rewrites every prompt", example)
    _guarded(serve)
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default: 8080)")
    _overrides(serve)
    example = f'guard ask {endpoints} --image x.png "What is this?"'
    ask = _add(actions, "ask", _guard_ask, "print analysis and answer of one request", example)
    _guarded(ask)
    ask.add_argument("--model", metavar="NAME", help="the target's model (default: the only one that it serves)")
    ask.add_argument("--image", action="append", default=[], metavar="FILE", help="an image; may be repeated")
    ask.add_argument("--max-tokens", type=_count, default=512, metavar="N", help="longest answer (default: 512)")
    ask.add_argument("prompt", metavar="PROMPT", help="what the person asks")
    _overrides(ask)

    check = _add(commands, "gpu-check", _gpu_check, "run and measure the pipeline on one GPU, or go on", "gpu-check --minutes 40")
    check.add_argument("--big", action="store_true", help="the shapes of a 3 B model instead of 100 M parameters")
    check.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: the same code with a tiny model")
    check.add_argument("--minutes", type=_count, metavar="N", help="ends by then, with what it has (default: as long as the plan)")
    check.add_argument("--folder", metavar="DIR", help="where it works (default: runs/gpu_check, runs/gpu_check_big, …)")
    check.add_argument("--dry-run", action="store_true", help="print the plan, and start nothing")
    check.add_argument("--began", type=float, help=argparse.SUPPRESS)
    _overrides(check)
    _add(commands, "doctor", _doctor, "check this machine and its packages", "doctor")
    return parser


def _add(commands: Any, name: str, call: Any, help: str, example: str) -> argparse.ArgumentParser:
    description = help[0].upper() + help[1:] + "."
    parser = commands.add_parser(name, help=help, description=description, epilog=f"example: {PROG} {example}")
    parser.set_defaults(call=call)
    return parser


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file of the experiment")
    _overrides(parser)


def _overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="settings that replace the file's")


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", metavar="LOG", nargs="+", help="log of siuo, xstest or mm_safetybench (`inspect eval`)")
    parser.add_argument("--epoch", type=_count, default=1, metavar="N", help="which answer to each item (default: the first)")
    parser.add_argument("--whole", action="store_true", help="all that was generated, and not what of it was judged")


def _launched(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--job", metavar="FILE", help="YAML file of the job: nodes, time …; job.key=value replaces keys")
    parser.add_argument("--dry-run", action="store_true", help="print the script, and start nothing")


def _job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB_OR_RUN", help="run folder, or the id of a job")


def _synthesised(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--items", required=True, metavar="PATH", help="parquet file of items, or a folder of such files")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="rows, what was rejected and why, every answer of a model")
    parser.add_argument("--dry-run", action="store_true", help="print calls and cost at most, and buy nothing")


def _guarded(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rewriter", metavar="URL", help="endpoint of the rewriter, up to and including /v1")
    parser.add_argument("--rewriter-model", metavar="NAME", help="its model (default: the only one that it serves)")
    parser.add_argument("--upstream", metavar="URL", help="endpoint of the target, up to and including /v1")
    parser.add_argument("--on-failure", choices=["closed", "open_on_outage", "open"], help="of the rewriter (default: closed)")
    parser.add_argument("--config", metavar="FILE", help="YAML file with settings: rewriter, rewriting, images, upstream, server")


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="RUN", help="run folder")


def _count(text: str, most: int = 1000) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
    return int(text)


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0.1 <= size <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 0.1 to 1000")
    return size


def _opinions(text: str) -> int:
    return _count(text, 100_000)


if __name__ == "__main__":
    sys.exit(main())
