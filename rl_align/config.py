"""Configuration: a dataclass, a YAML file over it, `key=value` over both. An unknown key names the nearest valid one.

The dataclasses live beside the code that they configure. A YAML file may start from another one, relative to itself:

    base: quickstart.yaml
    grpo:
      steps: 30

Bounds that a type cannot say belong in the dataclass's `__post_init__`, as `ValueError("steps must be positive")`.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, EnumNode, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from rl_align.errors import UserError

#: Top-level YAML key that names the file to start from. No configuration class may have a field of this name.
BASE_KEY = "base"

C = TypeVar("C")


@dataclass(frozen=True)
class _Layer:
    """Values from one file or one override, and where each key stands."""

    values: Mapping[Any, Any]
    source: str
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        line = self.lines.get(key)
        return f"{self.source}:{line}" if line else self.source


def load_config(cls: type[C], path: str | Path | None = None, overrides: Sequence[str] = ()) -> C:
    """Build a `cls` from its defaults, then a YAML file (and the files it is based on), then `key=value` overrides.

    Args:
        cls: A dataclass with types that OmegaConf understands.
        path: YAML file; None for the defaults alone.
        overrides: Strings such as `grpo.steps=30`; the value is read as YAML. Lists are replaced whole.

    Returns:
        An instance of `cls`, nested dataclasses included.

    Raises:
        UserError: A missing or broken file, a key that does not exist, a value of the wrong type, a value left out that
            has no default, a circle of bases, or a `ValueError` of a dataclass's own `__post_init__`.
    """
    config = copy.deepcopy(_defaults(cls))
    layers = [*_file_layers(Path(path), ())] if path is not None else []
    layers += [_override_layer(text) for text in overrides]
    for layer in layers:
        _apply(config, layer.values, layer, root=config)
    source = str(path) if path is not None else cls.__name__
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        if missing:
            fix = f"set it in the file or as {missing[0]}=…"
            raise UserError(f"no value for {', '.join(missing)}", where=source, fix=fix)
        return OmegaConf.to_object(config)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise UserError(_first_line(error), where=source) from error
    except ValueError as error:
        raise UserError(str(error), where=source) from error


@lru_cache(maxsize=64)
def _defaults(cls: type) -> DictConfig:
    """A class with its defaults; a copy costs a fifth of making it."""
    return OmegaConf.structured(cls)


def to_yaml(config: Any) -> str:
    """The configuration as YAML text that `load_config` reads back to an equal object."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def config_hash(value: Any) -> str:
    """SHA-256 (hex) of a configuration or a part: dataclasses, mappings, sequences, enums, paths, plain values.

    The order of mapping keys does not matter. Raises TypeError for anything else.
    """
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"cannot hash a {type(value).__name__} as configuration")


def _file_layers(path: Path, seen: tuple[Path, ...]) -> Iterator[_Layer]:
    resolved = path.resolve()
    if resolved in seen:
        what = f"`{BASE_KEY}:` leads back to {path.name}"
        raise UserError(what, where=str(seen[-1]), expected="bases without a circle")
    layer = _read(path)
    values = dict(layer.values)
    base = values.pop(BASE_KEY, None)
    if base is not None:
        if not isinstance(base, str):
            what = f"{BASE_KEY} is {_shown(base)}"
            raise UserError(what, where=layer.where(BASE_KEY), expected="the path of one YAML file")
        target = path.parent / base
        if not target.is_file():
            raise UserError(f"base file {target} does not exist", where=layer.where(BASE_KEY))
        yield from _file_layers(target, (*seen, resolved))
    yield _Layer(values, layer.source, layer.lines)


def _read(path: Path) -> _Layer:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError("no such file", where=str(path), expected="a YAML configuration") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a UTF-8 text file"
        raise UserError(f"cannot read it: {reason}", where=str(path), expected="a YAML configuration") from error
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
        if document is None:
            return _Layer({}, str(path), {})
        if not isinstance(document, yaml.MappingNode):
            raise UserError("the top level is not a mapping", where=str(path), expected="`key: value` lines")
        values = OmegaConf.to_container(OmegaConf.create(text))
    except yaml.YAMLError as error:
        raise UserError(_yaml_problem(error), where=_yaml_where(str(path), error), expected="valid YAML") from error
    except (OmegaConfBaseException, RecursionError) as error:
        raise UserError(_first_line(error), where=str(path)) from error
    return _Layer(values, str(path), dict(_key_lines(document, "")))  # type: ignore[arg-type]


def _key_lines(node: yaml.Node, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = _join(prefix, key.value)
            yield name, key.start_mark.line + 1
            yield from _key_lines(value, name)


def _override_layer(text: str) -> _Layer:
    source = f"override {text!r}"
    key, equals, _ = text.partition("=")
    if not equals or not key.strip() or key != key.strip():
        raise UserError("not a setting", where=source, expected="key=value without spaces around =")
    try:
        values = OmegaConf.to_container(OmegaConf.from_dotlist([text]))
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise UserError(f"the value cannot be read: {_first_line(error)}", where=source, fix="quote it") from error
    return _Layer(values, source, {})  # type: ignore[arg-type]


def _apply(node: DictConfig, values: Mapping[Any, Any], layer: _Layer, root: DictConfig, prefix: str = "") -> None:
    """Write `values` into the structured `node`, key by key, so that every error knows its key."""
    structured = OmegaConf.get_type(node) not in (dict, None)
    for key, value in values.items():
        name = _join(prefix, str(key))
        if structured and key not in [str(k) for k in node]:
            raise _unknown_key(name, layer, root)
        child = node._get_node(key)
        section = _section_type(child) if child is not None else _dataclass(node._metadata.element_type)
        if section is not None and isinstance(value, Mapping):
            if child is None or child._is_none() or child._is_missing():
                node[key] = OmegaConf.structured(section)
            _apply(node[key], value, layer, root, name)
        elif isinstance(child, ListConfig) and isinstance(value, list) and _dataclass(child._metadata.element_type):
            node[key] = [_element(child._metadata.element_type, v, layer, f"{name}[{i}]") for i, v in enumerate(value)]
        elif isinstance(child, DictConfig) and section is None and isinstance(value, Mapping) and not child._is_none():
            _apply(child, value, layer, root, name)
        else:
            _assign(node, key, name, value, layer)


def _element(section: type, value: Any, layer: _Layer, name: str) -> DictConfig:
    if not isinstance(value, Mapping):
        raise UserError(f"{name} is {_shown(value)}", where=layer.where(name), expected="a section of keys")
    element = OmegaConf.structured(section)
    _apply(element, value, layer, root=element)
    return element


def _assign(node: DictConfig, key: Any, name: str, value: Any, layer: _Layer) -> None:
    child = node._get_node(key)
    expected = _type_name(node, key)
    if isinstance(value, float) and math.isnan(value):
        raise UserError(f"{name} is not a number", where=layer.where(name), expected=expected)
    if isinstance(child, EnumNode) and isinstance(value, str):
        value = _enum_member(child.enum_type, value)
    try:
        node[key] = value
    except (ConfigKeyError, ConfigAttributeError) as error:
        raise UserError(f"{name}: {_first_line(error)}", where=layer.where(name), expected=expected) from error
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        what = f"{name} is {_shown(value)}"
        raise UserError(what, where=layer.where(name), expected=expected) from error


def _unknown_key(name: str, layer: _Layer, root: DictConfig) -> UserError:
    parent, _, last = name.rpartition(".")
    keys = list(_all_keys(root, ""))
    siblings = {k.rpartition(".")[2]: k for k in keys if k.rpartition(".")[0] == parent}
    near = [siblings[k] for k in difflib.get_close_matches(last, siblings, n=1, cutoff=0.5)]
    near += [k for k in keys if k.rpartition(".")[2] == last]
    near += difflib.get_close_matches(name, keys, n=1, cutoff=0.0)
    fix = f"the nearest valid key is {near[0]}" if near else None
    return UserError(f"unknown key {name}", where=layer.where(name), fix=fix)


def _all_keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in node:
        name = _join(prefix, str(key))
        yield name
        child = node._get_node(key)
        section = _section_type(child)
        if section is not None:
            present = not (child._is_none() or child._is_missing())
            yield from _all_keys(child if present else OmegaConf.structured(section), name)


def _section_type(child: Any) -> type | None:
    """The dataclass of a nested section, also where an optional section is None."""
    if not isinstance(child, DictConfig):
        return None
    return _dataclass(OmegaConf.get_type(child) or child._metadata.ref_type)


def _dataclass(kind: Any) -> type | None:
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


def _enum_member(kind: type[Enum], text: str) -> Enum | str:
    for member in kind:
        if text.lower() in (member.name.lower(), str(member.value).lower()):
            return member
    return text


def _type_name(node: DictConfig, key: Any) -> str:
    child = node._get_node(key)
    optional = " or null" if child is not None and child._metadata.optional else ""
    if isinstance(child, EnumNode):
        return "one of " + ", ".join(str(m.value) for m in child.enum_type) + optional
    if _section_type(child) is not None:
        return "a section of keys" + optional
    if isinstance(child, ListConfig):
        element = getattr(child._metadata.element_type, "__name__", "values")
        return f"a list of {element}" + optional
    if isinstance(child, DictConfig):
        return "a mapping" + optional
    kind = child._metadata.ref_type if child is not None else node._metadata.element_type
    return getattr(kind, "__name__", str(kind)) + optional


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _join(prefix: str, key: str) -> str:
    return f"{prefix}.{key}" if prefix else key


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _yaml_problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or _first_line(error)


def _yaml_where(source: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{source}:{mark.line + 1}" if mark else source
