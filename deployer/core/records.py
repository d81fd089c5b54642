"""Frozen dataclasses that are made fast: a command makes a hundred classes before it does anything.

`dataclasses.dataclass` writes and compiles six methods for each frozen class, which is a fifth of the time of a plan. Only
`__init__` differs in more than the names of the fields; the other five are written here once. What is made is a dataclass
like any other, for `fields`, `replace` and `asdict`, and for the type checker. It is worth using where every command loads
the class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any


def _repr(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    same = type(other) is type(self)
    return self.__values__(self) == self.__values__(other) if same else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__values__(self))


def _set(self: Any, name: str, value: object) -> None:
    """Set a field for the first time, which `__init__` does."""
    values = self.__dict__
    if name in values or name not in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    values[name] = value


def _delete(self: Any, name: str) -> None:  # noqa: ARG001 - the signature of __delattr__
    raise FrozenInstanceError(f"cannot delete field {name!r}")


SHARED = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _set,
    "__delattr__": _delete,
}


def _frozen(*, frozen: bool, kw_only: bool = False) -> Callable[[type], Any]:
    """Make a frozen dataclass. What a class writes itself stays."""
    assert frozen, "what may change is an ordinary dataclass"  # noqa: S101 - a slip of the programmer's

    def make(plain: type) -> Any:
        shared = {name: method for name, method in SHARED.items() if name not in vars(plain)}
        made: Any = dataclasses.dataclass(repr=False, eq=False, kw_only=kw_only)(plain)
        for name, method in shared.items():
            setattr(made, name, method)
        compared = (one.name for one in fields(made) if one.compare)
        made.__values__ = attrgetter("__class__", *compared)  # of two names or more it is a tuple
        return made

    return make


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - handed on to the type checker
else:
    dataclass = _frozen
