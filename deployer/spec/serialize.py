"""A spec as plain data and back, without pydantic: what the cache keeps and what the digest is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, get_args, get_type_hints

from deployer.spec import Spec
from deployer.spec.fields import Unit, kebab


def to_plain(value: Any) -> Any:
    """Return dataclasses as mappings, tuples as lists and Decimal as text, ready for JSON."""
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(v) for v in value]
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def from_plain(plain: Any) -> Spec:
    """Read back what `to_plain` wrote of a spec."""
    spec = _read(Spec, plain)
    assert isinstance(spec, Spec)  # noqa: S101 - what _read makes of Spec
    return spec


def _read(hint: Any, plain: Any) -> Any:
    options = (hint, *get_args(hint))
    kind = next((o for o in options if is_dataclass(o)), None)
    if kind is not None and isinstance(plain, Mapping):
        hints = get_type_hints(kind)
        return kind(**{name: _read(hints[name], value) for name, value in plain.items()})  # type: ignore[operator]
    if isinstance(plain, list):
        return tuple(_read(_inner(options), v) for v in plain)
    return Decimal(plain) if isinstance(plain, str) and Decimal in options else plain


def _inner(options: tuple[Any, ...]) -> Any:
    return next((get_args(o)[0] for o in options if getattr(o, "__origin__", None) is tuple), Any)


def digest(spec: Spec) -> str:
    """Return the SHA-256 of what the spec means: comments and spelling of units do not change it.

    `decide` is left out: it is for comparing, and changes nothing that would exist.
    """
    plain = {key: value for key, value in to_plain(spec).items() if key != "decide"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def defaults(spec: Spec, said: Any) -> dict[str, Any]:
    """Return every value the file `said` nothing about, by its dotted key."""
    return dict(_defaults(spec, said if isinstance(said, Mapping) else {}, ""))


def _defaults(value: Any, said: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(type(value), include_extras=True)
    for field in fields(value):
        here = getattr(value, field.name)
        key = kebab(field.name) if prefix == "targets." else field.name
        given = said.get(key)
        if is_dataclass(here) and not isinstance(given, int):
            inner = given if isinstance(given, Mapping) else {}
            yield from _defaults(here, inner, f"{prefix}{key}.")
        elif key not in said and here is not None:
            yield f"{prefix}{key}", _as_written(here, hints[field.name])


def _as_written(value: Any, hint: Any) -> Any:
    """A default as a user would write it: 1800 seconds as 30m."""
    marks = (mark for mark in get_args(hint)[1:] if isinstance(mark, Unit))
    return next((mark.write(value) for mark in marks), to_plain(value))
