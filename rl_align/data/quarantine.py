"""What was left out of a dataset and why: every dropped item is counted, none vanishes."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rl_align.data.files import replacing
from rl_align.errors import UserError
from rl_align.schema import Item

#: Ids and details quote untrusted input; a record stays readable whatever it quotes.
_ITEM_CHARS, _DETAIL_CHARS = 600, 300
#: Records beyond this many bytes wait on the disk.
_IN_MEMORY = 2**20


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
    """Collects dropped records and writes them as JSON lines {item, reason, detail}. Its memory does not grow with them.

    Args:
        path: Where `save` writes; None keeps the records for `records` only.
    """

    def __init__(self, path: str | Path | None = None):
        self.path = None if path is None else Path(path)
        self._counts: Counter[str] = Counter()
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)

    def __len__(self) -> int:
        return self._counts.total()

    @property
    def records(self) -> Iterator[Dropped]:
        """What was dropped, in order. Nothing may be dropped while they are read."""
        self._spool.seek(0)
        for line in self._spool:
            yield Dropped(**json.loads(line))

    def drop(self, item: str, reason: str, detail: str = "") -> None:
        """Records one dropped item."""
        self._counts[reason] += 1
        record = Dropped(item[:_ITEM_CHARS], reason, detail[:_DETAIL_CHARS])
        self._spool.seek(0, os.SEEK_END)
        self._spool.write(json.dumps(asdict(record)).encode("ascii") + b"\n")

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
        return dict(self._counts.most_common())

    def summary(self) -> str:
        """One line for the console, such as "3 dropped: 2 image_missing, 1 prompt_too_long"."""
        if not len(self):
            return "nothing dropped"
        return f"{len(self)} dropped: " + ", ".join(f"{count} {reason}" for reason, count in self.counts.items())

    def save(self, path: str | Path | None = None) -> None:
        """Writes all records, completely or not at all; an empty quarantine leaves an empty file.

        Args:
            path: Where to, instead of the place given at the beginning.

        Raises:
            UserError: The file cannot be written.
        """
        if (target := path or self.path) is None:
            return
        self._spool.seek(0)
        with replacing(target) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(self._spool, file)
