"""Closed loops: so many clients, each sending its next request when its last one has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from deployer.core.documents.bench import Run
from deployer.running.bench.endpoints import Subject
from deployer.running.bench.probe import failure, meet, request
from deployer.running.bench.samples import Answering, Load, Sample
from deployer.running.bench.sse_client import ask, client_of
from deployer.running.bench.statistics import summed_up
from deployer.running.openai_client import ANSWER_S

if TYPE_CHECKING:
    import httpx

PAUSE_S = 0.2
"""After a failure a client waits: what fails at once must not be asked a thousand times a second."""

Progress = Callable[[Subject, int, int], None]
"""Told after each request: the subject, the concurrency, and how many requests have ended."""


Seen = Callable[[Sample], None]
"""Told of each request when it has ended."""


def measure(
    subjects: Sequence[Subject],
    load: Load,
    progress: Progress,
    limit_s: float = ANSWER_S,
    seen: Seen | None = None,
) -> tuple[Run, ...]:
    """Measure every subject at every concurrency, taking turns, and return the runs.

    `limit_s` is the longest wait for the next piece of an answer; `seen` is told of each request.

    Raises:
        RemoteError: one of them does not answer at all.
        UsageError: one of them does not take such a request.
    """
    return asyncio.run(_measure(subjects, load, progress, limit_s, seen))


async def _measure(
    subjects: Sequence[Subject],
    load: Load,
    progress: Progress,
    limit_s: float,
    seen: Seen | None,
) -> tuple[Run, ...]:
    met = [await _meet(subject, load, limit_s) for subject in subjects]
    runs: list[Run] = []
    for clients in load.concurrency:
        for subject, answering in zip(subjects, met, strict=True):
            async with client_of(subject.endpoint, limit_s) as client:
                step = _Step(subject, answering, load, clients, client, progress, seen)
                runs.append(await step.run())
    return tuple(runs)


async def _meet(subject: Subject, load: Load, limit_s: float) -> Answering:
    async with client_of(subject.endpoint, limit_s) as client:
        return await meet(client, subject, load)


@dataclass
class _Step:
    """One endpoint at one concurrency."""

    subject: Subject
    answering: Answering
    load: Load
    clients: int
    http: httpx.AsyncClient
    progress: Progress
    seen: Seen | None = None
    samples: list[Sample] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)
    began: float = 0.0
    cpu_began: float = 0.0

    async def run(self) -> Run:
        """Warm up with one request of each client, then measure.

        Raises:
            RemoteError: no request of the warm-up succeeded.
        """
        warm = await asyncio.gather(*(self._ask(f"warm-{i}") for i in range(self.clients)))
        if all(sample.error for sample in warm):
            raise failure(self.subject, warm[0])
        self.began, self.cpu_began = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._client() for _ in range(self.clients)))
        cpu = time.process_time() - self.cpu_began
        return summed_up(self.subject, self.clients, self.samples, self.began, cpu)

    async def _client(self) -> None:
        while (number := self._next()) is not None:
            sample = await self._ask(str(number))
            self.samples.append(sample)
            if self.seen:
                self.seen(sample)
            self.progress(self.subject, self.clients, len(self.samples))
            if sample.error:
                await asyncio.sleep(PAUSE_S)

    def _next(self) -> int | None:
        """Return the number of the next request, or None when enough were sent."""
        number = next(self.numbers)
        if self.load.requests is not None:
            return number if number < self.load.requests else None
        return number if time.perf_counter() - self.began < self.load.duration_s else None

    async def _ask(self, number: str) -> Sample:
        seed = f"{self.load.seed}-{self.clients}-{number}"
        body = request(self.subject, self.answering, self.load, seed)
        return await ask(self.http, self.subject.endpoint, body)
