"""What is served without a machine: it sleeps by itself, and is listed beside the machines. An edge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from deployer.core.domain import State
from deployer.core.errors import DeployerError
from deployer.running.endpoints.service import Seen, Service
from deployer.running.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.sweep import SERVED, ClientsOf, Gap
from stacks.serverless.huggingface import service

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
        told += [Served(one, service.seen(one), one.deployment in recorded) for one in _endpoints()]
    except DeployerError as error:
        gaps.append(Gap(WHERE, error.message))
    return told, gaps


def _services() -> Mapping[str, Callable[[Clients], Service]]:
    from stacks.serverless.bedrock.service import Bedrock
    from stacks.serverless.sagemaker.service import SageMaker

    return {"bedrock": Bedrock, "sagemaker": SageMaker}


def _seen(clients_of: ClientsOf, one: Found) -> Seen | None:
    try:
        return _services()[PROVIDERS[one.type]](clients_of(one.region)).seen(one.deployment)
    except DeployerError:
        return None


def _endpoints() -> Iterator[Found]:
    """Those of the user's token; without one there is nothing to ask with."""
    from huggingface_hub import get_token

    if get_token() is not None:
        yield from service.listed()
