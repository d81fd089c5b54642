"""How fast commands start: whole-process medians and their ratios, in one run.

    python -m benchmarks.startup [--runs 11] [--record]

The commands take turns, so that a change of the machine's speed falls on all of them. "First" plans get an
empty DEPLOYER_HOME each; "later" ones share one. The comparison for the first plan imports Pulumi and exactly
the resource classes that the stack imports.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import recording
from deployer.providers import registry

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "examples" / "qwen3-8b.yaml"
DEPLOYER = Path(sys.executable).with_name("deployer")

HELP, COMPARE = "deployer --help", "compare, later"
FIRST, LATER = "plan cloud-gpu, first", "plan cloud-gpu, later"
PASS, PULUMI, CLASSES = "python -c pass", "import pulumi", "import pulumi + the stack's classes"

CHOOSING = """
import time
from pathlib import Path
from deployer.planning import catalog, model_facts
from deployer.planning.catalog import models
from deployer.planning.choose import choose
from deployer.planning.question import Question
from deployer.sources import host
from deployer.spec.load import load
loaded = load(Path({spec!r}))
start = time.perf_counter()
info = model_facts.describe(loaded.spec.model.source, base=Path(), catalog=models.model)
question = Question(loaded.spec, "cloud-gpu", info, catalog.load(), host.look())
found = choose(question).ranked
print(len(found), time.perf_counter() - start)
"""
"""Sizes and ranks every offer x format x engine of the spec's region, cold, after the imports."""
MOST_CHOOSING_MS = 50

CLAIMS = (
    (HELP, PASS, 6.0),
    (FIRST, CLASSES, 1.5),
    (LATER, HELP, 3.0),
    (COMPARE, HELP, 8.0),
)
"""(what, compared with what, greatest ratio)."""


def stack_imports() -> str:
    """Return a program that imports Pulumi and every resource class that the stack and its parts use."""
    files = registry.sources("cloud-gpu", "aws")
    sources = (file.read_text(encoding="utf-8") for file in files if file.suffix == ".py")
    return "\n".join(dict.fromkeys(line for source in sources for line in _imported(source)))


def _imported(source: str) -> Iterator[str]:
    """What one file imports of Pulumi, and each attribute of it that it uses."""
    tree = ast.parse(source)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    imports = [n for n in found if "pulumi" in ast.unparse(n)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    yield from map(ast.unparse, imports)
    used = {
        ast.unparse(n)
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in names
    }
    yield from sorted(used)


def commands(first: Path, later: Path) -> Mapping[str, tuple[list[str], Path, Callable[[], None]]]:
    """Return each command with its home, and with what is done before each of its runs."""
    plan = [str(DEPLOYER), "plan", "-f", str(SPEC), "--target", "cloud-gpu"]
    compare = [str(DEPLOYER), "compare", "-f", str(SPEC), "--offline"]

    def nothing() -> None:
        """Leave everything as it is."""

    def forget() -> None:
        shutil.rmtree(first, ignore_errors=True)

    return {
        PASS: ([sys.executable, "-c", "pass"], later, nothing),
        HELP: ([str(DEPLOYER), "--help"], later, nothing),
        PULUMI: ([sys.executable, "-c", "import pulumi"], later, nothing),
        CLASSES: ([sys.executable, "-c", stack_imports()], later, nothing),
        FIRST: (plan, first, forget),
        LATER: (plan, later, nothing),
        COMPARE: (compare, later, nothing),
    }


def measure(runs: int) -> dict[str, list[float]]:
    """Run every command `runs` times after one warm-up, in turn, and return the seconds of each."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        table = commands(Path(folder) / "first", Path(folder) / "later")
        seconds: dict[str, list[float]] = {name: [] for name in table}
        for turn in range(runs + 1):
            for name, (command, home, before) in table.items():
                before()
                took = once(command, {**environment, "DEPLOYER_HOME": str(home)})
                if turn:
                    seconds[name].append(took)
        return seconds


def once(command: list[str], environment: Mapping[str, str]) -> float:
    """Return the wall seconds of one whole process, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def choosing(runs: int) -> tuple[int, float]:
    """Return how many combinations are weighed, and the median milliseconds of doing so in a new process."""
    code = CHOOSING.format(spec=str(SPEC))
    command = [sys.executable, "-c", code]
    said = [subprocess.check_output(command, cwd=ROOT, text=True).split() for _ in range(runs)]
    return int(said[0][0]), 1e3 * statistics.median(float(seconds) for _, seconds in said)


def tables(seconds: Mapping[str, list[float]]) -> recording.Tables:
    """Return the medians and the ratios as they are kept for the documents."""
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        "whole process": {
            name: {
                "min ms": f"{min(each) * 1e3:.0f}",
                "median ms": f"{middle[name] * 1e3:.0f}",
                "max ms": f"{max(each) * 1e3:.0f}",
            }
            for name, each in seconds.items()
        },
        "ratio of medians": {
            f"{what} / {compared}": {
                "is": f"{middle[what] / middle[compared]:.2f}",
                "most": f"{most:.1f}",
            }
            for what, compared, most in CLAIMS
        },
    }


def main() -> int:
    """Print the table and the ratios; exit 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(description="Time the start of commands.")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument(
        "--record", action="store_true", help="keep it in benchmarks/results, where all holds"
    )
    asked = parser.parse_args()
    seconds = measure(asked.runs)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    print(f"{'whole process':<38} {'min ms':>8} {'median ms':>10} {'max ms':>8}")
    for name, each in seconds.items():
        row = f"{min(each) * 1e3:8.0f} {middle[name] * 1e3:10.0f} {max(each) * 1e3:8.0f}"
        print(f"{name:<38} {row}")
    print(f"\n{'ratio of medians':<66} {'is':>5} {'most':>5}")
    held = True
    for what, compared, most in CLAIMS:
        ratio = middle[what] / middle[compared]
        held &= ratio <= most
        print(f"{what} / {compared:<40} {ratio:>15.2f} {most:>5.1f}")
    combinations, took = choosing(asked.runs)
    print(f"\nchoosing among {combinations} combinations, beyond imports: {took:.0f} ms")
    if not held or took > MOST_CHOOSING_MS:
        return 1
    if asked.record:
        print(recording.record("startup", tables(seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
