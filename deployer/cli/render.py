"""`deployer render`: write what `up` would run as files that run without this tool."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deployer.cli import options, view
from deployer.errors import PrerequisiteError, UsageError

if TYPE_CHECKING:
    from deployer.words import Plan


@click.command(
    "render", help="Write the files that run the same without this tool. Applies nothing."
)
@options.spec_file_option
@options.target_option
@options.offline_option
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder."
)
@options.json_option
def command(
    spec_file: Path | None, target: str | None, offline: bool, out: Path, as_json: bool
) -> None:
    """Plan one target and write its files, with a new API key unless the folder has one."""
    from deployer import pipeline
    from deployer.target import provider

    if target is None:
        raise UsageError("which target?", hint="pass --target local (see 'deployer plan')")
    setting = pipeline.Setting.here(offline=offline)
    plan = pipeline.make_plans(spec_file or options.DEFAULT_SPEC, [target], setting)[0]
    refused = pipeline.refusal(plan)
    if refused:
        raise refused
    where = provider(plan.target, plan.provider)
    made = _rendered(plan, where)
    _write(out, made)
    _show(out, made, as_json=as_json)


@dataclass(frozen=True)
class _Rendered:
    """Texts by path, the names of secret files to be made, and how it is run."""

    texts: Mapping[str, str]
    secrets: Sequence[str]
    how: str


def _rendered(plan: Plan, where: Any) -> _Rendered:
    if hasattr(where, "files"):
        texts, names = where.files(plan.resources)
        return _Rendered(
            texts, tuple(names), "docker compose up --detach   (the API key is in secrets/api_key)"
        )
    if hasattr(where, "program"):
        return _Rendered(_project(plan, where), (), "less README.md")
    raise PrerequisiteError(
        f"rendering {plan.target} with {plan.provider} is not part of this version",
        hint="set targets.local.provider: docker",
    )


def _project(plan: Plan, where: Any) -> Mapping[str, str]:
    from deployer import standalone
    from deployer.target import provider_file

    if not plan.inputs.get("user_data", "unknown"):
        raise UsageError(
            f"{plan.deployment} cannot be served on a rented machine: the plan's notes say why",
            hint="the model's files must be had from there: model.source hf:<repo> or s3://<bucket>/<prefix>",
        )
    return standalone.files(plan, where, provider_file(plan.target, where.NAME))


def _write(out: Path, made: _Rendered) -> None:
    try:
        for path, text in made.texts.items():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text(text, encoding="utf-8")
        if made.secrets:
            _secrets(out / "secrets", made.secrets)
    except OSError as error:
        raise PrerequisiteError(
            f"{out} cannot be written: {error.strerror}",
            hint="give a folder that you may write to",
            where=str(out),
        ) from None


def _secrets(folder: Path, names: Iterable[str]) -> None:
    """Make the secret files that are not there. The folder is the owner's alone; containers read the files."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        file = folder / name
        if not file.exists():
            file.write_text(f"dk-{secrets.token_urlsafe(32)}" if name == "api_key" else "")
            file.chmod(0o444)


def _show(out: Path, made: _Rendered, *, as_json: bool) -> None:
    texts = made.texts
    if as_json:
        rows = [
            {"path": path, "sha256": sha256(text.encode()).hexdigest()}
            for path, text in texts.items()
        ]
        view.emit({"folder": str(out), "files": rows})
        return
    for path in texts:
        view.out(str(out / path))
    view.say(f"Run it: cd {out} && {made.how}")
