"""What a provider is: one frozen record of typed parts. A part that is missing means that it cannot.

A provider is one folder, `stacks/<target>/<name>/`, whose `provider.py` holds `PROVIDER`. Nothing else names it:
`deployer.providers.registry` finds it by looking. Its Pulumi program, if it has one, lies in `program/` and imports
nothing from `deployer`, so that it can be written out as a standalone Pulumi project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from deployer.core.domain import Gpu, ModelInfo, Offer, Rate, Vendor
from deployer.core.errors import DeployerError
from deployer.core.order import Order
from deployer.core.records import dataclass
from deployer.providers.boot import BootDialect
from deployer.providers.other_docker import OtherDocker
from deployer.providers.regions import Region, Regions
from deployer.providers.tags import TagCodec

if TYPE_CHECKING:
    from deployer.engines import Engine
    from deployer.providers.cloud import Cloud
    from deployer.providers.managers import Manager, Runner, Say

MAKERS: tuple[tuple[Vendor, re.Pattern[str]], ...] = (
    ("apple", re.compile(r"Apple\b")),
    ("amd", re.compile(r"(AMD|Radeon|Instinct)\b", re.IGNORECASE)),
)
"""How the names begin that drivers give to the GPUs of makers; all others are NVIDIA's."""


@dataclass(frozen=True)
class HostGpu:
    """One GPU of this machine (or its unified-memory chip) as its driver reports it, in MiB.

    `memory_mib` None: it has no memory of its own and shares the machine's. `slice` is the profile of a part of a GPU
    (`3g.40gb`), `fraction` the share of the whole that its compute units are. `uuid` is what it is asked for by.
    `fault`: why it cannot serve.
    """

    name: str
    memory_mib: int | None
    free_mib: int | None = None
    uuid: str | None = None
    slice: str | None = None
    fraction: float | None = None
    fault: str | None = None

    @property
    def vendor(self) -> Vendor:
        """Who made it, by its name."""
        known = next((vendor for vendor, pattern in MAKERS if pattern.match(self.name)), None)
        return known or "nvidia"


@dataclass(frozen=True)
class Host:
    """The machine that `deployer` runs on, as far as it was looked at.

    `docker` says whether Docker is installed, not whether its daemon answers. `other_docker` is that daemon where it
    is not known to be on this machine.
    """

    cpus: int
    memory_bytes: int
    gpus: tuple[HostGpu, ...] = ()
    docker: bool = False
    other_docker: OtherDocker | None = None


@dataclass(frozen=True)
class Want:
    """What a provider is asked to offer hardware for: its part of the spec, and the machine at hand."""

    region: str | None
    options: Mapping[str, Any]  # the spec's `targets.<target>`, every default filled in
    host: Host
    source: str = ""  # the spec's `model.source`
    adapter: str | None = None
    model: ModelInfo | None = None  # what is known of the model
    replicas: tuple[int, int] = (1, 1)  # at least, at most
    idle_action: str | None = None  # the spec's `policy.idle.action`; None: it says nothing
    local_only: bool = False  # the spec's `policy.privacy` lets nothing leave this machine

    def offer(self, **given: Any) -> Offer:
        """Make an offer without hardware of its own: what a provider's own units are sold as."""
        return Offer(gpu=None, gpu_count=0, vram_mib=None, **given)


@dataclass(frozen=True)
class Refusal:
    """Why a spec cannot be served at all, and the key of the spec that says so, such as `model.adapter`."""

    reason: str
    key: str


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
    `least` is the input that says how many copies run at all times (None: there are never such).
    """

    minutes_of: Callable[[float], float]
    cold_start_minutes: tuple[float, float]
    window_minutes: float = 0.0
    least: str | None = None

    def always_runs(self, inputs: Mapping[str, Any]) -> bool:
        """Whether some of an endpoint with these inputs runs at all times, so that it never sleeps."""
        return self.least is not None and float(inputs.get(self.least) or 0) > 0


@dataclass(frozen=True)
class Program:
    """A Pulumi program that declares everything and exports `endpoint` and ids.

    `run` declares; it imports Pulumi only when it is called. `secrets` are the configuration keys without which it
    must not be run; `packages` are the distributions that it needs; `replaced_for` names, by resource type, the inputs
    whose change makes a resource anew; `balancer` is the host name that a fleet's own certificate is for. `slow` are
    parts of the types that take long enough to be announced; a line that the code of its own resources writes is
    shown when it begins with one of `voices` and a colon. `unpriced` are the inputs on which no price
    depends; `documentation` says what it declares.
    """

    run: Callable[[Inputs], None]
    secrets: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("pulumi",)
    replaced_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    balancer: Callable[[Inputs], str | None] = lambda _: None
    slow: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    documentation: Callable[[], str] = lambda: ""


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
    """One provider. All parts below `inputs` are optional; `deployer.providers.abilities` says what a missing one means.

    `engines` are those it runs, most preferred first; `runs` says that it also runs every engine that can be started:
    "native" without a container, "container" in one, "pulled" in one whose image is pulled and not built here. `engine`
    is one that it brings itself, named in `engines` too. `privacy` says in one line where the data goes.
    `offers` lists the hardware that can be had for a spec, priced or unpriced, in any order. `inputs` turns what was
    chosen (`deployer.planning.plan.order_of`) into the inputs of the stack. What will exist is said by `resources`,
    or by running `program` offline; a `program` is applied by Pulumi, anything else by its `runner`.
    `boot` is for machines that start from the texts of `deployer.planning.cloud_init`. `reads` are the schemes of the
    bucket URLs that it fetches models from (what stands before `://`). `tags` is how its cloud writes what everything is
    found by. `cloud` is where its deployments lie, as `deployer idle` asks it: providers that share one name the same
    function. `configured` says whether this user has an account there: `provider: auto` takes it only then (None: always).
    """

    target: str
    name: str
    engines: tuple[str, ...]
    privacy: str
    offers: Callable[[Want, Prices], Iterable[Offer]]
    inputs: Callable[[Order], Inputs]
    runs: Literal["native", "container", "pulled"] | None = None
    engine: Engine | None = None
    resources: Callable[[Inputs], Iterable[Mapping[str, Any]]] | None = None
    program: Program | None = None
    runner: Callable[[Path], Runner] | None = None
    refuses: Callable[[Want, Prices], Iterable[Refusal | str]] | None = None
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
    configured: Callable[[], bool] | None = None

    def region(self, wanted: str | None) -> Region | None:
        """The region that is used when `wanted` is asked for; None where it knows of none."""
        if self.regions is not None:
            return self.regions.find(wanted)
        return Region(wanted) if wanted else None

    @property
    def applied_by_pulumi(self) -> bool:
        """Whether Pulumi makes it, and says itself what would change."""
        return self.program is not None
