"""No text of this project installs `deployer` by name: on the public index that is somebody else's project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "benchmarks", "deployer", "docs", "examples", "stacks", "templates")
COMMAND = (
    r"\b(?:pip3?|pipx|uvx?|poetry|pdm|conda)\s+(?:tool\s+|pip\s+)?"
    r"(?:install|inject|add|run|upgrade)\b[^\n`#(]*?"
)
"""An installer and its arguments, as far as they stand in one line of code or of Markdown."""
OTHERS = r"(?<![\w./@{-])deployer(?![\w/.-])"
UNPINNED = r"\bmodel-deployer(?:\[[^\]\n]*\])?(?![\w\[]|==| @ )"
BARE = re.compile(f"{COMMAND}(?:{OTHERS}|{UNPINNED})")


def texts() -> Iterator[Path]:
    """What people or machines read, except the tests and the locks."""
    yield from (f for f in ROOT.glob("*") if f.is_file())
    for folder in FOLDERS:
        files = (f for f in (ROOT / folder).rglob("*") if f.is_file())
        yield from (f for f in files if f.suffix not in (".pyc", ".gguf"))


def test_no_message_template_or_document_installs_it_by_name():
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in texts()
        for match in BARE.finditer(file.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "- run: pip install deployer",
        "pip install 'deployer[mlx]', or: uv tool install mlx-lm",
        "python -m pip install --quiet deployer==0.1.0",
        "uv tool install deployer",
        "uv pip install 'deployer[proxy]'",
        "pipx install deployer",
        "`uvx run deployer`",
        "pip install 'model-deployer[mlx]'",
        "pip install model-deployer",
    ],
)
def test_a_bare_install_line_is_found(line):
    assert BARE.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "pip install '.[mlx]'",
        "pip install -e '/src/deployer[mlx]'",
        "pip install 'model-deployer[mlx]==0.1.0'",
        "pip install 'model-deployer @ git+https://git.example/o/deployer@abc'",
        "uv tool install mlx-lm",
    ],
)
def test_a_line_that_names_its_source_is_not(line):
    assert not BARE.search(line)
