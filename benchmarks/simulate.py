"""How long the simulation of one year takes, and the whole of `deployer compare`.

    python -m benchmarks.simulate [--runs 5] [--record]

Processor time of this process, the least of the runs, so that what else the machine does is not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from benchmarks import recording
from deployer.planning.traffic.demand import of_traffic
from deployer.planning.traffic.simulation import Server, simulate
from deployer.spec import Traffic
from deployer.workflows import compare, plan

MOST_SECONDS = 1.0
"""What the issue allows for one year."""
PROFILES = ("steady", "office-hours", "diurnal", "spiky")
KINDS = ("scales to zero", "always on")
SPEC = Path(__file__).parents[1] / "examples" / "qwen3-8b.yaml"
SLEEPER = Server(seconds=6.0, batch=8, copies=None, keep_hours=0.5, cold_hours=0.05)
DEDICATED = Server(seconds=6.0, batch=8, copies=2)


def main() -> int:
    """Print the table and fail when a year takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="keep it in benchmarks/results")
    asked = parser.parse_args()
    runs, worst = asked.runs, 0.0
    kept: dict[str, dict[str, str]] = {}
    print(f"one year of 8,736 hours, seconds of processor time, least of {runs}")
    for profile in PROFILES:
        rates = of_traffic(Traffic(Decimal(5000), profile=profile)).rates  # type: ignore[arg-type]
        times = [least(runs, lambda s=s, r=rates: simulate(r, s)) for s in (SLEEPER, DEDICATED)]  # type: ignore[misc]
        worst = max(worst, *times)
        kept[profile] = dict(zip(KINDS, (f"{t:.3f}" for t in times), strict=True))
        print(f"  {profile:<14} scales to zero {times[0]:6.3f}   always on {times[1]:6.3f}")
    with tempfile.TemporaryDirectory() as home:
        setting = plan.Setting(Path(home), offline=True)
        whole = least(runs, lambda: compare.make(SPEC, setting))
    print(f"  deployer compare -f examples/{SPEC.name}, once imported: {whole:.2f}")
    if asked.record:
        print(recording.record("simulate", {"seconds of processor time": kept}))
    return 0 if worst < MOST_SECONDS else 1


def least(runs: int, do: Callable[[], object]) -> float:
    """The least processor time of some runs, in seconds."""
    return min(map(_timed, [do] * runs))


def _timed(do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
