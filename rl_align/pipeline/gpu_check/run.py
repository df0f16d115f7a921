"""Runs the steps of a check one by one, each in a process of its own with the time that it is allowed, and keeps the record."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rl_align.pipeline.gpu_check import record as states
from rl_align.pipeline.gpu_check.command_lines import Commands
from rl_align.pipeline.gpu_check.machine import GPU, MemoryWatch, facts
from rl_align.pipeline.gpu_check.plan import GRACE_S, LEAST_S, Plan, Step, allowance_s
from rl_align.pipeline.gpu_check.process import Child, last_line
from rl_align.pipeline.gpu_check.record import Record
from rl_align.pipeline.gpu_check.summary import Summary

#: Seconds between two looks at a process, two saves of the record while it runs, and two signs of life.
POLL_S, SAVE_S, HEARTBEAT_S = 0.05, 10.0, 15.0


class GPUCheck:
    """A check in a folder; one that was ended there goes on.

    Args:
        plan: What is done.
        folder: Where.
        minutes: How long it may take from `began`.
        began: Unix time.
        gpu: The GPU; None for a check of the CPU.
        overrides: `key=value` strings for the experiment.
        python: What runs the modules of the steps.
        grace_s: Seconds that a step has between being asked to end and being killed.
        say: Gets a line where a person wants one.

    Raises:
        UserError: The folder holds a check of another kind, or the settings cannot work.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        minutes: float,
        began: float,
        gpu: GPU | None,
        overrides: Sequence[str] = (),
        python: Sequence[str] = (sys.executable,),
        grace_s: float = GRACE_S,
        say: Callable[[str], None] = print,
    ):
        self.plan, self.folder, self.gpu = plan, folder, gpu
        self.python, self.grace_s, self.say = list(python), grace_s, say
        self.end = time.monotonic() + minutes * 60 - (time.time() - began)
        self.commands = Commands(plan, folder, cpu=gpu is None, overrides=overrides)
        self.record = Record(folder, plan.kind, [step.name for step in plan.steps])
        self.record.machine = facts(gpu, self.commands.config.engine)
        self.record.about["minutes"] = minutes
        self.summary = Summary(self.commands, self.record, gpu)
        self._saved = self._spoke = time.monotonic()

    def run(self) -> Record:
        """Runs what is not done yet, until it is done or the time is up; returns the record as it was last saved."""
        for number, step in enumerate(self.plan.steps, start=1):
            label = f"[{number}/{len(self.plan.steps)}] {step.name}"
            made_with = self._made_with(step)
            known = self.record.steps.get(step.name, {})
            if self.commands.finished(step) and known.get("state") == states.DONE and made_with.items() <= known.items():
                self.say(f"{label}: done before")
            elif why := self._hindrance(step):
                kept = known.get("state") in (states.STOPPED, states.INTERRUPTED, states.FAILED)
                self.record.step(step.name, state=known["state"] if kept else states.NOT_REACHED, why=why)
                self.say(f"{label}: not reached, {why}")
            else:
                allowed = allowance_s(step, self.plan.steps[number:], self.end - time.monotonic(), self.grace_s)
                self.say(f"{label}: {step.does} (at most {_minutes(allowed)})")
                self._one(step, made_with, allowed)
        self._save()
        return self.record

    def _made_with(self, step: Step) -> dict[str, Any]:
        """What a step's results depend on: with another of these it is done again."""
        attention = self.record.machine["attention"]["trainer"]
        return {"command": self.commands.of(step), "settings": self.commands.settings, "attention": attention}

    def _hindrance(self, step: Step) -> str:
        """Why a step cannot run now; empty when it can."""
        for name in step.needs:
            state = self.record.steps.get(name, {}).get("state", states.NOT_REACHED)
            if state != states.DONE:
                return f"it needs {name}, which is {state}"
        if self.end - time.monotonic() - self.grace_s < LEAST_S:
            return "the time was up"
        return self.commands.lacks(step)

    def _one(self, step: Step, made_with: dict[str, Any], allowed_s: float) -> None:
        """Runs one step and records how it ended, whatever ends it."""
        log = self.folder / "logs" / f"{step.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.commands.forget(step)
        if not made_with.items() <= self.record.steps.get(step.name, {}).items():
            self.record.steps.pop(step.name, None)  # another configuration's times and peaks are not this one's
        entry = self.record.step(step.name, state=states.RUNNING, why="", log=str(log), began=states.now(), **made_with)
        entry["attempts"] = entry.get("attempts", 0) + 1
        self.record.save()
        self._spoke = time.monotonic()
        begun, before = time.monotonic(), entry.get("seconds", 0.0)
        memory = MemoryWatch(self.gpu is not None)
        state, why = states.INTERRUPTED, "the check was ended"
        try:
            with memory, Child([*self.python, *made_with["command"]], log, self.grace_s) as child:
                while (code := child.poll()) is None and time.monotonic() < begun + allowed_s:
                    time.sleep(POLL_S)
                    entry["seconds"] = round(before + time.monotonic() - begun, 2)
                    self._look(log)
            state, why = self._how(code, allowed_s, log)
        finally:
            entry.update(state=state, why=why, seconds=round(before + time.monotonic() - begun, 2))
            if memory.peak_mib is not None:
                entry["gpu_memory_peak_mib"] = max(memory.peak_mib, entry.get("gpu_memory_peak_mib", 0))
            self._save()
        self.say(f"      {state} after {_minutes(time.monotonic() - begun)}" + (f": {why}" if why else ""))

    def _how(self, code: int | None, allowed_s: float, log: Path) -> tuple[str, str]:
        if code is None:
            return states.STOPPED, f"its {_minutes(allowed_s)} were up; the same command goes on"
        return (states.FAILED, f"exit code {code}: {last_line(log)[:300]}") if code else (states.DONE, "")

    def _look(self, log: Path) -> None:
        """While a process runs: saves now and then what it has measured so far, and shows that it lives."""
        now = time.monotonic()
        if now - self._saved > SAVE_S:
            self._save()
        if now - self._spoke > HEARTBEAT_S:
            self._spoke = now
            self.say(f"      ... {last_line(log)[:100]}")

    def _save(self) -> None:
        self.summary.measure()
        self.record.save()
        self._saved = time.monotonic()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
