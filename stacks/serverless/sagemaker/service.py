"""Inference components of Amazon SageMaker that scale to zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.core.domain import Plan
from deployer.core.errors import DeployerError, PolicyError
from deployer.providers.managers import Say
from deployer.running.endpoints.service import Seen, State
from stacks._aws import logs, preflight, quota
from stacks._aws.account import Account
from stacks._aws.session import Clients, understood
from stacks._aws.types.observing import component_logs
from stacks._aws.types.record import SAGEMAKER
from stacks._aws.weights import weights_are_there

STATES: Mapping[str, State] = {"InService": "healthy", "Failed": "failed", "Deleting": "stopped"}
"""By SageMaker's word for an endpoint or a component; all others are on their way."""


class SageMaker:
    """Fulfils `deployer.running.endpoints.service.Service`."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def check(self, plan: Plan, say: Say) -> str:
        """See `Service`."""
        _, owner = preflight.identity(self.clients)
        with understood("list endpoints (sagemaker:ListEndpoints)"):
            self.clients("sagemaker").list_endpoints(MaxResults=1)
        kind, most = plan.inputs["instance_type"], int(plan.inputs["max_copies"])
        name = f"{kind} for endpoint usage"
        given = quota.allowed(self.clients, "sagemaker", name, say)
        if given is not None and given[0] < most:
            raise PolicyError(
                f"your account may run {given[0]} {kind} for endpoints in {self.clients.region}, "
                f"and this needs {most}",
                hint=quota.raised(self.clients.region, "sagemaker", given[1], most),
            )
        weights_are_there(self.clients, plan)
        return owner

    def things(self, deployment: str) -> Account:
        """See `Service`."""
        return Account(self.clients, deployment, SAGEMAKER)

    def seen(self, deployment: str) -> Seen | None:
        """See `Service`. It is awake while a copy runs."""
        endpoint = self._told("describe_endpoint", EndpointName=deployment)
        if endpoint is None:
            return None
        state = STATES.get(endpoint["EndpointStatus"], "starting")
        if state != "healthy":
            return Seen(state, reason=endpoint.get("FailureReason"))
        component = self._told("describe_inference_component", InferenceComponentName=deployment)
        if component is None:
            return Seen("failed", reason="its inference component is gone")
        copies = (component.get("RuntimeConfig") or {}).get("CurrentCopyCount")
        return Seen(
            STATES.get(component["InferenceComponentStatus"], "starting"),
            None if copies is None else copies > 0,
            component.get("FailureReason"),
        )

    def _told(self, operation: str, **asked: str) -> Mapping[str, Any] | None:
        """What SageMaker says of something, or None where it is not."""
        from botocore.exceptions import ClientError

        try:
            with understood(f"look at it (sagemaker:{operation})"):
                found: Mapping[str, Any] = getattr(self.clients("sagemaker"), operation)(**asked)
                return found
        except DeployerError as error:
            missing = isinstance(error.__cause__, ClientError) and "ould not find" in error.message
            if missing:
                return None
            raise

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """What the container writes."""
        group = component_logs(deployment)
        yield from logs.lines(self.clients, group, None, follow=follow, tail=tail)

    def rest(self, deployment: str) -> bool:  # noqa: ARG002 - it sleeps by itself
        """See `Service`."""
        return False

    def wake(self, deployment: str, say: Say) -> None:
        """See `Service`: the first call wakes it."""
