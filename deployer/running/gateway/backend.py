"""What is called: an OpenAI body goes out, an OpenAI answer or the pieces of its stream come back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from deployer.core.errors import PrerequisiteError, UsageError
from deployer.running.gateway.errors import Failed, broken, failed
from deployer.running.gateway.waking import Patience, awake

DONE = b"data: [DONE]\n\n"
PROXY_PORT = 8090
"""Where `deployer proxy` listens unless it is told otherwise."""
READ_S = 300
"""The longest wait for the next piece of an answer."""
BEDROCK_LIMIT_S, SAGEMAKER_LIMIT_S = 300.0, 1800.0
"""How long a call is held by default: several times the cold starts that AWS names."""

Body = Mapping[str, Any]


class Called(Protocol):
    """What is known of a deployment that is to be called: of `deployer.running.store.Deployment`, as much as a container needs."""

    @property
    def name(self) -> str:
        """The deployment's."""
        ...

    @property
    def model(self) -> str:
        """What callers call the model."""
        ...

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What its stack exports."""
        ...

    @property
    def endpoint(self) -> str | None:
        """An OpenAI route of its own."""
        ...


class Backend(Protocol):
    """One model behind AWS's own API."""

    @property
    def name(self) -> str:
        """What callers call the model."""
        ...

    @property
    def limit_s(self) -> float:
        """How long a call is held while the model wakes, unless it is said otherwise."""
        ...

    def complete(self, body: Body, patience: Patience) -> bytes:
        """Return the whole answer as JSON.

        Raises:
            Failed: it did not wake, or AWS refused.
        """
        ...

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer as server-sent events; the call is made before the first one is asked for.

        Raises:
            Failed: it did not wake, AWS refused, or (while it is read) the stream broke.
        """
        ...


@dataclass(frozen=True)
class Bedrock:
    """An imported model: InvokeModel takes OpenAI's body (models imported since 2025-11-11)."""

    name: str
    arn: str
    client: Any
    limit_s: float = BEDROCK_LIMIT_S

    def complete(self, body: Body, patience: Patience) -> bytes:
        """Return the answer to InvokeModel."""
        answer = _called(lambda: self.client.invoke_model(**self._asked(body)), patience)
        return bytes(answer["body"].read())

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer to InvokeModelWithResponseStream."""
        asked = self._asked({**body, "stream": True})
        answer = _called(lambda: self.client.invoke_model_with_response_stream(**asked), patience)
        return _bedrock_events(answer["body"])

    def _asked(self, body: Body) -> dict[str, Any]:
        sent = {key: value for key, value in body.items() if key != "model"}
        kind = "application/json"
        text = json.dumps(sent).encode()
        return {"modelId": self.arn, "body": text, "contentType": kind, "accept": kind}


@dataclass(frozen=True)
class SageMaker:
    """An inference component whose container speaks OpenAI's protocol at /invocations (vLLM)."""

    name: str
    endpoint: str
    component: str
    client: Any
    limit_s: float = SAGEMAKER_LIMIT_S

    def complete(self, body: Body, patience: Patience) -> bytes:
        """Return the answer to InvokeEndpoint."""
        answer = _called(lambda: self.client.invoke_endpoint(**self._asked(body)), patience)
        return bytes(answer["Body"].read())

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer to InvokeEndpointWithResponseStream."""
        asked = self._asked({**body, "stream": True})
        answer = _called(
            lambda: self.client.invoke_endpoint_with_response_stream(**asked), patience
        )
        return _sagemaker_events(answer["Body"])

    def _asked(self, body: Body) -> dict[str, Any]:
        return {
            "EndpointName": self.endpoint,
            "InferenceComponentName": self.component,
            "ContentType": "application/json",
            "Body": json.dumps({**body, "model": self.name}).encode(),
        }


def backend_of(record: Called) -> Backend:
    """Connect to what a deployment's stack exports.

    Raises:
        UsageError: it has an OpenAI route of its own, or nothing that could be called.
        PrerequisiteError: there are no AWS credentials.
    """
    told = record.outputs
    if arn := told.get("model_arn"):
        return Bedrock(record.model, arn, _client("bedrock-runtime", told["region"]))
    if (endpoint := told.get("endpoint_name")) and (component := told.get("inference_component")):
        client = _client("sagemaker-runtime", told["region"])
        return SageMaker(record.model, endpoint, component, client)
    raise UsageError(
        f"{record.name} needs no proxy: it has an OpenAI route of its own"
        if record.endpoint
        else f"{record.name} has nothing that could be called yet",
        hint="'deployer env' prints its address" if record.endpoint else "see 'deployer status'",
    )


def needs_gateway(record: Called) -> bool:
    """Whether a deployment can be asked only through AWS's own API."""
    return record.endpoint is None and bool(
        record.outputs.get("model_arn") or record.outputs.get("inference_component")
    )


def _client(service: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        raise PrerequisiteError(
            "there are no AWS credentials to sign calls with",
            hint="run 'aws configure' or 'aws sso login', or set AWS_PROFILE",
        )
    retries: Any = {"total_max_attempts": 1}  # waiting is ours to do, and to say
    return session.client(service, config=Config(retries=retries, read_timeout=READ_S))


def _called(call: Any, patience: Patience) -> Any:
    try:
        return awake(call, patience)
    except Failed:
        raise
    except Exception as error:
        raise failed(error) from error


def _bedrock_events(events: Any) -> Iterator[bytes]:
    """Each chunk holds one JSON document of OpenAI's stream; the last one says why it ended."""
    ended = False
    for event in _read(events):
        if "chunk" not in event:
            raise _said(event)
        document = json.loads(event["chunk"]["bytes"])
        ended = ended or any(c.get("finish_reason") for c in document.get("choices", ()))
        yield b"data: " + json.dumps(document).encode() + b"\n\n"
    if not ended:
        raise broken("the connection ended early")
    yield DONE


def _sagemaker_events(events: Any) -> Iterator[bytes]:
    """The parts are the container's own server-sent events, cut anywhere."""
    tail = b""
    for event in _read(events):
        if "PayloadPart" not in event:
            raise _said(event)
        part = event["PayloadPart"]["Bytes"]
        tail = (tail + part)[-2 * len(DONE) :]
        yield part
    if b"[DONE]" not in tail:
        raise broken("the connection ended early")


def _read(events: Any) -> Iterator[Mapping[str, Any]]:
    try:
        yield from events
    except Exception as error:
        raise broken(str(error)) from error
    finally:
        events.close()


def _said(event: Mapping[str, Any]) -> Failed:
    """An event that stands for an exception."""
    ((name, told),) = event.items()
    return broken(f"{name}: {told.get('message') or told.get('Message') or 'no reason given'}")
