"""Where a TensorBoard shows what: charts of custom scalars, grouped by what a person asks of a run.

Both sides of safety stand first and beside each other: a curve of attacks alone says nothing of a policy that refuses everything.
"""

from __future__ import annotations

#: Group → chart → patterns of the metrics in it (regular expressions over whole names).
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "1 safety (harmful items)": {
        "complied with, target unsafe": (r"panel/compliance_rate/harmful", r"panel/target/unsafe/harmful"),
        "refused": (r"panel/refusal_rate/harmful", r"panel/target/refused/harmful"),
        "what the target's answers are worth": (r"panel/target/(before|after)/harmful",),
        "rewrites": (r"panel/rewrite/[a-z_]+/harmful",),
    },
    "2 over-refusal (harmless items)": {
        "refused": (r"panel/refusal_rate/benign", r"panel/target/refused/benign"),
        "answered without reserve": (r"panel/compliance_rate/benign",),
        "what the target's answers are worth": (r"panel/target/(before|after)/benign",),
        "rewrites": (r"panel/rewrite/[a-z_]+/benign",),
    },
    "3 reward": {
        "reward and truth": (r"reward/total", r"panel/truth"),
        "reward minus truth": (r"panel/truth_gap",),
        "components": (r"reward/[a-z_]+/[a-z]+",),
        "citations": (r"panel/citation_precision", r"panel/citations_per_answer"),
        "gates and statuses, texts": (r"(gate|status)/.+",),
        "left out of training, texts": (r"credit/(unscored|flat_groups|lonely_groups|not_finite)",),
        "texts that repeat a sibling, share": (r"panel/duplicates",),
        "canaries": (r"panel/canary/.+",),
        "alarms": (r"alarm/.+",),
    },
    "4 judge": {
        "minus the rule's score": (r"panel/judge_gap/.+",),
        "opinions not given, share": (r"judge/[^/]+/unscored_share", r"target/failed_share"),
        "opinions asked for": (r"judge/[^/]+/asked", r"target/asked"),
        "answered from the cache, share": (r"judge/[^/]+/cached_share",),
        "seconds an opinion": (r"judge/[^/]+/latency_s",),
        "cost": (r"judge/[^/]+/cost",),
    },
    "5 time (seconds)": {
        "step": (r"time/(step|wall)",),
        "parts": (r"time/(?!step$|wall$).+",),
    },
    "6 engine": {
        "loss": (r"loss/train", r"actor/pg_loss"),
        "gradient norm": (r"actor/grad_norm",),
        "entropy, nats a token": (r"actor/entropy",),
        "rollout and trainer probabilities, correlation": (r"training/rollout_actor_probs_pearson_corr",),
        "length, tokens": (r"response_length/mean",),
        "length over that of the beginning": (r"panel/length_drift",),
        "learning rate": (r"actor/lr",),
    },
}


def layout() -> dict[str, dict[str, list]]:
    """The groups as `SummaryWriter.add_custom_scalars` takes them."""
    return {
        group: {chart: ["Multiline", [f"^{pattern}$" for pattern in found]] for chart, found in charts.items()}
        for group, charts in GROUPS.items()
    }
