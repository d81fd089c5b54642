"""The one machine that the `local` target offers: the one at hand, or the one that the spec names. Pure.

Every provider of `local` offers the same machine, and under `provider: auto` one of them takes it:

    docker   with an NVIDIA or AMD GPU and Docker here (or on the other machine that the spec names)
    native   everywhere else: on a Mac, without a GPU, without Docker
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployer.core.domain import GIB, Gpu, Offer
from deployer.core.errors import UsageError, quoted
from deployer.providers.api import HostGpu, Prices, Want

AMORTIZE_MONTHS = 36
"""How long a machine is written off: three years, the usual life of computers in the books."""
BRANDS = re.compile(r"^(NVIDIA|Apple|AMD)\s+|\bGeForce\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Machine:
    """What is there to serve on. `here` says whether it is the machine that is looked at."""

    name: str
    here: bool
    gpu: Gpu | None
    count: int
    vram_mib: int | None
    memory_gib: float | None
    cpus: int | None


def offers(want: Want, prices: Prices, provider: str) -> list[Offer]:
    """Offer the one machine there is, unless another provider of `local` is the better one for it.

    Raises:
        UsageError: the catalog does not know the GPU that the spec names.
    """
    machine = of(want, prices)
    asked = want.options.get("provider", "auto")
    if asked == "auto" and preferred(want, machine) != provider:
        return []
    return [_offer(machine, provider)]


def preferred(want: Want, machine: Machine) -> str:
    """Say which provider `auto` takes for a machine."""
    docker = want.host.docker or not machine.here
    wants_docker = machine.gpu is not None and machine.gpu.vendor in ("nvidia", "amd")
    return "docker" if wants_docker and docker else "native"


def of(want: Want, prices: Prices) -> Machine:
    """Return the machine that the spec's `targets.local.hardware` names, or else the one at hand."""
    hardware = want.options.get("hardware") or {}
    memory = hardware.get("memory_gib")
    given = None if memory is None else float(memory)
    if hardware.get("gpu") is None:
        return _here(want, prices, given)
    gpu = _gpu(hardware["gpu"], prices)
    count = _count(int(hardware["count"]), want.options.get("gpus", "all"))
    here = any(_known(one, prices) == gpu for one in want.host.gpus)
    mib = _vram_mib(gpu, given)
    return Machine("your own machine", here, gpu, count, mib, given, None)


def _here(want: Want, prices: Prices, memory_gib: float | None) -> Machine:
    host = want.host
    memory = memory_gib or host.memory_bytes / GIB
    if not host.gpus:
        return Machine("this machine", True, None, 0, None, memory, host.cpus)
    first = host.gpus[0]
    gpu = _known(first, prices)
    if gpu is None:
        name = f"this machine, without its {first.name}, which is not in the catalog"
        return Machine(name, True, None, 0, None, memory, host.cpus)
    alike = sum(one.name == first.name for one in host.gpus)
    count = _count(alike, want.options.get("gpus", "all"))
    return Machine("this machine", True, gpu, count, first.memory_mib, memory, host.cpus)


def _known(one: HostGpu, prices: Prices) -> Gpu | None:
    """The catalog's GPU of a driver's name such as "NVIDIA GeForce RTX 4090" or "Apple M3 Ultra"."""
    return prices.gpu(one.name) or prices.gpu(BRANDS.sub("", one.name))


def _count(owned: int, asked: Any) -> int:
    """How many GPUs serve: all, a number, or as many as are named."""
    if asked == "all":
        return owned
    return min(owned, int(asked) if isinstance(asked, int | str) else len(asked))


def _gpu(name: str, prices: Prices) -> Gpu:
    found = prices.gpu(name)
    if found is None:
        import difflib

        from deployer.planning.catalog import gpus

        known = {BRANDS.sub("", g.name).upper(): g.name for g in gpus.every()}
        near = [known[n] for n in difflib.get_close_matches(name.upper(), list(known), cutoff=0.3)]
        raise UsageError(
            f"the catalog has no GPU {quoted(name)}",
            hint=f"the nearest are: {', '.join(near)}" if near else None,
            where="targets.local.hardware.gpu",
        )
    return found


def _vram_mib(gpu: Gpu, memory_gib: float | None) -> int:
    """The memory that models may use: of unified memory what the machine has, if it is known."""
    if gpu.vendor == "apple" and memory_gib is not None:
        return round(memory_gib * 1024)
    return gpu.vram_mib_reported or round(gpu.vram_gb * 1024)


def _offer(machine: Machine, provider: str) -> Offer:
    return Offer(
        provider=provider,
        region=None,
        instance_type=machine.name,
        gpu=machine.gpu.name if machine.gpu else None,
        gpu_count=machine.count,
        vram_mib=machine.vram_mib,
        usd_per_hour=None,
        billing="owned",
        source=machine.gpu.source if machine.gpu else "this machine",
        as_of=None,
        vcpus=machine.cpus,
        memory_gib=machine.memory_gib,
    )


def hardware(order: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what the machine costs by what the spec says of it, else by the catalog's figures."""
    offer, owned = order["offer"], order["options"].get("hardware") or {}
    count = int(owned.get("count") or offer["gpu_count"]) if offer.get("gpu") else 0
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
        "owned": bool(owned.get("owned")),
        "watts": _text(watts),
        "idle_watts": _text(owned.get("idle_watts")),
        "usd_per_kwh": _text(owned.get("usd_per_kwh")),
        "kwh_source": "the spec's usd_per_kwh" if owned.get("usd_per_kwh") is not None else None,
    }


def _check_power(watts: Any, idle: Any) -> None:
    if watts is not None and idle is not None and Decimal(str(idle)) > Decimal(str(watts)):
        raise UsageError(
            f"the machine would draw more power when idle ({idle} W) than under load ({watts} W)",
            hint="set watts and idle_watts to the power draw of the whole machine",
            where="targets.local.hardware.idle_watts",
        )


def _text(number: Any) -> str | None:
    """Keep a figure exact in plain data."""
    return None if number is None else f"{Decimal(str(number)):f}"
