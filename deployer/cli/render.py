"""`deployer render`: write what `up` would run as files that run without this tool."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from shutil import copyfile

import click

from deployer.cli import options, view
from deployer.errors import PrerequisiteError, UsageError


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
    render = getattr(where, "files", None)
    if render is None:
        raise PrerequisiteError(
            f"rendering {plan.target} with {plan.provider} is not part of this version",
            hint="set targets.local.provider: docker",
        )
    files, names = render(plan.resources)
    _write(out, files, names)
    _show(out, files, as_json=as_json)


def _write(out: Path, files: Mapping[str, str | Path], names: Iterable[str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, source in files.items():
            _write_one(out, path, source)
        _secrets(out / "secrets", names)
    except OSError as error:
        raise PrerequisiteError(
            f"{out} cannot be written: {error.strerror}",
            hint="give a folder that you may write to",
            where=str(out),
        ) from None


def _write_one(out: Path, path: str, source: str | Path) -> None:
    """Write a text or copy a file; what gets into an image is readable by the user that runs there."""
    file = out / path
    for folder in reversed(file.relative_to(out).parents[:-1]):
        (out / folder).mkdir(exist_ok=True)
        (out / folder).chmod(0o755)
    if isinstance(source, Path):
        copyfile(source, file)
    else:
        file.write_text(source, encoding="utf-8")
    file.chmod(0o644)


def _secrets(folder: Path, names: Iterable[str]) -> None:
    """Make the secret files that are not there. The folder is the owner's alone; containers read the files."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        file = folder / name
        if not file.exists():
            file.write_text(f"dk-{secrets.token_urlsafe(32)}" if name == "api_key" else "")
            file.chmod(0o444)


def _show(out: Path, files: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"path": path, "sha256": sha256((out / path).read_bytes()).hexdigest()}
            for path in files
        ]
        view.emit({"folder": str(out), "files": rows})
        return
    for path in files:
        view.out(str(out / path))
    view.say(
        f"Run it: cd {shlex.quote(str(out))} && docker compose up --detach   (the API key is in secrets/api_key)"
    )
