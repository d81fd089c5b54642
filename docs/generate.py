"""Fill the documents with what the commands print: `make docs`.

    python -m docs.generate            writes README.md and docs/*.md
    python -m docs.generate --check    writes nothing; exit 1 where a document is out of date

A comment says what the block below it holds, up to the end of its fence, or else up to `<!-- end -->`:

    <!-- deployer plan -f examples/tiny.yaml --target local | parts 1,4-5 -->    what the command prints
    <!-- benchmarks/results/sizing.json | speed -->                              a table of a recorded run
    <!-- the keys of the spec -->                                                see `PAGES` in docs/reference.py

Parts are separated by empty lines and counted from 1; what is left out between two of them is marked `...`. Lines
are cut at 120 columns. The commands run in this process, in the root of the repository, offline, with an empty
DEPLOYER_HOME, on `HOST` and at `NOW` instead of this machine and this moment, so that they print the same anywhere.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import re
import runpy
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest import mock

from deployer.core import clock
from deployer.providers.api import Host
from deployer.sources import host
from docs import reference

ROOT = Path(__file__).parents[1]
TINY = ROOT / "examples" / "tiny" / "tiny.gguf"
NOW = "2026-11-29T12:00:00+00:00"
HOST = Host(cpus=8, memory_bytes=16 * 2**30)
WIDTH = 120
OFFLINE = frozenset({"plan", "compare", "render", "doctor"})
"""The commands that have the option `--offline`."""

BLOCK = re.compile(
    r"^<!-- (?P<what>(?:deployer |benchmarks/results/|the )[^\n]*?)(?: \| (?P<part>[^|\n]+))? -->\n"
    r"(?P<body>```\w*\n.*?^```$|.*?^<!-- end -->$)",
    re.MULTILINE | re.DOTALL,
)

Printed = Callable[[str], str]
"""Returns what a command (or a file or page, by its name) prints."""


def filled(text: str, printed: Printed) -> str:
    """Return a document with every block made anew."""

    def block(found: re.Match[str]) -> str:
        marker = found[0].partition("\n")[0]
        return f"{marker}\n{_body(found, printed)}"

    return BLOCK.sub(block, text)


def _body(found: re.Match[str], printed: Printed) -> str:
    what, part, fence = found["what"], found["part"], found["body"].partition("\n")[0]
    if what.startswith("the "):
        return f"\n{printed(what)}\n\n<!-- end -->"
    if what.startswith("benchmarks/"):
        return f"{fence}\n{recorded(printed(what), part)}\n```"
    lines = selected(printed(what), part).splitlines()
    return "\n".join([fence, *map(_cut, lines), "```"])


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3].rstrip()}..."


def selected(text: str, parts: str | None) -> str:
    """Return some parts of what a command printed, such as `parts 1,4-5`; all without a choice."""
    text = text.strip("\n")
    if parts is None:
        return text
    every = re.split(r"\n{2,}", text)
    numbers = [n for span in parts.removeprefix("parts ").split(",") for n in _span(span)]
    chosen, last = [], 0
    for number in numbers:
        chosen += ["  ..."] if number > last + 1 else []
        chosen.append(every[number - 1])
        last = number
    return "\n\n".join([*chosen, *(["  ..."] if last < len(every) else [])])


def _span(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def recorded(text: str, name: str | None) -> str:
    """Return one table of a recorded benchmark (`benchmarks/recording.py`) with the command and the day."""
    result = json.loads(text)
    rows: Mapping[str, Mapping[str, str]] = result["tables"][name]
    columns = list(next(iter(rows.values())))
    first = max(map(len, [*rows, str(name)]))
    widths = {c: max(len(c), *(len(row[c]) for row in rows.values())) for c in columns}
    head = "  ".join([f"{name:<{first}}", *(f"{c:>{widths[c]}}" for c in columns)])
    lines = [
        "  ".join([f"{label:<{first}}", *(f"{row[c]:>{widths[c]}}" for c in columns)])
        for label, row in rows.items()
    ]
    return "\n".join([head, *lines, "", f"printed by {result['command']} on {result['date']}"])


def outcome(command: str) -> tuple[int, str]:
    """Run a command of `deployer` in this process; return its exit code and what it printed, on either stream."""
    from deployer.cli import main

    words = shlex.split(command)[1:]
    if words and words[0] in OFFLINE and "--help" not in words:
        words.append("--offline")
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(words)
    return code, said.getvalue()


@cache
def printed_here(what: str) -> str:
    """Return what a block holds."""
    if what.startswith("the "):
        return reference.PAGES[what]()
    if what.startswith("benchmarks/"):
        return (ROOT / what).read_text(encoding="utf-8")
    code, said = outcome(what)
    if code == 70 or not said.strip():
        raise SystemExit(f"{what} exits with {code}:\n{said}")
    return said


@contextmanager
def settled() -> Iterator[None]:
    """Make this process print the same on any machine. It must come before anything imports a command."""
    if not TINY.exists():
        with redirect_stdout(io.StringIO()):
            runpy.run_path(str(TINY.with_name("generate.py")))["write"](TINY)
    with tempfile.TemporaryDirectory() as home, chdir(ROOT):
        environment = {
            "COLUMNS": "100",
            "DEPLOYER_HOME": home,
            "HOME": home,
            "PATH": os.environ.get("PATH", ""),
        }
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(clock, "now", return_value=NOW),
            mock.patch.object(host, "look", return_value=HOST),
        ):
            yield


def documents() -> list[Path]:
    """Return every document that may hold blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> int:
    """Write the documents, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when out of date"
    )
    check = parser.parse_args().check
    stale = False
    with settled():
        for file in documents():
            old = file.read_text(encoding="utf-8")
            new = filled(old, printed_here)
            if new == old:
                continue
            stale = True
            name = str(file.relative_to(ROOT))
            if check:
                sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, "make docs"))  # fmt: skip
            else:
                file.write_text(new, encoding="utf-8")
                print(f"wrote {name}")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
