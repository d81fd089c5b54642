"""Plans specs that nobody should write, and prints what came of it.

    benchmarks/fuzz [--examples 10000] [--seed 0] [--jobs N]

Each one is planned in-process, with `--json` and for a terminal. Asked of every answer: no traceback, exit
code 0, 2, 3 or 4, exactly one JSON document of the published schema, nothing else on stdout or stderr, and
no control character for a human. A failure is printed in its smallest form; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzzing.check import Bench
from benchmarks.fuzzing.specs import SPECS
from deployer.core.domain import TARGETS


def fuzz(bench: Bench, examples: int, first: int) -> None:
    """Check that many specs.

    Raises:
        AssertionError: one was answered as none should be; the smallest is in its notes.
        ExceptionGroup: several were.
    """

    @seed(first)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(spec=SPECS, target=st.sampled_from((None, *TARGETS)))
    def property_of_all(spec: str | bytes, target: str | None) -> None:
        bench.check(spec, target)

    property_of_all()


def work(examples: int, first: int) -> Bench:
    """Check specs in a folder of this process's own; a failure is printed and counted."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.check("name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n")  # imports Pulumi
        bench.forget()
        try:
            fuzz(bench, examples, first)
        except (AssertionError, ExceptionGroup) as error:
            bench.failures = _show(error)
        return bench


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    each = math.ceil(asked.examples / asked.jobs)
    seeds = range(asked.seed, asked.seed + asked.jobs)
    started = time.perf_counter()
    with ProcessPoolExecutor(asked.jobs) as pool:
        done = list(pool.map(work, [each] * asked.jobs, seeds))
    _table(done, time.perf_counter() - started)
    return int(any(bench.failures for bench in done))


def _show(error: BaseException) -> int:
    """Print failures and count them."""
    found = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    for one in found:
        notes = "\n".join(getattr(one, "__notes__", ()))
        print(f"FAILED: {one}\n{notes[:3000]}", flush=True)
    return len(found)


def _table(done: Sequence[Bench], seconds: float) -> None:
    codes = sum((bench.codes for bench in done), Counter[int]())
    total, slowest = codes.total(), max(bench.slowest for bench in done)[0]
    failures = sum(bench.failures for bench in done)
    print(f"{total:>8,}  specs planned in {seconds:.0f} s, the slowest in {slowest:.2f} s")
    for code, count in sorted(codes.items()):
        print(f"{count:>8,}  exit {code}  {count / total:.1%}")
    print(f"{failures:>8,}  failures")


if __name__ == "__main__":
    sys.exit(main())
