"""YAML text as plain data, with the line and column of every key.

Aliases work, but what they expand to is bounded, and a key that stands twice is refused: the second
would silently win. Merge keys (`<<`) are not taken.

Readers of YAML disagree on `010` (8 or 10), `1_000`, `1:30` (90 or text) and 2026-12-31: these are kept as the text that
stands there, so that what asks for a number refuses them. `1e3` is a number, as YAML 1.2 has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from deployer.core.errors import quoted

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1."""

MOST_NODES = 10_000
MOST_DEPTH = 50
DECIMAL = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""A number that every reader of YAML takes for the same one, or for none."""
NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
NUMBERS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))
TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True)
class Problem:
    """One mistake in the file: where, what, what to write instead, and which path a misspelt key means."""

    path: Path
    message: str
    hint: str | None = None
    means: Path | None = None


@dataclass(frozen=True)
class Tree:
    """What the file says, and where it says it."""

    data: Any
    places: Mapping[Path, Place]
    problems: tuple[Problem, ...]
    words: Mapping[Path, str] = field(default_factory=dict)
    """How true and false are written where they are written otherwise, such as `no`."""

    def place(self, path: Path) -> Place:
        """Where `path` stands, or the nearest key around it that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


REPEAT = "repeat the keys here, or use an alias (*name) for a whole section"


class _Reader:
    def __init__(self) -> None:
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.words: dict[Path, str] = {}
        self.nodes = 0
        self.scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES or len(path) > MOST_DEPTH:
            raise _too_large(node.start_mark)
        self.places.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, i)) for i, child in enumerate(node.value)]
        value = self._scalar(node)
        if isinstance(value, bool) and node.value not in ("true", "false"):
            self.words[path] = node.value
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be text", problem_mark=key_node.start_mark
                )
            key = str(key_node.value)
            here = (*path, key)
            if key == "<<":
                self.problems.append(Problem(here, "merge keys (<<) are not supported", REPEAT))
                self.places[here] = _place(key_node)
                continue
            if key in found:
                said = f"duplicate key {quoted(key)}"
                self.problems.append(Problem(here, said, "remove one of them"))
            self.places[here] = _place(key_node)
            found[key] = self.read(value_node, here)
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        """Read a text, number or word. PyYAML's own readers fail in all these ways on `!!int x`."""
        try:
            value = self.scalars.construct_object(node)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise yaml.MarkedYAMLError(
                problem=f"{quoted(node.value)} cannot be read as {node.tag.rpartition(':')[2]}",
                problem_mark=node.start_mark,
            ) from error
        decimal = DECIMAL.fullmatch(node.value) is not None
        if node.tag in NUMBERS and not decimal and not NOT_FINITE.fullmatch(node.value):
            return node.value
        plain = node.tag == TEXT and not getattr(node, "style", None)
        return float(node.value) if plain and decimal else value


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _measure(text: str, loader: Any) -> None:
    """Refuse what is nested too deeply before it is composed: libyaml's composer recurses without a limit.

    200,000 brackets would end the process by a fault of its stack, which nothing can catch.
    """
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=loader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH or number > 2 * MOST_NODES:
            raise _too_large(event.start_mark)


def _too_large(mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem="too large for a spec", problem_mark=mark)


def parse(text: str) -> Tree:
    """Parse YAML.

    Raises:
        yaml.YAMLError: it is not YAML, or far too large for a spec.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _measure(text, loader)
    node = yaml.compose(text, Loader=loader)
    reader = _Reader()
    data = reader.read(node, ()) if node is not None else None
    return Tree(data, reader.places, tuple(reader.problems), reader.words)
