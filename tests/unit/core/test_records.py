"""Frozen dataclasses that are made fast are dataclasses like any other."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from deployer.core import records

MAKERS = (dataclasses.dataclass, records.dataclass)
Made = tuple[Any, Any]


def made(dataclass: Callable[..., Any]) -> Made:
    """Two classes of the same fields, the second with an own `__repr__`."""

    @dataclass(frozen=True)
    class Point:
        x: int
        y: int = 2
        seen: list[int] = dataclasses.field(default_factory=list, compare=False, repr=False)

        @cached_property
        def far(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True, kw_only=True)
    class Named:
        name: str

        def __repr__(self) -> str:
            return self.name

    return Point, Named


@pytest.fixture(params=MAKERS)
def classes(request: pytest.FixtureRequest) -> Made:
    return made(request.param)


def test_values_decide_what_is_equal(classes: Made):
    point, named = classes
    assert point(1) == point(1, 2, [3])
    assert hash(point(1)) == hash(point(1, 2, [3]))
    assert point(1) != point(2)
    assert point(1) != (1, 2)
    assert {named(name="a"): 1}[named(name="a")] == 1


def test_nothing_is_set_or_deleted_once_it_is_made(classes: Made):
    one = classes[0](1)
    for change in (
        lambda: setattr(one, "x", 2),
        lambda: setattr(one, "other", 2),
        lambda: delattr(one, "x"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert one == classes[0](1)


def test_what_dataclasses_offers_takes_them(classes: Made):
    point, _ = classes
    one = point(1)
    assert dataclasses.is_dataclass(type(one))
    assert [field.name for field in dataclasses.fields(one)] == ["x", "y", "seen"]
    assert dataclasses.replace(one, y=5) == point(1, 5)
    assert dataclasses.asdict(one) == {"x": 1, "y": 2, "seen": []}
    assert copy.deepcopy(one) == one


def test_they_are_shown_by_their_fields_unless_they_say_how(classes: Made):
    point, named = classes
    assert repr(point(1)).endswith("Point(x=1, y=2)")
    assert repr(named(name="a")) == "a"


def test_a_property_is_worked_out_once(classes: Made):
    one = classes[0](1)
    assert (one.far, vars(one)["far"]) == (3, 3)


def test_keywords_and_defaults_are_as_declared(classes: Made):
    with pytest.raises(TypeError):
        classes[1]("a")
    with pytest.raises(TypeError):
        classes[0]()
