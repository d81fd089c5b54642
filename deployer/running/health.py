"""Whether a deployment answers as it should: healthy, with its key, and not without."""

from __future__ import annotations

from dataclasses import replace

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError, RemoteError
from deployer.providers import registry
from deployer.providers.managers import Say
from deployer.running import openai_client
from deployer.running.openai_client import Endpoint
from deployer.running.store import AUTHORITY, Store

HUB_TOKEN = "hub-token"  # noqa: S105 - the name of a kind of key
"""What a stack exports as `key` when callers send their token of the model hub."""


def endpoint_of(record: Deployment, store: Store) -> Endpoint:
    """Return how a deployment is reached: its address, its key, and its own certificate authority if it has one."""
    return replace(_keyless(record, store), key=key_of(record, store))


def _keyless(record: Deployment, store: Store) -> Endpoint:
    """How it is reached by a question that needs no key, and so sends none."""
    authority = store.folder(record.name) / AUTHORITY
    own = authority if authority.exists() else None
    return Endpoint(record.endpoint or "", "", own)


def key_of(record: Deployment, store: Store) -> str:
    """Return what opens a deployment: its own key, or the caller's token of the model hub where that is asked for.

    Raises:
        PrerequisiteError: there is no such token.
    """
    if record.outputs.get("key") != HUB_TOKEN:
        return store.key(record.name)
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        raise PrerequisiteError(
            f"{record.name} is called with a token of the model hub, and there is none",
            hint="set HF_TOKEN, or log in with `hf auth login`",
        )
    return token


def healthy(record: Deployment, store: Store) -> bool:
    """Whether its health check says that it is ready."""
    served = registry.engine_of(record.target, record.provider, record.engine)
    return openai_client.healthy(_keyless(record, store), served.health_path)


def smoke_test(record: Deployment, store: Store, say: Say) -> None:
    """Ask for a short completion with the key, and be refused without it.

    Raises:
        RemoteError: it does not answer, or answers to anybody.
    """
    endpoint = endpoint_of(record, store)
    if record.route == "chat":
        _ask(endpoint, record)
    elif not openai_client.accepts(endpoint):  # nobody knows what its /predict takes
        raise RemoteError("the endpoint rejects its own API key", where=endpoint.url)
    check_refusal(record, store)
    say("it answers with its API key, and rejects calls without it")


def check_refusal(record: Deployment, store: Store) -> None:
    """See that it answers neither without a key nor with another one.

    Raises:
        RemoteError: it answers to anybody, or cannot be reached.
    """
    endpoint = _keyless(record, store)
    if openai_client.open_to_all(endpoint):
        raise RemoteError(
            "the endpoint answers without the API key",
            hint=f"'deployer down {record.name}' takes it away",
            where=endpoint.url,
        )


def _ask(endpoint: Endpoint, record: Deployment) -> None:
    question = [{"role": "user", "content": "Say hello."}]
    for _ in openai_client.chat(endpoint, record.model, question, max_tokens=1):
        pass
