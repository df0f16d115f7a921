"""The cells of a matrix, what each of them depends on, and in which rounds of servers they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.eval.grid.cells import Cell, Place, opened
from rl_align.eval.grid.config import TARGET, GridConfig
from rl_align.eval.grid.defending import check_defence, depends_on, solver_of
from rl_align.eval.grid.models import depends_on as model_depends_on
from rl_align.eval.grid.places import data_of, folder_of, tokens_of
from rl_align.eval.grid.sheets import Sheet, check_task, sheet_of
from rl_align.models.vocabulary import special_tokens

FENCE = "fence.key"


class Plan:
    """What is asked.

    Args:
        cfg: The matrix, checked.
        absent: Whether data and models may be missing: they are then left out.

    Attributes:
        cells: In the order in which they are asked: a model's together.

    Raises:
        UserError: A benchmark or a defence that cannot be used.
    """

    def __init__(self, cfg: GridConfig, *, absent: bool = False):
        self.cfg, self.out, self._absent = cfg, Path(cfg.out), absent
        for name, defence in cfg.defences.items():
            check_defence(name, defence)
        for name, benchmark in cfg.benchmarks.items():
            check_task(name, benchmark)
        self._sheets: dict[tuple[str, str], Sheet] = {}
        self._defences: dict[str, Any] = {}
        self._models: dict[str, Any] = {}
        self.cells = [
            Cell(model, defence, benchmark, seed)
            for model in cfg.models
            for defence in cfg.defences
            for benchmark in cfg.benchmarks
            for seed in self.seeds(model, benchmark)
        ]
        for cell in self.cells:
            self._check_room(cell)

    def seeds(self, model: str, benchmark: str) -> Sequence[int]:
        """Greedy answers are the same for every seed."""
        sheet = self.sheet(model, benchmark)
        return self.cfg.seeds if sheet is not None and sheet.temperature > 0 else self.cfg.seeds[:1]

    def sheet(self, model: str, benchmark: str) -> Sheet | None:
        """The benchmark as this model is asked it; None where its data are missing and may be."""
        folder = tokens_of(self.cfg.everyone[model], self.cfg)
        if self._absent and folder is not None and not (folder / "tokenizer.json").is_file():
            folder = None
        tokens = repr(sorted(special_tokens(folder).items())) if folder is not None else ""
        key = benchmark, tokens
        if key not in self._sheets:
            if self._absent and not data_of(self.cfg.benchmarks[benchmark], self.cfg).exists():
                return None
            self._sheets[key] = sheet_of(benchmark, self.cfg, folder)
        return self._sheets[key]

    def place(self, cell: Cell, *, look: bool = False) -> Place:
        """The answers that a cell has. `look` changes nothing on the disk."""
        sheet = self.sheet(cell.model, cell.benchmark)
        assert sheet is not None
        address = (self.cfg.models[cell.model].base_url or "").rstrip("/")
        return opened(cell, self.out, self.identity(cell), sheet.asked, sheet.answers, address=address, look=look)

    def identity(self, cell: Cell) -> dict[str, Any]:
        """What all answers of a cell depend on."""
        sheet = self.sheet(cell.model, cell.benchmark)
        assert sheet is not None
        return {
            "model": self._model(cell.model),
            "defence": self._defence(cell.defence),
            "benchmark": dict(sheet.settings),
            "seed": cell.seed if sheet.temperature > 0 else None,
        }

    def partners(self, cell: Cell) -> dict[str, str]:
        """Role → name of the model that plays it; the target's own roles are left out."""
        return {role: name for role, name in self.cfg.defences[cell.defence].partners.items() if name != TARGET}

    def tokens(self, cell: Cell) -> set[str]:
        """Special tokens of the models of a cell."""
        found: set[str] = set()
        for name in (cell.model, *self.partners(cell).values()):
            folder = tokens_of(self.cfg.everyone[name], self.cfg)
            found |= set(special_tokens(folder)) if folder is not None else set()
        return found

    def _check_room(self, cell: Cell) -> None:
        """A server turns away every prompt whose answer might not fit: all answers would be empty, and nobody to blame."""
        model, sheet = self.cfg.models[cell.model], self.sheet(cell.model, cell.benchmark)
        room = (model.server or self.cfg.server).max_model_len
        if sheet is None or folder_of(model, self.cfg) is None or sheet.max_tokens < room:
            return
        raise UserError(
            f"is {room}, which leaves no room for a prompt beside {cell.benchmark}'s answers of {sheet.max_tokens} tokens",
            where=f"models.{cell.model}.server.max_model_len" if model.server else "server.max_model_len",
            fix=f"raise it, or lower benchmarks.{cell.benchmark}.options.max_tokens",
        )

    def _model(self, name: str) -> Any:
        if name not in self._models:
            self._models[name] = model_depends_on(self.cfg.everyone[name], self.cfg)
        return self._models[name]

    def _defence(self, name: str) -> Any:
        if name not in self._defences:
            defence = self.cfg.defences[name]
            nobody: Mapping[str, Any] = {role: "mockllm/model" for role in defence.partners}
            solver = solver_of(name, defence, nobody, seed=None, fence=self.out / FENCE)
            partners = {r: TARGET if p == TARGET else self._model(p) for r, p in defence.partners.items()}
            self._defences[name] = {**depends_on(name, defence, solver), "partners": partners}
        return self._defences[name]


@dataclass
class Round:
    """Cells that are asked while the same servers are up.

    Attributes:
        cells: Which ones.
        folders: Names of the models that are served.
    """

    cells: list[Cell]
    folders: list[str]


def rounds(plan: Plan, cells: Sequence[Cell]) -> list[Round]:
    """Cells by the servers that they need, as many at once as the matrix allows, or as one cell needs."""
    found: list[Round] = []
    for cell in cells:
        needed = [cell.model, *plan.partners(cell).values()]
        needed = [name for name in dict.fromkeys(needed) if folder_of(plan.cfg.everyone[name], plan.cfg) is not None]
        for one in found:
            together = list(dict.fromkeys([*one.folders, *needed]))
            if len(together) <= max(plan.cfg.servers_at_once, len(one.folders)):
                one.cells.append(cell)
                one.folders = together
                break
        else:
            found.append(Round([cell], needed))
    return found
