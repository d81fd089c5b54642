"""The English that users meet: the wording of messages, helps, schema descriptions and templates.

A message says what is wrong and a hint what to do or what is so. Each is one phrase: it begins in lower case unless with
a name, has single spaces and ends without a period.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DESCRIBED = ("deployer/core/documents/", "deployer/spec/__init__.py")
"""Where a docstring is the description in a JSON Schema."""


class Ban(NamedTuple):
    """A wording that is not plain English, why, and what to write."""

    pattern: str
    why: str
    instead: str


BANS = (
    Ban(r"\bmend(s|ed)?\b(?!:)", "archaic for software", "hint, correct or fix"),
    Ban(r"(?<!there )\b(is|are) no (?!longer\b)", "stilted denial", "is not a (valid) ..."),
    Ban(r"\bstands? (there )?twice\b", "translated", "duplicate key"),
    Ban(r"\bnobody is there\b", "translated", "not an interactive terminal"),
    Ban(r"\banew\b", "archaic", "again"),
    Ban(r"\bat the most\b", "translated", "at most"),
    Ban(r"\bbesides\b", "unclear", "also, or in addition to"),
    Ban(r"\bone's own\b", "stilted", "your own, or owned"),
    Ban(r"\bkept in\b", "translated", "saved to"),
    Ban(r"\bto be ended\b", "translated", "would be stopped"),
    Ban(r"\balso holds\b", "unclear", "alternatives"),
    Ban(r"\bsaid last\b|\blast words\b", "funereal", "last output"),
    Ban(r"\b(is|are) not there\b", "vague", "does not exist, or is missing"),
    Ban(r"\bnot part of this version\b", "stilted", "not supported in this version"),
    Ban(r"\bcannot be asked\b", "vague", "did not answer, or the call failed"),
    Ban(r"\bbroke off[:;,]", "translated", "was cut off"),
    Ban(r"\btells? why\b", "translated", "shows why"),
    Ban(r"\b(exists|is there) already\b", "word order", "already exists"),
    Ban(r"\bwhatever happens\b", "vague", "in use or not"),
    Ban(r"\bas a rule\b", "ambiguous beside rules of a policy", "usually"),
    Ban(r"\b(looked at|told|manager)\b", "old terms", "checked, set, manager"),
    Ban(r"\bPulumi(?:'s)? engine\b", "an engine is a model server", "Pulumi, or the Pulumi CLI"),
    Ban(r"\bengine('s)? (keeps|state|of an interrupted)\b", "Pulumi is meant", "Pulumi"),
)


class Text(NamedTuple):
    """A text that a user can see, and its place."""

    place: str
    text: str


def literals(source: str, *, described: bool) -> Iterator[tuple[int, str]]:
    """Every text of a program with its line: f-strings whole, docstrings only where they are shown."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not described:
            continue
        text = written(node)
        if text is None:
            waiting += ast.iter_child_nodes(node)
        else:
            yield getattr(node, "lineno", 0), text


def written(node: ast.AST) -> str | None:
    """The text of a literal, `{}` for what an f-string fills in; None for all other nodes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        return "".join(map(str, parts))
    return None


def sources() -> Iterator[tuple[str, str]]:
    for folder in ("deployer", "stacks", "templates"):
        for file in sorted((ROOT / folder).rglob("*")):
            place = file.relative_to(ROOT).as_posix()
            if file.is_file() and "__pycache__" not in place and file.suffix != ".gguf":
                yield place, file.read_text(errors="replace")


def texts() -> Iterator[Text]:
    for place, source in sources():
        if place.startswith("templates/"):
            lines = (re.sub(r"{[{%#].*?[}%#]}", "{}", line) for line in source.splitlines())
            yield from (Text(f"{place}:{n}", line) for n, line in enumerate(lines, 1))
        elif place.endswith(".py"):
            found = literals(source, described=place.startswith(DESCRIBED))
            yield from (Text(f"{place}:{line}", text) for line, text in found)


def banned(text: str) -> Iterator[Ban]:
    yield from (ban for ban in BANS if re.search(ban.pattern, text, re.IGNORECASE))


def test_users_read_plain_english():
    seen = list(texts())
    assert len(seen) > 5000
    found = [
        f"{one.place}: {one.text.strip()!r} ({ban.why}; write: {ban.instead})"
        for one in seen
        for ban in banned(one.text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "mend model.facts",
        "'serve' stands twice",
        "pulumi is no Pulumi that can be used",
        "nobody is there to confirm the plan",
        "Kept in plan.json",
        "3 to be ended",
        "  also holds it",
        "Pulumi's engine is missing",
        "the engine keeps an empty stack",
        "'deployer up' starts it anew",
        "handler.py is not there",
    ],
)
def test_a_stilted_text_is_found(text):
    assert list(banned(text))


@pytest.mark.parametrize(
    "text", ["there is no plan", "it is no longer sold", "the engine's image", "recommended: local"]
)
def test_a_plain_text_passes(text):
    assert not list(banned(text))


def phrases() -> Iterator[Text]:
    """Every hint, and every message of an error, that is written out where it is raised."""
    for place, source in sources():
        if not place.endswith(".py"):
            continue
        for call in ast.walk(ast.parse(source)):
            if isinstance(call, ast.Call):
                raised = getattr(call.func, "id", "").endswith("Error")
                parts = [word.value for word in call.keywords if word.arg == "hint"]
                parts += call.args[:1] if raised else []
                for part in parts:
                    yield from (Text(f"{place}:{part.lineno}", t) for t in choices(part))


def choices(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be."""
    if isinstance(node, ast.IfExp):
        yield from (*choices(node.body), *choices(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from choices(value)
    elif (text := written(node)) is not None:
        yield text


def faults(text: str) -> Iterator[str]:
    """What of the rule a phrase breaks."""
    if text.endswith(".") and not text.endswith("..."):
        yield "it ends with a period"
    if "  " in text or text != text.strip():
        yield "it has spaces too many"
    if re.match(r"[A-Z][a-z]+ (?!Face\b)[a-z]", text) and not text.startswith(NAMES):
        yield "it begins in upper case"


NAMES = ("Bedrock ", "Docker ", "Lambda ", "Pulumi ", "Hugging ")


def test_messages_and_hints_are_phrases():
    seen = list(phrases())
    assert len(seen) > 250
    assert [f"{one}: {fault}" for one in seen for fault in faults(one.text)] == []


@pytest.mark.parametrize(
    "text", ["set it again.", "set it  again", "set it ", "The file is damaged: fetch it"]
)
def test_a_text_that_is_no_phrase_is_found(text):
    assert list(faults(text))
