"""What is measured: an endpoint with its key, and what is known of what serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.core.errors import RemoteError, UsageError, quoted
from deployer.planning.measured import Served
from deployer.providers.registry import engine_of
from deployer.running.lookup import reached
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store


@dataclass(frozen=True)
class Subject:
    """One endpoint under measurement. `served` None: nobody knows what answers there.

    `load` is what its spec asks of it: input_tokens, output_tokens, concurrency, context.
    """

    endpoint: Endpoint
    model: str  # as the endpoint calls it
    deployment: str | None = None
    ignores_eos: bool = False  # whether its engine is known to (`Engine.ignores_eos`)
    served: Served | None = None
    spec_digest: str | None = None
    load: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.deployment or urlsplit(self.endpoint.url).netloc


def of_deployment(store: Store, name: str) -> Subject:
    """Return a deployment as a subject, its key read from the store.

    Raises:
        RemoteError: it has no endpoint.
        UsageError: there is no such deployment, or it is no chat.
    """
    record = store.get(name)
    if record.endpoint is None:
        raise RemoteError(
            f"{record.name} has no endpoint",
            hint="'deployer up' starts it again, 'deployer down' removes it",
        )
    if record.route != "chat":
        raise UsageError(
            f"{name} serves /predict, whose requests its handler defines",
            hint="only /v1/chat/completions can be measured: set serve.handler.route: chat",
        )
    return _subject(record, reached(record, store))


def of_plan(endpoint: Endpoint, model: str, plan: Plan) -> Subject:
    """Return an endpoint that serves what a plan says, on the hardware that it says.

    Raises:
        UsageError: the plan has no hardware.
    """
    sizing, offer = plan.sizing, plan.offer
    if sizing is None or offer is None:
        raise UsageError(
            f"{plan.deployment} has no feasible plan that describes the endpoint at --url",
            hint=f"see 'deployer plan --target {plan.target}'",
        )
    asked = {name: getattr(sizing, name) for name in LOAD}
    return Subject(
        endpoint=endpoint,
        model=model,
        ignores_eos=engine_of(plan.target, plan.provider, sizing.engine).ignores_eos,
        served=Served.by(plan.model, sizing, offer),
        spec_digest=plan.spec_digest,
        load={name: figure for name, figure in asked.items() if figure is not None},
    )


def _subject(record: Deployment, endpoint: Endpoint) -> Subject:
    known = dict(record.served)
    load = {name: int(known.pop(name)) for name in LOAD if known.get(name) is not None}
    return Subject(
        endpoint=endpoint,
        model=record.model,
        deployment=record.name,
        ignores_eos=engine_of(record.target, record.provider, record.engine).ignores_eos,
        served=Served.of(known),
        spec_digest=record.spec_digest,
        load=load,
    )


LOAD = ("input_tokens", "output_tokens", "concurrency", "context")


def checked_url(url: str) -> str:
    """Return the address of an endpoint, without a slash at its end.

    Raises:
        UsageError: it is none, or holds a password or a query, which would be shown and kept.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise UsageError(
            f"{quoted(url)} is not a valid endpoint URL",
            hint="such as --url http://127.0.0.1:8000/v1",
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            "--url must not contain a password or a query",
            hint="put the key into an environment variable and name it: --key-env OPENAI_API_KEY",
        )
    return url.rstrip("/")


def checked_key(key: str, variable: str) -> str:
    """Return a key as a header can carry it.

    Raises:
        UsageError: it is empty or holds what no header may; it is not shown.
    """
    stripped = key.strip()
    if not stripped or not all("!" <= c <= "~" for c in stripped):
        raise UsageError(
            f"{variable} holds no valid key: it is empty, or has characters that a header cannot hold",
            hint=f"set it again: export {variable}=...",
        )
    return stripped
