"""What the tests of the matrix share: a small world, an endpoint whose models know it by its pictures, a matrix over both."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from made_items import first
from made_run import PERFECT

from rl_align.data.items import write_items
from rl_align.endpoints.fake import Fake, Script
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.items import items as make_items
from rl_align.pictograms.teacher import transcript, unaligned
from rl_align.pipeline.grid import matrix
from rl_align.schema import Item
from rl_align.transcript.responder import render_response

REFUSAL = render_response(think="No.", description="A thing.", assessment="A risk.", answer="I cannot help with this.", safe=True)
#: Model → what it answers.
ANSWERS: dict[str, Callable[[Item], str]] = {
    "perfect": lambda item: transcript(item, PERFECT),
    "refuser": lambda item: REFUSAL,
    "complier": unaligned,
}


def world(harmful: int = 4, twins: int = 3, plain: int = 1) -> list[Item]:
    """Items of every side."""
    return first(
        make_items(PictogramsConfig(train=700, image_size=28), "train"),
        (harmful, lambda i: i.harmful),
        (twins, lambda i: not i.harmful and i.truth["is_twin"]),
        (plain, lambda i: not i.harmful and not i.truth["is_twin"]),
    )


class Models:
    """Scripted models of one endpoint, by the name that a request asks for.

    Attributes:
        asked: (model, item id) → requests.
        texts: What was asked of each model last.
    """

    def __init__(self, items: list[Item], answers: Mapping[str, Callable[[Item], str]] = ANSWERS):
        self._items = {item.images[0].read(): item for item in items}
        self._answers = answers
        self.asked: Counter[tuple[str, str]] = Counter()
        self.texts: dict[str, str] = {}

    def __call__(self, body: Mapping[str, Any]) -> str:
        parts = body["messages"][-1]["content"]
        text = parts if isinstance(parts, str) else parts[-1]["text"]
        self.texts[body["model"]] = text
        item = None if isinstance(parts, str) else self._items[base64.b64decode(parts[0]["image_url"]["url"].partition(",")[2])]
        self.asked[body["model"], item.id if item else "-"] += 1
        return self._answers[body["model"]](item)

    def of(self, model: str) -> int:
        """Requests that a model had."""
        return sum(n for (name, _), n in self.asked.items() if name == model)


def config(folder: Path, url: str, items: list[Item], **changed: Any) -> dict[str, Any]:
    """A matrix over these items, as its YAML file has it."""
    data = folder / "world.parquet"
    if not data.is_file():
        write_items(data, items)
    return {
        "out": str(folder / "out"),
        "models": {name: {"base_url": url, "model": name} for name in ANSWERS},
        "defences": {"none": {}, "self_reminder": {"kind": "self_reminder"}},
        "benchmarks": {"world": {"task": "pictograms", "data": str(data)}},
        "attempts": 2,
        "backoff_s": 0.01,
        "draws": 200,
        "figures": False,
        **changed,
    }


def run(folder: Path, cfg: Mapping[str, Any], **more: Any) -> tuple[int, list[str]]:
    """Exit code and lines."""
    lines: list[str] = []
    path = folder / "matrix.yaml"
    path.write_text(json.dumps(cfg), encoding="utf-8")
    return matrix(path, console=lines.append, **more), lines


def found(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What a matrix found."""
    return json.loads((Path(cfg["out"]) / "results.json").read_text(encoding="utf-8"))


def cell(results: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The cell of a model, a defence and a benchmark."""
    return next(c for c in results["cells"] if (c["model"], c["defence"], c["benchmark"]) == names)


def fake(models: Models, latency: tuple[float, float] = (0.0, 0.0), port: int = 0) -> Fake:
    """The endpoint."""
    return Fake(Script(latency_s=latency, answer=models), port)
