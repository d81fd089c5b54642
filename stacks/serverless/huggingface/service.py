"""Inference Endpoints of Hugging Face, by its own library. The token is the user's own, and kept nowhere.

`HF_INFERENCE_ENDPOINTS_ENDPOINT` sends it elsewhere, as `HF_ENDPOINT` does with the hub itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployer.core.domain import Plan
from deployer.core.errors import (
    DeployerError,
    PolicyError,
    PrerequisiteError,
    RemoteError,
    system_error,
)
from deployer.providers import state_tag
from deployer.providers.inventory import Found, Left, ours
from deployer.providers.managers import Say
from deployer.running.endpoints.service import Seen, State
from deployer.sources import web
from stacks.serverless.huggingface.provider import endpoint_name

TYPE = "pulumi-python:dynamic/deployer:HuggingFaceEndpoint"
OURS, OWNER, STATE = "deployer:", "deployer-owner:", "deployer-state:"
"""Each endpoint of ours has the tag `deployer:<deployment>`, and says who made it and where its state is shared."""
STATES: Mapping[str, tuple[State, bool | None]] = {
    "running": ("healthy", True),
    "scaledToZero": ("healthy", False),
    "paused": ("stopped", False),
    "failed": ("failed", None),
    "updateFailed": ("failed", None),
}
"""By the service's word: how it is, and whether it is awake. All others are on their way."""
TOKEN = (
    "set HF_TOKEN to a token that may manage Inference Endpoints: huggingface.co/settings/tokens"  # noqa: S105
)
LOOK_S = 5.0
WAKES_S = 3600.0


def api() -> Any:
    """The library, and the address of its service."""
    from huggingface_hub import HfApi, constants

    elsewhere = os.environ.get("HF_INFERENCE_ENDPOINTS_ENDPOINT")
    if elsewhere:
        constants.INFERENCE_ENDPOINTS_ENDPOINT = elsewhere.rstrip("/")
    return HfApi()


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn what the library raises while it does `what` into an error with a hint.

    Raises:
        PrerequisiteError: token, permission or network are missing.
        PolicyError: it is not paid for, or beyond the quota.
        RemoteError: the service failed.
    """
    from huggingface_hub import errors

    try:
        yield
    except DeployerError:
        raise
    except errors.LocalTokenNotFoundError as error:
        raise PrerequisiteError("no Hugging Face token is set", hint=TOKEN) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        raise refused(what, status, web.said(error)) from error
    except Exception as error:
        raise _unread(what, error) from error


def _unread(what: str, error: Exception) -> DeployerError:
    """The error of a call that got no answer, or none of Hugging Face's. The library declares a hundred kinds."""
    from huggingface_hub import errors

    transport = errors.HfHubHTTPError.__mro__[1]  # the library's own, whichever it is
    no_proxy = web.without_socks(error)
    if no_proxy is not None:
        return no_proxy
    if isinstance(error, OSError) and error.filename:
        return system_error(error)
    if isinstance(error, (*web.unanswered(), transport)):
        return PrerequisiteError(
            f"Hugging Face cannot be reached to {what}: {web.said(error)}",
            hint="check the network, then try again",
        )
    return PrerequisiteError(
        f"something else answered in Hugging Face's place to {what}: {web.said(error)}",
        hint="log in to this network, or check HTTPS_PROXY, HF_ENDPOINT and HF_INFERENCE_ENDPOINTS_ENDPOINT",
    )


def token() -> str | None:
    """Return the user's token, if there is one.

    Raises:
        PrerequisiteError: its file may not be read.
    """
    from huggingface_hub import get_token

    with understood("read your token"):
        return get_token()


def refused(what: str, status: int, said: str) -> DeployerError:
    """The error that a status of the service stands for."""
    if status == 401:
        return PrerequisiteError("Hugging Face does not accept the token", hint=TOKEN)
    if status == 402:
        return PolicyError(
            f"Hugging Face requires payment to {what}",
            hint="add a payment method: huggingface.co/settings/billing",
        )
    if status == 403:
        return PrerequisiteError(
            f"your token may not {what}: {said}",
            hint="endpoints.huggingface.co shows quotas; " + TOKEN,
        )
    return RemoteError(f"Hugging Face failed to {what}: {said}", hint="try again later")


@dataclass(frozen=True)
class Endpoints:
    """Fulfils `deployer.providers.inventory.Inventory`: what has the deployment's tag."""

    deployment: str
    taken_up: Collection[str] = (TYPE,)
    account: None = None
    region: None = None

    def named(self, deployment: str) -> Endpoints:
        """See `Inventory`."""
        return Endpoints(deployment)

    def found(self) -> list[Found]:
        """See `Inventory`."""
        return [one for one in listed() if one.deployment == self.deployment]

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Inventory`."""
        removed, left = list[Found](), list[Left]()
        for one in ours(found):
            try:
                with understood(f"delete {one.id}"):
                    api().delete_inference_endpoint(one.id)
            except DeployerError as error:
                left.append(Left(one, error.message))
            else:
                removed.append(one)
                say(f"removed {one.type} {one.id}")
        return removed, left


def listed() -> list[Found]:
    """Every endpoint of ours that the token shows.

    Raises:
        PrerequisiteError: token, permission or network are missing.
        RemoteError: the service failed.
    """
    with understood("list your Inference Endpoints"):
        return [_found(one) for one in api().list_inference_endpoints() if _tag(one, OURS)]


def _found(one: Any) -> Found:
    """Read an endpoint with our tag: it is ours by its name, which is made of the deployment's and there but once."""
    region = str((one.raw.get("provider") or {}).get("region", ""))
    deployment, state = _tag(one, OURS) or "", _tag(one, STATE)
    return Found(
        TYPE,
        one.name,
        one.name,
        deployment,
        region,
        one.raw,
        ours=one.name == endpoint_name(deployment),
        owner=_tag(one, OWNER),
        made_at=_made_at(one.raw.get("status") or {}),
        state=state_tag.read(state) if state else None,
    )


def _tag(one: Any, prefix: str) -> str | None:
    tags = one.raw.get("tags") or ()
    return next((t.removeprefix(prefix) for t in tags if t.startswith(prefix)), None)


def _made_at(status: Mapping[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(str(status.get("createdAt"))).timestamp()
    except ValueError:
        return None


def seen(one: Found) -> Seen:
    """How an endpoint is, as the service described it."""
    status = one.details["status"]
    state, awake = STATES.get(status["state"], ("starting", None))
    return Seen(state, awake, status.get("message"))


class Hub:
    """Fulfils `deployer.running.endpoints.service.Service`."""

    def check(self, plan: Plan, say: Say) -> str:  # noqa: ARG002 - one signature for all
        """See `Service`: a token, and the permission to manage endpoints. Quotas are told when one is made."""
        if token() is None:
            raise PrerequisiteError("no Hugging Face token is set", hint=TOKEN)
        with understood("say who you are"):
            owner = str(api().whoami()["name"])
        listed()
        return owner

    def things(self, deployment: str) -> Endpoints:
        """See `Service`."""
        return Endpoints(deployment)

    def seen(self, deployment: str) -> Seen | None:
        """See `Service`."""
        return next((seen(one) for one in ours(self.things(deployment).found())), None)

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """What its containers write; none while it sleeps."""
        shown = list[str]()
        while True:
            found = ours(self.things(deployment).found())
            lines = _log(found[0]) if found else []
            new = lines[len(shown) :] if lines[: len(shown)] == shown else lines
            first = not shown and tail is not None
            yield from new[len(new) - min(tail or 0, len(new)) :] if first else new
            shown = lines
            if not follow or not found:
                return
            time.sleep(LOOK_S)

    def rest(self, deployment: str) -> bool:
        """See `Service`: paused, it costs nothing, and no call wakes it."""
        for one in ours(self.things(deployment).found()):
            with understood(f"pause {one.id}"):
                api().pause_inference_endpoint(one.id)
        return True

    def wake(self, deployment: str, say: Say) -> None:
        """See `Service`."""
        for one in ours(self.things(deployment).found()):
            if one.details["status"]["state"] == "paused":
                say(f"resuming {one.id}, which is paused")
                with understood(f"resume {one.id}"):
                    api().resume_inference_endpoint(one.id)


def _log(one: Found) -> list[str]:
    """The log of an endpoint, which the library does not read: the service's own API does."""
    from huggingface_hub import constants

    with understood(f"read the log of {one.id}"):
        hub = api()
        space = hub.get_inference_endpoint(one.id).namespace
        url = f"{constants.INFERENCE_ENDPOINTS_ENDPOINT}/endpoint/{space}/{one.id}/logs"
        headers = hub._build_hf_headers()  # noqa: SLF001 - the library's own token and agent
        with web.client(headers=headers, timeout=60) as client:
            answer = client.get(url)
    if answer.status_code == 404:  # nothing has been written yet
        return []
    if answer.status_code != 200:
        raise refused(f"read the log of {one.id}", answer.status_code, answer.text[:200])
    return answer.text.splitlines()
