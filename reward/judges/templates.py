"""Prompt templates: versioned files in `prompts/`, checked when they are loaded, filled in one pass.

A file `<name>.v<n>.md` has a part under `[system]` and one under `[user]`; helper files are one text. `{{name}}` is a placeholder.
Filling replaces every placeholder once, left to right, and never looks at what was put in: a placeholder inside a value stays text.
A changed prompt is a new version, so that scores of before and after are not taken for comparable.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rl_align.errors import UserError

FOLDER = Path(__file__).with_name("prompts")

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+)\}\}")
_BRACES = re.compile(r"\{\{|\}\}")
_NAME = re.compile(r"[a-z_]+\.v\d+")
_PARTS = re.compile(r"\[system\]\n(?P<system>.+)\n\[user\]\n(?P<user>.+)", re.DOTALL)


@dataclass(frozen=True)
class Text:
    """One text with placeholders.

    Attributes:
        text: As in the file.
        version: Name, version and a hash of the file, where it is loaded by itself.
    """

    text: str
    version: str = ""

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced by its value, in one pass.

        Raises:
            KeyError: A placeholder has no value.
        """
        return _PLACEHOLDER.sub(lambda m: values[m[1]], self.text)


@dataclass(frozen=True)
class Template:
    """A prompt of two messages.

    Attributes:
        system: The judge's instructions.
        user: What is judged.
        version: Name, version and a hash of the text.
    """

    system: Text
    user: Text
    version: str


def load_template(name: str, system: Collection[str], user: Collection[str], path: str | None = None) -> Template:
    """The template of this name.

    Args:
        name: `<name>.v<n>`, a file of the package.
        system: Placeholders that the system part has, all of them and no others.
        user: The same for the user part.
        path: A file to read instead.

    Raises:
        UserError: No such file, a part is missing, or the placeholders are not these.
    """
    return _template(name, tuple(system), tuple(user), path)


def load_text(name: str, placeholders: Collection[str], path: str | None = None) -> Text:
    """The helper text of this name, or of the file at `path`, with exactly these placeholders. Raises as `load_template`."""
    return _text(name, tuple(placeholders), path)


@lru_cache(maxsize=64)
def _template(name: str, system: tuple[str, ...], user: tuple[str, ...], path: str | None) -> Template:
    text, where = _read(name, path)
    parts = _PARTS.fullmatch(text)
    if not parts:
        raise UserError("no prompt of two parts", where=where, expected="[system], its text, [user], its text, each mark on a line")
    version = _version(name, text)
    checked = {
        part: _checked(parts[part].strip(), names, f"{where} [{part}]") for part, names in (("system", system), ("user", user))
    }
    return Template(**checked, version=version)


@lru_cache(maxsize=64)
def _text(name: str, placeholders: tuple[str, ...], path: str | None) -> Text:
    text, where = _read(name, path)
    return replace(_checked(text.strip(), placeholders, where), version=_version(name, text))


def _version(name: str, text: str) -> str:
    return f"{name}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _read(name: str, path: str | None) -> tuple[str, str]:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is not the name of a prompt", expected="<name>.v<number>")
    file = Path(path) if path else FOLDER / f"{name}.md"
    try:
        return file.read_text("utf-8"), str(file)
    except OSError as error:
        raise UserError(f"cannot read the prompt ({error.strerror})", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8", where=str(file), expected="a prompt in UTF-8") from error


def _checked(text: str, placeholders: tuple[str, ...], where: str) -> Text:
    found = set(_PLACEHOLDER.findall(text))
    expected = "{{" + "}}, {{".join(placeholders) + "}}" if placeholders else "no placeholder"
    for name in sorted(found - set(placeholders)):
        raise UserError(f"unknown placeholder {{{{{name}}}}}", where=where, expected=expected)
    for name in sorted(set(placeholders) - found):
        raise UserError(f"placeholder {{{{{name}}}}} is missing", where=where, expected=expected)
    if _BRACES.search(_PLACEHOLDER.sub("", text)):
        raise UserError("braces that are no placeholder", where=where, expected="{{name}} in lower-case letters")
    return Text(text)
