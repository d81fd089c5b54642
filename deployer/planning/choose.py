"""Which engine, format and hardware: every combination is sized, and the best one is taken. Pure.

The order, first to last: within the budget, fits before tight, the least lossy format, the lowest
monthly cost, the engine that the provider prefers. An unpriced offer is only taken when it was asked for
by name or is one's own hardware.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from deployer.core.domain import HOURS_PER_MONTH, MIB, Gpu, ModelInfo, Offer, Sizing
from deployer.core.model_source import in_bucket, scheme
from deployer.core.quantization import FORMATS
from deployer.engines import Engine, engine
from deployer.planning.measured import (
    Measurement,
    Served,
    with_measured_memory,
    with_measured_speed,
)
from deployer.planning.sizing import Hardware, Load, adapter_bytes, context_for, size
from deployer.planning.throughput import estimate
from deployer.planning.traffic.profile import usage
from deployer.providers.api import Host, Prices, Provider, Want
from deployer.providers.registry import provider, providers
from deployer.spec import Spec
from deployer.spec.serialize import to_plain

SECONDS_PER_REQUEST = (2.0, 30.0)
"""Taken before the speed is known, to rank what sleeps by the hours it is awake: its idle time outweighs it."""


Catalog = Prices
"""The part of `deployer.planning.catalog.Catalog` that choosing needs."""


@dataclass(frozen=True)
class Candidate:
    """One way to serve the model: who, on what, with which engine, in which format."""

    provider: Provider
    offer: Offer
    gpu: Gpu | None
    sizing: Sizing
    hours: Decimal = Decimal(HOURS_PER_MONTH)  # a month that it is paid for

    @property
    def monthly_usd(self) -> Decimal | None:
        """Hardware for its hours of a month, without disks and traffic: enough to rank by."""
        price = self.offer.usd_per_hour
        return None if price is None else price * self.hours


@dataclass(frozen=True)
class Question:
    """All that a choice depends on."""

    spec: Spec
    target: str
    info: ModelInfo
    catalog: Catalog
    host: Host
    measured: tuple[Measurement, ...] = ()

    @property
    def options(self) -> Any:
        """The spec's section for this target."""
        return getattr(self.spec.targets, self.target.replace("-", "_"))

    @property
    def load(self) -> Load:
        """What is asked of the hardware."""
        return Load(
            context_for(self.spec.model.context, self.info),
            self.spec.serve.concurrency,
            self.spec.traffic.input_tokens,
            self.spec.traffic.output_tokens,
            adapter_bytes(self.info) if self.spec.model.adapter else None,
        )


def candidates(question: Question) -> tuple[Candidate, ...]:
    """Every combination of provider, offer, engine and format, sized, in no order."""
    awake = {where.name: _hours(question, where) for where in _providers(question)}
    return tuple(
        _candidate(question, where, offer, (served, form), awake[where.name])
        for where in _providers(question)
        if not _declined(question, where)
        for offer in _offers(question, where)
        for served in _engines(question, where)
        for form in _formats(question, served, _gpu(question, offer))
    )


def declined(question: Question) -> Mapping[str, tuple[str, ...]]:
    """The providers that cannot serve this model there at all, each with its reasons."""
    said = {where.name: _declined(question, where) for where in _providers(question)}
    return {name: reasons for name, reasons in said.items() if reasons}


def _declined(question: Question, where: Provider) -> tuple[str, ...]:
    asked = getattr(question.options, "region", None)
    elsewhere = where.regions.refusal(asked) if where.regions else None
    reasons = [elsewhere, _unread(question.spec.model.source, where)]
    found = tuple(reason for reason in reasons if reason)
    if found or where.refuses is None:
        return found
    return tuple(where.refuses(want_of(question, where), question.catalog))


def _unread(source: str, where: Provider) -> str | None:
    """Why a model in a bucket cannot be had there, if so; one that reads none says it in its own words."""
    if not in_bucket(source) or not where.reads or scheme(source) in where.reads:
        return None
    known = " and ".join(f"{name}://" for name in where.reads)
    return f"it reads models from {known}, not from {scheme(source)}://"


def _hours(question: Question, where: Provider) -> Decimal:
    """The hours of a month that it is awake, where it sleeps: roughly, as the speed is not known yet."""
    if where.sleep is None or question.spec.serve.replicas.min > 1:
        return Decimal(HOURS_PER_MONTH)
    used = usage(
        question.spec.traffic,
        scale_to_zero_minutes=where.sleep.minutes_of(question.spec.policy.idle.after),
        seconds_per_request=SECONDS_PER_REQUEST,
        cold_start_minutes=where.sleep.cold_start_minutes,
    )
    return sum(used.active_hours, Decimal(0)) / 2


def ranked(found: Iterable[Candidate], spec: Spec) -> tuple[Candidate, ...]:
    """Sort the candidates, best first."""
    return tuple(sorted(found, key=lambda c: _rank(c, spec.policy.budget)))


def _rank(
    candidate: Candidate, budget: Decimal | None
) -> tuple[bool, bool, int, int, Decimal, int]:
    cost = candidate.monthly_usd
    if cost is None:
        cost = Decimal(0) if candidate.offer.billing == "owned" else Decimal("Infinity")
    form = FORMATS.get(candidate.sizing.quantization)  # None: a handler, served as it is
    lossy = form.loss_rank if form else 0
    fits = ("fits", "tight", "unknown", "no").index(candidate.sizing.fit)
    preferred = (*candidate.provider.engines, candidate.sizing.engine).index(
        candidate.sizing.engine
    )
    over = budget is not None and cost > budget
    return fits > 1, over, fits, lossy, cost, preferred


def _providers(question: Question) -> Iterator[Provider]:
    asked = question.options.provider
    names = providers(question.target) if asked == "auto" else (asked,)
    for name in names:
        yield provider(question.target, name)


def want_of(question: Question, where: Provider) -> Want:
    """What a provider of the question's target is asked for."""
    options: Mapping[str, Any] = to_plain(question.options)
    model = question.spec.model
    region = where.region(options.get("region"))
    return Want(
        region.id if region else None,
        options,
        question.host,
        source=model.source,
        adapter=model.adapter,
        model=question.info,
    )


def _offers(question: Question, where: Provider) -> Iterable[Offer]:
    named = getattr(question.options, "instance", "auto") != "auto"
    for offer in where.offers(want_of(question, where), question.catalog):
        if named or offer.usd_per_hour is not None or offer.billing == "owned":
            yield offer


def _engines(question: Question, where: Provider) -> Iterator[Engine]:
    asked = question.spec.serve.engine
    for name in where.engines if asked == "auto" else (asked,):
        served = engine(name)
        if name in where.engines and question.info.file_format in (None, *served.families):
            yield served


def _gpu(question: Question, offer: Offer) -> Gpu | None:
    return question.catalog.gpu(offer.gpu) if offer.gpu else None


def refusals(question: Question) -> tuple[str, ...]:
    """Why combinations were not even weighed: what an engine says of a GPU, a format or a file, each once."""
    said = (
        reason
        for where in _providers(question)
        for offer in _offers(question, where)
        for reason in _refused(question, where, _gpu(question, offer))
    )
    return tuple(dict.fromkeys(said))


def nowhere(question: Question) -> Iterator[str]:
    """Say that no provider of the target runs the engine that was asked for, and what does; else nothing."""
    asked = question.spec.serve.engine
    found = list(_providers(question))
    if asked == "auto" or any(asked in where.engines for where in found):
        return
    first, *rest = (where.name for where in found)
    nor = "".join(f", nor does {name}" for name in rest)
    yield f"{first} does not run {asked} in this version{nor}"
    if mend := engine(asked).elsewhere:
        yield mend


def _refused(question: Question, where: Provider, gpu: Gpu | None) -> Iterator[str]:
    asked = question.spec.serve.engine
    for name in where.engines if asked == "auto" else (asked,):
        served, kind = engine(name), question.info.file_format
        if kind not in (None, *served.families):
            families = " and ".join(served.families)
            yield f"{name} serves {families} files, not {kind}: name such a one as model.source"
        elif name not in where.engines:
            yield f"{where.name} does not run {name} in this version"
        elif _vendor(gpu) not in served.vendors:
            yield f"{name} does not run on {gpu.name if gpu else 'a CPU'}"
        else:
            reasons = (served.refuses(gpu, form) for form in _wanted(question, served))
            yield from (reason for reason in reasons if reason)


def _formats(question: Question, served: Engine, gpu: Gpu | None) -> Iterator[str]:
    vendor, named = _vendor(gpu), question.spec.serve.engine != "auto"
    if vendor not in served.vendors or (vendor in served.by_name and not named):
        return
    for name in dict.fromkeys(_wanted(question, served)):
        if served.refuses(gpu, name) is None:
            yield name


def _vendor(gpu: Gpu | None) -> str:
    return gpu.vendor if gpu else "cpu"


def _wanted(question: Question, served: Engine) -> Iterator[str]:
    """The formats that were asked for, or those that can be had without another checkpoint."""
    native = question.info.native_dtype or "bf16"
    asked = question.spec.model.quantization
    if asked not in ("auto", "none"):
        yield asked
        return
    yield native
    if asked == "auto" and served.online and FORMATS[native].bits >= 16:
        yield from served.online


def _candidate(
    question: Question, where: Provider, offer: Offer, how: tuple[Engine, str], hours: Decimal
) -> Candidate:
    gpu = _gpu(question, offer)
    hardware = _hardware(offer, gpu)
    sizing = size(question.info, *how, hardware, question.load)
    if question.measured:
        what = Served.by(question.info, sizing, offer)
        sizing = with_measured_memory(sizing, what, question.load, question.measured)
    return Candidate(where, offer, gpu, sizing, hours)


def with_speed(question: Question, best: Candidate) -> Candidate:
    """Say how fast a candidate is: the ranking does not need it, so it is done for the one taken."""
    hardware = _hardware(best.offer, best.gpu)
    served = engine(best.sizing.engine)
    sizing = estimate(best.sizing, question.info, served, hardware, question.load)
    what = Served.by(question.info, sizing, best.offer)
    return replace(best, sizing=with_measured_speed(sizing, what, question.load, question.measured))


def _hardware(offer: Offer, gpu: Gpu | None) -> Hardware:
    beside = offer.memory_gib if gpu else None
    return Hardware(gpu, offer.gpu_count, _memory(offer, gpu), host_gib=beside)


def _memory(offer: Offer, gpu: Gpu | None) -> float | None:
    if gpu is None:
        return offer.memory_gib
    mib = offer.vram_mib or gpu.vram_mib_reported
    return mib * MIB / 2**30 if mib else gpu.vram_gb
