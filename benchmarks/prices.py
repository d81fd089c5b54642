"""What `deployer prices refresh` takes: a price list of the real size, streamed from loopback.

    python -m benchmarks.prices [--mb 400]

The list has the real columns and is made while it is sent; no disk and no memory holds it. The refresh is a
process of its own, so that the peak of its resident memory is that of the command a user types.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kits import price_lists

DEPLOYER = Path(sys.executable).with_name("deployer")
MOST_MB = 300
"""What the issue allows, in MB of resident memory."""


def main() -> int:
    """Refresh once, print size, time and peak memory, and fail when it takes too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=400, help="size of EC2's file")
    size = parser.parse_args().mb * 10**6
    whole = sum(len(piece) for piece in price_lists.big(size))
    content: dict[str, price_lists.Content] = {
        **price_lists.files(),
        price_lists.path("AmazonEC2"): lambda: price_lists.big(size),
    }
    with price_lists.served(content) as url, tempfile.TemporaryDirectory() as home:
        seconds, said = refresh(url, Path(home))
        written = sum(f.stat().st_size for f in Path(home).rglob("aws-*.json"))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (
        10**6 if sys.platform == "darwin" else 1000
    )
    print(said)
    print(f"  EC2's file   {whole / 1e6:8.1f} MB")
    print(f"  time         {seconds:8.1f} s  ({whole / 1e6 / seconds:.0f} MB/s)")
    print(f"  peak memory  {peak:8.1f} MB (at most {MOST_MB})")
    print(f"  written      {written / 1e3:8.1f} kB")
    return 0 if peak < MOST_MB else 1


def refresh(url: str, home: Path) -> tuple[float, str]:
    """Run the command and return the seconds it took and what it said."""
    environment = {
        **os.environ,
        "DEPLOYER_HOME": str(home),
        "DEPLOYER_PRICES_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [str(DEPLOYER), "prices", "refresh", "--region", "us-east-1"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return time.perf_counter() - start, done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
