"""`deployer init`: write a commented spec, from flags or by asking."""

from __future__ import annotations

import re
from pathlib import Path

import click

from deployer.cli import options, terminal
from deployer.core.errors import UsageError


@click.command("init", help="Write a commented spec.")
@click.option("-f", "--file", "spec_file", type=click.Path(path_type=Path), default=None)
@click.option(
    "--model", "source", help="hf:<repo>, <scheme>://bucket/prefix, ./folder or ./file.gguf."
)
@click.option("--name", help="Names the deployments.  [default: from the model]")
@click.option("--concurrency", type=click.IntRange(1), help="Requests at the same time.")
@click.option("--requests-per-day", type=click.IntRange(0), help="Expected traffic.")
@click.option("--privacy", help="local-only, region:<prefix> or cloud-ok.")
@click.option("--budget", help="The highest cost allowed, such as '400 USD/month'.")
@click.option("--force", is_flag=True, help="Overwrite an existing spec.")
@options.yes_option
def command(
    spec_file: Path | None,
    force: bool,
    yes: bool,
    **flags: str | int | None,
) -> None:
    """Write a spec; ask for what no flag says, where somebody is there to answer."""
    from deployer.core.files import write_output
    from deployer.core.templates import render
    from deployer.engines import choices
    from deployer.spec import AUTO
    from deployer.spec.load import check

    file = spec_file or options.DEFAULT_SPEC
    if file.exists() and not force:
        raise UsageError(f"{file} already exists", hint="pass --force to overwrite it")
    answers = _answers(flags, ask=terminal.interactive() and not yes)
    text = render("spec.yaml.j2", engines=" | ".join((AUTO, *choices())), **answers)
    check(text, file)
    write_output(file, text)
    terminal.say(f"Wrote {file}. Next: deployer plan{'' if spec_file is None else f' -f {file}'}")


def _answers(flags: dict[str, str | int | None], *, ask: bool) -> dict[str, str | int | None]:
    source = flags["source"]
    if source is None and not ask:
        raise UsageError("no model given", hint="pass --model hf:<repo>, ./folder or ./file.gguf")
    if source is None:
        source = click.prompt(
            "Model (hf:<repo>, <scheme>://bucket/..., ./folder, ./file.gguf)", err=True
        )
    answers: dict[str, str | int | None] = {"source": source, "budget": flags["budget"]}
    questions = (
        ("name", "Name", _name_from(str(source))),
        ("requests_per_day", "Requests a day", 1000),
        ("concurrency", "Concurrent requests", 8),
        ("privacy", "Where may the data go (local-only, region:eu, cloud-ok)", "cloud-ok"),
    )
    for key, question, default in questions:
        given = flags[key]
        if given is None:
            given = click.prompt(question, default=default, err=True) if ask else default
        answers[key] = given
    return answers


def _name_from(source: str) -> str:
    """Make a valid name of the model's: `hf:Qwen/Qwen3-8B` becomes `qwen3-8b`."""
    last = source.split("@", maxsplit=1)[0].rstrip("/").split("/")[-1].removesuffix(".gguf").lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-").lstrip("0123456789-")
    return name[:40].rstrip("-") or "model"
