"""`deployer up`: show the plan, ask, apply it, and say how to call the model."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path

import click

from deployer.cli import options, view
from deployer.errors import DeclinedError, UsageError
from deployer.state import Deployment
from deployer.units import usd


@click.command("up", help="Apply a plan: start the model and wait until it answers.")
@options.spec_file_option
@options.target_option
@options.offline_option
@click.option(
    "--plan",
    "saved",
    type=click.Path(path_type=Path),
    help="Apply exactly this plan (plan --out), or exit 5.",
)
@click.option("--no-wait", is_flag=True, help="Return without waiting for the model to answer.")
@options.yes_option
@options.json_option
def command(
    spec_file: Path | None,
    target: str | None,
    offline: bool,
    saved: Path | None,
    no_wait: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Plan one target, ask, apply, and print how to use what runs then."""
    from deployer import apply, doctor, observe, pipeline
    from deployer.clock import now
    from deployer.target import provider

    setting = pipeline.Setting.here(offline=offline)
    plan = pipeline.make_plans(spec_file or options.DEFAULT_SPEC, [_target(target)], setting)[0]
    if saved:
        pipeline.check_saved(saved, plan)
    if not as_json:
        view.show_plan(plan)
    refused = pipeline.refusal(plan)
    if refused:
        raise refused
    where = provider(plan.target, plan.provider)
    apply.runner_of(where, setting.home)
    doctor.quick(plan)
    _ask(yes=yes, as_json=as_json)
    _interrupt_on_signals()
    done = apply.apply(
        plan, home=setting.home, provider=where, say=view.say, now=now, wait=not no_wait
    )
    if as_json:
        view.emit(observe.status(setting.home, [plan.deployment], now()))
    else:
        view.out(_how_to_use(done.deployment))


def _target(target: str | None) -> str:
    if target is None:
        raise UsageError("which target?", hint="pass --target local (see 'deployer plan')")
    return target


def _ask(*, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not view.interactive():
        raise UsageError("nobody is there to confirm the plan", hint="pass --yes to apply it")
    if not view.confirm("Apply?"):
        raise DeclinedError("nothing was applied")


def _interrupt_on_signals() -> None:
    """Clean up on SIGTERM and on a closed terminal as on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)


def _how_to_use(made: Deployment) -> str:
    hourly = Decimal(made.usd_per_hour) if made.usd_per_hour else None
    cost = (
        "unpriced: the plan says what is missing" if hourly is None else f"{usd(hourly, 4)} USD/h"
    )
    rows = [
        ["endpoint", f"{made.endpoint} (model {made.model}, with an API key)"],
        *(_chatting(made) if made.route == "chat" else _predicting(made)),
        ["costs", cost],
        ["stop it", f"deployer down {made.name}"],
    ]
    return f"\n{view.heading(made.name)} is {'up' if made.ready_at else 'starting'}\n{view.table(rows)}"


def _chatting(made: Deployment) -> list[list[str]]:
    said = f'{{"model": "{made.model}", "messages": [{{"role": "user", "content": "Hi"}}]}}'
    return [
        ["chat", f"deployer chat {made.name}"],
        ["any client", f'eval "$(deployer env {made.name})"'],
        ["curl", _curl(made, "$OPENAI_BASE_URL/chat/completions", said)],
    ]


def _predicting(made: Deployment) -> list[list[str]]:
    return [["curl", _curl(made, "${OPENAI_BASE_URL%/v1}/predict", '{"your": "request"}')]]


def _curl(made: Deployment, url: str, body: str) -> str:
    key = '-H "Authorization: Bearer $OPENAI_API_KEY"'
    return f"eval \"$(deployer env {made.name})\"; curl {url} {key} -d '{body}'"
