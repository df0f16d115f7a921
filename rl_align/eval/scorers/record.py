"""The record of one answer: one JSON object, the same keys for every benchmark. All metrics are computed from it.

benchmark     name of the protocol, such as "siuo" or "siuo/choice"; `rl_align.eval.benchmarks.protocol` finds its rates
version       of the protocol item_id       id of the item epoch         which answer to the item, from 1 dataset, split,
category    of the item groups        group → value: what the benchmark's numbers are cut by, such as {"scenario": "06-Fraud",
"kind": "SD"} harmful       whether a full answer to the item would do harm; null when unknown expected      behaviours that
are right text          as generated answer        what of it is judged (`rl_align.eval.answers`) form          where that
comes from: section, whole, none problems      departures from the grammar, of a transcript stop          why generation
ended: stop, max_tokens, model_length (the prompt was too long), content_filter, … tokens        tokens generated empty
whether there is nothing to judge truncated     whether the token limit cut the text off refusal       full, partial or none,
by the rules; null where there is no answer refusal_family    the rules that decided fake_refusal  whether it declines and
then delivers judges        presets that have a question about the item judged        preset → {label, score, reason, votes,
prompt}, or {unscored, detail, prompt}; nobody is asked about an empty answer reads         how an answer is read (letter,
number, …); null where there is no right one read          what was read as the chosen letter or value; null where nothing
could be right         whether that is right; null where nothing was read judge_model   name of the judge; null without one
defence       what a defence in front of the model recorded; null without one
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rl_align.eval.answers import Answer, answer_of
from rl_align.eval.scorers.judged import Desk
from rl_align.eval.scorers.readers import READERS
from rl_align.eval.scorers.refusal import read_refusal
from rl_align.schema import Item

_COPIED = ("benchmark", "version", "item_id", "dataset", "split", "category", "groups", "harmful", "expected", "judges", "reads")


async def record(
    metadata: Mapping[str, Any],
    item: Item,
    text: str,
    desk: Desk,
    *,
    epoch: int = 1,
    stop: str = "stop",
    tokens: int = 0,
    defence: Any = None,
) -> dict[str, Any]:
    """The record of an answer.

    Args:
        metadata: Of the sample.
        item: What was asked, as the judge may know it.
        text: As generated.
        desk: Where judgements are asked for.
        epoch: Which answer to the item.
        stop: Why generation ended.
        tokens: Tokens generated.
        defence: What a defence recorded.
    """
    # What cannot be written as JSON in UTF-8 cannot be kept: lone surrogates are replaced.
    text = text.encode("utf-8", "replace").decode("utf-8")
    answer = answer_of(text)
    judged = await desk.ask(metadata["judges"], item, answer.text) if answer.text else {}
    read, right = _read(metadata, answer)
    return {
        **{key: metadata[key] for key in _COPIED},
        "epoch": epoch,
        "text": text,
        "answer": answer.text,
        "form": answer.form,
        "problems": list(answer.problems),
        "stop": stop,
        "tokens": tokens,
        "empty": not answer.text,
        "truncated": stop == "max_tokens",
        **read_refusal(answer, item.prompt),
        "judged": judged,
        "read": read,
        "right": right,
        "judge_model": desk.settings.endpoint.model if desk.settings else None,
        "defence": defence,
    }


def _read(metadata: Mapping[str, Any], answer: Answer) -> tuple[str | None, bool | None]:
    if metadata["reads"] is None or not answer.text:
        return None, None
    return READERS[metadata["reads"]](answer.text, metadata["right"])
