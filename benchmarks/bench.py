"""Is `deployer bench` right, and is it fast enough not to measure itself: three tables in one run.

    python -m benchmarks.bench [--rounds 5] [--requests 60] [--clients 1,2,4]

1. The client alone: a server that sends as fast as it is read. What it takes a second is its ceiling.
2. A server of known timing: 40 ms to the first token, 8 ms between two.
3. The real llama.cpp with the tiny model of `examples`.

In 2 and 3 `deployer bench` and another load generator (`benchmarks.loading.independent`: threads and
`http.client`, sharing no code that measures) take turns, so that a change of the machine's speed falls on both; of each
percentile the median over the rounds is shown. Exits 1 when a median or a 95th percentile of the time to the
first token or of the whole answer is more than 10 % apart, or the ceiling is below 10,000 tokens/s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loading.independent import generate, nearest_rank_ms
from deployer.bench import contact, ladder
from deployer.bench.stream import client_of
from deployer.bench.subject import Subject, of_deployment
from deployer.bench.words import Load, Percentiles, Run
from deployer.openai_http import Endpoint
from deployer.state import Store

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "examples" / "tiny.yaml"
DEPLOYER = Path(sys.executable).with_name("deployer")
FIRST_MS, GAP_MS, TOKENS = 40, 8, 30
MOST_APART = 0.10
LEAST_TOKENS_S = 10_000
PERCENTS = (50, 95, 99)
GATED = tuple(f"{what} p{percent}" for what in ("first", "whole") for percent in (50, 95))

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """How much is measured."""

    rounds: int
    requests: int
    clients: Sequence[int]


@contextmanager
def known(first_ms: float, gap_ms: float, tokens: int) -> Iterator[Subject]:
    """Run the server of known timing."""
    timing = [str(figure) for figure in (first_ms, gap_ms, tokens)]
    command = [sys.executable, "-m", "benchmarks.loading.known", *timing]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101 - it is a pipe
        port = int(server.stdout.readline())
        try:
            yield Subject(Endpoint(f"http://127.0.0.1:{port}/v1", "key"), "known")
        finally:
            server.terminate()


@contextmanager
def tiny() -> Iterator[Subject]:
    """Run the tiny model with the real llama.cpp."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"DEPLOYER_HOME": home}

        def deployer(*arguments: str) -> None:
            subprocess.run(
                [str(DEPLOYER), *arguments], env=environment, check=True, capture_output=True
            )

        deployer("up", "-f", str(SPEC), "--target", "local", "--yes")
        try:
            yield of_deployment(Store(Path(home)), "tiny-local")
        finally:
            deployer("down", "tiny-local")


def ours(subject: Subject, load: Load) -> Run:
    """Measure with `deployer bench`, one step."""
    return ladder.measure([subject], load, lambda *_: None)[0]


def _ours(subject: Subject, clients: int, requests: int) -> Figures:
    run = ours(subject, _load(clients, requests))
    return {
        **_named("first", run.ttft_ms),
        **_named("between", run.itl_ms),
        **_named("whole", run.e2e_ms),
        "tok/s": run.output_tok_s or 0.0,
    }


def _load(clients: int, requests: int) -> Load:
    return Load(50, TOKENS, (clients,), requests, seed=random.getrandbits(32))


async def _bodies(subject: Subject, load: Load) -> list[Mapping[str, Any]]:
    """The load as `deployer bench` would send it: a warm-up of each client, then the requests."""
    async with client_of(subject.endpoint, 60) as client:
        met = await contact.meet(client, subject, load)
    count = load.concurrency[0] + (load.requests or 0)
    return [contact.request(subject, met, load, f"{load.seed}-{i}") for i in range(count)]


def _named(what: str, figures: Percentiles | None) -> Figures:
    values = (figures.p50, figures.p95, figures.p99) if figures else (0.0, 0.0, 0.0)
    return {f"{what} p{n}": value for n, value in zip(PERCENTS, values, strict=True)}


def _theirs(subject: Subject, clients: int, requests: int) -> Figures:
    end, load = subject.endpoint, _load(clients, requests)
    bodies = [json.dumps(body).encode() for body in asyncio.run(_bodies(subject, load))]
    seen = generate(end.url, end.key, clients, bodies[:clients], bodies[clients:])
    if seen.errors:
        raise SystemExit(f"{seen.errors} requests of the other generator failed")
    values = {"first": seen.first, "between": seen.between, "whole": seen.whole}
    return {
        **{
            f"{what} p{n}": nearest_rank_ms(each, n)
            for what, each in values.items()
            for n in PERCENTS
        },
        "tok/s": seen.tokens / seen.seconds,
    }


def compare(name: str, subject: Subject, asked: Asked) -> bool:
    """Let both measure in turn, print both, and return whether the gated figures are near."""
    near = True
    for clients in asked.clients:
        rounds: dict[str, list[Figures]] = {"ours": [], "theirs": []}
        measure: Mapping[str, Callable[[Subject, int, int], Figures]]
        measure = {"ours": _ours, "theirs": _theirs}
        for turn in range(asked.rounds):
            for who in sorted(measure, reverse=bool(turn % 2)):
                rounds[who].append(measure[who](subject, clients, asked.requests))
        mine, other = (_medians(rounds[who]) for who in ("ours", "theirs"))
        near &= _print(f"{name}, {clients} clients", mine, other)
    return near


def _medians(rounds: Sequence[Figures]) -> Figures:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def _print(title: str, mine: Figures, other: Figures) -> bool:
    print(f"\n{title:<36} {'deployer bench':>15} {'independent':>12} {'apart':>7}")
    near = True
    for name, value in mine.items():
        apart = abs(value / other[name] - 1) if other[name] else 0.0
        gated = name in GATED
        near &= not gated or apart <= MOST_APART
        unit = "" if name == "tok/s" else "ms"
        mark = " <= 10 %" if gated else ""
        print(f"  {name + ' ' + unit:<34} {value:15.3f} {other[name]:12.3f} {apart:7.1%}{mark}")
    return near


def ceiling() -> float:
    """Print how many tokens a second the client can take at most; return the least of them."""
    print(f"{'the client alone':<20} {'tokens/s':>10} {'of a core':>10}")
    least = float("inf")
    with known(0, 0, 1000) as subject:
        for clients in (1, 8, 64):
            run = ours(subject, Load(100, 1000, (clients,), 2 * clients + 10))
            rate = run.output_tok_s or 0.0
            least = min(least, rate / max(run.client_cpu_share, 0.01))
            print(f"{clients:>12} clients {rate:10,.0f} {run.client_cpu_share:10.0%}")
    print(f"{'at a whole core':<20} {least:10,.0f}")
    return least


def main() -> int:
    """Print the tables; exit 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(description="Check deployer bench.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--clients", default="1,2,4")
    told = parser.parse_args()
    asked = Asked(told.rounds, told.requests, [int(n) for n in told.clients.split(",")])
    held = ceiling() >= LEAST_TOKENS_S
    with known(FIRST_MS, GAP_MS, TOKENS) as subject:
        held &= compare(f"known: {FIRST_MS} ms, then {GAP_MS} ms", subject, asked)
    with tiny() as subject:
        held &= compare("llama.cpp, tiny model", subject, asked)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
