"""`deployer status`: what runs, how it is, what it has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from deployer.cli import options, view

COLOURS = {"healthy": "green", "starting": "yellow", "stopped": "yellow"}


@click.command("status", help="Show deployments: state, endpoint, use and cost so far.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.json_option
def command(name: str | None, spec_file: Path | None, target: str | None, as_json: bool) -> None:
    """Show one deployment, or all."""
    from deployer import observe
    from deployer.clock import now
    from deployer.home import home

    one = name or spec_file or target
    names = [options.deployment_name(name, spec_file, target)] if one else None
    document = observe.status(home(), names, now())
    if as_json:
        view.emit(document)
    elif document["deployments"]:
        view.out(_table(document["deployments"]))
    else:
        view.say("There is no deployment. Next: deployer up --target local")


def _table(deployments: Sequence[Mapping[str, Any]]) -> str:
    header = ["name", "state", "endpoint", "since", "output tokens", "USD/h", "USD so far"]
    return view.table([header, *map(_row, deployments)], right=frozenset({4, 5, 6}))


def _row(shown: Mapping[str, Any]) -> list[str]:
    state = shown["state"]
    return [
        shown["name"],
        click.style(state, fg=COLOURS.get(state, "red")),
        shown["endpoint"] or "-",
        shown["started_at"],
        _figure(shown["output_tokens"]),
        _figure(shown["usd_per_hour"]),
        _figure(shown["cost_so_far_usd"]),
    ]


def _figure(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.6g}"
