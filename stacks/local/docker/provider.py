"""`local`, in Docker: the engine's own image (or one built of a handler) on this machine's GPUs, as one container.

The container carries labels, and they are all that is needed to find it again. What it costs is what the machine
costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.domain import Offer
from deployer.core.order import Order
from deployer.engines import container
from deployer.providers.api import Pricing, Provider
from stacks.local import _machine, _pricing

if TYPE_CHECKING:
    from deployer.core.domain import Resource
    from deployer.providers.api import Prices, Want
    from deployer.providers.managers import Runner

NAME = "docker"


def offers(want: Want, prices: Prices) -> Iterable[Offer]:
    """Offer the one machine there is.

    Raises:
        UsageError: the catalog does not know the GPU that the spec names.
    """
    return _machine.offers(want, prices, NAME)


def inputs(order: Order) -> dict[str, Any]:
    """Keep what the machine and the container need of the order.

    Raises:
        PrerequisiteError: it cannot be served from a container.
    """
    return {
        "hardware": _machine.hardware(order),
        "image": container.image(order),
        "container": container.container(order),
        "deployment": order["deployment"],
    }


def resources(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Say what will exist: the machine, which is there already, the image if it is built, and the container."""
    name = inputs["deployment"]
    built = inputs["image"]
    return [
        {"type": "local:index:Hardware", "name": f"{name}-hardware", "inputs": inputs["hardware"]},
        *(
            [{"type": "local:index:Image", "name": f"{name}-image", "inputs": built}]
            if built
            else []
        ),
        *(
            [
                {
                    "type": "local:index:Network",
                    "name": f"{name}-network",
                    "inputs": {"egress": "none"},
                }
            ]
            if inputs["container"]["network"]
            else []
        ),
        {"type": "local:index:Container", "name": name, "inputs": inputs["container"]},
    ]


def runner(home: Path) -> Runner:
    """Return what starts, finds and stops the container."""
    from deployer.running.containers.runtime import DockerRunner

    return DockerRunner(home)


def files(resources: Sequence[Resource]) -> tuple[dict[str, str | Path], tuple[str, ...]]:
    """Return the files that run the same without this tool, and the names of the secrets they mount."""
    from deployer.running.containers import compose as written

    return written.files(resources), written.secret_files(resources)


PROVIDER = Provider(
    target="local",
    name=NAME,
    engines=("vllm", "sglang", "llama.cpp", "fastapi"),
    privacy="prompts and answers never leave this machine",
    offers=offers,
    inputs=inputs,
    runs="container",
    resources=resources,
    runner=runner,
    files=files,
    pricing=Pricing(_pricing.RULES, _pricing.FREE),
)
