"""The one machine that the `local` target offers: the one at hand, or the one that the spec names. Pure.

Every provider of `local` offers the same machine, and under `provider: auto` one of them takes it:

    docker   with an NVIDIA or AMD GPU and Docker here (or on the other machine that the spec names)
    native   everywhere else: on a Mac, without a GPU, without Docker

With a Docker daemon that is reached over a network, docker offers that daemon's machine and native this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployer.core.domain import GIB, Gpu, Offer
from deployer.core.errors import UsageError, quoted
from deployer.core.gpu_traits import unlisted
from deployer.core.order import Order
from deployer.providers.api import HostGpu, Prices, Want
from deployer.providers.other_docker import OtherDocker

AMORTIZE_MONTHS = 36
"""How long a machine is written off: three years, the usual life of computers in the books."""
BRANDS = re.compile(
    r"^(NVIDIA|Apple|AMD)\s+|\b(GeForce|Instinct)\s+|\s+OAM\b|\((TM|R)\)", re.IGNORECASE
)
DOCKER = "docker"
GPUS_ARE_NAMED = (
    "name it as in 'rtx-4090' or 'm3-ultra'; without a GPU, leave targets.local.hardware.gpu out"
)
_READ_THERE = "plan on that machine without targets.local.hardware: its driver says what it has"
_NOT_LISTED = (
    (re.compile(r"laptop|mobile|max-?q", re.IGNORECASE),
     f"a laptop's GPU is another chip than the card of that name: {_READ_THERE}"),
    (re.compile(r"\bmig\b|\d+g\.\d+gb", re.IGNORECASE), f"a part of a GPU (MIG) is not in the catalog: {_READ_THERE}"),
    (re.compile(r"\b(intel|arc|gaudi|tpu)\b", re.IGNORECASE), "no engine here serves on it: NVIDIA, AMD and Apple do"),
    (re.compile(r"^\d+ ?x ?\S"), "write how many there are at targets.local.hardware.count"),
)  # fmt: skip
"""What names of GPUs have that no row of the catalog could be meant by, and the hint for it."""


@dataclass(frozen=True)
class Machine:
    """What is there to serve on. `here` says whether it is the machine that is looked at.

    `ids` name the GPUs that serve where others are there too.
    """

    name: str
    here: bool
    gpu: Gpu | None
    count: int
    vram_mib: int | None
    memory_gib: float | None
    cpus: int | None
    ids: tuple[str, ...] = ()
    fraction: float | None = None


def offers(want: Want, prices: Prices, provider: str) -> list[Offer]:
    """Offer the one machine there is, unless another provider of `local` is the better one for it.

    Raises:
        UsageError: the catalog does not know the GPU that the spec names.
    """
    machine = of(want, prices, provider)
    asked = want.options.get("provider", "auto")
    if asked == "auto" and preferred(want, machine) != provider:
        return []
    return [_offer(machine, provider)]


def preferred(want: Want, machine: Machine) -> str:
    """Say which provider `auto` takes for a machine. Under local-only a daemon elsewhere is none."""
    if want.host.other_docker is not None:
        return DOCKER if _on_other(want, want.host.other_docker) else "native"
    docker = want.host.docker or not machine.here
    wants_docker = machine.gpu is not None and machine.gpu.vendor in ("nvidia", "amd")
    return DOCKER if wants_docker and docker else "native"


def _on_other(want: Want, other: OtherDocker) -> bool:
    """Whether the daemon's machine is the one to serve on: it has a GPU, or the spec says which one it has."""
    named = (want.options.get("hardware") or {}).get("gpu") is not None
    return not want.local_only and bool(other.gpus or named)


def of(want: Want, prices: Prices, provider: str = "native") -> Machine:
    """Return the machine that the spec's `targets.local.hardware` names, or else the one that the provider reaches."""
    hardware = want.options.get("hardware") or {}
    memory = hardware.get("memory_gib")
    given = None if memory is None else float(memory)
    other = want.host.other_docker if provider == DOCKER else None
    if hardware.get("gpu") is None:
        return _elsewhere(other, given) if other else _here(want, prices, given)
    gpu = _gpu(hardware["gpu"], prices)
    count = _count(int(hardware["count"]), want.options.get("gpus", "all"))
    mib = _vram_mib(gpu, given)
    if other is not None:
        return Machine(_name(other), False, gpu, count, mib, given, other.cpus)
    alike = [one for one in want.host.gpus if _known(one, prices) == gpu]
    return Machine("your own machine", bool(alike), gpu, count, mib, given, None)


def _name(other: OtherDocker) -> str:
    return f"the machine of the Docker daemon at {other.url}"


def _elsewhere(other: OtherDocker, memory_gib: float | None) -> Machine:
    """What the daemon says of its machine: it does not name its GPUs."""
    memory = memory_gib or (other.memory_bytes / GIB if other.memory_bytes else None)
    said = " (its GPUs are not named: set targets.local.hardware)" if other.gpus else ""
    return Machine(f"{_name(other)}{said}", False, None, 0, None, memory, other.cpus)


def _here(want: Want, prices: Prices, memory_gib: float | None) -> Machine:
    host = want.host
    memory = memory_gib or host.memory_bytes / GIB
    if all(one.fault for one in host.gpus):
        return Machine("this machine", True, None, 0, None, memory, host.cpus)
    asked = want.options.get("gpus", "all")
    serving = _serving(host.gpus, asked)
    first, gpu = host.gpus[serving[0]], _described(host.gpus[serving[0]], prices, memory)
    count = 1 if first.slice else _count(len(serving), asked)
    chosen = [host.gpus[index] for index in serving[:count]]
    ids = [one.uuid or str(index) for one, index in zip(chosen, serving, strict=False)]
    return Machine(
        f"this machine{_left_out(host.gpus, serving[:count])}",
        True,
        gpu,
        count,
        first.memory_mib or (round(memory * 1024) if gpu else None),
        memory,
        host.cpus,
        ids=tuple(ids) if count < len(host.gpus) or first.slice else (),
        fraction=first.fraction,
    )


def _serving(gpus: Sequence[HostGpu], asked: Any) -> list[int]:
    """Number the GPUs that serve together: those that are asked for, else the alike ones with the most memory."""
    named = [str(one) for one in asked] if isinstance(asked, list | tuple) else []
    picked = [i for i, one in enumerate(gpus) if {str(i), one.uuid} & set(named)]
    sound = [index for index, one in enumerate(gpus) if not one.fault]
    pool = [index for index in picked if index in sound] or sound
    kinds: dict[tuple[str, int | None], list[int]] = {}
    for index in pool:
        kinds.setdefault((gpus[index].name, gpus[index].memory_mib), []).append(index)

    def room(members: list[int]) -> int:
        return (gpus[members[0]].memory_mib or 0) * (1 if gpus[members[0]].slice else len(members))

    return max(kinds.values(), key=room)


def _left_out(gpus: Sequence[HostGpu], serving: Sequence[int]) -> str:
    """Name the GPUs of another kind that do not serve: an engine splits a model over alike ones."""
    kind = gpus[serving[0]].name
    others = [one.name for i, one in enumerate(gpus) if i not in serving and one.name != kind]
    return f", without its {', '.join(dict.fromkeys(others))}" if others else ""


def _described(one: HostGpu, prices: Prices, memory_gib: float) -> Gpu:
    """The catalog's GPU, or what its driver tells of one that is not there: then its speed is unknown."""
    known = _known(one, prices)
    if known is not None and not one.slice:
        return known
    mib = one.memory_mib or round(memory_gib * 1024)
    return unlisted(BRANDS.sub("", one.name) if known is None else one.name, one.vendor, mib)


def _known(one: HostGpu, prices: Prices) -> Gpu | None:
    """The catalog's GPU of a driver's name such as "NVIDIA GeForce RTX 4090" or "Apple M3 Ultra"."""
    return prices.gpu(one.name) or prices.gpu(BRANDS.sub("", one.name).strip())


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
        special = next((hint for form, hint in _NOT_LISTED if form.search(name)), None)
        raise UsageError(
            f"the catalog has no GPU {quoted(name)}",
            hint=special or (f"the nearest are: {', '.join(near)}" if near else GPUS_ARE_NAMED),
            key="targets.local.hardware.gpu",
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
        gpu_ids=machine.ids,
        gpu_fraction=machine.fraction,
        gpu_vendor=machine.gpu.vendor if machine.gpu else None,
    )


def hardware(order: Order) -> dict[str, Any]:
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
            key="targets.local.hardware.idle_watts",
        )


def _text(number: Any) -> str | None:
    """Keep a figure exact in plain data."""
    return None if number is None else f"{Decimal(str(number)):f}"
