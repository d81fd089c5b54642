"""Every document that a test prints passes through here, where it is held against its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jsonschema
import pytest

from deployer.cli import main
from deployer.core.documents.base import Document, plain
from deployer.core.documents.schemas import DOCUMENTS, schema_of

SAME_AS: Mapping[str, str] = {"up": "status"}
"""Commands that print the document of another."""


class Printed(NamedTuple):
    """What a command with `--json` did: its exit code, its document, and what it said on stderr."""

    code: int
    document: Any
    err: str


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Printed:
    """Run a command with `--json` in this process."""
    words = [*map(str, arguments), "--json"]
    code = main(words)
    said = capsys.readouterr()
    return Printed(code, read(words[0], said.out, code), said.err)


def read(command: str, text: str, code: int | None = None) -> Any:
    """Read what a command has printed on stdout, and see that it is its document and nothing else.

    Raises:
        ValueError: it is not one JSON document.
        jsonschema.ValidationError: it is not of the schema that `deployer schema` prints.
        AssertionError: it is an error with another exit code than the command's.
    """
    document = json.loads(text)
    failed = "error" in document
    check(document, "error" if failed else SAME_AS.get(command, command))
    assert not failed or code is None or document["error"]["exit_code"] == code
    return document


def made(name: str, document: Document) -> Any:
    """Return a document that was not printed as it would be, and see that it is of its schema."""
    shown = json.loads(json.dumps(plain(document)))
    check(shown, name)
    return shown


def check(document: Any, name: str) -> None:
    """See that what was read is of the schema of a document."""
    assert name in DOCUMENTS, f"{name} prints no document"
    validator(name).validate(document)


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """The validator of a document's schema, made once."""
    return jsonschema.Draft202012Validator(schema_of(name))
