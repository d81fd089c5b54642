"""The document of `deployer bench --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from deployer.core.documents.base import Document
from deployer.core.domain import Keyword
from deployer.core.records import dataclass

CountedFrom = Literal["usage", "chunks"]


@dataclass(frozen=True)
class Percentiles:
    """The median, and what 95 % and 99 % of the values do not exceed."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Run:
    """What was measured of one endpoint at one concurrency."""

    deployment: str | None
    url: str
    model: str
    concurrency: Annotated[int, Keyword("minimum", 1)]
    requests: int
    """Successful requests."""
    errors: int
    error_kinds: Mapping[str, int]
    seconds: float
    ttft_ms: Percentiles | None
    """Time to the first streamed chunk of text."""
    itl_ms: Percentiles | None
    """Time between two chunks."""
    tpot_ms: Percentiles | None
    """Time per output token of a request, after the first token."""
    e2e_ms: Percentiles | None
    """Time to the end of the answer."""
    output_tok_s: float | None
    requests_per_s: float
    input_tokens: float | None
    """Mean per request; null: the server does not report it."""
    output_tokens: float | None
    counted_from: CountedFrom
    client_cpu_share: float
    """Share of one core that the load generator used: near 1 it is itself the bottleneck."""


@dataclass(frozen=True)
class ColdStart:
    """Time from the start of a deployment to its first answer."""

    deployment: str
    first_answer_s: float


@dataclass(frozen=True, kw_only=True)
class BenchLoad:
    """What each request asked for; the seed makes the same prompts again."""

    input_tokens: int
    output_tokens: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class BenchDocument(Document):
    """What was measured, and the files that the next plan reads it from."""

    DECIMALS: ClassVar[int] = 3

    runs: tuple[Run, ...]
    cold_starts: tuple[ColdStart, ...]
    load: BenchLoad
    kept: tuple[str, ...]
