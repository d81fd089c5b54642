"""Percentiles and rates of many requests. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from deployer.core.documents.bench import CountedFrom, Percentiles, Run
from deployer.running.bench.endpoints import Subject
from deployer.running.bench.samples import Sample


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values, interpolated between the two nearest (as numpy's default)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def percentiles_ms(seconds: Iterable[float]) -> Percentiles | None:
    """Return p50, p95 and p99 in milliseconds; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    p50, p95, p99 = (1000 * percentile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Percentiles(p50, p95, p99)


def per_token(sample: Sample) -> float | None:
    """Return the seconds per output token after the first; None of a single token."""
    if sample.first is None or sample.last is None or sample.output_tokens < 2:
        return None
    return (sample.last - sample.first) / (sample.output_tokens - 1)


def summed_up(
    subject: Subject, concurrency: int, samples: Sequence[Sample], began: float, cpu_s: float
) -> Run:
    """Add up the requests of one step, which began at `began` and took `cpu_s` of this process's time."""
    good = [s for s in samples if s.error is None]
    seconds = max((s.ended for s in samples), default=began) - began
    tokens = sum(s.output_tokens for s in good)
    per = [t for t in map(per_token, good) if t is not None]
    return Run(
        deployment=subject.deployment,
        url=subject.endpoint.url,
        model=subject.model,
        concurrency=concurrency,
        requests=len(good),
        errors=len(samples) - len(good),
        error_kinds=dict(Counter(s.error for s in samples if s.error)),
        seconds=seconds,
        ttft_ms=percentiles_ms(s.first - s.started for s in good if s.first is not None),
        itl_ms=percentiles_ms(chain.from_iterable(s.gaps for s in good)),
        tpot_ms=percentiles_ms(per),
        e2e_ms=percentiles_ms(s.ended - s.started for s in good),
        output_tok_s=tokens / seconds if good and seconds else None,
        requests_per_s=len(good) / seconds if seconds else 0.0,
        input_tokens=_mean([s.input_tokens for s in good if s.input_tokens is not None]),
        output_tokens=_mean([s.output_tokens for s in good]),
        counted_from=_counted(good),
        client_cpu_share=cpu_s / seconds if seconds else 0.0,
    )


def _mean(numbers: Sequence[int]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _counted(good: Sequence[Sample]) -> CountedFrom:
    """By usage only where every answer had one."""
    return "usage" if good and all(s.counted_from == "usage" for s in good) else "chunks"
