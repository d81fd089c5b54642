"""A type as JSON Schema: what `base.plain` makes of its values, once that is JSON. Pure.

Objects are strict (no key more, none less) and stand under `$defs` by the name of their class; a description is
the docstring of a class, or the one below a field. pydantic's `TypeAdapter` would do part of it, and would need
the same code for pairs, prices and mappings by target.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from deployer.core.documents.base import Verbatim
from deployer.core.domain import Keyword

Schema = dict[str, Any]

SIMPLE: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number", "minimum": 0},
    Decimal: {"type": "number", "minimum": 0},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Verbatim: {"type": "object"},
}


class Derivation:
    """The schemas of types, with the classes that they hold under `definitions` by name."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._classes: dict[str, type] = {}

    def of(self, hint: Any) -> Schema:
        """Return the schema of a type.

        Raises:
            TypeError: a type that no document is made of.
        """
        if hint in SIMPLE:
            return dict(SIMPLE[hint])
        if isinstance(hint, type) and is_dataclass(hint):
            return self._reference(hint)
        return self._generic(get_origin(hint), get_args(hint))

    def object_of(self, kind: type) -> Schema:
        """Return the schema of a dataclass itself, not a reference to it."""
        hints, told = get_type_hints(kind, include_extras=True), _field_docs(kind)
        described = {
            field.name: self.of(hints[field.name])
            | ({"description": told[field.name]} if field.name in told else {})
            for field in fields(kind)
        }
        return {"description": _paragraph(kind.__doc__ or ""), **_strict(described)}

    def _reference(self, kind: type) -> Schema:
        name = kind.__name__
        if self._classes.setdefault(name, kind) is not kind:
            raise TypeError(f"two classes of one document are called {name}")
        if name not in self.definitions:
            self.definitions[name] = {}  # so that a class may hold itself
            self.definitions[name] = self.object_of(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _generic(self, origin: Any, arguments: tuple[Any, ...]) -> Schema:
        if origin is Annotated:
            return _narrowed(self.of(arguments[0]), arguments[1:])
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
        if origin in (Union, UnionType):
            return self._either(arguments)
        if origin is tuple:
            return self._array(arguments)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(*arguments)
        raise TypeError(f"no document is made of {origin}")

    def _either(self, arguments: tuple[Any, ...]) -> Schema:
        options: list[Schema] = []
        for option in map(self.of, arguments):
            if option not in options:
                options.append(option)
        return {"anyOf": options} if len(options) > 1 else options[0]

    def _array(self, arguments: tuple[Any, ...]) -> Schema:
        if len(arguments) == 2 and arguments[1] is ...:
            return {"type": "array", "items": self.of(arguments[0])}
        if len(set(arguments)) != 1:
            raise TypeError("the items of a tuple are of one type")
        size = len(arguments)
        return {
            "type": "array",
            "items": self.of(arguments[0]),
            "minItems": size,
            "maxItems": size,
        }

    def _mapping(self, key: Any, value: Any) -> Schema:
        names, values = self.of(key).get("enum"), self.of(value)
        if names is not None:
            return _strict(dict.fromkeys(names, values))
        return {"type": "object", "additionalProperties": values}


def _narrowed(schema: Schema, keywords: tuple[Keyword, ...]) -> Schema:
    told = {one.name: one.value for one in keywords}
    merged = schema | {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}
    return {name: value for name, value in merged.items() if value is not None}


def _strict(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _field_docs(kind: type) -> dict[str, str]:
    """What stands below each field of a class, and of those that it inherits from."""
    told: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_dataclass(base):
            told |= _own_field_docs(base)
    return told


def _own_field_docs(kind: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - it is the source of a class
    told = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            told[field.target.id] = _paragraph(str(text.value.value))
    return told


def _paragraph(text: str) -> str:
    return " ".join(text.split())
