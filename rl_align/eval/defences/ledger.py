"""What a defence did with one sample: its verdict, every call with tokens and seconds, and the texts on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

#: Where the record stands in a sample's store.
KEY = "defence"
#: The call that there would be without any defence: the target, asked for its answer once.
ANSWER = "answer"

#: Longest text that is kept of each; a defence keeps a handful of them.
MAX_CHARS = 2000
MAX_TEXTS = 24
MAX_STEPS = 512


class Status(str, Enum):
    """How a defence ended. Only `ok` is a defended answer.

    ok: it ran to its end. open: a part of it failed, and the answer is the one without it, because `on_failure` says so.
    failed: there is no answer, and the sample ends in an error. unfinished: something else ended the sample (a limit, the user).
    """

    ok = "ok"
    open = "open"
    failed = "failed"
    unfinished = "unfinished"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes:
        purpose: What it was for; ANSWER is the one that there would be without a defence.
        role: Who was called: target, guard, detector, rewriter, scorer, or ocr.
        model: The model's name; None where no model was called.
        input_tokens: Tokens read, cached ones included; as the server counts them.
        output_tokens: Tokens written.
        seconds: Of the call itself, without waiting for a connection.
    """

    purpose: str
    role: str
    model: str | None
    input_tokens: int
    output_tokens: int
    seconds: float


@dataclass
class Ledger:
    """The record of one sample, as it grows.

    Attributes:
        name: Of the defence.
        prompts: What it asks → version and hash of the prompt.
        flagged: Whether it found harm; None where it asks nobody, or did not get that far.
        refused: Whether the answer is the defence's own refusal.
        status: How it ended.
        failure: What failed: `role`, `reason`, `detail`; None when nothing did.
        seconds: From the sample's start to its end, waiting included.
        steps: Every call, in the order in which they ended.
        texts: Texts on the way, cut to MAX_CHARS.
        cut: How many texts and calls were left out because there were too many.
    """

    name: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    flagged: bool | None = None
    refused: bool = False
    status: Status = Status.unfinished
    failure: dict[str, str] | None = None
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    def note(self, name: str, text: str) -> None:
        """Keeps a text."""
        if len(self.texts) >= MAX_TEXTS and name not in self.texts:
            self.cut += 1
            return
        self.texts[name] = bounded(text)

    def record(self) -> dict[str, Any]:
        """As plain JSON: the attributes, and the sums over the steps.

        `calls` counts the models that were called; `extra_*` leaves the one call out that there would be without a defence.
        """
        called = [s for s in self.steps if s.model is not None]
        extra = [s for s in self.steps if s.purpose != ANSWER]
        return {
            "name": self.name,
            "prompts": dict(self.prompts),
            "status": str(self.status),
            "failure": self.failure,
            "flagged": self.flagged,
            "refused": self.refused,
            "calls": len(called),
            "extra_calls": sum(s.model is not None for s in extra),
            "extra_input_tokens": sum(s.input_tokens for s in extra),
            "extra_output_tokens": sum(s.output_tokens for s in extra),
            "extra_seconds": sum(s.seconds for s in extra),
            "seconds": self.seconds,
            "steps": [asdict(s) for s in self.steps[:MAX_STEPS]],
            "texts": dict(self.texts),
            "cut": self.cut + max(0, len(self.steps) - MAX_STEPS),
        }


def bounded(text: str, limit: int = MAX_CHARS) -> str:
    """The text, or its beginning and end with a note of what is missing; fit for JSON."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters…] {text[len(text) - half :]}"
