"""What a provider is, and how providers are found.

A provider is one file, `stacks/<target>/<name>.py`, found by looking: nothing else names it. Further
folders of the same shape are searched when `DEPLOYER_STACKS` lists them. The file is a module that fulfils
`Provider`, and it either holds a Pulumi program (`program`) or says what it makes (`resources`).

A module with a `program` imports nothing from `deployer`, so that it can be written out as a standalone
Pulumi project: it is handed what it needs and answers in plain mappings. Its parts, if it has any, are modules
in the folder `_<name>` beside it, imported relatively (`from ._aws import ...`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from deployer.core.domain import Gpu, ModelInfo, Offer, Rate, State

Say = Callable[[str], None]
"""Takes one line of progress for the user."""


@dataclass(frozen=True)
class HostGpu:
    """One GPU of this machine (or its unified-memory chip) as its driver reports it, in MiB."""

    name: str
    memory_mib: int
    free_mib: int | None = None


@dataclass(frozen=True)
class Host:
    """The machine that `deployer` runs on, as far as it was looked at.

    `docker` says whether Docker is installed, not whether its daemon answers.
    """

    cpus: int
    memory_bytes: int
    gpus: tuple[HostGpu, ...] = ()
    docker: bool = False


@dataclass(frozen=True)
class Want:
    """What a provider is asked to offer hardware for: its part of the spec, and the machine at hand."""

    region: str | None
    options: Mapping[str, Any]  # the spec's `targets.<target>`, every default filled in
    host: Host
    source: str = ""  # the spec's `model.source`
    adapter: str | None = None
    model: ModelInfo | None = None  # what is known of the model

    def offer(self, **given: Any) -> Offer:
        """Make an offer without hardware of its own: what a provider's own units are sold as."""
        return Offer(gpu=None, gpu_count=0, vram_mib=None, **given)


class Prices(Protocol):
    """The bundled catalog as a provider sees it (`deployer.planning.catalog.Catalog` fulfils this)."""

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        """Every offer of a provider, in one region or in all."""
        ...

    def gpu(self, name: str) -> Gpu | None:
        """A GPU by any spelling of its name."""
        ...

    def rate(self, component: str, region: str | None) -> Rate:
        """The price of one unit of a component in a region."""
        ...

    def rules(self, provider: str) -> Mapping[str, Any]:
        """What a serverless provider accepts and how it counts; {} where nothing is known."""
        ...


class Keeper(Protocol):
    """Looks after what a provider has made. Every call may block; none prompts."""

    def alive(self, deployment: str) -> bool:
        """Whether anything of it is there and working (a process, a container), healthy or not."""
        ...

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """What exists of it now: `{"type", "name", "id"}` each, looked up and not remembered."""
        ...

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """The lines of its log, the newest last."""
        ...

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove everything and return what was removed: `{"type", "id"}` each. Nothing there: nothing."""
        ...


class Runner(Keeper, Protocol):
    """A keeper that also makes: the edge of a provider that is applied without Pulumi."""

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Make what `resources` say and return the base URL of the endpoint (`http://127.0.0.1:8080/v1`)."""
        ...


@runtime_checkable
class Replacer(Protocol):
    """What a `Runner` may do besides: keep what runs until what takes its place is healthy.

    The `start` of such a runner sets aside what runs, so it is not stopped before.
    """

    def settle(self, deployment: str) -> None:
        """The new one is healthy: remove what was kept."""
        ...

    def put_back(self, deployment: str) -> bool:
        """Remove the new one and start what was kept; False when nothing was."""
        ...


@runtime_checkable
class Fetcher(Protocol):
    """What a `Runner` may know besides: how far its engine is with a download."""

    def cached_bytes(self, deployment: str) -> int | None:
        """The bytes that the engine's model cache holds now; None where it has none that can be seen."""
        ...


@runtime_checkable
class Finder(Protocol):
    """What a keeper may know besides: where a deployment answers now, and why something is left."""

    def endpoint(self, record: Any) -> str | None:
        """The endpoint of a record (`deployer.running.store.Deployment`), looked up."""
        ...

    def why(self, kind: str, identity: str) -> str | None:
        """Why the last `stop` left a thing of that type and id."""
        ...


@runtime_checkable
class Teller(Protocol):
    """What a keeper may know besides: how a deployment is, told by who serves it and not by asking the model."""

    def told(self, record: Any) -> tuple[State, bool | None]:
        """Its state in the words of `status`, and whether it is awake (None: that is not told)."""
        ...


@runtime_checkable
class Rester(Protocol):
    """What a keeper may do besides: put a deployment to rest until the next `up`."""

    def rest(self, deployment: str) -> None:
        """Put it to rest, so that no call wakes it."""
        ...


class Provider(Protocol):
    """The module under `stacks/`. `program` or `resources` must be there; the following may be:

    - `runner(home)`: applies it without Pulumi; one with a `program` is applied by the Pulumi engine. `PRICING`: rules of the bill by resource type.
    - `image()`: the name of the public parameter of its machine image, which is read before anything is made.
    - `refuses(want, prices)`: why it cannot serve the wanted model there, one reason each; nothing if it can.
    - `idle_minutes(after_s)`: how long it stays awake after a request; with it, it scales to zero.
    - `warnings(inputs, offer)`: what should be known before it is applied.
    - `CONNECTION(outputs)`: how a deployment is called that has no OpenAI route (`deployer.running.gateway`).
    """

    TARGET: str
    NAME: str
    ENGINES: Sequence[str]  # the engines it can run, most preferred first
    PRIVACY: str  # where the data goes, in one line

    def offers(self, want: Want, prices: Prices) -> Iterable[Offer]:
        """The hardware that can be had for this spec, priced or unpriced, in any order."""
        ...

    def inputs(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turn what was chosen (`deployer.planning.plan.order_of`) into the plain inputs of the stack."""
        ...
