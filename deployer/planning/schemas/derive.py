"""A dataclass as JSON Schema: what `dataclasses.asdict` makes of it, once it is JSON. Pure.

Only the types that `deployer.core.domain` uses are known. Numbers are sizes, counts and money: none is negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number", "minimum": 0}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NOTHING: Schema = {"type": "null"}
_SIMPLE: Mapping[Any, Schema] = {
    str: TEXT,
    int: WHOLE,
    float: NUMBER,
    Decimal: NUMBER,
    bool: {"type": "boolean"},
    NoneType: NOTHING,
    Any: {},
}


def strict(properties: Mapping[str, Schema], description: str | None = None) -> Schema:
    """An object with exactly these keys."""
    told = {"description": description} if description else {}
    return {
        "type": "object",
        **told,
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(items: Schema) -> Schema:
    """A list of one kind of thing."""
    return {"type": "array", "items": items}


def pair(of: Schema) -> Schema:
    """Two values: the lowest and the highest likely."""
    return {"type": "array", "items": of, "minItems": 2, "maxItems": 2}


def either(*options: Schema) -> Schema:
    """One of several."""
    return {"anyOf": list(options)}


def properties(kind: type, drop: Iterable[str] = ()) -> dict[str, Schema]:
    """Return the schema of every field of a dataclass but the dropped ones."""
    hints = get_type_hints(kind)
    return {f.name: of(hints[f.name]) for f in fields(kind) if f.name not in drop}


def summary(kind: type) -> str:
    """Return the first line of what a class says of itself."""
    return (kind.__doc__ or "").strip().split("\n", 1)[0]


def of(hint: Any) -> Schema:
    """Return the schema of a type.

    Raises:
        TypeError: a type that no document is made of.
    """
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if is_dataclass(hint) and isinstance(hint, type):
        return strict(properties(hint), summary(hint))
    return _generic(get_origin(hint), get_args(hint))


def _generic(origin: Any, arguments: tuple[Any, ...]) -> Schema:
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return either(*map(of, arguments))
    if origin is tuple:
        same = len(arguments) == 2 and arguments[1] in (..., arguments[0])
        if same:
            return listed(of(arguments[0])) if arguments[1] is ... else pair(of(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of(arguments[1])}
    raise TypeError(f"no document is made of {origin}")
