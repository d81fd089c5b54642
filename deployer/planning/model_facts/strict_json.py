"""Reading JSON that strangers wrote: size, shape and every figure are checked before they are believed.

Python's own reader takes NaN, keeps the last of two equal keys, and builds whatever is nested. Here all
of that is a `UsageError` that names the file and the key, and the memory that a file can cost is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.core.errors import UsageError, quoted
from deployer.planning.model_facts.files import opened

CONFIG_CAP = 8 * 2**20
"""Longest config.json read, in bytes. Real ones are below 1 MB."""

MOST_LAYERS = 10_000
"""Most layers believed: memory and time follow from them. Real models have below 200."""

_MOST_VALUES = 1_000_000  # a key and its value cost Python up to 260 bytes while they are read


def parse(raw: bytes, where: str, infinite: bool = False) -> dict[str, Any]:
    """Read one JSON object. `infinite`: NaN and Infinity may stand in it, as Python writes them.

    Raises:
        UsageError: it is not JSON, not an object, has NaN or a key twice, nests too deeply, or is long
            and not ASCII (one wide character makes Python take four bytes for each).
    """
    if len(raw) > CONFIG_CAP and not raw.isascii():
        raise bad(where, f"is longer than {CONFIG_CAP:,} bytes and not plain ASCII")
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > _MOST_VALUES:
        raise bad(where, f"holds more than {_MOST_VALUES:,} values")
    try:
        constant = float if infinite else _no_constant
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=constant)
    except RecursionError:
        raise bad(where, "is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and our own
        raise bad(where, f"is not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise bad(where, "is not a JSON object")
    return value


def read(path: Path, cap: int = CONFIG_CAP, infinite: bool = False) -> dict[str, Any]:
    """Read a JSON file of at most `cap` bytes. `infinite`: as in `parse`.

    Raises:
        UsageError: as `parse`, or it is no file, cannot be read, or is longer.
    """
    with opened(path) as (file, _):
        raw = file.read(cap + 1)
    if len(raw) > cap:
        raise bad(str(path), f"is longer than {cap:,} bytes")
    return parse(raw, str(path), infinite)


def config(path: Path) -> dict[str, Any]:
    """Read a config.json, in which Python and the engines take a bare Infinity.

    Raises:
        UsageError: as `read`.
    """
    return read(path, infinite=True)


def bad(where: str, what: str) -> UsageError:
    """Return the error of a model file that is damaged or not what it says it is."""
    return UsageError(
        f"{where} {what}",
        hint="the file is damaged or incomplete: fetch or export the model again",
        where=where,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"duplicate key {quoted(twice)}")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


@dataclass(frozen=True)
class Keys:
    """A JSON object whose values are taken out by key and checked. A missing or null key is None."""

    values: Mapping[str, Any]
    where: str

    def whole(self, *names: str, most: int = 10**9, least: int = 0) -> int | None:
        """Return the first of the keys that is there as a whole number from `least` to `most`.

        Raises:
            UsageError: it is something else.
        """
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if not _whole(value, least, most):
                raise self.wrong(name, value, f"a whole number from {least} to {most:,}")
            return int(value)
        return None

    def each(self, *names: str, most: int = 10**9) -> int | list[int] | None:
        """Return the first of the keys that is there as a whole number, or as a list of them, one for each layer.

        Raises:
            UsageError: it is something else, or an empty list.
        """
        for name in names:
            value = self.values.get(name)
            if isinstance(value, list) and value and all(_whole(n, 0, most) for n in value):
                return value
            if value is not None:
                return self.whole(name, most=most)
        return None

    def largest(self, *names: str, most: int = 10**9) -> int | None:
        """Return the first of the keys that is there as a whole number, or as the largest of a list of them.

        Raises:
            UsageError: as `each`.
        """
        found = self.each(*names, most=most)
        return max(found) if isinstance(found, list) else found

    def number(self, name: str) -> float | None:
        """Return a key as a finite number above 0.

        Raises:
            UsageError: it is something else.
        """
        value = self.values.get(name)
        if value is None:
            return None
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not real or not 0 < value < 10**9:
            raise self.wrong(name, value, "a number above 0")
        return float(value)

    def flag(self, name: str) -> bool | None:
        """Return a key as true or false."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def text(self, *names: str) -> str | None:
        """Return the first of the keys that is there as text."""
        for name in names:
            value = self.values.get(name)
            if value is not None and not isinstance(value, str):
                raise self.wrong(name, value, "text")
            if value:
                return str(value)
        return None

    def items(self, name: str) -> Sequence[Any] | None:
        """Return a key as a list."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise self.wrong(name, value, "a list")
        return value

    def inner(self, name: str) -> Keys | None:
        """Return the object under a key."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.wrong(name, value, "an object")
        return None if value is None else Keys(value, f"{self.where}: {name}")

    def wrong(self, name: str, value: object, want: str) -> UsageError:
        """Return the error of a key that holds something else than is wanted."""
        return bad(self.where, f"has {name} = {quoted(value)}, where {want} is expected")
