"""`deployer bench`: how fast deployments, or any OpenAI-compatible endpoint, answer under load."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deployer.cli import options, terminal
from deployer.core.errors import Exit, PrerequisiteError, UsageError

if TYPE_CHECKING:
    from deployer.core.documents.bench import ColdStart, Run
    from deployer.running.bench.endpoints import Subject
    from deployer.running.bench.samples import Load

LADDER = (1, 2, 4, 8)
DURATION_S = 30.0
MOST_CLIENTS = 4096


@dataclass(frozen=True)
class _Asked:
    """The command line."""

    names: tuple[str, ...]
    spec_file: Path | None
    target: str | None
    url: str | None
    key_env: str | None
    model: str | None
    concurrency: tuple[int, ...] | None
    requests: int | None
    duration: float | None
    input_tokens: int | None
    output_tokens: int | None
    cold: bool
    seed: int | None
    as_json: bool


class _Ladder(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    """Whole numbers above 0, separated by commas."""

    name = "N,N,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the steps in the order given."""
        try:
            steps = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            steps = ()
        if not steps or not all(0 < step <= MOST_CLIENTS for step in steps):
            self.fail(
                f"'{value}' is not a list of client counts from 1 to {MOST_CLIENTS}, such as 1,2,4",
                param,
                ctx,
            )
        return tuple(dict.fromkeys(steps))


@click.command(
    "bench",
    help="Measure how fast deployments, or any OpenAI-compatible URL, answer under load.",
    epilog="Each client sends its next request when its last one has ended. What is measured is kept, and the"
    " next plan of the same model, format, engine and hardware says it instead of estimating.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.spec_file_option
@options.target_option
@click.option("--url", help="Measure this instead: the base URL of an endpoint, ending in /v1.")
@click.option(
    "--key-env", metavar="VAR", help="The environment variable that holds --url's API key."
)
@click.option("--model", help="The model's name at --url.  [default: the only one it lists]")
@click.option(
    "--concurrency",
    type=_Ladder(),
    help=f"Clients at once, step by step.  [default: {','.join(map(str, LADDER))} and the spec's own]",
)
@click.option("--requests", type=click.IntRange(1), help="Requests per step.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help=f"Or: how long each step sends requests.  [default: {DURATION_S:g}]",
)
@click.option(
    "--input-tokens", type=click.IntRange(1), help="Of each prompt.  [default: the spec's traffic]"
)
@click.option(
    "--output-tokens", type=click.IntRange(1), help="Of each answer.  [default: the spec's traffic]"
)
@click.option(
    "--cold/--warm",
    help="--cold: first stop the deployment, then start it and time its first answer.  [default: warm]",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="The seed of an earlier run, to send the same prompts again.",
)
@options.json_option
def command(**asked: Any) -> None:
    """Measure, keep what was measured, show it; exit 1 when a step had no answer at all."""
    _run(_Asked(**asked))


def _run(asked: _Asked) -> None:
    from deployer.running import bench
    from deployer.running.bench import load_steps

    found = _subjects(asked)
    load = _load(asked, found)
    starts, subjects = _cold(asked, found)
    _warn(subjects)
    runs = load_steps.measure(subjects, load, _Progress())
    terminal.progress(None)
    kept = bench.keep_all(subjects, runs)
    if asked.as_json:
        terminal.emit(bench.document(runs, starts, load, kept))
    else:
        _show(runs, starts, load, kept)
    if not all(run.requests for run in runs):
        raise click.exceptions.Exit(Exit.FAILED)


def _subjects(asked: _Asked) -> list[Subject]:
    if asked.requests and asked.duration:
        raise UsageError("a step ends after --requests or after --duration, not both")
    if asked.url is not None:
        return [_at_url(asked, asked.url)]
    if asked.key_env or asked.model:
        raise UsageError("--key-env and --model need --url", hint="run 'deployer bench --url URL'")
    from deployer.core.home import home
    from deployer.running.bench.endpoints import of_deployment
    from deployer.running.store import Store

    store = Store(home())
    if asked.names and not (asked.spec_file or asked.target):
        return [of_deployment(store, name) for name in dict.fromkeys(asked.names)]
    first = asked.names[0] if asked.names else None
    name = options.deployment_name(first, asked.spec_file, asked.target)
    return [of_deployment(store, name)]


def _at_url(asked: _Asked, url: str) -> Subject:
    """The endpoint at --url; what serves it is what -f SPEC --target T says, where they are given."""
    from deployer.running.bench import endpoints, probe
    from deployer.running.openai_client import Endpoint
    from deployer.workflows import plan as pipeline

    if asked.names:
        raise UsageError("give names of deployments or --url, not both")
    if asked.cold:
        raise UsageError(
            "only a deployment can be started cold", hint="leave --cold out, or name a deployment"
        )
    endpoint = Endpoint(endpoints.checked_url(url), _key(asked.key_env))
    model = asked.model or probe.only_model(endpoint)
    if asked.target is None:
        if asked.spec_file:
            raise UsageError("no target given for the endpoint at --url", hint="add --target T")
        return endpoints.Subject(endpoint, model)
    file = asked.spec_file or options.DEFAULT_SPEC
    plan = pipeline.make_plans(file, [asked.target], pipeline.Setting.here())[0]
    return endpoints.of_plan(endpoint, model, plan)


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    from deployer.running.bench.endpoints import checked_key

    if variable not in os.environ:
        raise PrerequisiteError(
            f"the environment variable {terminal.printable(variable)} is not set",
            hint="--key-env takes the variable's name, never the key itself",
        )
    return checked_key(os.environ[variable], variable)


def _load(asked: _Asked, subjects: Sequence[Subject]) -> Load:
    import secrets

    from deployer.running.bench.samples import Load
    from deployer.spec import Traffic

    known, usual = subjects[0].load, Traffic()
    steps = asked.concurrency or tuple(sorted({*LADDER, known.get("concurrency", LADDER[0])}))
    return Load(
        input_tokens=asked.input_tokens or known.get("input_tokens", usual.input_tokens),
        output_tokens=asked.output_tokens or known.get("output_tokens", usual.output_tokens),
        concurrency=steps,
        requests=asked.requests,
        duration_s=asked.duration or DURATION_S,
        seed=secrets.randbits(32) if asked.seed is None else asked.seed,
    )


def _cold(asked: _Asked, subjects: Sequence[Subject]) -> tuple[list[ColdStart], Sequence[Subject]]:
    """Start every deployment anew, where that was asked for."""
    if not asked.cold:
        return [], subjects
    from deployer.core.clock import now
    from deployer.core.home import home
    from deployer.running.bench.cold_start import start_cold
    from deployer.running.runner_apply import READY_S

    names = [s.deployment for s in subjects if s.deployment]
    pairs = [start_cold(home(), name, terminal.say, now, READY_S) for name in names]
    return [start for start, _ in pairs], [endpoints for _, endpoints in pairs]


def _warn(subjects: Sequence[Subject]) -> None:
    for endpoints in subjects:
        end = endpoints.endpoint
        if end.key and end.url.startswith("http:") and not end.is_here:
            terminal.say(
                f"note: {terminal.printable(end.url)} is not encrypted: the API key is sent in the clear"
            )


class _Progress:
    """Says on stderr how far a step is: in a terminal at each request, else once a step."""

    def __init__(self) -> None:
        self.step: tuple[str, int] | None = None

    def __call__(self, subject: Subject, concurrency: int, done: int) -> None:
        new = (subject.name, concurrency) != self.step
        self.step = (subject.name, concurrency)
        clients = f"{concurrency} client{'s' if concurrency > 1 else ''}"
        terminal.progress(f"{subject.name}, {clients}: {done} requests", line=new)


def _show(
    runs: Sequence[Run], starts: Sequence[ColdStart], load: Load, kept: Sequence[Path]
) -> None:
    from deployer.cli.views.bench import render

    terminal.out(render(runs, starts, load))
    if kept:
        terminal.say(f"Saved to {kept[0].parent}: the next plan uses these measurements.")
