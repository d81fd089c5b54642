"""`deployer render`: write what `up` would run as files that run without this tool."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core import files as folder
from deployer.core.errors import PrerequisiteError, UsageError
from deployer.providers.api import Provider

if TYPE_CHECKING:
    from deployer.core.domain import Plan

COMPOSE = "docker compose up --detach   (the API key is in secrets/api_key)"
README = "less README.md"
"""How the files are run: where they are no Compose project, one of them says so."""


@click.command(
    "render", help="Write files that run the same deployment without this tool. Applies nothing."
)
@options.spec_file_option
@options.target_option
@options.offline_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to.",
)
@options.json_option
def command(
    spec_file: Path | None, target: str | None, offline: bool, out: Path, as_json: bool
) -> None:
    """Plan one target and write its files, with a new API key unless the folder has one."""
    from deployer.providers.registry import provider
    from deployer.workflows import plan as pipeline

    if target is None:
        raise UsageError("no target given", hint="pass --target local (see 'deployer plan')")
    setting = pipeline.Setting.here(offline=offline)
    plan = pipeline.make_plans(spec_file or options.DEFAULT_SPEC, [target], setting)[0]
    refused = pipeline.refusal(plan)
    if refused:
        raise refused
    where = provider(plan.target, plan.provider)
    made = _rendered(plan, where)
    folder.write_folder(out, made.files, dict.fromkeys(made.secrets))
    _show(out, made, as_json=as_json)


@dataclass(frozen=True)
class _Rendered:
    """Texts (or files to copy) by path, the names of secret files to be made, and how it is run."""

    files: Mapping[str, str | Path]
    secrets: Sequence[str]
    how: str


def _rendered(plan: Plan, where: Provider) -> _Rendered:
    if where.files is not None:
        files, names = where.files(plan.resources)
        return _Rendered(files, tuple(names), COMPOSE if "compose.yaml" in files else README)
    if where.program is not None:
        return _Rendered(_project(plan, where), (), README)
    raise PrerequisiteError(
        f"rendering {plan.target} with {plan.provider} is not supported in this version",
        hint="set targets.local.provider: docker",
    )


def _project(plan: Plan, where: Provider) -> Mapping[str, str]:
    from deployer.planning import pulumi_project

    if not plan.inputs.get("user_data", "unknown"):
        raise UsageError(
            f"{plan.deployment} cannot be served on a rented machine: the plan's notes say why",
            hint="the model's files must be had from there: model.source hf:<repo> or <scheme>://<bucket>/<prefix>",
        )
    return pulumi_project.files(plan, where)


def _show(out: Path, made: _Rendered, *, as_json: bool) -> None:
    files = made.files
    if as_json:
        from deployer.core.documents.base import FileDigest
        from deployer.core.documents.render import RenderDocument

        digests = ((path, sha256((out / path).read_bytes()).hexdigest()) for path in files)
        rows = tuple(FileDigest(path, digest) for path, digest in digests)
        terminal.emit(RenderDocument(folder=str(out), files=rows))
        return
    for path in files:
        terminal.out(str(out / path))
    terminal.say(f"Run it: cd {shlex.quote(str(out))} && {made.how}")
