"""What is kept of every training step: metrics, rollouts with their components, the ledger, alarms, one line on the console."""

from __future__ import annotations

import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reward.credit import Credit
from rl_align.runfiles import events
from rl_align.runfiles.atomic import append_line, write_text
from rl_align.runfiles.ledger import Ledger

from .board import layout
from .panel import Panel
from .progress import Progress
from .watch import Watch

#: verl's name of a part of a step → ours.
PARTS = {
    "gen": "generate",
    "old_log_prob": "old_log_prob",
    "ref": "ref_log_prob",
    "adv": "advantage",
    "update_actor": "update",
    "update_weights": "sync",
    "step": "step",
}
#: Metrics of verl that say nothing here (one turn, no staleness) or that we keep under other names.
DROPPED = ("training/off_policy/", "training/num_turns/", "num_turns/", "global_seqlen/", "timing_", "training/epoch")
CORRELATION = "training/rollout_actor_probs_pearson_corr"
#: A value of these that is not finite means that training is broken.
WATCHED = (CORRELATION, "actor/pg_loss", "actor/grad_norm", "loss/train")


class StepRecord:
    """Writes `metrics.jsonl`, `rollouts/step_N.jsonl`, `ledger.jsonl`, `events.jsonl` and TensorBoard files of one training stage.

    It stands where verl expects its logger (`log`, `finish`), which is called once at the end of every step.

    Args:
        settings: The engine's own part of the configuration (`rl_align` in verl's): folder, stage, steps, …
    """

    def __init__(self, settings: Mapping[str, Any]):
        self.settings = settings
        self.folder = Path(settings["folder"])
        self.stage: str = settings["stage"]
        self.ledger = Ledger(self.folder / "ledger.jsonl")
        self.after_log: Callable[[int], None] = lambda step: None
        self.progress = Progress(self.folder, self.stage)
        self._writer: Any = None
        self.drawn: list[str] | None = None  # item ids of a step without rollouts
        self._step: dict[str, Any] = {}
        self._extra: dict[str, float] = {}
        self._begun = time.time()
        self._logged: float | None = None
        self._panel = Panel(settings)
        self.watch = Watch.of(settings)

    def ready(self) -> None:
        """Marks the moment at which the engine is ready to take its first step."""
        seconds = time.time() - float(self.settings["command_began"])
        self._extra["time/ready"] = seconds
        self._begun = time.time()
        self.progress.say(f"{self.stage}: engine ready after {seconds:.0f} s")

    def credited(self, step: int, keys: Sequence[str], told: Sequence[Any], credit: Credit, metrics: dict) -> None:
        """Takes a batch's rewards and advantages; adds our metrics to the step's."""
        metrics |= summarise(told, credit) | self._panel.read(keys, told, credit)
        self.watch.add({key: text for key, text, row in zip(keys, told, credit.rows, strict=True) if row})
        metrics |= self.watch.take()
        self._step = {"step": step, "keys": list(keys), "told": list(told), "credit": credit}

    def log(self, data: Mapping[str, Any], step: int) -> None:
        """Writes the step, in an order that makes it redone, never lost, when the process is killed in between."""
        values = rename(data) | self._extra
        now = time.perf_counter()
        if self._logged is not None:
            values["time/wall"] = now - self._logged  # from the end of one step to the end of the next, whatever lies between
        self._logged = now
        broken = [name for name in WATCHED if name in data and not math.isfinite(float(data[name]))]
        if broken:
            values["alarm/not_finite"] = len(broken)
            self._raise(f"{', '.join(broken)} is not a finite number", step)
        self._extra = {}
        self._alarm(values, step)
        if self._step:
            for message in self._panel.alarm(values):
                self._raise(message, step)
        append_line(self.folder / "metrics.jsonl", {"stage": self.stage, "step": step, **values})
        if self._step:
            self._write_rollouts(step)
        self._tensorboard(values, step)
        self.ledger.commit(self.stage, step, self._items())
        if step % int(self.settings.get("line_every", 1)) == 0:
            self._line(values, step)
        begun = time.perf_counter()
        self.after_log(step)
        saved = time.perf_counter() - begun
        if saved > 0.01:
            self._extra["time/checkpoint"] = saved

    def finish(self, exit_code: int = 0) -> None:
        """Closes files."""
        if self._writer is not None:
            self._writer.close()

    def _items(self) -> list[str]:
        if self.drawn is not None:
            return sorted(self.drawn)
        order = (t["item_id"] for t, row in zip(self._step["told"], self._step["credit"].rows, strict=True) if row)
        return sorted(dict.fromkeys(order))

    def _write_rollouts(self, step: int) -> None:
        lines = rollout_lines(step, self._step["keys"], self._step["told"], self._step["credit"])
        write_text(Path(self.settings["rollouts"]) / f"step_{step:05d}.jsonl", "\n".join(lines) + "\n")

    def _alarm(self, values: dict[str, float], step: int) -> None:
        correlation, limit = values.get(CORRELATION), float(self.settings["correlation_alarm"])
        if correlation is not None and not correlation > limit:
            values["alarm/correlation"] = 1.0
            what = f"rollout and trainer probabilities correlate {correlation:.4f}, expected > {limit}"
            self._raise(f"{what}: the two engines do not compute the same model", step)

    def _raise(self, message: str, step: int) -> None:
        """An alarm, on the console, among the run's events and in TensorBoard's texts."""
        self.progress.say(f"{self.stage}: ALARM at step {step}: {message}")
        events.add(self.folder, self.stage, step, "alarm", message)
        self._board().add_text("alarms", message, step)

    def _tensorboard(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._board().add_scalar(name, value, step)

    def _board(self) -> Any:
        """The writer of TensorBoard's files, made when it is first needed."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder / "tensorboard" / self.stage), flush_secs=10)
            self._writer.add_custom_scalars(layout())
        return self._writer

    def _line(self, values: Mapping[str, float], step: int) -> None:
        total = int(self.settings["steps"])
        done = step - int(self.settings["first_step"]) + 1
        left = (time.time() - self._begun) / max(1, done) * (total - step)
        shown = [f"{self.stage} {step}/{total}"]
        for name, label in (("reward/total", "reward"), ("loss/train", "loss"), ("response_length/mean", "tokens")):
            if name in values:
                shown.append(f"{label} {values[name]:.3g}")
        shown += [f"{n.split('/')[1]} {v:.2f}" for n, v in values.items() if n.startswith("reward/") and n.count("/") == 2]
        if CORRELATION in values:
            shown.append(f"corr {values[CORRELATION]:.4f}")
        shown.append(f"{values.get('time/step', 0):.2f} s")
        shown.append(f"{left:.0f} s left")
        self.progress.say(" | ".join(shown))


def rollout_lines(step: int, keys: Sequence[str], told: Sequence[Any], credit: Credit) -> list[str]:
    """The rollouts of a credited batch as JSON lines, sorted."""
    lines = []
    for key, text, row, advantage, keep in zip(keys, told, credit.rows, credit.advantage, credit.keep, strict=True):
        if row is None:
            continue
        lines.append(
            json.dumps(
                {
                    "step": step,
                    "item_id": text["item_id"],
                    "session": int(row.session),
                    "seat": row.seat.value,
                    "prompt": text.get("prompt"),
                    "image": text.get("image"),
                    "text": text["text"],
                    "breakdown": dict(row.components),
                    "gate": text.get("gate"),
                    "reward": row.reward,
                    "advantage": round(advantage, 6),
                    "status": row.status.value,
                    "kept": keep,
                    "tokens": text["tokens"],
                    "group": key.rsplit("_", 2)[0],
                    **({"truth": text["truth"]} if "truth" in text else {}),
                    **({"judges": judges} if (judges := text.get("facts", {}).get("judges")) else {}),
                },
                ensure_ascii=False,
            )
        )
    return sorted(lines)


def summarise(told: Sequence[Any], credit: Credit) -> dict[str, float]:
    """Metrics of one credited batch, by slash path; means are over scored rows only."""
    rows = [(t, row, keep) for t, row, keep in zip(told, credit.rows, credit.keep, strict=True) if row]
    metrics: dict[str, float] = {
        "credit/rows": len(rows),
        "credit/kept": sum(keep for *_, keep in rows),
        "credit/unscored": sum(row.reward is None for _, row, _ in rows),
        "credit/lonely_groups": credit.lonely_groups,
        "credit/flat_groups": credit.flat_groups,
        "credit/not_finite": credit.not_finite,
    }
    rewards = [row.reward for _, row, _ in rows if row.reward is not None]
    if rewards:
        metrics["reward/total"] = fmean(rewards)
    columns: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _, row, _ in rows:
        for name, value in row.components.items():
            if value is not None:
                columns[name, row.seat.value].append(value)
    metrics |= {f"reward/{name}/{seat}": fmean(values) for (name, seat), values in sorted(columns.items())}
    for status, count in Counter(row.status.value for _, row, _ in rows).items():
        metrics[f"status/{status}"] = count
    for gate, count in Counter(t["gate"] for t, *_ in rows if t.get("gate")).items():
        metrics[f"gate/{gate}"] = count
    costs = [t["score_s"] for t, *_ in rows if "score_s" in t]
    if costs:
        metrics["time/reward"] = sum(costs)
        metrics["perf/reward_ms_per_rollout"] = 1000 * fmean(costs)
    return metrics


def rename(data: Mapping[str, Any]) -> dict[str, float]:
    """verl's metrics under our names, finite scalars only. What a step spends outside its named parts is `time/wait`."""
    out: dict[str, float] = {}
    for name, value in data.items():
        if name.startswith("timing_s/"):
            part = PARTS.get(name.removeprefix("timing_s/"))
            if part:
                out[f"time/{part}"] = float(value)
        elif not name.startswith(DROPPED):
            try:
                number = float(value)
            except (TypeError, ValueError):
                continue
            if math.isfinite(number):
                out[name] = number
    if "time/step" in out:
        named = sum(out.get(f"time/{p}", 0.0) for p in PARTS.values() if p != "step")
        out["time/wait"] = max(0.0, out["time/step"] - named)
    return out
