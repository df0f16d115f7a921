"""The pages of the project as tests read them: fenced blocks, the files that they show, the commands that they give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conftest import ROOT
from dataset_files import picture

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"# (\w+\.(?:py|yaml))$")
#: Whatever follows the command in its line, for the reader.
_COMMENT = re.compile(r"\s+# .*$")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """Name of the file that it shows, as its first line says."""
        found = _TITLE.match(self.text.partition("\n")[0])
        return found[1] if found else None

    def commands(self) -> list[str]:
        """One a line; a line that ends in a backslash goes on in the next one."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [_COMMENT.sub("", line).removesuffix(" &").strip() for line in lines]


def pages() -> list[Path]:
    """README and the pages beside the code; prompts are no pages."""
    places = ("README.md", "reward/*.md", "rl_align/*/*.md", "experiments/*/*.md", "launch/*/*.md")
    return [page for place in places for page in sorted(ROOT.glob(place))]


def blocks() -> Iterator[Block]:
    """Every fenced block of every page."""
    for page in pages():
        for language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
            yield Block(page, language, text)


def write_examples(folder: Path) -> None:
    """The files that pages show, under the names that they give them."""
    for block in blocks():
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


def write_rows(folder: Path) -> None:
    """What `my_source.py` reads: harmful and harmless requests of two splits; of one row the picture is missing, one is broken."""
    rows = [
        {"id": n, "split": split, "picture": "lamp.png", "request": f"Where does lamp {n} of {split} hang?", "harmful": n % 2}
        for split in ("train", "test")
        for n in range(4)
    ]
    rows += [rows[0] | {"picture": "none.png"}, rows[0] | {"harmful": "perhaps"}]
    picture(folder / "lamp.png")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
