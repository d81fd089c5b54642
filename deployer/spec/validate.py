"""Plain data to a `Spec` by pydantic, and every mistake in it as a `Problem`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path as File
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

import deployer.spec
from deployer.core.errors import quoted
from deployer.spec import Spec, targets
from deployer.spec.fields import kebab
from deployer.spec.keys import keys_at, split_by_comma, unknown
from deployer.spec.mistakes import Mistake, nearest, shown
from deployer.spec.yaml_source import Path, Problem

PLAIN = {
    "missing": "this key is required",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "string_type": "is not text: put it in quotes",
    "tuple_type": "is not a list",
    "dataclass_type": "must be a mapping with keys of its own",
    "decimal_type": "is not a number",
    "finite_number": "is not a finite number",
}
"""pydantic's error types in words; the rest keep pydantic's own message."""


MOST_WORDS = 40
"""A text that is longer is not written again in a hint."""
Words = Mapping[Path, str]


@cache
def _adapter() -> TypeAdapter[Spec]:
    return TypeAdapter(Spec)


def validate(data: Any, words: Words | None = None) -> Spec | tuple[Problem, ...]:
    """Return the spec that `data` says, or everything that is wrong with it.

    `words` is how true and false are written where they are written otherwise (`Tree.words`).
    """
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        each = (_problem(e, data, words or {}) for e in error.errors(include_url=False))
        return _without_misspelt(tuple(_distinct(each)))


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
    files = (deployer.spec.__file__, targets.__file__)
    trees = (ast.parse(File(file).read_text(encoding="utf-8")) for file in files)
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_described(node)) for node in classes}


def _described(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    alias = kebab if node.name == "Targets" else str
    for field, text in pairwise(node.body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)):
            continue
        if isinstance(text.value, ast.Constant):
            yield alias(ast.unparse(field.target)), str(text.value.value)


def _without_misspelt(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Leave out "'name' is missing" where 'nam' was already said to mean it, and the half of a value before a comma."""
    meant = {p.means for p in problems if p.means}
    cut = {p.path[:-1] for p in problems if split_by_comma(p.path)}
    rest = (p for p in problems if p.path[:-1] not in cut or split_by_comma(p.path))
    return tuple(p for p in rest if p.path not in meant)


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
    hint = one.hint or other.hint
    both = one.message if said in one.message else f"{one.message}, or {said}"
    return replace(one, message=both, hint=hint)


def _problem(error: ErrorDetails, data: Any, words: Words) -> Problem:
    path = _path(error, data)
    kind, value = error["type"], error["input"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown(path)
    if kind == "missing":
        return Problem(path, f"'{path[-1]}' is missing: {PLAIN[kind]}")
    said = error["msg"].removeprefix("Value error, ").replace(" after validation", "")
    said = said.replace("Tuple should", "a list should")
    if kind in PLAIN:
        said = f"{shown(value)} {PLAIN[kind]}"
    if value is None or isinstance(value, Mapping | list):
        said = said.removesuffix(": put it in quotes")
    said = said if said.startswith("'") else said[:1].lower() + said[1:]
    if path not in words:
        return Problem(path, f"{_name(path)}: {said}", _hint(error, path))
    read = f"{words[path]} is read as {shown(value)}"
    if said.startswith(f"{shown(value)} "):
        hint = _hint(error, path)
        return Problem(path, f"{_name(path)}: {read}, which {said.partition(' ')[2]}", hint)
    allowed = re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
    quotes = not allowed or words[path] in allowed
    return Problem(path, f"{_name(path)}: {said}", f"{read}: put it in quotes" if quotes else read)


def _hint(error: ErrorDetails, path: Path) -> str | None:
    """Return what to write instead, as the field's mark says it, or by what is allowed there."""
    context, kind, value = error.get("ctx", {}), error["type"], error["input"]
    if isinstance(mistake := context.get("error"), Mistake):
        return mistake.hint
    if kind == "literal_error" and isinstance(value, str):
        return nearest(value, re.findall(r"'([^']*)'", context["expected"]))
    if kind == "tuple_type" and isinstance(value, str):
        return f"write [{value}]" if len(value) < MOST_WORDS else "write it in brackets"
    return f"keys here: {', '.join(keys_at(path))}" if kind == "dataclass_type" else None


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
