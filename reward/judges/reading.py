"""Reads a judge's answer: a label of the closed set, or why there is none. Never a default, never a number that was not said.

Of an object under a schema the key `verdict` counts. Of free text the last verdict counts (a line `VERDICT: …` or a JSON key),
behind the thinking, if there is any. A text that was cut off has none, unless all of it is one JSON value: the last verdict in it
may be a quotation or a draft. A judge that refuses to judge has no opinion, whatever a grammar made it write after that.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from reward.judges.types import Ballot, Failure, Why
from rl_align.endpoints.types import Completion

_VERDICT = re.compile(
    r"^[ \t>*_#`\"'{(\[-]*(?:(?:final|my|the)[ \t]{1,3})?verdict[ \t*_`\"']{0,6}[:=](?P<line>[^\n]{0,120})"
    r"|\"verdict\"[ \t]{0,4}:(?P<json>[^\n]{0,120})",
    re.IGNORECASE | re.MULTILINE,
)
_JSON_VALUE = re.compile(r"\s*(?:\"([^\"]*)\"|(-?[0-9.]+))")
# A point in front is none: ".5" is not 5. Nor are single angles: "<5" is not 5, and "<5>" is.
_BEFORE, _BEHIND = " \t\r*_`\"'“”‘’([{", " \t\r*_`\"'“”‘’)]}.,;:!"
_ANGLES = re.compile(r"<([^<>]*)>")
#: What a judge may add behind its label: "4 (good)", "kept - the aim is the same".
_EXPLANATION = re.compile(r"[ \t]+[(–—-][ \t]{0,2}[^\W\d].*", re.DOTALL)
#: A grade, perhaps with its scale: "4", "4.0", "4/5", "4 out of 5".
_GRADE = re.compile(r"(?P<n>\d{1,3})(?:\.0+)?(?:[ \t]{0,3}(?:/|out of)[ \t]{0,3}(?P<of>\d{1,3}))?", re.IGNORECASE)
_THOUGHT, _THOUGHT_END = "<think>", "</think>"
_MODAL = (
    r"(?:can(?:not|['’]?t| not)|won['’]?t|will not|(?:am|['’]m) (?:not able|unable) to|must (?:decline|refuse) to|"
    r"(?:have to )?(?:decline|refuse) to|(?:am|['’]m) not (?:going|allowed|permitted) to)"
)
_JUDGING = (
    r"(?:assist|help(?! but\b)|comply|engage|continue|fulfil+|process|participate|"
    r"(?:judge|evaluate|rate|grade|score|review|analy[sz]e|assess|discuss) "
    r"(?:this|that|these|such|it|your|the (?:re|mat|con|im|an)\w+)|"
    r"(?:provide|give) assistance|"
    r"(?:provide|give) (?:an?|any|this|that|the) (?:verdict|judg\w+|assessment|evaluation|rating|score|analysis))\b"
)
_REFUSAL = re.compile(
    r"\W{0,8}(?:(?:(?:i['’]?m|i am)? ?(?:very |so |really )?sorry|i apologi[sz]e|unfortunately)[,.;]? (?:but )?)?"
    r"(?:as an ai\b[^.!?\n]{0,60}?,? )?"
    rf"i ?{_MODAL} (?:\w{{2,12}}ly )?{_JUDGING}",
    re.IGNORECASE,
)


def read_verdict(completion: Completion, labels: Mapping[str, float]) -> Ballot | Failure:
    """The vote of a general judge. Never raises."""
    if completion.finish_reason == "content_filter":
        return Failure(Why.JUDGE_REFUSED, "the endpoint filtered the answer")
    if isinstance(completion.parsed, Mapping):
        if completion.finish_reason == "length" and not _whole(completion.text):
            return Failure(Why.TRUNCATED, completion.text)
        reason, said = completion.parsed.get("reason"), completion.parsed.get("verdict")
        reason = reason if isinstance(reason, str) else ""
        if refuses(reason):
            return Failure(Why.JUDGE_REFUSED, reason)
        return _ballot(said, reason, labels)
    return _read_text(completion, labels)


def _whole(text: str) -> bool:
    """Whether a text is one JSON value from its beginning to its end."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def refuses(text: str) -> bool:
    """Whether a judge declines to judge."""
    return bool(_REFUSAL.match(text[:400]))


def behind_thinking(text: str) -> str | None:
    """What stands behind a reasoning model's thinking; None when the thinking never ends."""
    head, end, tail = text.rpartition(_THOUGHT_END)
    if end:
        return tail
    return None if _THOUGHT in text else text


def _read_text(completion: Completion, labels: Mapping[str, float]) -> Ballot | Failure:
    if completion.finish_reason == "length":
        return Failure(Why.TRUNCATED, completion.text)
    text = behind_thinking(completion.text)
    if text is None:
        return Failure(Why.BAD_OUTPUT, "the thinking has no end")
    last = next(iter(deque(_VERDICT.finditer(text), maxlen=1)), None)
    if last is None:
        return Failure(Why.JUDGE_REFUSED if refuses(text.strip()) else Why.BAD_OUTPUT, text)
    reason = text[: last.start()].strip()
    if refuses(reason):
        return Failure(Why.JUDGE_REFUSED, reason)
    if last["json"] is None:
        return _ballot(last["line"], reason, labels)
    value = _JSON_VALUE.match(last["json"])
    return _ballot((value[1] or value[2]) if value else last["json"], reason, labels)


def _ballot(said: Any, reason: str, labels: Mapping[str, float]) -> Ballot | Failure:
    if said is None:
        return Failure(Why.BAD_OUTPUT, "no verdict")
    label = label_of(said, labels)
    return Ballot(label, reason) if label else Failure(Why.OUT_OF_SET, f"the verdict {str(said)[:60]!r}")


def label_of(said: Any, labels: Mapping[str, float]) -> str | None:
    """The label that this value means, or None. Case, decoration and spaces in place of underscores are overlooked."""
    if isinstance(said, bool) or not isinstance(said, (str, int, float)):
        return None
    if isinstance(said, str) and said in labels:
        return said
    text = _EXPLANATION.sub("", str(said)).lstrip(_BEFORE).rstrip(_BEHIND)
    text = _ANGLES.sub(r"\1", text)
    known = {label.casefold(): label for label in labels}
    plain = re.sub(r"[\s-]+", "_", text.casefold())
    if plain in known:
        return known[plain]
    grade = _GRADE.fullmatch(text)
    numbers = [int(label) for label in labels if label.isdigit()]
    if grade and numbers and (grade["of"] is None or int(grade["of"]) == max(numbers)):
        return known.get(str(int(grade["n"])))
    return None
