"""`local`, without Docker: an engine in a process of its own on this machine.

The model runs where `deployer` runs. What it costs is what the machine cost, spread over three years, and
its electricity; the hardware is the machine at hand, or the one that `targets.local.hardware` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.domain import Offer
from deployer.core.order import Order
from deployer.engines.recipe import local_only
from deployer.providers.api import Pricing, Provider
from stacks.local import _machine, _pricing

if TYPE_CHECKING:
    from deployer.providers.api import Prices, Want
    from deployer.providers.managers import Runner

NAME = "native"


def offers(want: Want, prices: Prices) -> Iterable[Offer]:
    """Offer the one machine there is.

    Raises:
        UsageError: the catalog does not know the GPU that the spec names.
    """
    return _machine.offers(want, prices, NAME)


def inputs(order: Order) -> dict[str, Any]:
    """Keep what the machine and the process need of the order."""
    model, options = order["model"], order["options"]
    return {
        "hardware": _machine.hardware(order),
        "process": {
            "engine": order["engine"],
            "model": model["path"],
            "source": model["source"],
            "model_name": order["spec_name"],
            "adapter": model.get("adapter"),
            "adapter_path": model.get("adapter_path"),
            "adapter_rank": model.get("adapter_rank"),
            "quantization": order["quantization"],
            "quantize": order.get("quantize"),
            "context": order["context"],
            "concurrency": order["concurrency"],
            "gpus": order["gpus"],
            "gpu_ids": order["offer"].get("gpu_ids") or [],
            "gpu_vendor": order["offer"].get("gpu_vendor"),
            "handler": order.get("handler"),
            "replicas": (order.get("replicas") or {"min": 1})["min"],
            "host": "127.0.0.1",
            "port": options.get("port", "auto"),
            "key": "secret",
            "offline": local_only(order),
        },
        "deployment": order["deployment"],
    }


def resources(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Say what will exist: the machine, which is there already, and the process."""
    name = inputs["deployment"]
    return [
        {"type": "local:index:Hardware", "name": f"{name}-hardware", "inputs": inputs["hardware"]},
        {"type": "local:index:Process", "name": f"{name}-process", "inputs": inputs["process"]},
    ]


def runner(home: Path) -> Runner:
    """Return what starts, finds and stops the process."""
    from deployer.running.native.runtime import NativeRunner

    return NativeRunner(home)


PROVIDER = Provider(
    target="local",
    name=NAME,
    engines=("llama.cpp", "vllm", "mlx", "fastapi"),
    privacy="prompts and answers never leave this machine",
    offers=offers,
    inputs=inputs,
    runs="native",
    resources=resources,
    runner=runner,
    pricing=Pricing(_pricing.RULES, _pricing.FREE),
)
