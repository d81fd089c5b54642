"""Inference components of Amazon SageMaker that scale to zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.cloud import logs, preflight, search
from deployer.cloud.serverless import looks, quota
from deployer.cloud.serverless.bedrock import weights_are_there
from deployer.cloud.serverless.looks import Traces
from deployer.cloud.serverless.removed import HOW
from deployer.cloud.serverless.service import Seen, State
from deployer.cloud.session import Clients, understood
from deployer.errors import DeployerError, PolicyError
from deployer.target import Say
from deployer.words import Plan

LOOKS = (
    looks.scaled,
    looks.alarms,
    looks.components,
    looks.endpoints,
    looks.configurations,
    looks.models,
    looks.buckets,
    search.roles,
    looks.log_groups,
)
"""In the order in which they can be removed."""
STATES: Mapping[str, State] = {"InService": "healthy", "Failed": "failed", "Deleting": "stopped"}
"""By SageMaker's word for an endpoint or a component; all others are on their way."""


class SageMaker:
    """Fulfils `deployer.cloud.serverless.service.Service`."""

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
                f"and this asks for {most}",
                hint=quota.raised(self.clients.region, "sagemaker", given[1], most),
            )
        weights_are_there(self.clients, plan)
        return owner

    def things(self, deployment: str) -> Traces:
        """See `Service`."""
        return Traces(self.clients, deployment, LOOKS, HOW)

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
        group = looks.log_group(deployment)
        yield from logs.lines(self.clients, group, None, follow=follow, tail=tail)

    def rest(self, deployment: str) -> bool:  # noqa: ARG002 - it sleeps by itself
        """See `Service`."""
        return False

    def wake(self, deployment: str, say: Say) -> None:
        """See `Service`: the first call wakes it."""
