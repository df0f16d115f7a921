"""The catalogue of safety policies: a YAML file, checked, with lookup by any usual spelling of a name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.schema import Action, Citation, Policy, Rule

DEFAULT_PATH = Path(__file__).with_name("catalogue.yaml")
#: Environment variable: the catalogue to use instead, as an absolute path; a copy of ours with more in it.
OWN = "RL_ALIGN_CATALOGUE"
VERSION = 1

#: Longer strings are no policy name; the bound keeps lookups of hostile text cheap.
MAX_NAME = 100

_DECORATION = " \t\r\n\f\v\u00a0\"'`*_~.,:;()[]{}<>“”‘’«»"
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")


def normalise_name(name: str) -> str:
    """A policy's name as lookup sees it: undecorated, lower case, words joined by one underscore."""
    if len(name) > MAX_NAME:
        return ""
    return _SEPARATORS.sub("_", name.strip(_DECORATION).casefold().replace("&", "and"))


class Catalogue:
    """Policies by canonical id, alias or title. Immutable.

    Raises:
        UserError: Two policies claim one name, or a policy's rules are not numbered 1, 2, 3, …
    """

    def __init__(self, policies: Iterable[Policy], where: str | None = None):
        self.policies: tuple[Policy, ...] = tuple(policies)
        self.ids: tuple[str, ...] = tuple(p.id for p in self.policies)
        self._by_name: dict[str, Policy] = {}
        for policy in self.policies:
            if [r.number for r in policy.rules] != list(range(1, len(policy.rules) + 1)) or not policy.rules:
                raise UserError(f"policy {policy.id} needs rules numbered 1, 2, 3, …", where=where)
            for name in {normalise_name(n) for n in (policy.id, policy.title, *policy.aliases)}:
                other = self._by_name.setdefault(name, policy)
                if other is not policy or not name:
                    raise UserError(
                        f"the name {name!r} of policy {policy.id} is {'taken by ' + other.id if name else 'empty'}",
                        where=where,
                        expected="ids, titles and aliases that name one policy each",
                    )

    @classmethod
    def load(cls, path: str | None = None) -> Catalogue:
        """The catalogue at `path`; by default the one that `OWN` names, or that comes with the package. Read once per process.

        Raises:
            UserError: The file is missing, is not YAML, or a policy is incomplete; the message names the entry.
        """
        return _load(str(path or own() or DEFAULT_PATH))

    def resolve(self, name: str) -> Policy | None:
        """The policy with this id, alias or title, whatever its case, separators, quotes or Markdown; else None."""
        return self._by_name.get(name) or self._by_name.get(normalise_name(name))

    def canonical(self, citation: Citation) -> Citation:
        """The citation under its policy's id; as it is where the policy is unknown."""
        policy = self.resolve(citation.policy)
        return Citation(policy.id, citation.rule) if policy else citation

    def rule(self, citation: Citation) -> Rule | None:
        """The rule a citation names; None when the policy is unknown, no rule is given, or the rule does not exist."""
        policy = self.resolve(citation.policy)
        return policy.rule(citation.rule) if policy and citation.rule is not None else None


def own() -> str | None:
    """The catalogue that the environment names. Raises UserError where processes in other folders would not find it."""
    path = os.environ.get(OWN)
    if path and not os.path.isabs(path):
        raise UserError(f"{path} is relative", where=OWN, expected="an absolute path")
    return path or None


@lru_cache(maxsize=16)
def _load(path: str) -> Catalogue:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            tree = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise UserError(f"cannot read the policy catalogue ({error.strerror})", where=path) from error
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8", where=path, expected="a YAML file in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(f"not YAML ({getattr(error, 'problem', None) or 'syntax error'})", where=where) from error
    if not isinstance(tree, Mapping) or not isinstance(tree.get("policies"), list) or not tree["policies"]:
        raise UserError("no policies", where=path, expected="a mapping with a list under `policies`")
    if tree.get("version") != VERSION:
        raise UserError(f"version {tree.get('version')!r}", where=path, expected=f"version: {VERSION}")
    return Catalogue([_policy(p, f"{path}: policies[{i}]") for i, p in enumerate(tree["policies"])], where=path)


def _policy(tree: Any, where: str) -> Policy:
    _only(tree, where, required={"id", "title", "objective", "rules"}, optional={"aliases"})
    if not _ID.match(_text(tree["id"], f"{where}.id")):
        raise UserError(f"bad id {tree['id']!r}", where=where, expected="a snake_case name")
    aliases = tree.get("aliases", [])
    if not isinstance(aliases, list) or not isinstance(tree["rules"], list):
        raise UserError("aliases and rules are lists", where=where)
    return Policy(
        id=tree["id"],
        title=_text(tree["title"], f"{where}.title"),
        objective=_text(tree["objective"], f"{where}.objective"),
        rules=tuple(_rule(r, n, f"{where}.rules[{n - 1}]") for n, r in enumerate(tree["rules"], start=1)),
        aliases=tuple(_text(a, f"{where}.aliases[{i}]") for i, a in enumerate(aliases)),
    )


def _rule(tree: Any, number: int, where: str) -> Rule:
    _only(tree, where, required={"action", "text"})
    try:
        action = Action(tree["action"])
    except ValueError:
        known = ", ".join(a.value for a in Action)
        raise UserError(f"unknown action {tree['action']!r}", where=where, expected=f"one of {known}") from None
    return Rule(number, _text(tree["text"], f"{where}.text"), action)


def _only(tree: Any, where: str, required: set[str], optional: set[str] = frozenset()) -> None:
    if not isinstance(tree, Mapping):
        raise UserError(f"{type(tree).__name__} where a mapping belongs", where=where)
    for key in sorted(required - set(tree)):
        raise UserError(f"missing key {key}", where=where)
    for key in sorted(map(str, set(tree) - required - optional)):
        raise UserError(f"unknown key {key}", where=where, expected=f"only {', '.join(sorted(required | optional))}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{value!r} is not a text", where=where, expected="a non-empty string")
    return value.strip()
