"""A measurement for a human: one row for each endpoint at each concurrency, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.cli.terminal import heading, table
from deployer.core.documents.bench import ColdStart, Percentiles, Run
from deployer.running.bench.samples import Load

BUSY = 0.7
"""Above this share of one core the measuring process may be what is slow."""
FEW = 100


def render(runs: Sequence[Run], starts: Sequence[ColdStart], load: Load) -> str:
    """Return the runs as text for a terminal."""
    return "\n".join(_lines(runs, starts, load))


def _lines(runs: Sequence[Run], starts: Sequence[ColdStart], load: Load) -> Iterator[str]:
    asked = f"{load.input_tokens} tokens in, {load.output_tokens} out, seed {load.seed}"
    yield heading(f"requests of {asked}; latencies in ms: p50 / p95 / p99")
    header = ["clients", "endpoint", "requests", "errors", "first token", "between tokens"]
    yield table(
        [[*header, "whole answer", "tok/s"], *map(_row, runs)], right=frozenset(range(2, 8)) | {0}
    )
    for start in starts:
        yield f"  {start.deployment}: first answer {start.first_answer_s:.1f} s after a cold start"
    notes = dict.fromkeys(note for run in runs for note in _notes(run, load))
    yield from (f"  note: {note}" for note in notes)


def _row(run: Run) -> list[str]:
    rate = "-" if run.output_tok_s is None else f"{run.output_tok_s:,.1f}"
    return [
        str(run.concurrency),
        run.deployment or run.url,
        str(run.requests),
        str(run.errors),
        _latency(run.ttft_ms),
        _latency(run.itl_ms),
        _latency(run.e2e_ms),
        rate,
    ]


def _latency(figures: Percentiles | None) -> str:
    if figures is None:
        return "-"
    return " / ".join(f"{figure:,.4g}" for figure in (figures.p50, figures.p95, figures.p99))


def _notes(run: Run, load: Load) -> Iterator[str]:
    where = f"{run.deployment or run.url} at {run.concurrency}"
    if run.error_kinds:
        kinds = ", ".join(f"{count}x {kind}" for kind, count in run.error_kinds.items())
        yield f"{where}: {kinds}; failed requests are left out of the percentiles"
    if run.requests and run.counted_from == "chunks":
        yield "tokens are counted by streamed chunks: the endpoint does not report usage"
    if run.requests and (run.output_tokens or 0) < 0.95 * load.output_tokens:
        yield f"{where}: answers end early, after {run.output_tokens:.0f} tokens on average"
    if 0 < run.requests < FEW:
        yield f"with fewer than {FEW} requests p99 is close to the slowest one"
    if run.client_cpu_share > BUSY:
        share = f"{run.client_cpu_share:.0%}"
        yield f"{where}: the load generator used {share} of a core: it may be the bottleneck"
