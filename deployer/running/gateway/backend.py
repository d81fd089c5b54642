"""What is called: an OpenAI body goes out, an OpenAI answer or the pieces of its stream come back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from deployer.core.errors import UsageError
from deployer.running.gateway.errors import Failed, broken
from deployer.running.gateway.waking import Patience, awake

if TYPE_CHECKING:
    from deployer.providers.api import Provider

DONE = b"data: [DONE]\n\n"
PROXY_PORT = 8090
"""Where `deployer proxy` listens unless it is told otherwise."""

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
    """One model behind an API that is not OpenAI's."""

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
            Failed: it did not wake, or the service refused.
        """
        ...

    def stream(self, body: Body, patience: Patience) -> Iterator[bytes]:
        """Return the answer as server-sent events; the call is made before the first one is asked for.

        Raises:
            Failed: it did not wake, the service refused, or (while it is read) the stream broke.
        """
        ...


class Errors(Protocol):
    """How the errors of a service's SDK are read."""

    def failed(self, error: Exception) -> Failed:
        """Return the answer that an error stands for."""
        ...

    def asleep(self, error: Exception) -> bool:
        """Whether it says that the model sleeps, or is about to wake."""
        ...


def backend_of(record: Called, provider: Provider) -> Backend:
    """Connect to what a deployment's stack exports.

    Raises:
        UsageError: it already has an OpenAI route, or nothing that could be called.
        PrerequisiteError: there are no credentials.
    """
    if provider.native_api is None or record.endpoint is not None:
        raise UsageError(
            f"{record.name} needs no proxy: it already has an OpenAI route",
            hint="'deployer env' prints its address",
        )
    if not record.outputs:
        raise UsageError(
            f"{record.name} is not ready to be called yet", hint="see 'deployer status'"
        )
    made: Backend = provider.native_api.connect(record)
    return made


def needs_gateway(record: Called, provider: Provider) -> bool:
    """Whether a deployment can be asked only through its service's own API."""
    return record.endpoint is None and provider.native_api is not None and bool(record.outputs)


def called(call: Any, patience: Patience, errors: Errors) -> Any:
    """Make a call, held while the model wakes; a failure is a `Failed`."""
    try:
        return awake(call, patience, errors.asleep)
    except Failed:
        raise
    except Exception as error:
        raise errors.failed(error) from error


def read_events(events: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the events of an answer's stream; a stream that breaks is a `Failed`."""
    try:
        yield from events
    except Exception as error:
        raise broken(str(error)) from error
    finally:
        events.close()


def failure_of(event: Mapping[str, Any]) -> Failed:
    """An event that stands for an exception."""
    ((name, told),) = event.items()
    return broken(f"{name}: {told.get('message') or told.get('Message') or 'no reason given'}")
