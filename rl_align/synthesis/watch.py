"""Whether a run goes on: not above a share of failed calls that is no accident, and not over its budget."""

from __future__ import annotations

from collections import Counter, deque

from rl_align.endpoints.types import EndpointError, FailureReason
from rl_align.synthesis.types import Stopped


class Watch:
    """Counts the calls of all models of one run.

    Args:
        most_failed: Share of failed calls that is too much.
        min_calls: Calls before the share counts.
        window: Latest calls that it is taken over.
    """

    def __init__(self, most_failed: float, min_calls: int, window: int):
        self._most_failed, self._min_calls = most_failed, min_calls
        self._latest: deque[bool] = deque(maxlen=window)
        self._reasons: Counter[str] = Counter()
        #: Why nothing more is bought; None as long as the run goes on.
        self.stopped: Stopped | None = None

    def check(self) -> None:
        """Raises Stopped once the run is over. To be called before anything is bought."""
        if self.stopped is not None:
            raise Stopped(str(self.stopped))

    def answered(self) -> None:
        """Counts a call that was answered."""
        self._latest.append(False)

    def failed(self, role: str, error: EndpointError) -> None:
        """Counts a call without an answer. Raises Stopped when it was one too many, or over the budget."""
        if error.reason is FailureReason.budget:
            self.spent(role, error.message)
        self._latest.append(True)
        self._reasons[f"{role} {error.reason}"] += 1
        failed, calls = sum(self._latest), len(self._latest)
        if calls >= self._min_calls and failed > self._most_failed * calls:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self._reasons.most_common())
            self._stop(
                f"{failed} of the latest {calls} calls failed ({reasons} so far; the last: {error.message})",
                where="max_failed_share",
                expected=f"a share of at most {self._most_failed:g}",
                fix="see whether the endpoints answer, then run the same command again: it continues, and pays for nothing twice",
            )
        self.check()

    def spent(self, role: str, told: str) -> None:
        """The budget does not allow another call. Raises Stopped."""
        fix = "raise it and run the same command again: it continues, and pays for nothing twice"
        self._stop(f"the budget of the {role} is spent ({told})", fix=fix)
        self.check()

    def _stop(self, what: str, **told: str) -> None:
        if self.stopped is None:
            self.stopped = Stopped(what, **told)
