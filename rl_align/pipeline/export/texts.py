"""The texts that an exported model is asked about: rollouts that the run recorded, with the log-probabilities of its trainer."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rl_align.engine.chat import parts
from rl_align.engine.witness import TEXTS
from rl_align.errors import UserError
from rl_align.models.forward import Asked, Prompts
from rl_align.pipeline.export.source import Source
from rl_align.report.rollouts import read_rows, rollout_folders

WITNESSED = "rollouts that the trainer judged with these weights"
RECORDED = "rollouts of the last step; the trainer judged none with these weights"
TAUGHT = "transcripts of the warm start; the trainer judged no texts with these weights"


@dataclass
class Texts:
    """What is asked.

    Attributes:
        kind: What the texts are, for people.
        asked: The texts.
        pictures: Encoded pictures of each.
        log_probs: What the trainer said of each; empty where it said nothing.
        temperature: The trainer's: its logits were divided by it.
        dtype: Number format that the trainer computed in.
        other_prompts: Items whose prompt the exported folder turns into other tokens than the trainer saw.
    """

    kind: str
    asked: list[Asked] = field(default_factory=list)
    pictures: list[list[bytes]] = field(default_factory=list)
    log_probs: list[list[float]] = field(default_factory=list)
    temperature: float = 1.0
    dtype: str = ""
    other_prompts: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Of all responses."""
        return sum(len(text.response_ids) for text in self.asked)


def of(source: Source, witness: Path, folder: Path) -> Texts:
    """The texts for a model.

    Args:
        source: The model.
        witness: What its trainer said, where there is such a file.
        folder: The exported model, whose template and processor make prompts.

    Raises:
        UserError: The witness is damaged, or its prompts are not in the run any more.
    """
    if witness.is_file():
        return _witnessed(source, witness, Prompts(folder))
    prompts = Prompts(folder)
    rows = [path for path in source.rows if path.is_file()]
    rollouts = sorted(rollout_folders(source.run).get(source.stage, source.run / "none").glob("step_*.jsonl"))
    if rollouts and rows:
        texts = Texts(RECORDED)
        said = {str(row.get("item_id")): row for row in read_rows(rollouts[-1])[0] if isinstance(row.get("text"), str)}
        for item, row in _scan(rows[0], list(said)[:TEXTS]):
            _add(texts, prompts, row["prompt"], said[item]["text"], _bytes(row))
        return texts
    texts = Texts(TAUGHT)
    for path in (*rows, source.run / "data" / "sft.parquet"):
        if path.is_file() and "messages" in _columns(path):
            for _, row in islice(_scan(path, None), TEXTS):
                *asked, answer = row["messages"]
                _add(texts, prompts, asked, answer["content"], _bytes(row))
            break
    return texts


def _witnessed(source: Source, path: Path, prompts: Prompts) -> Texts:
    try:
        told = json.loads(path.read_bytes())
        texts = Texts(WITNESSED, temperature=float(told["temperature"]), dtype=str(told["dtype"]))
        wanted = [str(text["item_id"]) for text in told["texts"]]
        place = source.run / str(told["rows"])
        rows = dict(_scan(place, wanted)) if place.is_file() else {}
        for text in told["texts"]:
            row = rows.get(str(text["item_id"]))
            if row is None:
                raise UserError(f"item {str(text['item_id'])[:100]!r} is gone", where=str(place), expected="the rows of the stage")
            pictures = _bytes(row)
            images = [image(data) for data in pictures]
            texts.asked.append(Asked(list(map(int, text["prompt_ids"])), list(map(int, text["response_ids"])), images))
            texts.pictures.append(pictures)
            texts.log_probs.append(list(map(float, text["log_probs"])))
            if len(texts.log_probs[-1]) != len(texts.asked[-1].response_ids):
                raise ValueError("other numbers of tokens and log-probabilities")
            if text["of_row"] and prompts.prompt(messages(row["prompt"]), images) != texts.asked[-1].prompt_ids:
                texts.other_prompts.append(str(text["item_id"]))
        return texts
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"is damaged ({type(error).__name__}: {str(error)[:200]})", where=str(path)) from error


def _add(texts: Texts, prompts: Prompts, asked: Sequence[Mapping[str, Any]], answer: str, pictures: list[bytes]) -> None:
    """A text as it is written, tokenised anew."""
    images = [image(data) for data in pictures]
    texts.asked.append(Asked(prompts.prompt(messages(asked), images), prompts.response(answer), images))
    texts.pictures.append(pictures)


def messages(asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a row as chat templates take them."""
    return [{"role": m["role"], "content": parts(m["content"])} for m in asked]


def _scan(path: Path, items: Sequence[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """(item, row) of a file of rows, those of `items` where they are named, a few in memory at a time."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(batch_size=128):
        for row in batch.to_pylist():
            item = str(row["item_id"] if "item_id" in row else row["extra_info"]["item_id"])
            if items is None or item in items:
                yield item, row


def _columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_schema(path).names


def _bytes(row: Mapping[str, Any]) -> list[bytes]:
    return [image["bytes"] for image in row.get("images") or []]


def image(data: bytes) -> Any:
    """A picture of a row, decoded."""
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")
