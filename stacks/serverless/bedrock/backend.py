"""A model imported into Bedrock, called with OpenAI's body through InvokeModel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployer.running.gateway.backend import DONE, Body, Called, called, failure_of, read_events
from deployer.running.gateway.errors import broken
from deployer.running.gateway.waking import Patience
from stacks._aws.runtime import Errors, client

LIMIT_S = 300.0
"""How long a call is held by default: several times the cold starts that AWS names."""


@dataclass(frozen=True)
class Bedrock:
    """An imported model: InvokeModel takes OpenAI's body (models imported since 2025-11-11)."""

    name: str
    arn: str
    client: Any
    limit_s: float = LIMIT_S

    def complete(self, body: Body, patience: Patience) -> bytes:
        """Return the answer to InvokeModel."""
        answer = called(lambda: self.client.invoke_model(**self._asked(body)), patience, Errors())
        return bytes(answer["body"].read())

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer to InvokeModelWithResponseStream."""
        asked = self._asked({**body, "stream": True})
        answer = called(
            lambda: self.client.invoke_model_with_response_stream(**asked), patience, Errors()
        )
        return _events(answer["body"])

    def _asked(self, body: Body) -> dict[str, Any]:
        sent = {key: value for key, value in body.items() if key != "model"}
        kind = "application/json"
        text = json.dumps(sent).encode()
        return {"modelId": self.arn, "body": text, "contentType": kind, "accept": kind}


def backend(record: Called) -> Bedrock:
    """Connect to the model that a deployment's stack exports.

    Raises:
        PrerequisiteError: there are no AWS credentials.
    """
    told = record.outputs
    return Bedrock(record.model, told["model_arn"], client("bedrock-runtime", told["region"]))


def _events(events: Any) -> Iterator[bytes]:
    """Each chunk holds one JSON document of OpenAI's stream; the last one says why it ended."""
    ended = False
    for event in read_events(events):
        if "chunk" not in event:
            raise failure_of(event)
        document = json.loads(event["chunk"]["bytes"])
        ended = ended or any(c.get("finish_reason") for c in document.get("choices", ()))
        yield b"data: " + json.dumps(document).encode() + b"\n\n"
    if not ended:
        raise broken("the connection ended early")
    yield DONE
