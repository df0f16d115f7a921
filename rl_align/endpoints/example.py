"""A value that fits a JSON schema: enough of the language for the schemas that judges ask with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any


def example(schema: Mapping[str, Any], chance: random.Random) -> Any:
    """A value that fits, drawn by `chance`.

    Knows const, enum, anyOf, oneOf, and the types with their bounds; no references, patterns or conditions.

    Raises:
        ValueError: A schema beyond that.
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(list(schema["enum"]))
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return example(chance.choice(list(schema[several])), chance)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = chance.choice(kind)
    if kind == "object":
        return {name: example(part, chance) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        count = max(schema.get("minItems", 1), min(1, schema.get("maxItems", 1)))
        return [example(schema.get("items", {"type": "string"}), chance) for _ in range(count)]
    if kind == "string":
        text = "a scripted text".ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength")]
    if kind == "integer":
        low, high = _bounds(schema)
        return chance.randint(int(low), int(high))
    if kind == "number":
        return round(chance.uniform(*_bounds(schema)), 3)
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "null":
        return None
    raise ValueError(f"no example for the schema {dict(schema)!r}")


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return low, schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - 1)
