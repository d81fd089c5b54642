"""Reading one of AWS's price list files, line by line: it is never held in memory. Pure.

Whatever is not as it should be ends the reading with the reason and the row: nothing half read is used.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from deployer.core.errors import RemoteError
from deployer.sources.prices import PriceList, Row
from stacks._aws.prices import rows

FORMAT = "v1.0"
ABOUT_LINES = 5
MAX_LINE = 1 << 20
"""Bytes. A line of the real files has about 1,000; what has a million is no such file."""


@dataclass
class Found(PriceList):
    """What one file holds of what is wanted."""

    @property
    def source(self) -> str:
        """See `PriceList`."""
        return f"AWS price list {self.offer}, version {self.version}"


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into lines.

    Raises:
        RemoteError: a line has no end.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > MAX_LINE:
            raise RemoteError(f"not a price list: a line of more than {MAX_LINE} bytes")
    if rest:
        yield rest


def read(
    lines: Iterable[bytes], offer: str, region: str, types: frozenset[str], where: str
) -> Found:
    """Read one file.

    Args:
        lines: its lines, without their ends.
        offer: which file it is, `AmazonEC2`.
        region: whose prices are kept.
        types: the EC2 types whose prices are kept.
        where: its address, for messages.

    Raises:
        RemoteError: it is truncated, its schema has changed, or one of its prices cannot be.
    """
    numbered = enumerate(lines, 1)
    about = _about(numbered, where)
    header = _header(numbered, offer, where)
    glance = rows.glance(offer, types).search
    if about.get("OfferCode") != offer or about.get("FormatVersion") != FORMAT:
        raise _changed(f"it says of itself {about}, not {offer} {FORMAT}", where)
    found = Found(offer, about.get("Version", "unknown"))
    reader = _Reader(found, region, types, where)
    for number, cells in _rows(numbered, header, glance, where):
        reader.take(number, dict(zip(header, cells, strict=True)))
        found.lines = number
    return found


@dataclass
class _Reader:
    """Keeps what is wanted of each row."""

    found: Found
    region: str
    types: frozenset[str]
    where: str

    def take(self, number: int, row: Mapping[str, str]) -> None:
        if self.found.offer == rows.EC2:
            name = rows.instance_type(row, self.region, self.types)
            if name:
                self._instance(name, number, row)
        component = rows.component(row, self.region, self.found.offer)
        if component:
            self._component(component, number, row)

    def _instance(self, name: str, number: int, row: Mapping[str, str]) -> None:
        if rows.divisor(row, rows.HOURS) is None:
            raise _changed(
                f"a machine is priced by '{row['Unit']}', {_said(number, row)}", self.where
            )
        self._keep(self.found.instances, name, self._price(number, row), number, row)

    def _component(self, known: rows.Component, number: int, row: Mapping[str, str]) -> None:
        divisor = rows.divisor(row, known.units)
        if divisor is None:
            self.found.notes.append(
                f"{known.name}: the unit '{row['Unit']}' is not known, {_said(number, row)}"
            )
            return
        price = self._price(number, row) / divisor
        self._keep(self.found.components, known.name, price, number, row)

    def _price(self, number: int, row: Mapping[str, str]) -> Decimal:
        try:
            price = Decimal(row["PricePerUnit"])
        except InvalidOperation:
            price = Decimal("NaN")
        if price.is_finite() and price > 0:
            return price
        raise RemoteError(
            f"a price of '{row['PricePerUnit']}' cannot be: {_said(number, row)}", where=self.where
        )

    def _keep(
        self, kept: dict[str, Row], name: str, usd: Decimal, number: int, row: Mapping[str, str]
    ) -> None:
        before = kept.setdefault(name, Row(usd, _said(number, row)))
        if before.usd != usd:
            raise _changed(
                f"{name} has two prices: {before.said}; {_said(number, row)}", self.where
            )


def _about(numbered: Iterator[tuple[int, bytes]], where: str) -> Mapping[str, str]:
    """The lines before the header: `"Version","20260305205955"`."""
    lines = [
        line for _, line in zip(range(ABOUT_LINES), (raw for _, raw in numbered), strict=False)
    ]
    pairs = [cells for line in lines if len(cells := _cells(line)) == 2]
    if len(pairs) < ABOUT_LINES:
        raise _changed("it does not begin with the five lines that price lists begin with", where)
    return {cells[0]: cells[1] for cells in pairs}


def _header(numbered: Iterator[tuple[int, bytes]], offer: str, where: str) -> Sequence[str]:
    header = next((_cells(raw) for _, raw in numbered), [])
    missing = [name for name in rows.columns(offer) if name not in header]
    if missing:
        raise _changed(f"it has no column {', '.join(missing)}", where)
    return header


def _rows(
    numbered: Iterator[tuple[int, bytes]],
    header: Sequence[str],
    glance: Callable[[bytes], object],
    where: str,
) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows that may be wanted, and the last one, which shows whether the file is whole."""
    last: tuple[int, bytes] | None = None
    for number, raw in numbered:
        last = (number, raw)
        if glance(raw):
            yield number, _whole(number, raw, header, where)
    if last is None:
        raise RemoteError(f"{where} is truncated: it has a header and no row", where=where)
    number, raw = last
    yield number, _whole(number, raw, header, where)


def _whole(number: int, raw: bytes, header: Sequence[str], where: str) -> Sequence[str]:
    cells = _cells(raw)
    if len(cells) != len(header):
        raise RemoteError(
            f"the price list is truncated: line {number} has {len(cells)} of {len(header)} columns: "
            f"{raw[:60].decode('utf-8', 'replace')}",
            where=where,
        )
    return cells


def _cells(raw: bytes) -> list[str]:
    return next(csv.reader([raw.decode("utf-8", "replace").rstrip("\r")]), [])


def _said(number: int, row: Mapping[str, str]) -> str:
    return f"line {number}, SKU {row['SKU']}: {row['PriceDescription']}"


def _changed(why: str, where: str) -> RemoteError:
    return RemoteError(
        f"the price list's form has changed: {why}",
        hint="a newer deployer may know the new form",
        where=where,
    )
