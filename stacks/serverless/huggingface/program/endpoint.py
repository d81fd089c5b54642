"""An Inference Endpoint of Hugging Face, as a Pulumi dynamic resource over `huggingface_hub`.

Its code is kept in the stack's state (`_dynamic`), so it imports nothing but Pulumi and huggingface_hub. The token
is the user's own (HF_TOKEN or `hf auth login`); it is read when it is used and kept nowhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

OUTPUTS = ("url", "status")
STAMPS = ("owner", "state")
"""What is written when it is made, and is no reason to change it."""
LOOK_S = 5.0
LIMIT_S = 3600.0
"""The longest wait for an endpoint to run."""
AWAKE = ("running", "scaledToZero")
BROKEN = ("failed", "updateFailed")
REPLACES = ("deployment", "name", "vendor", "region", "type")
"""What an endpoint keeps for its life; everything else is updated in place."""
TAG = "deployer"
THROTTLED, MOST_TRIES = 429, 6
_IMAGES = {
    "vllm": ("vLLM", "vllm/vllm-openai:v0.23.0", 8000),
    "sglang": ("sGLang", "lmsysorg/sglang:v0.5.4.post1", 30000),
}
"""Variant of the service, image and port (huggingface_hub 2.4 names the variants and vLLM's image)."""
_ARGUMENTS = {"vllm": {"context": "--max-model-len"}, "sglang": {"context": "--context-length"}}


class EndpointError(Exception):
    """The endpoint did not become what was asked for."""


class NotAllowedError(EndpointError):
    """The token is missing, or may not do it."""


class NotGrantedError(EndpointError):
    """It is not paid for, or the quota does not allow it."""


class Provider(ResourceProvider):
    """Creates, looks at, updates, pauses, resumes and deletes one endpoint."""

    serialize_as_secret_always = False

    def __init__(self, connect: Callable[[], Any] | None = None, sleep: Any = time.sleep) -> None:
        super().__init__()
        self.connect, self.sleep = connect or _client, sleep

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """What differs, and whether that needs another endpoint (of the same name: the old one goes first)."""
        loose = (*OUTPUTS, *STAMPS)
        known = [key for key in _news if key not in loose and not key.startswith("__")]
        changed = [key for key in known if _olds.get(key) != _news[key]]
        replaces = [key for key in changed if key in REPLACES]
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the endpoint and wait until it runs. One of this name that is ours already is taken over."""
        hub = self.connect()
        made = self._found(hub, props["name"])
        if made is None:
            made = self._try(lambda: hub.create_inference_endpoint(props["name"], **_asked(props)))
        else:
            _ours(made)
            made = self._try(
                lambda: hub.update_inference_endpoint(props["name"], **_changed(props))
            )
        return CreateResult(props["name"], {**props, **self._awaited(hub, made)})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at the endpoint; without an id it was deleted by hand."""
        found = self._found(self.connect(), id_)
        return ReadResult("", {}) if found is None else ReadResult(id_, {**props, **_state(found)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change it in place; one that rests is woken first."""
        hub = self.connect()
        found = self._found(hub, _id)
        if found is None:
            raise EndpointError(
                f"{_id} was deleted by hand. Mend: run 'deployer up' after a refresh"
            )
        if found.status == "paused":
            self._try(lambda: hub.resume_inference_endpoint(_id))
        made = self._try(lambda: hub.update_inference_endpoint(_id, **_changed(_news)))
        return UpdateResult({**_news, **self._awaited(hub, made)})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete it, if it is still there."""
        hub = self.connect()
        if self._found(hub, _id) is not None:
            self._try(lambda: hub.delete_inference_endpoint(_id))

    def pause(self, name: str) -> str:
        """Put it to rest until it is resumed: nobody's call wakes it, and it costs nothing."""
        hub = self.connect()
        if self._found(hub, name) is None:
            return "gone"
        return str(self._try(lambda: hub.pause_inference_endpoint(name)).status)

    def resume(self, name: str) -> str:
        """End its rest and wait until it runs."""
        hub = self.connect()
        if self._found(hub, name) is None:
            return "gone"
        woken = self._try(lambda: hub.resume_inference_endpoint(name))
        return str(self._awaited(hub, woken)["status"])

    def _found(self, hub: Any, name: str) -> Any:
        from huggingface_hub.errors import HfHubHTTPError

        try:
            return self._try(lambda: hub.get_inference_endpoint(name))
        except HfHubHTTPError as error:
            if error.response.status_code == 404:
                return None
            raise

    def _try(self, call: Callable[[], Any]) -> Any:
        """Make a call; throttling is waited out, what the user can fix is said."""
        from huggingface_hub.errors import HfHubHTTPError

        for attempt in range(1, MOST_TRIES + 1):
            try:
                return call()
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status == THROTTLED and attempt < MOST_TRIES:
                    self.sleep(LOOK_S * attempt)
                    continue
                if status in _MENDS:
                    raise _refused(status, _said(error)) from None
                raise
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _awaited(self, hub: Any, made: Any) -> dict[str, Any]:
        name, waited = made.name, 0.0
        while made.status not in AWAKE:
            if made.status in BROKEN:
                said = (made.raw.get("status") or {}).get("message") or "no reason was given"
                raise EndpointError(f"the endpoint {made.name} failed: {said}")
            if waited >= LIMIT_S:
                raise EndpointError(f"the endpoint {made.name} did not run within {LIMIT_S:.0f} s")
            _say(f"huggingface: {made.status}, {waited:.0f} s")
            self.sleep(LOOK_S)
            waited += LOOK_S
            made = self._try(lambda: hub.get_inference_endpoint(name))
        return _state(made)


_MENDS = {
    401: "set HF_TOKEN to a token that may write Inference Endpoints",
    402: "add a payment method at huggingface.co/settings/billing",
    403: "the token or the quota forbids it: endpoints.huggingface.co shows quotas and asks for more",
}


def _refused(status: int, said: str) -> EndpointError:
    granted = status == 401 or (status == 403 and "quota" not in said.lower())
    kind = NotAllowedError if granted else NotGrantedError
    return kind(f"{said}. Mend: {_MENDS[status]}")


def _client() -> Any:
    from huggingface_hub import HfApi, constants

    elsewhere = os.environ.get("HF_INFERENCE_ENDPOINTS_ENDPOINT")
    if elsewhere:
        constants.INFERENCE_ENDPOINTS_ENDPOINT = elsewhere.rstrip("/")
    return HfApi()


def _ours(found: Any) -> None:
    if TAG not in (found.raw.get("tags") or ()):
        raise EndpointError(
            f"an endpoint named {found.name} exists and is not deployer's."
            " Mend: delete it, or give the spec another name"
        )


def _asked(props: Mapping[str, Any]) -> dict[str, Any]:
    """What the endpoint is created with."""
    return {
        **_changed(props),
        "vendor": props["vendor"],
        "region": props["region"],
        "type": props["type"],
    }


def _changed(props: Mapping[str, Any]) -> dict[str, Any]:
    """What can be changed for an endpoint that exists."""
    repository, _, revision = props["repository"].partition("@")
    return {
        "repository": repository,
        "revision": revision or None,
        "framework": "pytorch",
        "task": "text-generation",
        "accelerator": props["accelerator"],
        "instance_type": props["instance_type"],
        "instance_size": props["instance_size"],
        "min_replica": props["min_replica"],
        "max_replica": props["max_replica"],
        "scale_to_zero_timeout": props["scale_to_zero_minutes"],
        "custom_image": _image(props),
        "container_args": _arguments(props),
        "env": dict(props.get("environment") or {}),
        "tags": [TAG, f"deployer:{props['deployment']}", *_stamps(props)],
    }


def _stamps(props: Mapping[str, Any]) -> list[str]:
    """Who made it, and where its state lies if others may share that, for whoever finds it."""
    told = (("owner", props.get("owner")), ("state", props.get("state")))
    return [f"deployer-{key}:{value}" for key, value in told if value]


def _image(props: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's image in the service's own variant, split over as many GPUs as the model can be split over."""
    variant, image, port = _IMAGES[props["engine"]]
    gpus = props["gpus"]
    return {
        variant: {"url": image, "port": port, "healthRoute": "/health", "tensorParallelSize": gpus}
    }


def _arguments(props: Mapping[str, Any]) -> list[str]:
    """What the engine is told besides: the context, the name that callers use, the format that it makes itself."""
    said = _ARGUMENTS[props["engine"]]
    told = [said["context"], str(props["context"]), "--served-model-name", props["served_name"]]
    return [*told, "--quantization", "fp8"] if props["quantization"] == "fp8" else told


def _state(found: Any) -> dict[str, Any]:
    return {"url": found.url, "status": str(found.status)}


def _said(error: Any) -> str:
    return str(getattr(error, "server_message", None) or error).splitlines()[0]


def _say(text: str) -> None:
    """One line of progress: Pulumi shows what a resource's code writes here."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
