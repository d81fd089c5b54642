"""What a measurement is made of, as frozen data. Times are seconds of one monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CountedFrom = Literal["usage", "chunks"]


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
class Percentiles:
    """The median, and what 95 % and 99 % of the values do not exceed."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Run:
    """What was measured of one endpoint at one concurrency.

    `ttft_ms` is the time to the first piece of text, `itl_ms` the time between two pieces, `tpot_ms` a
    request's time per output token after the first, `e2e_ms` the time to the end of the answer.
    `client_cpu_share` is how busy the measuring process itself was: near 1 it is what was measured.
    """

    deployment: str | None
    url: str
    model: str
    concurrency: int
    requests: int  # those that succeeded
    errors: int
    error_kinds: Mapping[str, int]
    seconds: float
    ttft_ms: Percentiles | None
    itl_ms: Percentiles | None
    tpot_ms: Percentiles | None
    e2e_ms: Percentiles | None
    output_tok_s: float | None
    requests_per_s: float
    input_tokens: float | None  # mean of a request; None where the server does not count
    output_tokens: float | None
    counted_from: CountedFrom
    client_cpu_share: float


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
class Start:
    """How long a deployment took from its start to its first answer."""

    deployment: str
    first_answer_s: float


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
