"""`deployer init`: write a commented spec, from flags or by asking."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from deployer.cli import options, terminal
from deployer.core.errors import UsageError

FLAGS = {
    "source": "--model",
    "name": "--name",
    "requests_per_day": "--requests-per-day",
    "concurrency": "--concurrency",
    "privacy": "--privacy",
    "budget": "--budget",
}
KEYS = {
    "source": "model.source",
    "name": "name",
    "requests_per_day": "traffic.requests_per_day",
    "concurrency": "serve.concurrency",
    "privacy": "policy.privacy",
    "budget": "policy.budget",
}
"""The key of the spec that each answer becomes."""
Answer = str | int | None


@click.command("init", help="Write a commented spec.")
@click.option("-f", "--file", "spec_file", type=click.Path(path_type=Path), default=None)
@click.option(
    "--model",
    "source",
    help="hf:<repo>, its page at the model hub, <scheme>://bucket/prefix, ./folder or ./file.gguf.",
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
    **flags: Answer,
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
    answers = _answers(flags, file.parent, ask=terminal.interactive() and not yes)
    text = render("spec.yaml.j2", engines=" | ".join((AUTO, *choices())), **answers)
    check(text, file)
    write_output(file, text)
    for note in _notes(str(answers["source"]), flags["source"], file.parent):
        terminal.say(f"note: {note}")
    named = "" if spec_file is None else f" -f {shlex.quote(str(file))}"
    terminal.say(
        f"Wrote {terminal.printable(str(file))}. Next: deployer plan{terminal.printable(named)}"
    )


def _answers(flags: Mapping[str, Answer], folder: Path, *, ask: bool) -> dict[str, Answer]:
    """Return an answer to every question, each checked when it is given: first all flags, then what is asked for.

    Raises:
        UsageError: a flag is wrong, or no model is named and nobody can be asked.
    """
    told: dict[str, Answer] = {
        key: _flag(key, given, folder) for key, given in flags.items() if given is not None
    }
    if "source" not in told and not ask:
        raise UsageError("no model given", hint="pass --model hf:<repo>, ./folder or ./file.gguf")
    if "source" not in told:
        question = "Model (hf:<repo>, <scheme>://bucket/..., ./folder, ./file.gguf)"
        told["source"] = _asked("source", question, None, folder)
    questions = (
        ("name", "Name", _name_from(str(told["source"]))),
        ("requests_per_day", "Requests a day", 1000),
        ("concurrency", "Concurrent requests", 8),
        ("privacy", "Where may the data go (local-only, region:eu, cloud-ok)", "cloud-ok"),
    )
    for key, question, default in questions:
        if key not in told:
            told[key] = _asked(key, question, default, folder) if ask else default
    return {"budget": None, **told}


def _flag(key: str, given: Answer, folder: Path) -> Answer:
    answer = _source(str(given), folder) if key == "source" else given
    if wrong := _wrong(key, answer):
        message, hint = wrong
        raise UsageError(message, hint=hint, where=f"deployer init {FLAGS[key]}")
    return answer


def _asked(key: str, question: str, default: Answer, folder: Path) -> Answer:
    """Ask until the answer can stand in a spec."""

    def read(said: str) -> Answer:
        answer: Answer = _source(said, folder) if key == "source" else said
        if isinstance(default, int):
            answer = int(click.INT(said))
        if wrong := _wrong(key, answer):
            message, hint = map(terminal.printable, wrong)
            raise click.UsageError(f"{message} ({hint})" if hint else message)
        return answer

    proc: Callable[[str], Any] = read
    said: Answer = click.prompt(question, default=default, value_proc=proc, err=True)
    return said


def _wrong(key: str, answer: Answer) -> tuple[str, str] | None:
    """Say what is wrong with one answer and what to write instead, as a spec with it alone would; None: nothing."""
    from deployer.spec import Spec
    from deployer.spec.validate import validate

    data: dict[str, Any] = {"name": "model", "model": {"source": "hf:org/name"}}
    *sections, last = KEYS[key].split(".")
    here = data
    for section in sections:
        here = here.setdefault(section, {})
    here[last] = answer
    found = validate(data)
    if isinstance(found, Spec):
        return None
    return found[0].message, found[0].hint or ""


def _source(said: str, folder: Path) -> str:
    """Write a model as the spec names it: a path as seen from the spec's folder, a page or name of the hub as `hf:`."""
    from deployer.core.model_source import meant_on_hub

    text = said.strip()
    for path in (text, text.strip("'\""), re.sub(r"\\(.)", r"\1", text)):
        if path and Path(path).expanduser().exists():
            return _path(Path(path).expanduser(), folder)
    return meant_on_hub(text) or text


def _path(path: Path, folder: Path) -> str:
    if path.is_absolute():
        return str(path)
    seen = os.path.relpath(str(path), str(folder))
    return seen if seen.startswith("..") else f"./{seen}"


def _notes(source: str, given: Answer, folder: Path) -> list[str]:
    """Say what was made of the model's name, and that nothing lies at its path yet."""
    from deployer.core.model_source import on_this_machine

    notes = [f"model.source is {source}"] if given not in (None, source) else []
    if on_this_machine(source) and not (folder / source).exists():
        notes.append(f"there is nothing at {source} yet: 'deployer plan' reads the model there")
    return [terminal.printable(note) for note in notes]


def _name_from(source: str) -> str:
    """Make a valid name of the model's: `hf:Qwen/Qwen3-8B` becomes `qwen3-8b`."""
    last = source.split("@", maxsplit=1)[0].rstrip("/").split("/")[-1].removesuffix(".gguf").lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-").lstrip("0123456789-")
    return name[:40].rstrip("-") or "model"
