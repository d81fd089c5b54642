"""What `cloud-gpu` costs beside Pulumi itself: the same program, run by `deployer` and by plain `pulumi`.

    benchmarks/cloud [--runs 3]

The program is the one that `deployer render` writes; the cloud is the AWS emulator, through the real engine (what
tests/kits/cloud.py needs must be there). Both take turns; medians. Nearly all of `up` is AWS's own pace. Plans are
timed from the start of the process: a first one in an empty home beside the preview of an empty stack, a later one
beside the preview of what stands.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.kits import cloud as cloud_kit
from tests.kits import loopback
from tests.kits.cloud import NAME, Cloud

ROOT = Path(__file__).parent.parent
MOST = {"up": 1.15, "down": 1.15, "first plan": 1.0, "later plan": 0.2}
"""What is claimed: our seconds over Pulumi's."""
DEPLOYER = Path(sys.executable).with_name("deployer")
FIXED = ("--target", "cloud-gpu", "--offline")


@dataclass
class Bench:
    """A cloud, the rendered project, and the seconds that were measured."""

    cloud: Cloud
    folder: Path
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of plain `pulumi`, with a state of its own."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        return {
            **self.cloud.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "of the benchmark",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "CALLER_CIDR": "127.0.0.1/32",
        }

    def timed(self, who: str, what: str, environ: Mapping[str, str], *command: object) -> None:
        """Run a command in the project's folder and note its seconds."""
        start = time.perf_counter()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder / "project",
            env=dict(environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
        self.seconds.setdefault((what, who), []).append(time.perf_counter() - start)

    def by_pulumi(self) -> None:
        """One life of the stack, by plain `pulumi`."""
        self.cloud.post("/moto-api/reset")
        at = self.environ
        self.timed("pulumi", "first plan", at, "pulumi", "preview")
        self.timed("pulumi", "up", at, "pulumi", "up", "--yes")
        self.timed("pulumi", "later plan", at, "pulumi", "preview")
        self.timed("pulumi", "down", at, "pulumi", "destroy", "--yes")

    def by_deployer(self, spec: Path) -> None:
        """The same by `deployer`, in an empty home."""
        self.cloud.post("/moto-api/reset")
        shutil.rmtree(self.cloud.home, ignore_errors=True)
        at, asked = self.cloud.environ, ("-f", spec, *FIXED)
        self.timed("deployer", "first plan", at, DEPLOYER, "plan", *asked)
        self.timed("deployer", "up", at, DEPLOYER, "up", *asked, "--yes", "--no-wait")
        self.timed("deployer", "later plan", at, DEPLOYER, "plan", *asked)
        self.timed("deployer", "down", at, DEPLOYER, "down", NAME)

    def told(self) -> int:
        """Print the medians; return 1 when more is taken than is claimed."""
        sys.stdout.write(f"{'seconds, median':<17}{'deployer':>10}{'pulumi':>10}{'ratio':>8}\n")
        worst = 0
        for what, most in MOST.items():
            ours, plain = (
                statistics.median(self.seconds[what, who]) for who in ("deployer", "pulumi")
            )
            over = ours / plain > most
            worst |= over
            line = f"{what:<17}{ours:10.2f}{plain:10.2f}{ours / plain:8.2f}   claimed: {most:.2f}"
            sys.stdout.write(f"{line}{'  MORE THAN CLAIMED' if over else ''}\n")
        return int(worst)


def main() -> int:
    """Measure, print, and compare with what is claimed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    absent = cloud_kit.missing()
    if absent:
        sys.exit(absent)
    with tempfile.TemporaryDirectory() as made, loopback.emulator(Path(made)) as url:
        folder = Path(made)
        home, plugins = folder / "home", cloud_kit.install_provider(folder / "pulumi")
        cloud = Cloud(url, home, cloud_kit.environ_of(url, home, plugins))
        bench, spec = Bench(cloud, folder), cloud.spec()
        cloud.run("render", "-f", spec, *FIXED, "--out", folder / "project")
        bench.timed("pulumi", "configure", bench.environ, "sh", "configure")
        for _ in range(runs):
            bench.by_pulumi()
            bench.by_deployer(spec)
        return bench.told()


if __name__ == "__main__":
    sys.exit(main())
