"""Asks what a matrix misses: round by round of servers, all cells of a round in one evaluation of Inspect's."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspect_ai import eval_async
from inspect_ai.model import GenerateConfig, Model
from inspect_ai.util import display_type

from rl_align.data.untrusted import shown
from rl_align.endpoints.serving import Server, ServerFailed
from rl_align.eval.grid.asking import Line, task_of
from rl_align.eval.grid.cells import Cell, Place
from rl_align.eval.grid.config import GridConfig
from rl_align.eval.grid.defending import solver_of
from rl_align.eval.grid.keeping import Keeping, Pulse
from rl_align.eval.grid.models import Starter, check_keys, model_of, served
from rl_align.eval.grid.places import missing, require
from rl_align.eval.grid.plan import FENCE, Plan, Round, rounds
from rl_align.eval.grid.rejudging import rejudge
from rl_align.eval.quiet import quiet_inspect

#: Makes the bar: `(answers there will be, answers there are) -> context of a function that is told how many more there are`.
Bar = Callable[[int, int], AbstractContextManager[Callable[[int], None]]]


@dataclass
class Asked:
    """What became of a cell in this run.

    Attributes:
        place: Its answers.
        failed: Item id → why there is no answer; of several answers to an item, the last one's reason.
        began: Time of its first request, on `time.monotonic`'s clock; 0 before it.
        seconds: From then to its last answer in this run.
    """

    place: Place
    failed: dict[str, str] = field(default_factory=dict)
    began: float = 0.0
    seconds: float = 0.0


class Grid:
    """One run of a matrix.

    Args:
        cfg: The matrix, checked.
        console: Gets a line for every cell that is finished, and for answers that are dropped.
        bar: Makes the bar of progress.
        start: Starts servers; vLLM's by default.

    Raises:
        UserError: Something is missing, or cannot be used.
    """

    def __init__(self, cfg: GridConfig, console: Callable[[str], None], bar: Bar, start: Starter | None = None):
        require(missing(cfg))
        check_keys(cfg)
        self.cfg, self.console, self._bar, self._start = cfg, console, bar, start
        self.plan = Plan(cfg)
        self.asked = {cell: Asked(self.plan.place(cell)) for cell in self.plan.cells}
        self._pulses = {(c.model, c.defence): Pulse(cfg.give_up_after) for c in self.plan.cells}
        for cell, one in self.asked.items():
            if one.place.dropped:
                console(f"{cell}: {one.place.dropped} answers dropped, because this changed: {one.place.why}")
        moved = {cell.model: one.place.moved for cell, one in self.asked.items() if one.place.moved}
        for name, address in moved.items():
            console(
                f"{name}: answers from {address} stay, as its model has the same name and revision; another revision drops them"
            )

    @property
    def missing(self) -> int:
        """Answers that are not there yet."""
        return sum(one.place.missing for one in self.asked.values())

    def run(self) -> None:
        """Asks all that is missing. What fails is kept with its reason, and does not keep others from being asked.

        Raises:
            KeyboardInterrupt: The person ended it; what was answered is kept.
        """
        places = [one.place for one in self.asked.values()]
        for place in places:
            sheet = self.plan.sheet(place.cell.model, place.cell.benchmark)
            assert sheet is not None
            if again := rejudge(place, sheet):
                self.console(f"{place.cell}: {again} answers judged anew")
        total = sum(len(r.ids) for p in places for r in p.recorders)
        due = [cell for cell, one in self.asked.items() if one.place.missing]
        try:
            with self._bar(total, total - self.missing) as tell:
                for one in rounds(self.plan, due):
                    self._round(one, tell)
        finally:
            for place in places:
                for recorder in place.recorders:
                    recorder.close()

    def _round(self, one: Round, tell: Callable[[int], None]) -> None:
        """One round; where a server does not come up, its cells fail, and the others have a round of their own."""
        try:
            with served(one.folders, self.cfg, self._start) as servers:
                self._ask(one.cells, servers, tell)
        except ServerFailed as error:
            if len(one.folders) > 1:
                for alone in self._apart(one):
                    self._round(alone, tell)
                return
            for cell in one.cells:
                self._lost(cell, str(error))

    def _apart(self, one: Round) -> list[Round]:
        """The round as one round for each set of servers that a cell needs; a set that needs them all is split no further."""
        found: dict[tuple[str, ...], Round] = {}
        for cell in one.cells:
            needed = [name for name in one.folders if name == cell.model or name in self.plan.partners(cell).values()]
            found.setdefault(tuple(needed), Round([], needed)).cells.append(cell)
        if len(found) == 1:
            for cell in one.cells:
                self._lost(cell, "a server of its model or of its defence's did not come up: see the logs in servers/")
            return []
        return list(found.values())

    def _lost(self, cell: Cell, why: str) -> None:
        place = self.asked[cell].place
        self.asked[cell].failed |= {id: why for recorder in place.recorders for id in recorder.missing}
        self.console(f"{cell}: not asked: {_line_of(why)}")

    def _ask(self, cells: Sequence[Cell], servers: Mapping[str, Server], tell: Callable[[int], None]) -> None:
        logs = Path(self.cfg.out) / "inspect"
        with quiet_inspect(logs):
            asyncio.run(self._ask_async(cells, servers, logs, tell))

    async def _ask_async(
        self, cells: Sequence[Cell], servers: Mapping[str, Server], logs: Path, tell: Callable[[int], None]
    ) -> None:
        names = dict.fromkeys(name for cell in cells for name in (cell.model, *self.plan.partners(cell).values()))
        models = {name: model_of(name, self.cfg, servers) for name in names}
        lines = {name: Line(model, self.cfg.everyone[name].concurrency or self.cfg.concurrency) for name, model in models.items()}
        passes = [self._pass(cell, k, models, lines, tell) for cell in cells for k in range(len(self.asked[cell].place.recorders))]
        passes = [one for one in passes if one is not None]
        display_type()  # reads INSPECT_DISPLAY; without it eval_async chooses a display that prints
        try:
            finished = await eval_async(
                [task for task, _ in passes],
                max_tasks=self.cfg.tasks_at_once,
                max_samples=self.cfg.concurrency,
                fail_on_error=False,
                log_dir=str(logs),
                log_samples=False,
                log_realtime=False,
                log_images=False,
                log_model_api=False,
                log_level="critical",
                score_display=False,
                ctl_server=False,
                acp_server=False,
            )
        finally:
            for model in models.values():
                await model.api.aclose()
        if any(log.status == "cancelled" for log in finished):
            raise KeyboardInterrupt
        for (_, keeping), log in zip(passes, finished, strict=True):
            reason = log.error.message if log.error else "no record was made of the answer"
            unknown = [id for id in keeping.recorder.missing if id not in keeping.failed]
            self.asked[keeping.cell].failed |= {**keeping.failed, **dict.fromkeys(unknown, reason)}
        for cell in dict.fromkeys(keeping.cell for _, keeping in passes):
            if self.asked[cell].place.missing:
                self.console(self._line(cell))

    def _pass(
        self, cell: Cell, k: int, models: Mapping[str, Model], lines: Mapping[str, Line], tell: Callable[[int], None]
    ) -> tuple[Any, Keeping] | None:
        """The task that asks one answer to every item of a cell that lacks it, and what keeps them; None where none does."""
        one, sheet = self.asked[cell], self.plan.sheet(cell.model, cell.benchmark)
        recorder = one.place.recorders[k]
        assert sheet is not None
        if not recorder.missing:
            recorder.finish()
            return None

        def told(kept: bool) -> None:
            one.began = one.began or keeping.began
            one.seconds = time.monotonic() - one.began
            tell(1 if kept else 0)
            if kept and len(recorder.rows) == len(recorder.ids):
                recorder.finish()
                if not one.place.missing:
                    self.console(self._line(cell))

        keeping = Keeping(cell, recorder, sheet, k + 1, self._pulses[cell.model, cell.defence], told)
        defence = self.cfg.defences[cell.defence]
        solver = solver_of(
            cell.defence,
            defence,
            {role: models[name] for role, name in self.plan.partners(cell).items()},
            seed=stream(cell.seed, k + 1) if sheet.temperature > 0 else None,
            fence=Path(self.cfg.out) / FENCE,
            tokens=self.plan.tokens(cell),
        )
        watched = keeping.watched(solver, lines[cell.model].generate(sheet.generation))
        task = task_of(sheet, keeping.due, watched, models[cell.model], keeping.add, f"{cell} #{k + 1}")
        limit = self.cfg.everyone[cell.model].concurrency or self.cfg.concurrency
        task.config = task.config.merge(GenerateConfig(max_connections=limit))
        return task, keeping

    def _line(self, cell: Cell) -> str:
        """A finished cell, or one that is left with answers missing, in a line."""
        one = self.asked[cell]
        rows = one.place.rows
        broken = sum("failure" in row for row in rows)
        parts = [f"{cell}: {len(rows)} answers in {one.seconds:.1f} s"]
        if broken:
            parts.append(f"{broken} of them ended in a failure of the defence")
        if one.place.missing:
            why = next(iter(one.failed.values()), "unknown")
            parts.append(f"{one.place.missing} MISSING ({_line_of(why)}); run it again to ask them")
        return ", ".join(parts)


def _line_of(why: str) -> str:
    """A reason in a line: an endpoint's own words may be in it."""
    return shown(" ".join(why.split("\n", 1)[0].split()), 160)


def stream(seed: int, answer: int) -> int:
    """The seed of a cell's random streams for its first, second, … answers."""
    if answer == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{answer}".encode()).digest()[:4], "big") >> 1
