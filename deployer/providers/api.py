"""What a provider is: one frozen record of typed parts. A part that is missing means that it cannot.

A provider is one folder, `stacks/<target>/<name>/`, whose `provider.py` holds `PROVIDER`. Nothing else names it:
`deployer.providers.registry` finds it by looking. Its Pulumi program, if it has one, lies in `program/` and imports
nothing from `deployer`, so that it can be written out as a standalone Pulumi project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from deployer.core.domain import Gpu, ModelInfo, Offer, Rate, State
from deployer.core.errors import DeployerError
from deployer.providers.boot import BootDialect
from deployer.providers.regions import Region, Regions
from deployer.providers.tags import TagCodec

if TYPE_CHECKING:
    from deployer.engines import Engine
    from deployer.providers.cloud import Cloud

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


class Manager(Protocol):
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


class Runner(Manager, Protocol):
    """A manager that also makes: the edge of a provider that is applied without Pulumi."""

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Make what `resources` say and return the base URL of the endpoint (`http://127.0.0.1:8080/v1`)."""
        ...


@runtime_checkable
class SupportsRollback(Protocol):
    """What a `Runner` may do besides: keep what runs until what takes its place is healthy.

    The `start` of such a runner sets aside what runs, or leaves it running, so it is not stopped before.
    """

    def settle(self, deployment: str) -> str | None:
        """The new one is healthy: let it take the place of what was kept, and remove that.

        Returns:
            Where it answers from now on; None: where it did before.
        """
        ...

    def put_back(self, deployment: str) -> bool:
        """Remove the new one and start what was kept; False when nothing was."""
        ...


@runtime_checkable
class ChecksOwn(Protocol):
    """What a `Runner` may do besides: tell its own engine from another one at the same address."""

    def check_own(self, deployment: str) -> None:
        """See that nobody else answers where the deployment does.

        Raises:
            PrerequisiteError: another process does.
        """
        ...


@runtime_checkable
class ReportsDownload(Protocol):
    """What a `Runner` may know besides: how far its engine is with a download."""

    def cached_bytes(self, deployment: str) -> int | None:
        """The bytes that the engine's model cache holds now; None where it has none that can be seen."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """What a manager may know besides: where a deployment answers now, and why something is left."""

    def endpoint(self, record: Any) -> str | None:
        """The endpoint of a record (`deployer.running.store.Deployment`), looked up."""
        ...

    def why(self, kind: str, identity: str) -> str | None:
        """Why the last `stop` left a thing of that type and id."""
        ...


@runtime_checkable
class ReportsStatus(Protocol):
    """What a manager may know besides: how a deployment is, told by who serves it and not by asking the model."""

    def told(self, record: Any) -> tuple[State, bool | None]:
        """Its state in the words of `status`, and whether it is awake (None: that is not told)."""
        ...


@dataclass(frozen=True)
class MachineUsage:
    """What a cloud says of a deployment's machines besides their state. Times are ISO 8601 in UTC.

    `cost_usd` is what it has cost so far, None where that is unpriced or could not be asked; `idle_since` None: in use,
    or not known; `expires_at` None: nothing is said on the machines.
    """

    cost_usd: Decimal | None
    idle_since: str | None
    expires_at: str | None


@runtime_checkable
class ReportsUsage(Protocol):
    """What a manager may know better than the record: how long machines ran, and when they were last used."""

    def usage(self, record: Any, now: float) -> MachineUsage:
        """Look at a deployment's machines. `now` is in seconds since 1970."""
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """What a manager may do besides: put a deployment to rest until the next `up`."""

    def rest(self, deployment: str) -> None:
        """Put it to rest, so that no call wakes it."""
        ...


Explain = Callable[[str, str], DeployerError | None]
"""Reads the text of a failed operation of a deployment: the error that the provider itself tells by it, or None."""
Inputs = Mapping[str, Any]
"""The plain inputs of a stack: what JSON can hold, without a secret."""
Outputs = Mapping[str, Any]
"""What a stack exports."""


@dataclass(frozen=True)
class Pricing:
    """Rules of the bill and the types that cost nothing, by resource type (`deployer.planning.cost`).

    `rules` price one resource each; `free` names the reason why a type costs nothing. `alone` False: the rules of all
    other providers count too.
    """

    rules: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    free: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True


@dataclass(frozen=True)
class Sleep:
    """How a provider scales to zero.

    `minutes_of` turns the spec's `policy.idle.after` (seconds) into the minutes that it stays awake after a request;
    `window_minutes` is what is billed at least each time that it wakes; `cold_start_minutes` is lowest and highest.
    """

    minutes_of: Callable[[float], float]
    cold_start_minutes: tuple[float, float]
    window_minutes: float = 0.0


@dataclass(frozen=True)
class Program:
    """A Pulumi program that declares everything and exports `endpoint` and ids.

    `run` declares; it imports Pulumi only when it is called. `secrets` are the configuration keys without which it
    must not be run; `packages` are the distributions that it needs; `replaced_for` names, by resource type, the inputs
    whose change makes a resource anew; `balancer` is the host name that a fleet's own certificate is for. `slow` are
    parts of the types that take long enough to be announced; a line that the code of its own resources writes is
    shown when it begins with one of `voices` and a colon.
    """

    run: Callable[[Inputs], None]
    secrets: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("pulumi",)
    replaced_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    balancer: Callable[[Inputs], str | None] = lambda _: None
    slow: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    documentation: str = ""


@dataclass(frozen=True)
class NativeApi:
    """How a deployment is called that has no OpenAI route: by the API of the service that has it.

    `connect` makes the backend (`deployer.running.gateway.backend.Backend`) of a deployment. The gateway's container
    copies `sources` (paths below the folder of stacks, the module with `connect` first), installs `requirements`,
    hands on the variables of `environment`, sets `region_variable` to the deployment's region, and mounts `settings`,
    the folder of the user's own settings below home. `limit_s` is how long a call is held by default while the model wakes.
    """

    connect: Callable[[Any], Any]
    limit_s: float
    sources: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    region_variable: str | None = None
    settings: str | None = None

    @property
    def target(self) -> str:
        """The function that connects, as `module:name` below the folder of stacks."""
        module = self.sources[0].removesuffix(".py").replace("/", ".")
        return f"stacks.{module}:{self.connect.__name__}"


@dataclass(frozen=True)
class Provider:
    """One provider. All parts below `inputs` are optional; `lacks` says what a missing one means.

    `engines` are those it runs, most preferred first; `runs` says that it also runs every engine that can be started:
    "native" without a container, "container" in one, "pulled" in one whose image is pulled and not built here. `engine`
    is one that it brings itself, named in `engines` too. `privacy` says in one line where the data goes.
    `offers` lists the hardware that can be had for a spec, priced or unpriced, in any order. `inputs` turns what was
    chosen (`deployer.planning.plan.order_of`) into the inputs of the stack. What will exist is said by `resources`,
    or by running `program` offline; a `program` is applied by Pulumi, anything else by its `runner`.
    `boot` is for machines that start from the texts of `deployer.planning.cloud_init`. `reads` are the schemes of the
    bucket URLs that it fetches models from (what stands before `://`). `tags` is how its cloud writes what everything is
    found by. `cloud` is where its deployments lie, as `deployer idle` asks it: providers that share one name the same
    function.
    """

    target: str
    name: str
    engines: tuple[str, ...]
    privacy: str
    offers: Callable[[Want, Prices], Iterable[Offer]]
    inputs: Callable[[Mapping[str, Any]], Inputs]
    runs: Literal["native", "container", "pulled"] | None = None
    engine: Engine | None = None
    resources: Callable[[Inputs], Iterable[Mapping[str, Any]]] | None = None
    program: Program | None = None
    runner: Callable[[Path], Runner] | None = None
    refuses: Callable[[Want, Prices], Iterable[str]] | None = None
    warnings: Callable[[Inputs, Offer], Iterable[str]] | None = None
    sleep: Sleep | None = None
    pricing: Pricing | None = None
    regions: Regions | None = None
    files: Callable[[Sequence[Any]], tuple[Mapping[str, str | Path], tuple[str, ...]]] | None = None
    driver: Callable[[Any], Any] | None = None
    explain: Explain | None = None
    manager: Callable[[Path, Say], Manager] | None = None
    native_api: NativeApi | None = None
    boot: BootDialect | None = None
    reads: tuple[str, ...] = ()
    tags: TagCodec | None = None
    prices: Callable[[], Any] | None = None
    cloud: Callable[[], Cloud] | None = None

    def region(self, wanted: str | None) -> Region | None:
        """The region that is used when `wanted` is asked for; None where it knows of none."""
        if self.regions is not None:
            return self.regions.find(wanted)
        return Region(wanted) if wanted else None

    def lacks(self) -> Mapping[str, str]:
        """What it cannot, by the names of `deployer.providers.abilities`, each with what that means."""
        from deployer.providers.abilities import lacks

        return lacks(self)

    @property
    def applied_by_pulumi(self) -> bool:
        """Whether Pulumi makes it, and says itself what would change."""
        return self.program is not None
