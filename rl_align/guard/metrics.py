"""What the proxy did, for Prometheus. Labels come from closed sets: nothing that a client wrote becomes one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OWN_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


class Metrics:
    """Counts and times of one proxy."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        of = {"registry": self._registry, "namespace": "guard"}
        self._requests = Counter("requests", "Chat requests that ended, by what came of them", ["outcome"], **of)
        self._rewriter_failures = Counter(
            "rewriter_failures", "Requests whose rewriter failed, whatever then became of them", ["code"], **of
        )
        self._bypassed = Counter("bypassed", "Requests handed to the target with the person's own prompt", **of)
        self.under_way = Gauge("requests_under_way", "Chat requests under way", **of)
        self.held = Gauge("bytes_held", "Bytes of requests and fetched images under way", **of)
        self._total = Histogram("request_seconds", "From a request's header to the end of its answer", buckets=_SECONDS, **of)
        self._rewriter = Histogram("rewriter_seconds", "Time that the rewriter took", buckets=_SECONDS, **of)
        self._target = Histogram("target_seconds", "Time that the target took, to the end of its answer", buckets=_SECONDS, **of)
        self._overhead = Histogram("overhead_seconds", "Total without rewriter and target", buckets=_OWN_SECONDS, **of)

    def ended(self, outcome: str) -> None:
        """A request ended: `ok`; `gone`, its client hung up; `unread`, its client did not read in time; `client_error` or
        `rate_limited`, the target's answer is 4xx or 429; or the code of an error.
        """
        self._requests.labels(outcome).inc()

    def rewriter_failed(self, code: str, bypassed: bool) -> None:
        """A rewriter failed."""
        self._rewriter_failures.labels(code).inc()
        if bypassed:
            self._bypassed.inc()

    def answered(self, total_s: float, rewriter_s: float, target_s: float) -> None:
        """The times of a request that was answered, in seconds."""
        self._total.observe(total_s)
        self._rewriter.observe(rewriter_s)
        self._target.observe(target_s)
        self._overhead.observe(max(0.0, total_s - rewriter_s - target_s))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
