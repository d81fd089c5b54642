"""What one look of the reaper takes: a thousand machines over four regions, in the AWS emulator.

    python -m benchmarks.idle [--machines 1000]

The emulator (of the test kit: DEPLOYER_TEST_KIT, or ../shared) shares this machine's processors, so most of the
seconds are its own; a look at a region where nothing is comes first, for it loads a service when that is first asked.
The look is a process of its own, the command that a user types.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kits import emulator, idle_world

DEPLOYER = Path(sys.executable).with_name("deployer")
MOST_SECONDS = 10.0
"""What the issue allows."""
EMPTY = ("eu-north-1",)


def main() -> int:
    """Build the world, look at it, print seconds and calls, and fail when it takes too much or finds the wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=1000)
    machines = parser.parse_args().machines
    if emulator.program() is None:
        print("the test kit with the AWS emulator is not here: DEPLOYER_TEST_KIT names its folder")
        return 6
    with tempfile.TemporaryDirectory() as folder, emulator.running(Path(folder, "log")) as aws:
        world = idle_world.build(aws.url, machines, machines // 5)
        world.speak(aws.url)  # on a slow machine the first word is old by now
        look(aws.url, Path(folder, "home"), EMPTY)
        before = aws.calls()
        seconds, told = look(aws.url, Path(folder, "home"), idle_world.REGIONS)
        after = aws.calls()
    made = {name: count - before.get(name, 0) for name, count in after.items()}
    calls = sum(made.values())
    ended = {one["id"] for one in told["instances"] if one["decision"] != "keep"}
    left = {one["id"] for one in told["orphans"]}
    exact = ended == set(world.idle) and left == set(world.secrets)
    print(
        f"machines {len(told['instances'])} in {len(idle_world.REGIONS)} regions, idle {len(ended)}"
    )
    print(f"left over {len(left)}, exactly those that were: {exact}")
    print(f"seconds {seconds:.1f} (at most {MOST_SECONDS:.0f})")
    print(f"API calls {calls}, of them GetMetricData {made.get('monitoring.GetMetricData', 0)}")
    return int(not exact or seconds > MOST_SECONDS or calls >= machines / 5)


def look(
    url: str, home: Path, regions: Sequence[str]
) -> tuple[float, dict[str, list[dict[str, str]]]]:
    """Run `deployer idle`; return its seconds and its document."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    told = {"AWS_ENDPOINT_URL": url, "DEPLOYER_HOME": str(home), **keys}
    chosen = [word for name in regions for word in ("--region", name)]
    started = time.monotonic()
    done = subprocess.run(
        [DEPLOYER, "idle", "--json", *chosen],
        env={**os.environ, **told},
        check=True,
        capture_output=True,
    )
    return time.monotonic() - started, json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
