"""Asks a judge for one opinion: the preset's question, as many votes as configured, one verdict or none.

Whatever goes wrong between the question and a label of the closed set is `JudgeUnscored` with a closed reason, never a score: a
judge that is down would otherwise punish the texts that happened to be judged at that time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import add

from reward.judges.config import JudgeConfig
from reward.judges.hardening import Hardening
from reward.judges.preset import Preset, Setting
from reward.judges.types import Ballot, Failure, JudgeUnscored, JudgeVerdict, Opinion, Request, Shown, Usage, Why, unscored
from reward.judges.untrusted import MARK
from reward.judges.votes import decide
from rl_align.endpoints.types import Completer, Completion, EndpointError, Sampling
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item


async def judge(
    preset: Preset,
    item: Item,
    response: Shown,
    completer: Completer,
    config: JudgeConfig,
    *,
    catalogue: Catalogue | None = None,
    hardening: Hardening | None = None,
) -> Opinion:
    """One opinion of a response, or of a rewrite.

    Args:
        preset: The question.
        item: What was asked.
        response: The text to judge, parsed.
        completer: The judge's endpoint.
        config: How it is asked.
        catalogue: Policies that the item and the response refer to; the package's own by default.
        hardening: How untrusted text gets into the prompt; as configured by default.

    Returns:
        A verdict with a score in the preset's range, or no opinion with a reason of `Why`.

    Raises:
        UserError: A template or the key of fences is unusable.
    """
    request = prepare(preset, item, response, Setting(config, catalogue or Catalogue.load(), hardening or Hardening.of(config)))
    return await ask(preset, request, completer, config) if isinstance(request, Request) else request


def prepare(preset: Preset, item: Item, response: Shown, setting: Setting) -> Request | Opinion:
    """What to ask, or the opinion where there is nothing to ask. Raises as `judge` does."""
    try:
        return preset.request(item, response, setting)
    except OSError as error:
        return unscored(Why.BAD_ITEM, f"an image cannot be read ({error})")


async def ask(preset: Preset, request: Request, completer: Completer, config: JudgeConfig) -> Opinion:
    """The opinion that the votes on a request decide on."""
    asked = [_vote(preset, request, completer, config, sample) for sample in range(config.votes)]
    votes = await asyncio.gather(*asked) if len(asked) > 1 else [await asked[0]]  # a task for one would cost as much as its answer
    usage = reduce(add, (usage for _, usage in votes))
    ballots = [vote for vote, _ in votes if isinstance(vote, Ballot)]
    failures = [vote for vote, _ in votes if isinstance(vote, Failure)]
    if len(ballots) < config.needed:
        return _without_quorum(ballots, failures, usage, config)
    labels = tuple(b.label for b in ballots)
    label = decide(labels, preset.labels, config.aggregate, config.tie, preset.ordinal)
    if label is None:
        return JudgeUnscored(Why.TIE.value, ", ".join(labels), usage)
    reason = next(b.reason for b in ballots if b.label == label)
    return JudgeVerdict(preset.labels[label], _bounded(reason, config), label, labels, usage)


async def _vote(
    preset: Preset, request: Request, completer: Completer, config: JudgeConfig, sample: int
) -> tuple[Ballot | Failure, Usage]:
    sampling = Sampling(config.temperature, config.top_p, config.max_tokens, config.seed)

    def usable(completion: Completion) -> bool:
        return isinstance(preset.read(completion), Ballot)

    try:
        completion = await completer.complete(
            request.messages, sampling, schema=request.schema, version=request.version, sample=sample, usable=usable
        )
    except EndpointError as error:
        return Failure(Why(error.reason.value), str(error)), Usage.of(None, failed=True)
    vote = preset.read(completion)
    return vote, Usage.of(completion, failed=isinstance(vote, Failure))


def _without_quorum(ballots: Sequence[Ballot], failures: Sequence[Failure], usage: Usage, config: JudgeConfig) -> JudgeUnscored:
    """The one reason that all failed votes have, else the missing quorum."""
    counts = Counter(f.why.value for f in failures)
    reason = next(iter(counts)) if len(counts) == 1 else Why.NO_QUORUM.value
    said = ", ".join(f"{n} {why}" for why, n in counts.most_common())
    detail = f"{len(ballots)} of {config.votes} votes are valid, {config.needed} needed; {said}: {failures[0].detail}"
    return JudgeUnscored(reason, _bounded(detail, config), usage)


def _bounded(text: str, config: JudgeConfig) -> str:
    """A judge quotes what it reads, and its words end up in logs and reports: no control characters, no surrogates, a limit."""
    text = text[: 4 * config.max_reason_chars]
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c.isspace() else MARK for c in text)
    text = " ".join(text.split())
    return text if len(text) <= config.max_reason_chars else text[: config.max_reason_chars - 1] + "…"
