"""Which engine, format and hardware: every combination is sized, and the best one is taken. Pure.

The order, first to last: within the budget, fits before tight, the least lossy format, the lowest
monthly cost, the engine that the provider prefers. An unpriced offer is only taken when it was asked for
by name or is one's own hardware.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

from deployer.core.domain import HOURS_PER_MONTH, MIB, Gpu, Offer, Sizing
from deployer.core.gpu_traits import sliced, unlisted
from deployer.core.model_source import in_bucket, scheme
from deployer.core.quantization import FORMATS
from deployer.core.records import dataclass
from deployer.engines import Engine, container, engine
from deployer.planning import adapters
from deployer.planning.paid_hours import paid_hours
from deployer.planning.question import Question, want_of
from deployer.planning.sizing import Hardware, size
from deployer.planning.throughput import estimate
from deployer.providers.api import Provider, Want
from deployer.providers.registry import engine_by, engines_of, provider, providers


@dataclass(frozen=True)
class Candidate:
    """One way to serve the model: who, on what, with which engine, in which format."""

    provider: Provider
    offer: Offer
    gpu: Gpu | None
    sizing: Sizing
    hours: Decimal = Decimal(HOURS_PER_MONTH)  # a month that it is paid for, all copies together
    most_hours: Decimal = Decimal(HOURS_PER_MONTH)  # the same where as many run as may

    barred: str | None = None  # why it cannot serve the adapter

    @property
    def holds(self) -> bool:
        """Whether it holds the model, and serves the adapter if there is one."""
        return self.sizing.fit in ("fits", "tight") and self.barred is None

    @property
    def managed(self) -> bool:
        """Whether the provider chooses the hardware, and adds copies by itself."""
        return engine_by(self.provider, self.sizing.engine).managed

    @property
    def monthly_usd(self) -> Decimal | None:
        """Hardware for its hours of a month, without disks and traffic: enough to rank by."""
        price = self.offer.usd_per_hour
        return None if price is None else price * self.hours

    @property
    def most_usd(self) -> Decimal | None:
        """The same where as many copies run as may: what a budget is held against."""
        price = self.offer.usd_per_hour
        return None if price is None else price * self.most_hours


@dataclass(frozen=True)
class Place:
    """A provider that was asked: what it has on offer, and why it cannot serve the model at all, if so."""

    provider: Provider
    offers: tuple[Offer, ...]
    hours: tuple[Decimal, Decimal]  # of a month that copies are awake: likely, and at the most
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The answer to a question, made once and handed on.

    `ranked` are all candidates, best first. `refused` says, each once, why combinations were not even
    weighed: what an engine says of a GPU, a format or a file.
    """

    question: Question
    places: tuple[Place, ...]
    ranked: tuple[Candidate, ...]
    refused: tuple[str, ...]

    @property
    def declined(self) -> Mapping[str, tuple[str, ...]]:
        """The providers that cannot serve this model there at all, each with its reasons."""
        return {place.provider.name: place.reasons for place in self.places if place.reasons}

    def in_format(self, quantization: str) -> tuple[Candidate, ...]:
        """Return the ranking of the same offers if another format had been asked for."""
        spec = self.question.spec
        model = replace(spec.model, quantization=quantization)
        question = replace(self.question, spec=replace(spec, model=model))
        return _weighed(question, self.places).ranked


def choose(question: Question) -> Choice:
    """Ask every provider once, size every combination of offer, engine and format, and rank them."""
    asked = question.options.provider
    names = providers(question.target) if asked == "auto" else (asked,)
    key = f"targets.{question.target}.provider"
    found = (provider(question.target, name, key) for name in names)
    places = (
        _place(question, one)
        for one in found
        if asked != "auto" or one.configured is None or one.configured()
    )
    return _weighed(question, tuple(places))


def _place(question: Question, where: Provider) -> Place:
    want = want_of(question, where)
    named = getattr(question.options, "instance", "auto") != "auto"
    offers = (
        offer
        for offer in where.offers(want, question.catalog)
        if named or offer.usd_per_hour is not None or offer.billing == "owned"
    )
    reasons = _declined(question, want, where)
    hours = paid_hours(question.spec, question.target, where)
    return Place(where, tuple(offers), hours, reasons)


def _weighed(question: Question, places: tuple[Place, ...]) -> Choice:
    """Size and rank what the places offer; the same hardware at another price is sized once."""
    load = question.load

    @cache
    def sized(name: str, form: str, hardware: Hardware, own: int | None) -> Sizing:
        served = engine(name) if own is None else engine_by(places[own].provider, name)
        return size(question.info, served, form, hardware, load)

    found: list[Candidate] = []
    refused: list[str] = []
    for number, place in enumerate(places):
        own = number if place.provider.engine else None  # one that it brings itself
        ways: dict[Gpu | None, tuple[tuple[str, str] | str, ...]] = {}
        for offer in place.offers:
            gpu = _gpu_of(question, offer)
            if gpu not in ways:
                ways[gpu] = tuple(_ways(question, place.provider, gpu))
            hardware = hardware_of(offer, gpu)
            for way in ways[gpu]:
                if isinstance(way, str):
                    refused.append(way)
                elif not place.reasons:
                    sizing = _as_measured(question, sized(*way, hardware, own), offer)
                    barred = _barred(question, way[0], place.provider)
                    found.append(
                        Candidate(place.provider, offer, gpu, sizing, *place.hours, barred)
                    )
    budget = question.spec.policy.budget
    orders = {place.provider.name: engines_of(place.provider) for place in places}
    ranked = tuple(sorted(found, key=lambda one: _rank(one, budget, orders[one.provider.name])))
    return Choice(question, places, ranked, tuple(dict.fromkeys(refused)))


def _barred(question: Question, name: str, where: Provider) -> str | None:
    if question.adapter is None:
        return None
    reason = adapters.refusal(question.adapter, engine_by(where, name), where)
    return placed(question, reason, "model.adapter") if reason else None


def _as_measured(question: Question, sizing: Sizing, offer: Offer) -> Sizing:
    if not question.measured:
        return sizing
    from deployer.planning.measured import Served, with_measured_memory

    what = Served.by(question.info, sizing, offer)
    return with_measured_memory(sizing, what, question.load, question.measured)


def _declined(question: Question, want: Want, where: Provider) -> tuple[str, ...]:
    asked = getattr(question.options, "region", None)
    elsewhere = where.regions.refusal(asked) if where.regions else None
    unread = _unread(question.spec.model.source, where)
    reasons = ((elsewhere, f"targets.{question.target}.region"), (unread, "model.source"))
    found = tuple(placed(question, reason, key) for reason, key in reasons if reason)
    if found or where.refuses is None:
        return found
    told = where.refuses(want, question.catalog)
    # a provider of version 0.1 names no key
    pairs = (
        (t, f"targets.{question.target}") if isinstance(t, str) else (t.reason, t.key) for t in told
    )
    return tuple(placed(question, *pair) for pair in pairs)


def placed(question: Question, reason: str, key: str) -> str:
    """Add to a reason where the file has the key that it is about."""
    return f"{reason} ({question.place(key)})"


def _unread(source: str, where: Provider) -> str | None:
    """Why a model in a bucket cannot be had there, if so; one that reads none says it in its own words."""
    if not in_bucket(source) or not where.reads or scheme(source) in where.reads:
        return None
    known = " and ".join(f"{name}://" for name in where.reads)
    return f"it reads models from {known}, not from {scheme(source)}://"


def _rank(
    candidate: Candidate, budget: Decimal | None, engines: Sequence[str]
) -> tuple[bool, bool, bool, int, int, Decimal, int]:
    cost = candidate.monthly_usd
    if cost is None:
        cost = Decimal(0) if candidate.offer.billing == "owned" else Decimal("Infinity")
    form = FORMATS.get(candidate.sizing.quantization)  # None: a handler, served as it is
    lossy = form.loss_rank if form else 0
    fits = ("fits", "tight", "unknown", "no").index(candidate.sizing.fit)
    preferred = engines.index(candidate.sizing.engine)
    most = candidate.most_usd
    over = budget is not None and (cost if most is None else most) > budget
    return candidate.barred is not None, fits > 1, over, fits, lossy, cost, preferred


def _ways(question: Question, where: Provider, gpu: Gpu | None) -> Iterator[tuple[str, str] | str]:
    """Every engine with every format that the provider runs on a GPU, or else why not, in words."""
    asked, kind = question.spec.serve.engine, question.info.file_format
    by = f"targets.{question.target}" if asked == "auto" else "serve.engine"
    form_key = _key_of_format(question)
    vendor, runs = gpu.vendor if gpu else "cpu", engines_of(where)
    for name in runs if asked == "auto" else (asked,):
        served = engine_by(where, name)
        if kind not in (None, *served.families):
            families = " and ".join(served.families)
            other = f"{name} serves {families} files, not {kind}: set model.source to one of those"
            yield placed(question, other, "model.source")
        elif name not in runs:
            yield placed(
                question, f"{where.name} does not run {name} in this version", "serve.engine"
            )
        elif unable := _unable(question, where, served, gpu):
            yield placed(question, unable, by)
        else:
            for form in dict.fromkeys(_wanted(question, served, gpu)):
                reason = served.refuses(gpu, form)
                if reason := reason or served.refuses_cache(question.info, gpu, form):
                    yield placed(question, reason, form_key)
                elif asked != "auto" or vendor not in served.by_name:
                    yield name, form


def _key_of_format(question: Question) -> str:
    """The key that the format follows from: the one that names it, or else that of the files."""
    asked = question.spec.model.quantization
    return "model.source" if asked == "auto" else "model.quantization"


def _unable(question: Question, where: Provider, served: Engine, gpu: Gpu | None) -> str | None:
    """Why an engine does not run on a GPU at all, or in no image that there is for AMD's; None where it does."""
    if (gpu.vendor if gpu else "cpu") not in served.vendors:
        return f"{served.name} does not run on {gpu.name if gpu else 'a CPU'}"
    if gpu is None or gpu.vendor != "amd" or where.runs not in ("container", "pulled"):
        return None
    recipe = container.recipe(served.name)
    if recipe is None or recipe.build is not None or getattr(question.options, "image", None):
        return None
    if recipe.rocm_image(gpu.name) is not None:
        return None
    return f"there is no ROCm image of {served.name} for {gpu.name}: set targets.local.image to one"


def _wanted(question: Question, served: Engine, gpu: Gpu | None) -> Iterator[str]:
    """The formats that were asked for, or those that can be had without another checkpoint."""
    native = served.served_as(question.info.native_dtype or "bf16", gpu)
    asked = question.spec.model.quantization
    if asked not in ("auto", "none"):
        yield asked
        return
    yield native
    known = FORMATS.get(native)
    if asked == "auto" and served.online and known and known.bits >= 16:
        yield from served.online


def with_speed(question: Question, best: Candidate) -> Candidate:
    """Say how fast a candidate is: the ranking does not need it, so it is done for the one taken."""
    hardware = hardware_of(best.offer, best.gpu)
    served = engine_by(best.provider, best.sizing.engine)
    sizing = estimate(best.sizing, question.info, served, hardware, question.load)
    if question.measured:
        from deployer.planning.measured import Served, with_measured_speed

        what = Served.by(question.info, sizing, best.offer)
        sizing = with_measured_speed(sizing, what, question.load, question.measured)
    return replace(best, sizing=sizing)


def _gpu_of(question: Question, offer: Offer) -> Gpu | None:
    """The catalog's GPU, a slice of it, or what the driver tells of one that the catalog does not have."""
    if not offer.gpu:
        return None
    found = question.catalog.gpu(offer.gpu)
    if found is None and offer.gpu_vendor and offer.vram_mib:
        return unlisted(offer.gpu, offer.gpu_vendor, offer.vram_mib)
    return sliced(found, offer.gpu_fraction) if found and offer.gpu_fraction else found


def hardware_of(offer: Offer, gpu: Gpu | None) -> Hardware:
    """Return what an offer runs on, as a sizing takes it."""
    memory = offer.memory_gib
    if gpu is None:
        return Hardware(None, offer.gpu_count, memory)
    mib = offer.vram_mib or gpu.vram_mib_reported
    return Hardware(gpu, offer.gpu_count, mib * MIB / 2**30 if mib else gpu.vram_gb, memory)
