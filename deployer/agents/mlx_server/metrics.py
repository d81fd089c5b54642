"""What is counted since the start, for Prometheus and `deployer status`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping


class Meter:
    """Requests that run, and totals of what was answered."""

    def __init__(self) -> None:
        self.lock, self.running, self.last = threading.Lock(), 0, time.time()
        self.totals = {"request_success": 0, "prompt_tokens": 0, "completion_tokens": 0}

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Count a request as running."""
        self._step(1)
        try:
            yield
        finally:
            self._step(-1)

    def _step(self, by: int) -> None:
        with self.lock:
            self.running, self.last = self.running + by, time.time()

    def add(self, name: str, count: int = 1) -> None:
        """Add to a total."""
        with self.lock:
            self.totals[name] += count

    def text(self) -> bytes:
        """Return the Prometheus text format."""
        with self.lock:
            gauges = {"requests_running": self.running, "last_request_timestamp_seconds": self.last}
            totals = {f"{name}_total": count for name, count in self.totals.items()}
        return (_lines("gauge", gauges) + _lines("counter", totals)).encode()


def _lines(kind: str, figures: Mapping[str, float]) -> str:
    return "".join(f"# TYPE mlx_{n} {kind}\nmlx_{n} {v}\n" for n, v in figures.items())
