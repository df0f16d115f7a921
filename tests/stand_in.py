"""Stands for `rl-align run` where an engine would take minutes: `python tests/stand_in.py CONFIG key=value …`.

It trains nothing, yet goes through the stages, ledger, checkpoints and requests to stop that every run goes through. What it
computes depends on every step before it: a run that was stopped and continued shows whether anything was lost or done twice.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from rl_align.config import load_config
from rl_align.engine.checkpoints import resume_point, seal_and_prune
from rl_align.errors import Stopped
from rl_align.pipeline.stages import Stage, run_stages
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import append_line, write_json
from rl_align.runfiles.ledger import Ledger


@dataclass
class StandIn:
    """A run that only counts.

    Attributes:
        folder: Run folder.
        steps: Steps to take.
        step_s: Seconds of each.
        save_every: Steps between checkpoints.
        hold_at: A step that lasts until the run is asked to stop; 0 for none.
        fail_at: A step that fails; 0 for none.
        actor: Take the steps in a process of Ray's, of the cluster that RAY_ADDRESS names.
        secret: A variable that must be set, as a key of an endpoint must.
        seed: Shifts what is measured a little, as a seed's luck does.
        gain: Raises the reward and lowers over-refusal.
        kind: "odd" lowers them as well; a setting without an order.
        reuse: Other run folders; nothing is taken over from them.
    """

    folder: str = "runs/stand-in"
    steps: int = 6
    step_s: float = 0.05
    save_every: int = 100
    hold_at: int = 0
    fail_at: int = 0
    actor: bool = False
    secret: str = ""
    seed: int = 0
    gain: float = 0.0
    kind: str = "even"
    reuse: list[str] = field(default_factory=list)


class Counter:
    """One step: the next state follows from the one before it."""

    def pid(self) -> int:
        return os.getpid()

    def step(self, state: str, seconds: float, held_in: str | None) -> str:
        time.sleep(seconds)
        while held_in and not stop.requested(Path(held_in)):
            time.sleep(0.02)
        return hashlib.sha256(state.encode()).hexdigest()


def train(config: StandIn) -> None:
    folder, ledger = Path(config.folder), Ledger(Path(config.folder) / "ledger.jsonl")
    root = folder / "checkpoints" / "train"
    good = resume_point(root)
    step, state = (int(good.name.rpartition("_")[2]), (good / "state").read_text()) if good else (0, "start")
    take = _take(config, folder)
    with stop.asked_by_signals(folder):
        while step < config.steps:
            if step + 1 == config.fail_at:
                raise RuntimeError("this step fails")
            step += 1
            state = take(state, str(folder) if step == config.hold_at else None)
            logged = {"reward/total": config.gain + step / 100}
            append_line(folder / "metrics.jsonl", {"stage": "train", "step": step, "state": state, **logged})
            ledger.commit("train", step, [f"item-{step}"])
            print(f"step {step}", flush=True)
            if step % config.save_every == 0 or step == config.steps or stop.requested(folder):
                checkpoint = root / f"global_step_{step}"
                checkpoint.mkdir(parents=True)
                (checkpoint / "state").write_text(state)
                seal_and_prune(checkpoint, step, keep=2)
            if step < config.steps:
                stop.obey(folder, f"after step {step} of {config.steps} of train")
    write_json(folder / "summary.json", {"state": state, "models": {"grpo": {"held": measured(config)}}})


def measured(config: StandIn) -> dict[str, float]:
    """What an evaluation would find."""
    lost = 0.1 if config.kind == "odd" else 0.0
    return {"attack_success": 0.05, "over_refusal": round(0.5 + config.seed / 100 + lost - config.gain / 10, 6)}


def _take(config: StandIn, folder: Path):
    if not config.actor:
        return lambda state, held_in: Counter().step(state, config.step_s, held_in)
    import ray

    ray.init(log_to_driver=False)
    actor = ray.remote(Counter).remote()
    write_json(folder / "actor.json", {"pid": ray.get(actor.pid.remote())})
    return lambda state, held_in: ray.get(actor.step.remote(state, config.step_s, held_in))


def main() -> int:
    config = load_config(StandIn, sys.argv[1], sys.argv[2:])
    if config.secret and not os.environ.get(config.secret):
        print(f"{config.secret} is not set")
        return 2
    folder = Path(config.folder)
    outputs, partial = [folder / "summary.json"], [folder / "checkpoints"]
    stage = Stage("train", lambda: train(config), [config.steps], outputs=outputs, partial=partial)
    try:
        run_stages(folder, [stage])
    except Stopped as stopped:
        print(stopped)
        return stop.AGAIN
    except Exception as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
