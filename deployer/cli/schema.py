"""`deployer schema`: the JSON Schema of the spec."""

from __future__ import annotations

import json

import click

from deployer.cli import view


@click.command("schema", help="Print the JSON Schema of the spec, for editors.")
def command() -> None:
    """Print JSON Schema, draft 2020-12."""
    from deployer.spec.validate import json_schema

    view.out(json.dumps(json_schema(), indent=2))
