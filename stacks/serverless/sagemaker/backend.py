"""An inference component of SageMaker, called with OpenAI's body through InvokeEndpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployer.running.gateway.backend import DONE, Body, Called, called, failure_of, read_events
from deployer.running.gateway.errors import broken
from deployer.running.gateway.waking import Patience
from stacks._aws.runtime import Errors, client

LIMIT_S = 1800.0
"""How long a call is held by default: several times the cold starts that AWS names."""


@dataclass(frozen=True)
class SageMaker:
    """An inference component whose container speaks OpenAI's protocol at /invocations (vLLM)."""

    name: str
    endpoint: str
    component: str
    client: Any
    limit_s: float = LIMIT_S

    def complete(self, body: Body, patience: Patience) -> bytes:
        """Return the answer to InvokeEndpoint."""
        answer = called(
            lambda: self.client.invoke_endpoint(**self._asked(body)), patience, Errors()
        )
        return bytes(answer["Body"].read())

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer to InvokeEndpointWithResponseStream."""
        asked = self._asked({**body, "stream": True})
        answer = called(
            lambda: self.client.invoke_endpoint_with_response_stream(**asked), patience, Errors()
        )
        return _events(answer["Body"])

    def _asked(self, body: Body) -> dict[str, Any]:
        return {
            "EndpointName": self.endpoint,
            "InferenceComponentName": self.component,
            "ContentType": "application/json",
            "Body": json.dumps({**body, "model": self.name}).encode(),
        }


def backend(record: Called) -> SageMaker:
    """Connect to the component that a deployment's stack exports.

    Raises:
        PrerequisiteError: there are no AWS credentials.
    """
    told = record.outputs
    made = client("sagemaker-runtime", told["region"])
    return SageMaker(record.model, told["endpoint_name"], told["inference_component"], made)


def _events(events: Any) -> Iterator[bytes]:
    """The parts are the container's own server-sent events, cut anywhere."""
    tail = b""
    for event in read_events(events):
        if "PayloadPart" not in event:
            raise failure_of(event)
        part = event["PayloadPart"]["Bytes"]
        tail = (tail + part)[-2 * len(DONE) :]
        yield part
    if b"[DONE]" not in tail:
        raise broken("the connection ended early")
