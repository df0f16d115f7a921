"""Keeps what comes out of a cell: answers as rows, and why others are missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from inspect_ai.solver import Generate, Solver, TaskState, solver

from rl_align.eval.defences.ledger import KEY, bounded
from rl_align.eval.defences.partners import CALL, PartnerFailed, ends_the_sample
from rl_align.eval.grid.cells import Cell
from rl_align.eval.grid.sheets import Sheet
from rl_align.eval.records import Recorder
from rl_align.guard.errors import KINDS, Code

#: Reasons of a defence's failure that another run may not see.
PASSING = {CALL, *(str(code) for code in Code if KINDS[code].again)}


class GivenUp(RuntimeError):
    """So many samples in a row failed that the others are not tried."""


class Pulse:
    """Whether it is worth asking a model behind a defence: not after so many failures in a row.

    Args:
        limit: Failures in a row.
    """

    def __init__(self, limit: int):
        self._limit, self._row = limit, 0

    def check(self) -> None:
        """Raises GivenUp."""
        if self._row >= self._limit:
            raise GivenUp(f"given up after {self._row} failures in a row")

    def beat(self, good: bool) -> None:
        """Counts a sample."""
        self._row = 0 if good else self._row + 1


class Keeping:
    """Takes the answers to some items of a cell.

    Args:
        cell: Which one.
        recorder: Where rows go.
        sheet: Of its benchmark.
        number: Which answer to each item, from 1.
        pulse: Of its model behind its defence.
        told: Called after every sample, with whether there is a row.

    Attributes:
        due: Items to ask.
        failed: Item id → why it has no row; another run asks it again.
        began: Time of the first sample, on `time.monotonic`'s clock; 0 before it.
    """

    def __init__(self, cell: Cell, recorder: Recorder, sheet: Sheet, number: int, pulse: Pulse, told: Callable[[bool], None]):
        self.cell, self.recorder, self._sheet, self._number = cell, recorder, sheet, number
        self._pulse, self._told = pulse, told
        self.due = recorder.missing
        self.failed: dict[str, str] = {}
        self.began = 0.0
        self._ledgers: dict[str, dict[str, Any]] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Keeps the record of an answer."""
        id = record["item_id"]
        ledger = self._ledgers.pop(id, None)
        rewrite = (ledger or {}).get("texts", {}).get("rewrite")
        if rewrite:
            record = self._sheet.behind(rewrite, record)
        self._row(id, {**record, "defence": ledger, "epoch": self._number})

    def watched(self, inner: Solver, ask: Generate) -> Solver:
        """The solver of the cell, which asks by `ask`, and whose ledger and failures are kept.

        Turns and ledger are there while it runs: Inspect would compare and copy them.
        """

        @solver(name="watched")
        def made() -> Solver:
            async def solve(state: TaskState, generate: Generate) -> TaskState:
                id = str(state.sample_id)
                self.began = self.began or time.monotonic()
                state.messages = list(self._sheet.turns[id])
                try:
                    self._pulse.check()
                    state = await inner(state, ask)
                except GivenUp as error:
                    self._fail(id, error)
                    raise
                except Exception as error:
                    if not ends_the_sample(error):
                        self._failed(id, error, state.store.get(KEY))
                    raise
                self._pulse.beat(True)
                self._ledgers[id] = state.store.get(KEY)
                state.store.delete(KEY)
                state.messages = []
                return state

            return solve

        return made()

    def _failed(self, id: str, error: Exception, ledger: dict[str, Any] | None) -> None:
        """What cannot come out otherwise is the sample's end; what may is asked again by the next run."""
        if isinstance(error, PartnerFailed) and error.reason not in PASSING:
            self._pulse.beat(True)
            reason = {"role": error.role, "reason": error.reason, "detail": error.detail}
            self._row(id, {"item_id": id, "groups": dict(self._sheet.groups[id]), "failure": reason, "defence": ledger})
            return
        self._pulse.beat(False)
        self._fail(id, error)

    def _fail(self, id: str, error: Exception) -> None:
        self.failed[id] = bounded(f"{type(error).__name__}: {error}", 400)
        self._told(False)

    def _row(self, id: str, row: dict[str, Any]) -> None:
        self.recorder.add({"item_id": id, "asked": self._sheet.asked[id], "judged_by": self._sheet.judged_by, **row})
        self._told(True)
