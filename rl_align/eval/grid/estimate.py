"""What a matrix would ask, how long that may take and what it may cost: for `--dry-run`, before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rl_align.eval.grid.cells import Cell
from rl_align.eval.grid.config import TARGET, GridConfig
from rl_align.eval.grid.plan import Plan, rounds

#: Calls for an answer beside it, of each kind of defence: (of the target, of partners), as many as there can be but for eta, whose
#: typical sample is taken, as its most is a hundred.
EXTRA = {
    "none": (0, 0),
    "self_reminder": (0, 0),
    "adashield_s": (0, 0),
    "figstep_defence": (0, 0),
    "ecso": (3, 0),
    "eta": (15, 10),
    "mllm_protector": (0, 2),
    "refuse_if_flagged": (0, 1),
    "ocr_guard": (0, 1),
    "guard": (0, 1),
}
#: Tokens written by an answer, where its limit is longer; an answer of the tiny models has about as many.
TYPICAL = 80
#: Tokens read for an answer, the picture included.
READ = 300
#: Seconds until servers of a round answer.
READY_S = 40.0
#: Seconds of the client for a call.
CALL_S = 0.006


@dataclass
class Estimate:
    """Of what is missing.

    Attributes:
        answers: Answers.
        calls: Calls of models.
        tokens: Tokens written.
        seconds: Of order, of models that are served here.
        cost: Of priced models; None where no price is known.
        judgements: Calls of the judge.
        rounds: Rounds of servers.
    """

    answers: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None
    judgements: int = 0
    rounds: int = 0


def estimate(plan: Plan, due: dict[Cell, int], stale: dict[Cell, int]) -> Estimate:
    """What asking these would take.

    Args:
        plan: The matrix.
        due: Cell → answers that it misses.
        stale: Cell → answers that are judged anew.
    """
    total = Estimate(answers=sum(due.values()))
    cfg = plan.cfg
    for cell, answers in due.items():
        sheet = plan.sheet(cell.model, cell.benchmark)
        assert sheet is not None
        total.judgements += round((answers + stale.get(cell, 0)) * sheet.judgements)
        written = min(sheet.max_tokens, TYPICAL) if sheet.max_tokens <= 512 else sheet.max_tokens // 4
        for name, calls in _calls(cfg, cell):
            model = cfg.everyone[name]
            total.calls += round(answers * calls)
            total.tokens += round(answers * calls * written)
            if model.price_prompt or model.price_completion:
                price = (READ * model.price_prompt + written * model.price_completion) / 1e6
                total.cost = (total.cost or 0.0) + answers * calls * price
    needed = [one for one in rounds(plan, [cell for cell, n in due.items() if n]) if one.folders]
    total.rounds = len(needed)
    total.seconds = READY_S * len(needed) + total.tokens / cfg.tokens_per_second + total.calls * CALL_S
    return total


def lines(cfg: GridConfig, plan: Plan, due: dict[Cell, int], stale: dict[Cell, int]) -> Iterator[str]:
    """What a person is told. Arguments as of `estimate`."""
    found = estimate(plan, due, stale)
    yield f"missing: {found.answers:,} answers in {sum(n > 0 for n in due.values())} of {len(plan.cells)} cells, in {cfg.out}"
    yield (
        f"about {found.calls:,} calls and {found.tokens:,} tokens written; {found.rounds} round(s) of servers; about "
        f"{found.seconds / 60:.0f} min at {cfg.tokens_per_second:,.0f} tokens a second (an estimate of order)"
    )
    if found.judgements:
        anew = f", {sum(stale.values()):,} answers that there are already judged anew" if any(stale.values()) else ""
        yield f"the judge: at most {found.judgements:,} calls{anew}; equal questions, and those in its cache, are asked once"
    if found.cost is None:
        yield "cost unknown: no price of a model that is asked is configured (models.….price_prompt, price_completion)"
    else:
        yield f"about {found.cost:,.4g} of money by the prices of the configuration, without the judge's"


def _calls(cfg: GridConfig, cell: Cell) -> Iterator[tuple[str, float]]:
    """(model, calls an answer)."""
    defence = cfg.defences[cell.defence]
    own, others = EXTRA.get(defence.kind, (0, 0))
    yield cell.model, 1.0 + own
    for partner in defence.partners.values():
        yield cell.model if partner == TARGET else partner, others / max(1, len(defence.partners))
