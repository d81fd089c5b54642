"""How a mistake in a value is worded: what stands there, and what was most likely meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from deployer.core.errors import quoted

LONGEST = 30
"""So many characters of a text are looked at to see whether it is meant as a number."""


class Mistake(ValueError):  # noqa: N818 - pydantic takes only a ValueError for the user's
    """What is wrong with a value, and what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def shown(value: Any) -> str:
    """Return a value as the file has it, in short: `true` and not True, and nothing of what has keys of its own."""
    if value is None:
        return "an empty entry"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else quoted(value)


def as_number(text: str) -> str | None:
    """Say how a number is written that only some readers of YAML take for one, or that has a unit."""
    if re.fullmatch(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        plain = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", text)
        zero = ": readers of YAML disagree on a leading 0" if plain != text else " without quotes"
        return f"write {plain}{zero}"
    with suppress(ValueError):
        return f"write {int(text[:LONGEST], 0)}, in decimal digits"
    digits = re.sub(r"[_ ']|,(?=[0-9]{3}(?![0-9]))", "", text)
    if re.fullmatch(r"[0-9]{1,30}(\.[0-9]+)?", digits):
        return f"write {digits}"
    if re.fullmatch(r"[0-9.]+ ?[A-Za-z%/]+", text):
        return "write the number in full, without a unit"
    return None


def nearest(text: str, known: Iterable[str]) -> str | None:
    """Ask whether the name that is nearest in spelling was meant; None where none is near."""
    import difflib  # late: only a refusal needs it

    near = difflib.get_close_matches(text.lower()[:LONGEST], tuple(known), n=1)
    return f"did you mean '{near[0]}'?" if near else None
