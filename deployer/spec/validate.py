"""Plain data to a `Spec` by pydantic, and every mistake in it as a `Problem`."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise
from pathlib import Path as File
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

import deployer.spec
from deployer.core.errors import quoted
from deployer.spec import Spec
from deployer.spec.fields import kebab
from deployer.spec.yaml_source import Path, Problem

PLAIN = {
    "missing": "this key is required",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "string_type": "is not text: put it in quotes",
    "dataclass_type": "must be a mapping with keys of its own",
    "decimal_type": "is not a number",
    "finite_number": "is not a finite number",
}
"""pydantic's error types in words; the rest keep pydantic's own message."""


@cache
def _adapter() -> TypeAdapter[Spec]:
    return TypeAdapter(Spec)


def validate(data: Any) -> Spec | tuple[Problem, ...]:
    """Return the spec that `data` says, or everything that is wrong with it."""
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        found = tuple(_distinct(_problem(e, data) for e in error.errors(include_url=False)))
        return _without_misspelt(found)


def json_schema() -> dict[str, Any]:
    """Return the spec's JSON Schema, draft 2020-12."""
    schema = _adapter().json_schema(by_alias=True)
    for title, described in _descriptions().items():
        where = schema if title == "Spec" else schema["$defs"][title]
        for key, text in described.items():
            where["properties"][key]["description"] = text
    schema["title"] = "deployer spec"
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def _descriptions() -> dict[str, dict[str, str]]:
    """Return the text under each field of each class of the spec, read from its source.

    pydantic can do it too (`use_attribute_docstrings`), at 100 ms in every first `plan`.
    """
    source = File(deployer.spec.__file__).read_text(encoding="utf-8")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_described(node)) for node in classes}


def _described(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    alias = kebab if node.name == "Targets" else str
    for field, text in pairwise(node.body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)):
            continue
        if isinstance(text.value, ast.Constant):
            yield alias(ast.unparse(field.target)), str(text.value.value)


def _without_misspelt(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Leave out "'name' is missing" where 'nam' was already said to mean it."""
    meant = {p.means for p in problems if p.means}
    return tuple(p for p in problems if p.path not in meant)


def _distinct(problems: Iterator[Problem]) -> Iterator[Problem]:
    """Make one problem of those at one place: a union reports one for each of its branches.

    Where something inside is wrong too, the branch that was meant is clear: only that is told.
    """
    found: dict[Path, Problem] = {}
    for problem in problems:
        known = found.get(problem.path)
        found[problem.path] = _both(known, problem) if known else problem
    within = {path[:length] for path in found for length in range(len(path))}
    yield from (problem for path, problem in found.items() if path not in within)


def _both(one: Problem, other: Problem) -> Problem:
    said = other.message.removeprefix(f"{_name(other.path)}: ")
    return one if said in one.message else replace(one, message=f"{one.message}, or {said}")


def _problem(error: ErrorDetails, data: Any) -> Problem:
    path = _path(error, data)
    kind = error["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return _unknown_key(path)
    if kind == "missing":
        return Problem(path, f"'{path[-1]}' is missing: {PLAIN[kind]}")
    said = error["msg"].removeprefix("Value error, ").replace(" after validation", "")
    said = said.replace("Tuple should", "a list should")
    if kind in PLAIN:
        said = f"{quoted(error['input'])} {PLAIN[kind]}"
    hint = getattr(error.get("ctx", {}).get("error"), "hint", None)
    return Problem(path, f"{_name(path)}: {said[:1].lower() + said[1:]}", hint)


def _name(path: Path) -> str:
    return ".".join(map(_step, path)) or "the spec"


def _step(step: str | int) -> str:
    """A key as it is written, or in quotes where it is odd."""
    text = str(step)
    return text if re.fullmatch(r"[\w-]{1,40}", text, re.ASCII) else quoted(text)


def _path(error: ErrorDetails, data: Any) -> Path:
    """Leave out the steps that name a branch of a union, which stand in no file."""
    *steps, last = error["loc"] or ("",)
    path: list[str | int] = []
    for step in steps:
        if _holds(data, step):
            path.append(step)
            data = data[step]
    if error["type"] == "missing" or _holds(data, last):
        path.append(last)
    return tuple(path)


def _holds(data: Any, step: str | int) -> bool:
    if isinstance(data, Mapping):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


@cache
def _keys(kind: Any) -> Mapping[str, Any]:
    """Return the keys that a dataclass of the spec takes, with the dataclass under each (or None)."""
    if kind is None or not hasattr(kind, "__dataclass_fields__"):
        return {}
    alias = kebab if "alias_generator" in kind.__pydantic_config__ else str
    hints = get_type_hints(kind)
    return {alias(f.name): _dataclass_of(hints[f.name]) for f in fields(kind)}


def _dataclass_of(hint: Any) -> Any:
    options = (hint, *get_args(hint))
    return next((o for o in options if hasattr(o, "__dataclass_fields__")), None)


def _unknown_key(path: Path) -> Problem:
    *parents, key = path
    here: Any = Spec
    for step in parents:
        here = _keys(here).get(str(step))
    known = list(_keys(here))
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"keys here: {', '.join(known)}"
    means = (*parents, near[0]) if near else None
    return Problem(path, f"unknown key {quoted(str(key))}", hint, means)
