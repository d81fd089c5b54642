"""What a measurement is made of, as frozen data. Times are seconds of one monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployer.core.documents.bench import CountedFrom


@dataclass(frozen=True)
class Sample:
    """One request, sent at `started` over a connection that stood. `first` and `last` are when its first and last piece of text came; None: none came.

    `output_tokens` is what the server counted ("usage"), or else the pieces ("chunks"). `error` is the
    kind of failure, such as "http 429"; a failed request has no share in any percentile.
    """

    started: float
    ended: float
    first: float | None = None
    last: float | None = None
    gaps: tuple[float, ...] = ()
    input_tokens: int | None = None
    output_tokens: int = 0
    counted_from: CountedFrom = "chunks"
    error: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Load:
    """What is asked of an endpoint: tokens of each request, and the steps of the ladder.

    A step ends after `requests` of them, or sends no more after `duration_s`.
    """

    input_tokens: int
    output_tokens: int
    concurrency: tuple[int, ...]
    requests: int | None = None
    duration_s: float = 30.0
    seed: int = 0


@dataclass(frozen=True)
class Answering:
    """What the first requests told of an endpoint: how it is to be asked, and how long its tokens are.

    `usage` is whether it counts tokens when asked to; `limit` is its name for the most output tokens;
    `extra` goes with every request. A prompt of n words has `template_tokens` + n x `tokens_per_word`.
    """

    usage: bool
    template_tokens: float
    tokens_per_word: float
    limit: str = "max_tokens"
    extra: Mapping[str, object] = field(default_factory=dict)
