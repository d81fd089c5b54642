"""Measure an OpenAI-compatible endpoint under load. An edge: it speaks to the network and reads the clock.

    subject   what is measured: its address, key, model and, where known, what serves it   .subject
    prompts   what it is asked: seeded, no two of them beginning alike                     .prompts
    contact   the first words: does it answer, how long are its tokens                     .contact
    stream    one request: when each piece of its answer came                              .stream
    ladder    closed loops: C clients, each sending its next request when the last ended   .ladder
    figures   percentiles and rates of many requests                                       .figures
    cold      how long it takes from a stop to the first answer                            .cold

The load is closed: what a client sends waits for what it was sent, so a slow server is asked less often.
Latencies are those of C requests at once, not those of a rate of arrivals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deployer import __version__
from deployer.core.clock import now
from deployer.core.documents.bench import BenchDocument, BenchLoad, ColdStart, Percentiles, Run
from deployer.core.home import home
from deployer.planning.measured import Measurement, Speed
from deployer.sources import measurements

if TYPE_CHECKING:
    from deployer.running.bench.endpoints import Subject
    from deployer.running.bench.samples import Load

SOURCE = "deployer bench"


def document(
    runs: Sequence[Run], starts: Sequence[ColdStart], load: Load, kept: Sequence[Path]
) -> BenchDocument:
    """Return the bench document."""
    asked = BenchLoad(
        input_tokens=load.input_tokens, output_tokens=load.output_tokens, seed=load.seed
    )
    return BenchDocument(
        runs=tuple(runs), cold_starts=tuple(starts), load=asked, kept=tuple(map(str, kept))
    )


def keep_all(subjects: Sequence[Subject], runs: Sequence[Run]) -> list[Path]:
    """Keep what was measured of each subject, and return the files.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    where, at = home(), now()
    made = (_measurement(s, [r for r in runs if r.url == s.endpoint.url], at) for s in subjects)
    return [measurements.keep(where, m) for m in made if m.speeds]


def _measurement(subject: Subject, runs: Sequence[Run], at: str) -> Measurement:
    return Measurement(
        at=at,
        source=SOURCE,
        version=__version__,
        served=subject.served,
        deployment=subject.deployment,
        spec_digest=subject.spec_digest,
        context=subject.load.get("context"),
        speeds=tuple(_speeds(runs)),
    )


def _speeds(runs: Sequence[Run]) -> Iterator[Speed]:
    """The runs whose tokens the endpoint counted: of others it is not known how long they were."""
    for run in runs:
        counted = run.counted_from == "usage" and run.input_tokens and run.output_tokens
        if counted and run.output_tok_s:
            yield Speed(
                concurrency=run.concurrency,
                input_tokens=run.input_tokens or 0.0,
                output_tokens=run.output_tokens or 0.0,
                requests=run.requests,
                errors=run.errors,
                output_tok_s=run.output_tok_s,
                tpot_ms=_pair(run.tpot_ms),
                ttft_ms=_pair(run.ttft_ms),
            )


def _pair(figures: Percentiles | None) -> tuple[float, float] | None:
    return None if figures is None else (figures.p50, figures.p95)
