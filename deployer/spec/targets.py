"""The section `targets` of the spec: the settings of each place where a model can run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from deployer.core.records import dataclass
from deployer.spec.fields import STRICT, Amount, Least, Pattern, Pieces, kebab


@dataclass(frozen=True)
class Hardware:
    """Your own hardware, for the `local` target."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    gpu: str | None = None
    """A GPU or Apple chip in any spelling: rtx-4090, RTX 4090, m3-ultra. Left out: this machine's CPU."""
    count: Pieces = 1
    owned: bool = False
    """true: it is paid for already, so its price is not counted; another one like it still has to be bought."""
    price_usd: Amount | None = None
    """What the machine costs, spread over 36 months. Default: the GPU's list price, if it is known."""
    usd_per_kwh: Amount | None = None
    watts: Amount | None = None
    """Power draw of the whole machine under load. Default: the GPUs' rated power."""
    idle_watts: Amount | None = None
    """Power draw of the whole machine when idle."""
    memory_gib: Annotated[Decimal, Least(1, most=10**9)] | None = None


@dataclass(frozen=True)
class Local:
    """On your own machine."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    provider: str = "auto"
    gpus: Literal["all"] | Pieces | tuple[str, ...] = "all"
    """all | a number | a list of GPU ids, such as ["0", "1"]"""
    port: Annotated[int, Least(1, most=65535)] | Literal["auto"] = "auto"
    """`auto`: the first free port from 8080 up."""
    expose: Annotated[
        str, Pattern(r"^[0-9a-fA-F.:]+$", "an address of this machine, such as 127.0.0.1")
    ] = "127.0.0.1"
    """The address it listens on (provider docker). 0.0.0.0 lets in anyone who can reach this machine."""
    image: (
        Annotated[str, Pattern(r"^[\w][\w./:@-]*$", "an image's name, such as repo/name:tag")]
        | None
    ) = None
    """A container image in place of the engine's official one; for a handler, what its image is built on (provider docker)."""
    hardware: Hardware | None = None


@dataclass(frozen=True)
class CloudGpu:
    """On a rented GPU instance."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    provider: str = "auto"
    region: str | None = None
    """Left out: the provider's own default."""
    instance: str = "auto"
    spot: bool = False
    expose: str | tuple[str, ...] = "my-ip"
    """my-ip | private | public | a list of CIDR blocks"""
    state: str | None = None
    """Where Pulumi keeps the state: the URL of a bucket that it supports. Default: DEPLOYER_STATE, or files in DEPLOYER_HOME."""
    domain: (
        Annotated[
            str,
            Pattern(
                r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){2,}[a-z]{2,63}$",
                "a name in a domain of yours, in lower case, such as llm.example.com",
            ),
        ]
        | None
    ) = None
    """A name whose parent is a zone of yours at the provider's name service (llm.example.com in example.com): it gets a public
    certificate and leads to a load balancer. Without one the deployment has a certificate authority of its own."""


@dataclass(frozen=True)
class Serverless:
    """On an endpoint that scales to zero."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    provider: str = "auto"
    region: str | None = None
    """Left out: the provider's own default."""


@dataclass(frozen=True)
class Targets:
    """Settings of one target each. All of them are optional."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {**STRICT, "alias_generator": kebab}

    local: Local = Local()
    cloud_gpu: CloudGpu = CloudGpu()
    serverless: Serverless = Serverless()
