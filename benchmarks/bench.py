"""Is `deployer bench` right, and is it fast enough not to measure itself: three tables in one run.

    python -m benchmarks.bench [--rounds 12] [--requests 20] [--clients 1,2,4]

1. The client alone: a server that sends as fast as it is read. What it takes a second is its ceiling.
2. A server of known timing: 40 ms to the first token, 8 ms between two.
3. The real llama.cpp with the model of `examples/tiny` made larger (48 million parameters), so that it is the model
   that takes the time: the tiny one answers within 15 ms, of which a client's own work is a third.

In 2 and 3 `deployer bench` and another load generator (`benchmarks.loading.independent`: threads and `http.client`,
sharing no code that measures) alternate in short rounds, with prompts of one length that no cache knows. Percentiles are of all rounds
together, with the 95 % interval of their ratio (`benchmarks.loading.pooled`). Exits 1 when a median or a 95th
percentile of the time to the first token or of the whole answer is more than 10 % apart, or the ceiling is below 10,000 tokens/s.
On a busy machine: `nice -n -10 benchmarks/bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loading import pooled
from benchmarks.loading.independent import generate, nearest_rank
from benchmarks.loading.pooled import Round
from deployer.running.bench import load_steps, probe
from deployer.running.bench.endpoints import Subject, of_deployment
from deployer.running.bench.samples import Load, Sample
from deployer.running.bench.sse_client import client_of
from deployer.running.bench.statistics import percentile
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store

ROOT = Path(__file__).parent.parent
GENERATE = ROOT / "examples" / "tiny" / "generate.py"
LARGER = {"LAYERS": 12, "FEED_FORWARD": 4096}
SPEC = "name: tiny\nmodel: {source: ./larger.gguf, context: 2048}\nserve: {concurrency: 4}\n"
DEPLOYER = Path(sys.executable).with_name("deployer")
FIRST_MS, GAP_MS, TOKENS = 40, 8, 30
MOST_APART = 0.10
LEAST_TOKENS_S = 10_000
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
WHATS = ("first", "whole")
GATED = ("p50", "p95")

Seen = Mapping[str, Sequence[float]]
"""Seconds to the first token and to the end of the answer, of each request."""


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
    """Run the tiny model, made larger, with the real llama.cpp."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"DEPLOYER_HOME": home}
        spec = Path(home, "deployer.yaml")
        spec.write_text(SPEC)
        make = runpy.run_path(str(GENERATE))["write"]
        make.__globals__.update(LARGER)
        make(spec.with_name("larger.gguf"))

        def deployer(*arguments: str) -> None:
            subprocess.run(
                [str(DEPLOYER), *arguments], env=environment, check=True, capture_output=True
            )

        deployer("up", "-f", str(spec), "--target", "local", "--yes")
        try:
            yield of_deployment(Store(Path(home)), "tiny-local")
        finally:
            deployer("down", "tiny-local")


def _ours(subject: Subject, load: Load) -> Seen:
    samples: list[Sample] = []
    run = load_steps.measure([subject], load, lambda *_: None, seen=samples.append)[0]
    if run.errors:
        raise SystemExit(f"requests of deployer bench failed: {run.error_kinds}")
    return {
        "first": [s.first - s.started for s in samples if s.first is not None],
        "whole": [s.ended - s.started for s in samples],
    }


def _load(clients: int, requests: int) -> Load:
    return Load(50, TOKENS, (clients,), requests, seed=random.getrandbits(32))


async def _bodies(subject: Subject, load: Load) -> list[Mapping[str, Any]]:
    """The load as `deployer bench` would send it: a warm-up of each client, then the requests."""
    async with client_of(subject.endpoint, 60) as client:
        met = await probe.meet(client, subject, load)
    count = load.concurrency[0] + (load.requests or 0)
    return [probe.request(subject, met, load, f"{load.seed}-{i}") for i in range(count)]


def _theirs(subject: Subject, load: Load) -> Seen:
    end, clients = subject.endpoint, load.concurrency[0]
    bodies = [json.dumps(body).encode() for body in asyncio.run(_bodies(subject, load))]
    seen = generate(end.url, end.key, clients, bodies[:clients], bodies[clients:])
    if seen.errors:
        raise SystemExit(f"{seen.errors} requests of the other generator failed")
    return {"first": seen.first, "whole": seen.whole}


def compare(name: str, subject: Subject, asked: Asked) -> bool:
    """Let both measure in turn, print both, and return whether the gated figures are near."""
    near = True
    for clients in asked.clients:
        pairs = [_pair(subject, clients, asked.requests, turn) for turn in range(asked.rounds)]
        print(
            f"\n{f'{name}, {clients} clients':<34} {'bench':>9} {'other':>9} {'ratio':>6}  95 % interval"
        )
        for what in WHATS:
            rounds = [Round(mine[what], other[what]) for mine, other in pairs]
            for at in SHARES:
                near &= _print(what, at, rounds)
    return near


def _pair(subject: Subject, clients: int, requests: int, turn: int) -> tuple[Seen, Seen]:
    """One round of each; who begins changes."""
    if turn % 2:
        theirs = _theirs(subject, _load(clients, requests))
        return _ours(subject, _load(clients, requests)), theirs
    return _ours(subject, _load(clients, requests)), _theirs(subject, _load(clients, requests))


def _print(what: str, at: str, rounds: Sequence[Round]) -> bool:
    found = pooled.compare(rounds, SHARES[at], percentile, nearest_rank)
    gated = at in GATED
    low, high = found.within
    print(
        f"  {f'{what} {at}, ms':<32} {1000 * found.ours:9.2f} {1000 * found.theirs:9.2f}"
        f" {found.ratio:6.3f}  {low:.3f} to {high:.3f}{'  <= 10 %' if gated else ''}"
    )
    return not gated or abs(found.ratio - 1) <= MOST_APART


def ceiling() -> float:
    """Print how many tokens a second the client can take at most; return the least of them."""
    print(f"{'the client alone':<20} {'tokens/s':>10} {'of a core':>10}")
    least = float("inf")
    with known(0, 0, 1000) as subject:
        for clients in (1, 8, 64):
            load = Load(100, 1000, (clients,), 2 * clients + 10)
            run = load_steps.measure([subject], load, lambda *_: None)[0]
            rate = run.output_tok_s or 0.0
            least = min(least, rate / max(run.client_cpu_share, 0.01))
            print(f"{clients:>12} clients {rate:10,.0f} {run.client_cpu_share:10.0%}")
    print(f"{'at a whole core':<20} {least:10,.0f}")
    return least


def main() -> int:
    """Print the tables; exit 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(description="Check deployer bench.")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--clients", default="1,2,4")
    told = parser.parse_args()
    asked = Asked(told.rounds, told.requests, [int(n) for n in told.clients.split(",")])
    held = ceiling() >= LEAST_TOKENS_S
    with known(FIRST_MS, GAP_MS, TOKENS) as subject:
        held &= compare(f"known: {FIRST_MS} ms, then {GAP_MS} ms", subject, asked)
    with tiny() as subject:
        # one client: with more, whose request joins whose batch decides what each waits
        held &= compare("llama.cpp", subject, Asked(asked.rounds, asked.requests, [1]))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
