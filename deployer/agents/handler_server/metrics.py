"""What is counted, for Prometheus and `deployer status`."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .schema import Usage


class Metrics:
    """One server's counters. Tokens are only there once the handler has counted some."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.success = Counter(
            "handler_request_success", "Requests that were answered", registry=self.registry
        )
        self.failure = Counter(
            "handler_request_failure",
            "Requests that were refused or failed, by HTTP status",
            ["status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "handler_request_seconds",
            "Seconds to the end of an answer, of what was answered: what was refused or failed is not in it",
            registry=self.registry,
        )
        self.running = Gauge(
            "handler_requests_running", "Requests being answered", registry=self.registry
        )
        self.last = Gauge(
            "handler_last_request_timestamp_seconds",
            "When the last request began or ended, or the server started",
            registry=self.registry,
        )
        self.last.set_to_current_time()
        self.tokens: dict[str, Counter] = {}

    def begin(self) -> Tally:
        """Count a request that is being answered."""
        self.running.inc()
        self.last.set_to_current_time()
        return Tally(self)

    def use(self, usage: Usage | None) -> None:
        """Count tokens."""
        if usage is not None:
            self._tokens("prompt").inc(usage.prompt_tokens)
            self._tokens("completion").inc(usage.completion_tokens)

    def text(self) -> bytes:
        """Return the Prometheus text format."""
        return generate_latest(self.registry)

    def _tokens(self, kind: str) -> Counter:
        if kind not in self.tokens:
            self.tokens[kind] = Counter(
                f"handler_{kind}_tokens", f"Tokens ({kind})", registry=self.registry
            )
        return self.tokens[kind]


class Tally:
    """One request. Its first `end` counts."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics, self.began, self.ended = metrics, time.monotonic(), False

    def end(self, status: int) -> None:
        """Count how it ended, by HTTP status."""
        if self.ended:
            return
        self.ended, counted = True, self.metrics
        counted.running.dec()
        counted.last.set_to_current_time()
        if status < 400:
            counted.seconds.observe(time.monotonic() - self.began)
            counted.success.inc()
        else:
            counted.failure.labels(str(status)).inc()
