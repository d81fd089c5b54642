"""How a deployment is called, in lines that can be pasted into a shell."""

from __future__ import annotations

from decimal import Decimal

from deployer.cli import view
from deployer.state import Deployment
from deployer.units import usd


def how_to_use(made: Deployment) -> str:
    """Return what a user wants to know of a deployment that was just applied."""
    hourly = Decimal(made.usd_per_hour) if made.usd_per_hour else None
    cost = (
        "unpriced: the plan says what is missing" if hourly is None else f"{usd(hourly, 4)} USD/h"
    )
    rows = [
        ["endpoint", f"{made.endpoint} (model {made.model}, with an API key)"],
        *(_chatting(made) if made.route == "chat" else [["curl", predicting(made)]]),
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


def predicting(made: Deployment) -> str:
    """Return the line that calls the /predict of a handler."""
    return _curl(made, "${OPENAI_BASE_URL%/v1}/predict", '{"your": "request"}')


def _curl(made: Deployment, url: str, body: str) -> str:
    key = '-H "Authorization: Bearer $OPENAI_API_KEY"'
    return f"eval \"$(deployer env {made.name})\"; curl {url} {key} -d '{body}'"
