"""Another model's answers, to compare with: records of the same items."""

from __future__ import annotations

import json
from pathlib import Path

from rl_align.errors import UserError


def read_baseline(path: str | Path) -> dict[str, str]:
    """Item id → answer; of several answers to an item, the first.

    Raises:
        UserError: The file cannot be read, or a line of it has no item_id and answer.
    """
    answers: dict[str, str] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read ({error})", where=str(path), expected="records, as JSON lines in UTF-8") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise UserError(f"is not JSON ({error})", where=f"{path}:{number}", expected="a record a line") from error
        if row is None:
            continue
        if not isinstance(row, dict) or not isinstance(row.get("item_id"), str) or not isinstance(row.get("answer"), str):
            raise UserError("is no record", where=f"{path}:{number}", expected="an object with item_id and answer")
        answers.setdefault(row["item_id"], row["answer"])
    return answers
