"""`local`, without Docker: an engine in a process of its own on this machine.

The model runs where `deployer` runs. What it costs is what the machine cost, spread over three years, and
its electricity; the hardware is the machine at hand, or the one that `targets.local.hardware` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.errors import UsageError, quoted
from deployer.words import GIB, Gpu, Offer

if TYPE_CHECKING:
    from deployer.target import Prices, Runner, Want

TARGET = "local"
NAME = "native"
ENGINES: Sequence[str] = ("llama.cpp", "vllm", "sglang", "fastapi")
PRIVACY = "prompts and answers never leave this machine"
AMORTIZE_MONTHS = 36
"""How long a machine is written off: three years, the usual life of computers in the books."""


def offers(want: Want, prices: Prices) -> Iterable[Offer]:
    """Offer the one machine there is.

    Raises:
        UsageError: the catalog does not know the GPU that the spec names.
    """
    hardware = want.options.get("hardware") or {}
    memory = hardware.get("memory_gib")
    if hardware.get("gpu") is None:
        here = memory or want.host.memory_bytes / GIB
        return [_machine("this machine", memory_gib=float(here), cpus=want.host.cpus)]
    gpu = _gpu(hardware["gpu"], prices)
    owned = int(hardware["count"])
    asked = want.options.get("gpus", "all")
    count = owned if asked == "all" else min(owned, int(asked))
    gib = None if memory is None else float(memory)
    return [_machine("your own machine", gpu, count, memory_gib=gib)]


def inputs(order: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the machine and the process need of the order."""
    model, offer, options = order["model"], order["offer"], order["options"]
    return {
        "hardware": _hardware(offer, options.get("hardware") or {}),
        "process": {
            "engine": order["engine"],
            "model": model["path"],
            "source": model["source"],
            "model_name": order["spec_name"],
            "adapter": model.get("adapter"),
            "quantization": order["quantization"],
            "context": order["context"],
            "concurrency": order["concurrency"],
            "gpus": order["gpus"],
            "handler": order.get("handler"),
            "replicas": (order.get("replicas") or {"min": 1})["min"],
            "host": "127.0.0.1",
            "port": options.get("port", "auto"),
            "key": "secret",
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
    from deployer.native.runner import NativeRunner

    return NativeRunner(home)


def _hardware(offer: Mapping[str, Any], owned: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the machine by what the spec says of it, else by the catalog's figures for its GPUs."""
    count = int(owned.get("count") or 0) if offer.get("gpu") else 0
    price, watts = owned.get("price_usd"), owned.get("watts")
    listed = offer.get("gpu_list_price_usd")
    if price is None and listed is not None:
        price, source = Decimal(str(listed)) * count, f"list price: {offer['gpu_source']}"
    else:
        source = "the spec's price_usd" if price is not None else "unknown"
    if watts is None and offer.get("gpu_watts") is not None:
        watts = Decimal(str(offer["gpu_watts"])) * count
    _check_power(watts, owned.get("idle_watts"))
    return {
        "gpu": offer.get("gpu"),
        "gpu_count": count,
        "price_usd": _text(price),
        "price_source": source,
        "amortize_months": AMORTIZE_MONTHS,
        "watts": _text(watts),
        "idle_watts": _text(owned.get("idle_watts")),
        "usd_per_kwh": _text(owned.get("usd_per_kwh")),
        "kwh_source": "the spec's usd_per_kwh" if owned.get("usd_per_kwh") is not None else None,
    }


def _check_power(watts: Any, idle: Any) -> None:
    if watts is not None and idle is not None and Decimal(str(idle)) > Decimal(str(watts)):
        raise UsageError(
            f"the machine would take more power while it waits ({idle} W) than while it answers ({watts} W)",
            hint="set watts and idle_watts to the power of the whole machine",
            where="targets.local.hardware.idle_watts",
        )


def _text(number: Any) -> str | None:
    """Keep a figure exact in plain data."""
    return None if number is None else f"{Decimal(str(number)):f}"


def _gpu(name: str, prices: Prices) -> Gpu:
    found = prices.gpu(name)
    if found is None:
        import difflib

        from deployer.catalog import gpus

        near = difflib.get_close_matches(name.upper(), [g.name for g in gpus.every()], cutoff=0.3)
        raise UsageError(
            f"the catalog has no GPU {quoted(name)}",
            hint=f"the nearest it has: {', '.join(near)}" if near else None,
            where="targets.local.hardware.gpu",
        )
    return found


def _vram_mib(gpu: Gpu, memory_gib: float | None) -> int:
    """The memory that models may use: of unified memory what the machine has, if it is known."""
    if gpu.vendor == "apple" and memory_gib is not None:
        return round(memory_gib * 1024)
    return gpu.vram_mib_reported or round(gpu.vram_gb * 1024)


def _machine(
    name: str,
    gpu: Gpu | None = None,
    count: int = 0,
    *,
    memory_gib: float | None,
    cpus: int | None = None,
) -> Offer:
    return Offer(
        provider=NAME,
        region=None,
        instance_type=name,
        gpu=gpu.name if gpu else None,
        gpu_count=count,
        vram_mib=_vram_mib(gpu, memory_gib) if gpu else None,
        usd_per_hour=None,
        billing="owned",
        source=gpu.source if gpu else "this machine",
        as_of=None,
        vcpus=cpus,
        memory_gib=memory_gib,
    )
