"""A real log of requests (`--trace requests.csv`) as the demand of each hour.

The file has a header and one request a line: a time (ISO 8601, or seconds or milliseconds since 1970; without
a zone it is UTC), the tokens of the prompt and of the answer. Other columns are ignored. Rows that cannot be
read are left out and named by their lines; a file of which most rows cannot be read is refused.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deployer.core.domain import SECONDS_PER_HOUR
from deployer.core.errors import UsageError, quoted
from deployer.planning.traffic.demand import Demand

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "time", "ts", "date", "datetime", "createdat", "created"),
    "input_tokens": ("inputtokens", "prompttokens", "tokensin", "contexttokens", "input", "prompt"),
    "output_tokens": (
        "outputtokens", "completiontokens", "generatedtokens", "tokensout", "output", "completion",
    ),
}  # fmt: skip
"""What a column may be called; case, spaces and what joins words do not matter."""
MOST_HOURS = 366 * 24
MOST_TOKENS = 10**9
MOST_SHOWN = 8
MONDAY = 4 * 24
"""Hours from 1970-01-01, a Thursday, to the first Monday."""
MILLISECONDS_FROM = 1e11
"""Numbers beyond this are milliseconds: as seconds it would be the year 5138."""


@dataclass(frozen=True)
class Trace:
    """The demand that a log shows, and what was left out of it."""

    demand: Demand
    requests: int
    skipped: tuple[str, ...]  # "line 7: '...' is not a valid timestamp"


@dataclass(frozen=True)
class _Request:
    hour: int  # since 1970
    input_tokens: float
    output_tokens: float


def read(file: Path) -> Trace:
    """Read a log.

    Raises:
        UsageError: it cannot be read, has no such columns, or hardly any row of it can be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return _trace(_rows(opened, file), file)
    except (OSError, UnicodeError, csv.Error) as error:
        why = "it is not text in UTF-8" if isinstance(error, UnicodeError) else str(error)
        if isinstance(error, OSError):
            why = error.strerror or type(error).__name__
        raise UsageError(
            f"{file} cannot be read: {why}",
            hint="name a CSV file with the columns timestamp, input_tokens and output_tokens",
            where=str(file),
        ) from None


def _rows(lines: Iterable[str], file: Path) -> Iterator[tuple[int, _Request | str]]:
    """Each row's line with the request, or with what is wrong with it."""
    reader = csv.reader(lines)
    places = _places(next(reader, []), file)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, _request(cells, places)


def _places(header: Sequence[str], file: Path) -> Mapping[str, int]:
    names = ["".join(c for c in cell.lower() if c.isalnum()) for cell in header]
    found = {
        column: next((names.index(name) for name in known if name in names), None)
        for column, known in COLUMNS.items()
    }
    places = {column: place for column, place in found.items() if place is not None}
    if missing := [column for column in COLUMNS if column not in places]:
        raise UsageError(
            f"{file} has no column {' and no column '.join(missing)}",
            hint=f"its first line must name the columns {', '.join(COLUMNS)}, in any order",
            where=f"{file}:1",
        )
    return places


def _request(cells: Sequence[str], places: Mapping[str, int]) -> _Request | str:
    if len(cells) <= max(places.values()):
        return f"only {len(cells)} cells"
    told = {column: cells[place].strip() for column, place in places.items()}
    seconds = _seconds(told["timestamp"])
    if seconds is None:
        return f"{quoted(told['timestamp'])} is not a valid timestamp"
    tokens = {}
    for column in ("input_tokens", "output_tokens"):
        count = _number(told[column])
        if count is None or not 0 <= count <= MOST_TOKENS:
            return f"{quoted(told[column])} is not a valid number of {column}"
        tokens[column] = count
    return _Request(math.floor(seconds / SECONDS_PER_HOUR), **tokens)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        seconds = number / 1000 if number > MILLISECONDS_FROM else number
        return seconds if 0 <= seconds < MILLISECONDS_FROM else None
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _trace(rows: Iterable[tuple[int, _Request | str]], file: Path) -> Trace:
    good: list[_Request] = []
    bad: list[str] = []
    for line, row in rows:
        if isinstance(row, str):
            bad.append(f"line {line}: {row}")
        else:
            good.append(row)
    if not good or len(bad) > len(good):
        raise UsageError(
            f"{len(bad)} of {len(bad) + len(good)} rows of {file} are not valid requests: {shown(bad)}"
            if bad
            else f"{file} has no requests",
            hint="write one request per line: timestamp,input_tokens,output_tokens",
            where=str(file),
        )
    return Trace(_demand(good, file), len(good), tuple(bad))


def shown(bad: Sequence[str]) -> str:
    """The first bad rows by their lines, and how many more there are."""
    more = f"; and {len(bad) - MOST_SHOWN} more" if len(bad) > MOST_SHOWN else ""
    return "; ".join(bad[:MOST_SHOWN]) + more


def _demand(requests: Sequence[_Request], file: Path) -> Demand:
    first, last = (pick(r.hour for r in requests) for pick in (min, max))
    begin = first - (first - MONDAY) % 24  # a whole day, so that days repeat as days
    hours = -(-(last + 1 - begin) // 24) * 24
    if hours > MOST_HOURS:
        raise UsageError(
            f"{file} spans {hours // 24} days: at most {MOST_HOURS // 24} are simulated",
            hint="cut it to a year or less; a single wrong timestamp can stretch it",
            where=str(file),
        )
    counts = [0.0] * hours
    for request in requests:
        counts[request.hour - begin] += 1
    return Demand(
        rates=tuple(counts),
        expected=tuple(counts),
        input_tokens=sum(r.input_tokens for r in requests) / len(requests),
        output_tokens=sum(r.output_tokens for r in requests) / len(requests),
        source=f"{file.name}: {len(requests)} requests in {hours // 24} days, repeated",
    )
