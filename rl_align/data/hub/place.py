"""Where a source is on the Hugging Face Hub, and how a person names it: `hf:org/name@revision:config`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rl_align.errors import UserError

PREFIX = "hf:"
SYNTAX = "hf:ORG/NAME[@REVISION][:CONFIG], hf: for the official place, or hf:./FOLDER[:CONFIG]"
#: Repository → the commit that is read when none is named: what others measured on.
PINNED = {
    "sinwang/SIUO": "024e80a01795376b9fed12f8073a12f2275f22ee",
    "walledai/XSTest": "f1d713187c61b6ae64e602d74f0b3d812cc2e8e8",
}

_REPO = re.compile(r"(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})?(?:@(?P<revision>[\w./-]{1,200}))?(?::(?P<config>[^\s:@/]{1,200}))?")
_FOLDER = re.compile(r"(?P<repo>[./~][^:]*)(?::(?P<config>[^\s:@/]{1,200}))?")


@dataclass(frozen=True)
class Hub:
    """A source's place on the Hub.

    Attributes:
        repo: ORG/NAME of the official dataset.
        files: What is downloaded where pictures are files beside the rows, as patterns; the loader of local copies reads them. None
            where the rows hold everything: then the library `datasets` reads them.
        large: Whether rows are read as they are downloaded, and nothing is kept.
        splits: The splits that are read; all where none is named.
        also: Other repositories in the same layout.
    """

    repo: str
    files: tuple[str, ...] | None = None
    large: bool = False
    splits: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spot:
    """What a person named.

    Attributes:
        repo: ORG/NAME, or a folder that `datasets` can read.
        revision: Branch, tag or commit; None for the newest.
        config: One configuration; None for all.
        local: Whether `repo` is a folder.
    """

    repo: str
    revision: str | None = None
    config: str | None = None
    local: bool = False

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}{f'@{self.revision}' if self.revision else ''}{f':{self.config}' if self.config else ''}"


def is_hub(text: str | Path | None) -> bool:
    """Whether a text names a place on the Hub and no folder."""
    return isinstance(text, str) and text.startswith(PREFIX)


def parse(text: str, hub: Hub) -> Spot:
    """The place that a text names, at the pinned revision where it names none.

    Raises:
        UserError: It is none.
    """
    body = text.removeprefix(PREFIX)
    if found := _FOLDER.fullmatch(body):
        folder = Path(found["repo"]).expanduser().absolute()
        if not folder.is_dir():
            raise UserError("no such folder", where=text[:200], expected=SYNTAX)
        return Spot(str(folder), None, found["config"], local=True)
    if not (found := _REPO.fullmatch(body)):
        raise UserError(f"{text[:200]!r} names no dataset", where="--from", expected=SYNTAX)
    repo = found["repo"] or hub.repo
    return Spot(repo, found["revision"] or PINNED.get(repo), found["config"])
