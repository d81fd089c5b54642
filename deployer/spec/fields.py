"""Marks on the spec's fields. Each one tells pydantic, when it is there, how to check its field.

pydantic is imported inside the methods, which only `validate.py` brings it to call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployer import engines
from deployer.core import quantization, units
from deployer.core.errors import quoted
from deployer.spec import near_misses

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


def kebab(name: str) -> str:
    """Write a field's name as the key of the YAML file: `cloud_gpu` as `cloud-gpu`."""
    return name.replace("_", "-")


class NearMissError(ValueError):
    """A value that is wrong in a way that says what was meant. `hint` is how that is written."""

    def __init__(self, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.hint = hint


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


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} is not text: put it in quotes")  # noqa: TRY004 - pydantic's way
    return value


@dataclass(frozen=True)
class Pattern(_Mark):
    """Text of one form, described in words by `form`."""

    pattern: str
    form: str
    meant: Callable[[str], str | None] | None = None  # the hint of a text that has not that form

    def read(self, value: Any) -> str:
        """Refuse what has not that form."""
        import re

        text = _text(value)
        if not re.fullmatch(self.pattern, text):
            hint = self.meant(text) if self.meant else None
            raise NearMissError(f"{quoted(text)} does not have the form {self.form}", hint)
        return text

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Text with that pattern."""
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True)
class Unit(_Mark):
    """Text with a unit. `parse` reads it; `write` writes it as `parse` reads it."""

    parse: Callable[[str], Any]
    write: Callable[[Any], str]
    pattern: str
    examples: tuple[str, ...]

    def read(self, value: Any) -> Any:
        """Read it."""
        return self.parse(_text(value))

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Text with that pattern, and how it may look."""
        return {"type": "string", "pattern": self.pattern, "examples": list(self.examples)}


def Duration() -> Unit:  # noqa: N802 - reads as the mark it makes
    """Mark a duration, kept as seconds."""
    return Unit(units.seconds, units.duration, units.DURATION_PATTERN, ("30m", "7d"))


def Budget() -> Unit:  # noqa: N802 - reads as the mark it makes
    """Mark a budget, kept as US dollars a month."""
    return Unit(units.usd_per_month, str, units.MONEY_PATTERN, ("400 USD/month",))


class Quantization(_Mark):
    """A format of `deployer.core.quantization` in any spelling, or one of the words given."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: Any) -> str:
        """Return the format's own spelling."""
        text = _text(value)
        if text in self.words:
            return text
        name = quantization.normal(text)
        if name not in quantization.FORMATS:
            said = f"{quoted(text)} is not a valid format: {', '.join(self._known())}"
            raise NearMissError(said, near_misses.quantization(text))
        return name

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
        text = _text(value)
        if text not in self._known():
            said = f"{quoted(text)} is not a known engine: {', '.join(self._known())}"
            raise NearMissError(said, near_misses.engine(text, self._known()))
        return text

    def _known(self) -> tuple[str, ...]:
        return (*self.words, *engines.choices())

    def schema(self, kept: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """One of the names (the editor then offers them)."""
        return {"type": "string", "enum": list(self._known())}


class Replicas(_Mark):
    """A number of replicas, or {min, max}."""

    def read(self, value: Any) -> Any:
        """Write a number N as {min: N, max: N}."""
        plain = isinstance(value, int) and not isinstance(value, bool)
        return {"min": value, "max": value} if plain else value

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
    if isinstance(value, bool | str):
        raise ValueError(f"{quoted(value)} is not a number")  # noqa: TRY004 - pydantic's way
    if isinstance(value, float) and 0 < value < FINEST:
        raise ValueError(f"{value!r} is too small: write 0, or at least {FINEST:.6f}")
    return value
