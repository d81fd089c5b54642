"""Marks on the spec's fields. Each one tells pydantic, when it is there, how to check its field.

pydantic is imported inside the methods, which only `validate.py` brings it to call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from deployer import engines
from deployer.core import quantization, units
from deployer.core.errors import quoted
from deployer.core.records import dataclass
from deployer.spec import near_misses
from deployer.spec.mistakes import Mistake, as_number, shown

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


def kebab(name: str) -> str:
    """Write a field's name as the key of the YAML file: `cloud_gpu` as `cloud-gpu`."""
    return name.replace("_", "-")


class _Mark:
    """A field that is read from something else than what it is kept as."""

    def read(self, value: Any) -> Any:
        """Turn what the file says into what is kept; ValueError says what is wrong with it."""
        raise NotImplementedError

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Describe what the file may say as JSON Schema, from the schema of what is kept."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.schema(handler(core))


_BOOLEANS = {True: ("true", "yes", "on"), False: ("false", "no", "off")}
"""How YAML 1.1 writes them, which may be meant as text."""


def _text(value: Any, form: str, fits: Callable[[str], bool]) -> str:
    """Return text. Of what is none: in quotes it would be where it then `fits`, else it has to have the `form`."""
    if isinstance(value, Mapping | list):
        raise Mistake(f"{shown(value)} is not text", "write one text here")
    if isinstance(value, str):
        return value
    written = _BOOLEANS[value] if isinstance(value, bool) else (str(shown(value)),)
    if any(map(fits, written)):
        raise Mistake(f"{shown(value)} is not text: put it in quotes")
    raise Mistake(f"{shown(value)} is not text", form)


_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
"""A user's name and secret in an address: no message repeats them."""
MOST_MEANT = 200
"""Longer texts than this are not taken for something that was meant."""


@dataclass(frozen=True)
class Pattern(_Mark):
    """Text of one form, described in words by `form`."""

    pattern: str
    form: str
    meant: Callable[[str], str | None] | None = None  # the hint of a text that has not that form

    def read(self, value: Any) -> str:
        """Refuse what has not that form."""
        text = _text(
            value, f"write {self.form}", lambda said: re.fullmatch(self.pattern, said) is not None
        )
        if not re.fullmatch(self.pattern, text):
            hint = self.meant(text) if self.meant and len(text) <= MOST_MEANT else None
            shown_text = _CREDENTIALS.sub(r"\1***@", text)
            raise Mistake(f"{quoted(shown_text)} does not have the form {self.form}", hint)
        return text

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Text with that pattern."""
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True)
class Unit(_Mark):
    """Text with a unit. `parse` reads it; `write` writes it as `parse` reads it; `bare` says how a bare number is meant."""

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    pattern: str
    examples: tuple[str, ...]
    bare: Callable[[str], str]

    def read(self, value: Any) -> Any:
        """Read it."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{value:g}" if isinstance(value, float) else quoted(value) if number else value
        if isinstance(text, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", text):
            plain = text.lstrip("0") or "0"
            raise Mistake(f"{text} has no unit", f"write {self.bare(plain)}")
        if number:
            raise Mistake(f"{text} has no unit", f"write it like {self.examples[0]}")
        if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*", text):
            raise Mistake(f"{quoted(text)} is a date", f"write it like {self.examples[-1]}")
        return self.parse(_text(value, f"write it like {self.examples[0]}", lambda _: False))

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Text with that pattern, and how it may look."""
        return {"type": "string", "pattern": self.pattern, "examples": list(self.examples)}


def Duration() -> Unit:  # noqa: N802 - reads as the mark it makes
    """Mark a duration, kept as seconds."""
    return Unit(
        units.seconds,
        units.duration,
        units.DURATION_PATTERN,
        ("30m", "7d"),
        lambda n: (
            "it like 30m" if "." in n else f"{n}m for minutes, {n}h for hours or {n}d for days"
        ),
    )


def Budget() -> Unit:  # noqa: N802 - reads as the mark it makes
    """Mark a budget, kept as US dollars a month."""
    return Unit(
        units.usd_per_month,
        str,
        units.MONEY_PATTERN,
        ("400 USD/month",),
        lambda number: f"{number} USD/month",
    )


class Quantization(_Mark):
    """A format of `deployer.core.quantization` in any spelling, or one of the words given."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: Any) -> str:
        """Return the format's own spelling."""
        text = _text(value, self._meant(str(shown(value))), lambda _: False)
        if text in self.words:
            return text
        name = quantization.normal(text)
        if name not in quantization.FORMATS:
            raise Mistake(f"{quoted(text)} is not a valid format", self._meant(text))
        return name

    def _meant(self, text: str) -> str:
        listed = ", ".join(list(quantization.FORMATS)[:13])
        return near_misses.quantization(text) or f"write auto, or one of {listed}, ..."

    def _known(self) -> tuple[str, ...]:
        return (*self.words, *quantization.FORMATS)

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """One of the names (the editor then offers them)."""
        return {"type": "string", "enum": list(self._known())}


class EngineName(_Mark):
    """An engine that can be named (`deployer.engines.choices`), or one of the words given."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: Any) -> str:
        """Refuse what no engine is called."""
        text = _text(value, f"write one of {', '.join(self._known())}", lambda _: False)
        if text not in self._known():
            raise Mistake(
                f"{quoted(text)} is not a known engine: {', '.join(self._known())}",
                self._meant(text),
            )
        return text

    def _meant(self, text: str) -> str | None:
        if quantization.normal(text) in quantization.FORMATS or re.match(r"(?i)u?int[2-8]", text):
            return "that is a format of the weights: write it at model.quantization"
        return near_misses.engine(text, self._known())

    def _known(self) -> tuple[str, ...]:
        return (*self.words, *engines.choices())

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """One of the names (the editor then offers them)."""
        return {"type": "string", "enum": list(self._known())}


class Replicas(_Mark):
    """A number of replicas, or {min, max}."""

    def read(self, value: Any) -> Any:
        """Write a number N as {min: N, max: N}."""
        if isinstance(value, bool | str):
            _number(value)
        return {"min": value, "max": value} if isinstance(value, int) else value

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Either form."""
        return {"anyOf": [{"type": "integer", "minimum": 1}, kept]}


@dataclass(frozen=True)
class Least:
    """A smallest (and greatest) number, or number of entries."""

    least: float
    of: str = "value"
    most: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        kept: dict[str, Any] = dict(handler(source))
        low, high = ("min_length", "max_length") if self.of == "length" else ("ge", "le")
        kept[low] = self.least
        if self.most is not None:
            kept[high] = self.most
        bounded: CoreSchema = kept
        return core_schema.no_info_before_validator_function(_number, bounded)


FINEST = 1e-6
"""The smallest amount above 0, and what documents round to. What is divided by less has no bound."""


def _number(value: Any) -> Any:
    """Refuse `true` and "8" where a number belongs (pydantic would read them as 1 and 8), and dust."""
    if isinstance(value, str):
        raise Mistake(f"{quoted(value)} is not a number", as_number(value))
    if isinstance(value, bool):
        raise Mistake(f"{shown(value)} is not a number")
    if isinstance(value, float) and 0 < value < FINEST:
        raise Mistake(f"{value!r} is too small: write 0, or at least {FINEST:.6f}")
    return value


STRICT: Mapping[str, Any] = {"extra": "forbid"}
Count = Annotated[int, Least(1, most=10**9)]
Parameters = Annotated[int, Least(1, most=10**15)]
Layers = Annotated[int, Least(1, most=10_000)]
Pieces = Annotated[int, Least(1, most=1024)]
"""Of hardware, or copies of the model."""
Amount = Annotated[Decimal, Least(0, most=10**12)]
