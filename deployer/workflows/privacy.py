"""What a deployment that runs shows of privacy: looked at, tried and asked, never taken from the spec."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.privacy import Finding, PrivacyDocument, verdict
from deployer.core.errors import DeployerError
from deployer.providers.evidence import ShowsPrivacy
from deployer.providers.managers import Manager
from deployer.running import openai_client
from deployer.running.lookup import manager_for, provider_of, reached
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store

LOG_S = 1.0
"""How long an engine may take to write what it logs of a request."""
KEPT = "the log holds nothing of the prompts"


def examine(home: Path, name: str, now: str) -> PrivacyDocument:
    """Look at a deployment, and ask it something that can be found again.

    Raises:
        UsageError: there is none of that name.
        PrerequisiteError: what it was made with does not answer.
    """
    store = Store(home)
    record = store.get(name)
    found = tuple(_findings(record, store))
    return PrivacyDocument(
        deployment=record.name,
        target=record.target,
        provider=record.provider,
        engine=record.engine,
        model=str(record.served.get("model") or record.model),
        local_only=local_only(record),
        generated_at=now,
        ok=verdict(found),
        findings=found,
    )


def local_only(record: Deployment) -> bool:
    """Whether it was made under `policy.privacy: local-only`."""
    inputs = (one["inputs"] for one in record.planned)
    return any(one.get("network") == "isolated" or one.get("offline") for one in inputs)


def _findings(record: Deployment, store: Store) -> Iterator[Finding]:
    manager = manager_for(record, store.home)
    if isinstance(manager, ShowsPrivacy):
        yield from manager.evidence(record.name)
    else:
        yield from _elsewhere(record)
    try:
        endpoint = reached(record, store)
    except DeployerError as error:
        yield Finding("key", "nobody calls it without its key", None, error.message)
        yield Finding("prompts in the log", KEPT, None, "it could not be asked")
        return
    yield _key(endpoint)
    yield _prompts(record, endpoint, manager)


def _elsewhere(record: Deployment) -> Iterator[Finding]:
    """Of what another company runs nothing can be looked at from here."""
    where = provider_of(record)
    at = f", region {record.region}" if record.region else ""
    said = (f"{where.name}{at}: {where.privacy}",)
    yield Finding("machine", "it runs on this machine", False, f"it runs by {where.name}{at}", said)
    detail = f"what {where.name} runs cannot be checked from here"
    for name, statement in (
        ("egress", "it reaches nothing outside this machine"),
        ("usage reporting", "the engine's usage reports are switched off"),
        ("weights", "where the weights came from is known"),
    ):
        yield Finding(name, statement, None, detail)


def _key(endpoint: Endpoint) -> Finding:
    statement = "nobody calls it without its key"
    try:
        open_to_all = openai_client.open_to_all(endpoint)
    except DeployerError as error:
        return Finding("key", statement, None, error.message)
    detail = (
        "a call without the key was answered"
        if open_to_all
        else "a call without the key was rejected"
    )
    return Finding("key", statement, not open_to_all, detail, (endpoint.url,))


def _prompts(record: Deployment, endpoint: Endpoint, manager: Manager) -> Finding:
    """Ask something with a mark in it, and look for the mark in all that was logged."""
    if record.route != "chat":
        return Finding(
            "prompts in the log", KEPT, None, "what its /predict takes is not known here"
        )
    mark = f"probe-{secrets.token_hex(8)}"
    question = [{"role": "user", "content": f"Say {mark}."}]
    try:
        for _ in openai_client.chat(endpoint, record.model, question, max_tokens=1):
            pass
    except DeployerError as error:
        return Finding("prompts in the log", KEPT, None, f"it did not answer: {error.message}")
    time.sleep(LOG_S)
    lines = list(manager.logs(record.name, follow=False, tail=None))
    hits = tuple(line[:200] for line in lines if mark in line)
    seen = (
        f"prompt sent: Say {mark}.",
        f"lines of the log that were searched: {len(lines)}",
        *hits,
    )
    if not lines:
        return Finding("prompts in the log", KEPT, None, "it has no log that can be read", seen)
    detail = (
        "the prompt was found in the log" if hits else "a prompt that was sent is not in the log"
    )
    return Finding("prompts in the log", KEPT, not hits, detail, seen)
