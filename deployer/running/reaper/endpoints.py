"""What is served without a machine: it sleeps by itself, and is listed beside the machines. An edge."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deployer.core.domain import State
from deployer.core.errors import DeployerError
from deployer.running.aws.inventory import Found
from deployer.running.aws.sweep import SERVED, ClientsOf, Gap
from deployer.running.endpoints import huggingface
from deployer.running.endpoints.service import Seen, services

PROVIDERS = {kind: name for name, kind in SERVED.items()}
WHERE = "huggingface"


@dataclass(frozen=True)
class Served:
    """One endpoint or model. `seen` None: how it is could not be told."""

    found: Found
    seen: Seen | None
    recorded: bool

    @property
    def state(self) -> State | Literal["unknown"]:
        """How it is, in the words of `status`."""
        return self.seen.state if self.seen else "unknown"

    @property
    def reason(self) -> str:
        """Why it is kept."""
        if self.state == "stopped":
            return "it is paused and costs nothing"
        if self.seen and self.seen.awake is False:
            return "it is asleep and costs nothing but storage"
        return "it sleeps by itself when nobody calls it; asleep it costs nothing but storage"


def served(
    clients_of: ClientsOf, found: Sequence[Found], recorded: Collection[str]
) -> tuple[list[Served], list[Gap]]:
    """Describe what a sweep found on AWS, and what the user's token shows at Hugging Face."""
    told, gaps = list[Served](), list[Gap]()
    for one in (f for f in found if f.type in PROVIDERS):
        told.append(Served(one, _seen(clients_of, one), one.deployment in recorded))
    try:
        told += [
            Served(one, huggingface.seen(one), one.deployment in recorded) for one in _endpoints()
        ]
    except DeployerError as error:
        gaps.append(Gap(WHERE, error.message))
    return told, gaps


def _seen(clients_of: ClientsOf, one: Found) -> Seen | None:
    try:
        return services()[PROVIDERS[one.type]](clients_of(one.region)).seen(one.deployment)
    except DeployerError:
        return None


def _endpoints() -> Iterator[Found]:
    """Those of the user's token; without one there is nothing to ask with."""
    from huggingface_hub import get_token

    if get_token() is not None:
        yield from huggingface.listed()
