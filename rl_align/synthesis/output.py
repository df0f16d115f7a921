"""The folder of a synthesis: rows, what was rejected and why, what was kept with its scores, the summary."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rl_align.data.quarantine import Quarantine
from rl_align.data.rows import sft_rows
from rl_align.errors import UserError
from rl_align.runfiles.atomic import explained, write_bytes, write_json
from rl_align.runfiles.manifest import hash_file, unseal
from rl_align.synthesis.types import Decision, Fall, Fate

ROWS, REJECTED, KEPT, SUMMARY = "rows.parquet", "rejected.jsonl", "kept.jsonl", "summary.json"
RESPONSES, FENCES, LOCK, CONFIG = "responses.sqlite", "fence.key", ".lock", "config.yaml"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder for this process alone: two that ask for the same rows would pay twice.

    Raises:
        UserError: Another process holds it, it holds something else, or it cannot be made.
    """
    if folder.is_dir() and not (folder / LOCK).exists() and any(folder.iterdir()):
        raise UserError("the folder holds something else", where=str(folder), expected="a new folder, or one of a synthesis")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / LOCK, "w") as lock:
            try:
                # The kernel releases it with the process, however that ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fix = "wait until it ends, or choose another folder"
                raise UserError("another process writes here", where=str(folder), fix=fix) from None
            unseal(folder)
            yield


def balanced(decisions: Sequence[Decision], out: Mapping[str, str]) -> list[Decision]:
    """The decisions with some rows (item id → reason) left out."""
    return [replace(d, fate=Fate.BALANCED_OUT, fall=Fall("balance", out[d.item.id])) if d.item.id in out else d for d in decisions]


def write(
    folder: Path, decisions: Sequence[Decision], summary: Mapping[str, Any], system: str | None, special_tokens: Sequence[str]
) -> None:
    """Writes the results, each file completely or not at all; the same decisions give the same bytes.

    Args:
        folder: Where.
        decisions: One for each item, in the order of the rows.
        summary: What `summary.json` holds beside the hash of the rows.
        system: System message of the rows.
        special_tokens: Texts that the trained model's tokenizer turns into special tokens; broken in prompts.
    """
    kept = [d for d in decisions if d.fate is Fate.KEPT and d.made]
    _lines(folder / REJECTED, _falls(decisions))
    _lines(
        folder / KEPT,
        (
            {"item": d.item.id, "category": d.category, "attempt": d.attempts[-1].number, "scores": dict(d.made.scores)}
            for d in kept
        ),
    )
    rows = folder / ROWS
    digest = None
    if kept:
        # Nothing is dropped here: transcripts with special tokens have fallen, pictures have been decoded.
        quarantine = Quarantine()
        transcripts = {d.item.id: d.made.transcript for d in kept}
        written = sft_rows(
            rows, [d.item for d in kept], transcripts, special_tokens=special_tokens, quarantine=quarantine, system=system
        )
        if written != len(kept):
            raise UserError(f"{len(kept) - written} rows cannot be written ({quarantine.summary()})", where=str(rows))
        digest = hash_file(rows)
    else:
        rows.unlink(missing_ok=True)
    write_json(folder / SUMMARY, {**summary, "rows": len(kept), "rows_sha256": digest})


def _falls(decisions: Iterable[Decision]) -> Iterator[dict[str, Any]]:
    """Every attempt that fell, then what else keeps an item from being a row."""
    for d in decisions:
        for attempt in d.attempts:
            if attempt.fall:
                yield {"item": d.item.id, **asdict(attempt.fall), "attempt": attempt.number, "fate": d.fate.value}
        if d.fall and d.fall not in [a.fall for a in d.attempts]:
            yield {"item": d.item.id, **asdict(d.fall), "attempt": None, "fate": d.fate.value}


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    # ASCII: ids and details are of unknown origin, and may hold what UTF-8 has no form for.
    write_bytes(path, "".join(json.dumps(row) + "\n" for row in rows).encode("ascii"))
