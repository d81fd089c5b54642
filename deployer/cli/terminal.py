"""What a command shows: data to stdout, messages to stderr. Nothing else in the package prints.

Names, paths and answers are written by others: what steers a terminal is shown (`\\x1b`), never sent. Our
own colours are the only escape sequences that pass, and what a spec or an error says passes none at all.
"""

from __future__ import annotations

import json
import operator
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from deployer.core.errors import PrerequisiteError

if TYPE_CHECKING:
    from deployer.core.documents.base import Document

_STEERING = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"  # line breaks and reversed text
    r"\ud800-\udfff"  # halves of characters, which no encoding can write
)
_LINE = re.compile(f"[\t\n{_STEERING}]")
_COLOURED = re.compile(rf"\x1b\[(?:0|1|31|32|33|35)m|([{_STEERING}])")
"""Bold, red, green, yellow and magenta as `click.style` makes them, or else what steers."""

_NO_TEXT = frozenset({int, float, bool, Decimal, type(None)})

Anything = TypeVar("Anything")


def printable(text: str) -> str:
    """Return text as one line that steers no terminal: an escape as `\\x1b`, a line's end as `\\n`."""
    if text.isprintable():  # which nothing is that steers
        return text
    return _LINE.sub(lambda found: _written_out(found[0]), text)


def all_printable(value: Anything) -> Anything:
    """Return data (dataclasses, mappings, sequences) with every text in it made printable.

    What holds no text to change is handed back as it is: a year of simulated hours is not copied.
    """
    return _cleaned(value)  # type: ignore[no-any-return]


def _cleaned(value: Any) -> Any:
    kind = type(value)
    if kind in _NO_TEXT:
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, tuple | list):
        return _cleaned_members(value)
    if isinstance(value, Mapping):
        clean = {_cleaned(k): _cleaned(v) for k, v in value.items()}
        same = all(clean.get(k, value) is v for k, v in value.items())
        return value if same else clean
    if is_dataclass(kind):
        held = {f.name: getattr(value, f.name) for f in fields(value)}
        clean = {name: _cleaned(each) for name, each in held.items()}
        changed = any(clean[name] is not each for name, each in held.items())
        return replace(value, **clean) if changed else value
    return value


def _cleaned_members(value: Any) -> Any:
    if _NO_TEXT.issuperset(map(type, value)):
        return value
    clean = [_cleaned(each) for each in value]
    if all(map(operator.is_, value, clean)):
        return value
    return value._make(clean) if hasattr(value, "_make") else type(value)(clean)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _print(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Send text that may hold our own colours; what the terminal's encoding lacks is written out too."""
    sent = _COLOURED.sub(lambda found: _written_out(found[1]) if found[1] else found[0], text)
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    text = sent.encode(encoding, "backslashreplace").decode(encoding)
    with _messages() if err else _data():
        click.echo(text, err=err, nl=nl, color=False if _colourless() else None)


@contextmanager
def _data() -> Iterator[None]:
    """Tell of a standard output that is closed or full. A reader that has gone away is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrerequisiteError(
            f"standard output cannot be written to: {why}",
            hint="send it to a file or a device that has room",
        ) from error


@contextmanager
def _messages() -> Iterator[None]:
    """Do without a message that nobody can be told: no work is given up for a full or closed stderr."""
    with suppress(OSError):
        yield


def _colourless() -> bool:
    """Whether the user wants no colours (no-color.org), or has a terminal that cannot show them."""
    return bool(os.environ.get("NO_COLOR")) or _dumb()


def _dumb() -> bool:
    """Whether the terminal shows escape sequences as they are."""
    return os.environ.get("TERM") == "dumb"


def emit(document: Document) -> None:
    """Print one JSON document on stdout.

    Raises:
        PrerequisiteError: standard output is closed or full.
    """
    text = as_json(document)
    with _data():
        click.echo(text)


def as_json(document: Document) -> str:
    """Return a document as JSON text in ASCII.

    Any terminal and any encoding can take ASCII. A figure that is not a number (NaN) is a bug, not JSON.
    """
    from deployer.core.documents.base import plain

    return json.dumps(plain(document), indent=2, allow_nan=False)


def out(text: str = "") -> None:
    """Print data for a human, on stdout."""
    _print(text)


def write(text: str) -> None:
    """Print a piece of a stream on stdout, at once and without a line's end."""
    _print(text, nl=False)


def say(text: str) -> None:
    """Print a message (progress, hints), on stderr."""
    _print(text, err=True)


def progress(text: str | None, *, line: bool = False) -> None:
    """Say how far something is, on stderr: over what was said before in a terminal, else where `line` is set.

    `None` ends it.
    """
    if _is_terminal(sys.stderr) and not _dumb():
        with _messages():
            click.echo("\r\x1b[K" + printable(text or ""), err=True, nl=False, color=True)
    elif text and line:
        say(printable(text))


def error(message: str, hint: str | None, where: str | None) -> None:
    """Print a user's error: what (its lines may be several), where, and the hint."""
    what = "\n".join(map(printable, message.split("\n")))
    say(f"{click.style('error:', fg='red', bold=True)} {what}")
    if where:
        say(f"  at {printable(where)}")
    if hint:
        say(f"  {click.style('hint:', bold=True)} {printable(hint)}")


def interactive() -> bool:
    """Whether a user can answer a prompt: both stdin and stderr are terminals."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


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
