"""Answers that must satisfy a JSON schema: how they are asked for, found in a text, checked, and asked for once more."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from .config import Structured
from .keys import encode
from .types import EndpointError, FailureReason, Message

#: What stands before the schema where a prompt has to say it.
SCHEMA_FOLLOWS = "fits this JSON schema:\n"

_LONGEST_QUOTE = 4000
#: Bounds of the search for objects in a text: an endless text of opening braces must not hold the event loop.
_TRIES = 200
_SEARCHED = 100_000
_NAME = re.compile(r"[^a-zA-Z0-9_-]+")


class Unfit(Exception):
    """A text that does not satisfy the schema. The message says what is wrong, for the repair."""


class Shape:
    """One schema, ready to ask with and to check against.

    Args:
        schema: JSON schema.

    Raises:
        EndpointError: It is no valid schema.
    """

    def __init__(self, schema: Mapping[str, Any]):
        self.text = encode(schema)
        self.schema = json.loads(self.text)
        try:
            Draft202012Validator.check_schema(self.schema)
        except SchemaError as error:
            raise EndpointError(FailureReason.bad_request, f"the JSON schema is not valid: {error.message[:200]}") from None
        # An empty registry: the default one would fetch a `$ref` over the network.
        self._validator = Draft202012Validator(self.schema, registry=Registry())

    def request(self, messages: Sequence[Message], how: Structured) -> tuple[list[Message], dict[str, Any]]:
        """The messages to send and the fields that ask for this shape."""
        if how == Structured.json_schema:
            name = _NAME.sub("_", str(self.schema.get("title", "")))[:64] or "answer"
            # Strict mode takes only schemas that close every object; others would be refused outright.
            strict = self.schema.get("additionalProperties") is False
            form = {"type": "json_schema", "json_schema": {"name": name, "schema": self.schema, "strict": strict}}
            return list(messages), {"response_format": form}
        told = [*messages[:-1], _with_text(messages[-1], f"Answer with one JSON value that {SCHEMA_FOLLOWS}{self.text}")]
        return told, {"response_format": {"type": "json_object"}} if how == Structured.json_object else {}

    def parse(self, text: str) -> Any:
        """The value in a text, which may stand in a code fence or between other words; the last one that fits is taken.

        A model that thinks aloud may write drafts, so what it says last counts.

        Raises:
            Unfit: There is no JSON value in it, or none fits.
        """
        problem: str | None = "it holds no JSON object"
        for value in _values(text):
            problem = self._problem(value)
            if problem is None:
                return value
        raise Unfit(problem)

    def _problem(self, value: Any) -> str | None:
        try:
            error = next(iter(self._validator.iter_errors(value)), None)
            if error is not None:
                place = "/".join(str(p) for p in error.absolute_path)
                return f"{f'at {place}: ' if place else ''}{error.message[:300]}"
            # Escapes can stand for halves of characters, which no file would take.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except RecursionError:
            return "it is nested too deeply"
        except UnicodeEncodeError:
            return "it holds half a character"
        except Unresolvable as error:
            raise EndpointError(FailureReason.bad_request, f"the JSON schema refers to what is not in it: {error}") from None
        return None

    def repair(self, messages: Sequence[Message], text: str, problem: str) -> list[Message]:
        """The chat that asks for the same answer once more."""
        told = (
            f"This answer cannot be used: {problem}. Give the same answer once more, and nothing but one JSON value: "
            f"one that {SCHEMA_FOLLOWS}{self.text}"
        )
        # An empty turn of the assistant is refused by some endpoints.
        said = text[:_LONGEST_QUOTE] or "(nothing)"
        return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": told}]


def _values(text: str) -> Iterator[Any]:
    """JSON values in a text: the whole of it, else its objects from the last to the first."""
    try:
        yield json.loads(text, parse_constant=_refuse, parse_float=_finite)
        return
    except (ValueError, RecursionError):
        pass
    decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
    text = text[-_SEARCHED:]
    found, start = [], text.find("{")
    for _ in range(_TRIES):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
            found.append(value)
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    yield from reversed(found)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is too large")
    return value


def _with_text(message: Message, text: str) -> Message:
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": f"{content}\n\n{text}"}
    return {**message, "content": [*content, {"type": "text", "text": text}]}
