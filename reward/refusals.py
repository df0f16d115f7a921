"""Labels a file of answers with their degree of refusal: rows {"id", "prompt", "response"} in, {"id", "refusal"} out."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rl_align.errors import UserError
from rl_align.runfiles.atomic import replacing
from rl_align.transcript.refusal import Degree, classify_refusal

#: Seconds between two lines of progress.
EVERY = 2.0

_ROW = '{"id": ..., "prompt": ..., "response": ...}'


def label_file(source: str, target: str) -> int:
    """Writes the degree of refusal of every row of `source` to `target`, in order; `target` is whole or unchanged.

    Returns:
        How many rows were labelled.

    Raises:
        UserError: A file that cannot be read or written, or a broken row, by file, row and key.
    """
    path = Path(source)
    if not path.is_file():
        raise UserError("no such file", where=source, expected="JSON lines")
    shown: Counter[Degree] = Counter()
    progress = _Progress(path)
    with path.open("rb") as rows, replacing(target) as partial, partial.open("w", encoding="utf-8", newline="\n") as labels:
        for row in _rows(rows, source):
            degree = classify_refusal(row["response"], row["prompt"]).degree
            shown[degree] += 1
            labels.write(_line({"id": row["id"], "refusal": degree.value}))
            progress.tell(shown.total(), rows)
    counts = ", ".join(f"{shown[degree]:,} {degree}" for degree in Degree)
    print(f"{shown.total():,} rows: {counts}; written to {target}")
    return shown.total()


def _rows(lines: IO[bytes], source: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        where = f"{source}: row {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise UserError("the row is not UTF-8", where=where, expected="UTF-8 text") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"the row is not JSON ({error})", where=where, expected=f"one object a line, {_ROW}") from None
        if not isinstance(row, dict):
            raise UserError(f"the row is a {type(row).__name__}", where=where, expected=f"an object, {_ROW}")
        for key in ("id", "prompt", "response"):
            if key not in row:
                raise UserError(f"the key {key!r} is missing", where=where, expected=_ROW)
        _check(row["id"], "id", (str, int), "a string or a whole number", where)
        _check(row["prompt"], "prompt", (str, type(None)), "a string, or null where it is not known", where)
        _check(row["response"], "response", (str,), "a string", where)
        yield row


def _check(value: Any, key: str, kinds: tuple[type, ...], expected: str, where: str) -> None:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise UserError(f"{key!r} is {_kind(value)}", where=where, expected=expected)


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a truth value", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def _line(row: dict[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in an id
        line = json.dumps(row)
    return line + "\n"


class _Progress:
    """Lines on stderr while a file is long enough to wonder."""

    def __init__(self, path: Path) -> None:
        self.size = max(path.stat().st_size, 1)
        self.begun = self.told = time.monotonic()

    def tell(self, done: int, rows: IO[bytes]) -> None:
        if done % 256 or (now := time.monotonic()) - self.told < EVERY:
            return
        self.told = now
        share = 100 * min(rows.tell() / self.size, 1)
        print(f"{done:,} rows, {share:.0f} %, {done / (now - self.begun):,.0f} a second", file=sys.stderr, flush=True)
