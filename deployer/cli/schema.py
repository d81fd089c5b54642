"""`deployer schema`: the JSON Schema of the spec, or of a document that a command prints."""

from __future__ import annotations

import json

import click

from deployer.cli import terminal
from deployer.core.errors import UsageError

SPEC = "spec"


@click.command(
    "schema",
    help="Print the JSON Schema of the spec, for editors.",
    epilog="DOCUMENT: spec, or what a command prints with --json: plan, compare, status, down, idle, prices, bench,"
    " doctor, env, chat, logs, render, error.",
)
@click.argument("document", default=SPEC)
def command(document: str) -> None:
    """Print JSON Schema, draft 2020-12."""
    terminal.out(json.dumps(_schema(document), indent=2))


def _schema(name: str) -> object:
    from deployer.core.documents.schemas import DOCUMENTS, schema_of

    if name == SPEC:
        from deployer.spec.validate import json_schema

        return json_schema()
    if name not in DOCUMENTS:
        known = ", ".join((SPEC, *DOCUMENTS))
        raise UsageError(f"no schema named {name!r}", hint=f"schemas: {known}")
    return schema_of(name)
