"""What was left out of a dataset and why: every dropped item is counted, none vanishes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rl_align.data.files import replacing
from rl_align.errors import UserError
from rl_align.schema import Item

#: Details quote untrusted input; a record stays readable whatever it quotes.
_DETAIL_CHARS = 300


@dataclass(frozen=True)
class Dropped:
    """A record that did not become an item.

    Attributes:
        item: Id of the item, or where its record stands in the source.
        reason: Short snake_case code; records with the same code are counted together.
        detail: What was seen, for a person.
    """

    item: str
    reason: str
    detail: str = ""


class DataError(UserError):
    """One record cannot be used. `reason` is the code it is counted under, `detail` what was seen."""

    def __init__(self, reason: str, detail: str, *, where: str | None = None):
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}", where=where)


class Quarantine:
    """Collects dropped records and writes them as JSON lines {item, reason, detail}.

    Args:
        path: Where `save` writes; None keeps the records in memory only.
    """

    def __init__(self, path: str | Path | None = None):
        self.path = None if path is None else Path(path)
        self.records: list[Dropped] = []

    def __len__(self) -> int:
        return len(self.records)

    def drop(self, item: str, reason: str, detail: str = "") -> None:
        """Records one dropped item."""
        self.records.append(Dropped(item, reason, detail[:_DETAIL_CHARS]))

    def sift(self, stream: Iterable[Item | Dropped]) -> Iterator[Item]:
        """Passes items on and keeps what was dropped, in the order of the stream."""
        for record in stream:
            if isinstance(record, Dropped):
                self.drop(record.item, record.reason, record.detail)
            else:
                yield record

    @property
    def counts(self) -> dict[str, int]:
        """Reason → how many were dropped for it, most frequent first."""
        return dict(Counter(record.reason for record in self.records).most_common())

    def summary(self) -> str:
        """One line for the console, such as "3 dropped: 2 image_missing, 1 prompt_too_long"."""
        if not self.records:
            return "nothing dropped"
        return f"{len(self)} dropped: " + ", ".join(f"{count} {reason}" for reason, count in self.counts.items())

    def save(self) -> None:
        """Writes all records, completely or not at all; an empty quarantine leaves an empty file.

        Raises:
            UserError: The file cannot be written.
        """
        if self.path is None:
            return
        with replacing(self.path) as temporary:
            temporary.write_text(
                "".join(json.dumps(asdict(record)) + "\n" for record in self.records), encoding="ascii"
            )
