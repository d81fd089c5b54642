"""How a deployment is called, in lines that can be pasted into a shell."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from deployer.cli import terminal
from deployer.core.units import usd, usd_per

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment
    from deployer.core.domain import Plan


def how_to_use(made: Deployment, plan: Plan) -> str:
    """Say how it is called, what it costs and how it is removed."""
    rows = [
        ["endpoint", _endpoint(made)],
        *(_chatting(made) if made.route == "chat" else [["curl", predicting(made)]]),
        ["costs", _costs(made, plan)],
        ["stop it", f"deployer down {made.name}"],
    ]
    return f"\n{terminal.heading(made.name)} is {'up' if made.ready_at else 'starting'}\n{terminal.table(rows)}"


def _endpoint(made: Deployment) -> str:
    if made.endpoint:
        return f"{made.endpoint} (model {made.model}, with an API key)"
    return f"'deployer proxy {made.name}' gives it an OpenAI route on this machine (model {made.model})"


def _costs(made: Deployment, plan: Plan) -> str:
    """What an hour costs, and what it costs while nobody asks."""
    if made.usd_per_hour is None:
        return "unpriced: the plan says what is missing"
    hourly = f"{usd(Decimal(made.usd_per_hour), 4)} USD/h"
    idle = plan.cost.idle_hourly_usd if plan.cost else None
    if "scale_to_zero_minutes" not in plan.inputs:
        return hourly
    minutes = float(plan.inputs["scale_to_zero_minutes"])
    return (
        f"{hourly} while it is awake, {usd_per(idle, 'h', 4)} asleep: "
        f"it sleeps {minutes:.0f} minutes after the last call"
    )


def _chatting(made: Deployment) -> list[list[str]]:
    said = f'{{"model": "{made.model}", "messages": [{{"role": "user", "content": "Hi"}}]}}'
    return [
        ["chat", f"deployer chat {made.name}"],
        ["any client", f'eval "$(deployer env {made.name})"'],
        ["curl", _curl(made, "$OPENAI_BASE_URL/chat/completions", said)],
    ]


def predicting(made: Deployment) -> str:
    """Return the line that calls the /predict of a handler."""
    return _curl(made, "${OPENAI_BASE_URL%/v1}/predict", '{"your": "request"}')


def _curl(made: Deployment, url: str, body: str) -> str:
    key = '-H "Authorization: Bearer $OPENAI_API_KEY"'
    return f"eval \"$(deployer env {made.name})\"; curl {url} {key} -d '{body}'"
