"""What a command shows: data to stdout, talk to stderr. Nothing else in the package prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from deployer.words import Plan

SCHEMA = 1
"""The version of every JSON document."""


def emit(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    click.echo(as_json(document))


def as_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text, with its schema version first."""
    return json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False)


def out(text: str = "") -> None:
    """Print data for a human, on stdout."""
    click.echo(text)


def write(text: str) -> None:
    """Print a piece of a stream on stdout, at once and without a line's end."""
    click.echo(text, nl=False)


def say(text: str) -> None:
    """Print talk (progress, hints), on stderr."""
    click.echo(text, err=True)


def error(message: str, hint: str | None, where: str | None) -> None:
    """Print a user's error: what, where, and the mend."""
    say(f"{click.style('error:', fg='red', bold=True)} {message}")
    if where:
        say(f"  at {where}")
    if hint:
        say(f"  {click.style('mend:', bold=True)} {hint}")


def interactive() -> bool:
    """Whether somebody is there to answer a prompt."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask `question [y/N]` on stderr."""
    return click.confirm(question, default=False, err=True)


def heading(text: str) -> str:
    """Style a heading."""
    return click.style(text, bold=True)


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Align rows in columns, two spaces apart; the columns in `right` are aligned right.

    rich would do it too, at 80 ms of import in a command that has 150 ms in all
    (`benchmarks/startup`).
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_row(row, widths, right) for row in rows)


def _row(row: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    cells = (
        _padded(cell, width, right=i in right)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  " + "  ".join(cells).rstrip()


def _padded(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _width(cell: str) -> int:
    """The columns that a cell takes: colours take none."""
    return len(click.unstyle(cell))


def show_plan(plan: Plan) -> None:
    """Print a plan for a human, on stdout."""
    from deployer.cli.plan_view import render

    out(render(plan))
