"""What a plan says in words: why it is refused and what would pass, and what to watch for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.core.domain import HOURS_PER_MONTH, SECONDS_PER_HOUR, Sizing, Verdict
from deployer.core.errors import quoted
from deployer.core.quantization import FORMATS, UNKNOWN
from deployer.core.quantization.accuracy import accuracy_loss
from deployer.core.units import usd, usd_per
from deployer.engines import choices, engine
from deployer.planning import adapters, local_notes, mends
from deployer.planning.auto_provider import others, refusals
from deployer.planning.capacity import Capacity
from deployer.planning.choose import Candidate, Choice
from deployer.planning.mends import checkpoint, named, smaller_than
from deployer.planning.question import Question
from deployer.planning.sizing import loaded_gib
from deployer.planning.traffic.profile import hourly_rates
from deployer.providers.registry import engine_by, engines_of, providers

SMALLER = ("fp8", "awq", "mlx_4bit")
"""What is tried when the model is too large or too dear as it is."""
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
INSTANCE = "targets.cloud-gpu.instance"
MOST_REFUSALS = 4
"""How many reasons of engines are shown: they repeat themselves from GPU to GPU."""


def reasons(choice: Choice, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Say why a target is refused, the policy first, and what would pass."""
    place = choice.question.place
    broken = [f"{v.detail} ({place(f'policy.{v.rule}')})" for v in verdicts if not v.ok]
    if any(not v.ok and v.rule == "privacy" for v in verdicts):
        return tuple(broken)
    if broken:
        return (*broken, *_cheaper(choice))
    return tuple(_unfit(choice) if choice.ranked else _unserved(choice))


def _unserved(choice: Choice) -> Iterator[str]:
    """Say why there is not one candidate."""
    if nowhere := tuple(_nowhere(choice)):
        yield from nowhere
        return
    yield from refusals(choice)
    if not choice.declined and not any(offer.gpu for at in choice.places for offer in at.offers):
        yield _no_offer(choice)
    yield from choice.refused[:MOST_REFUSALS]


def _nowhere(choice: Choice) -> Iterator[str]:
    """Say that no provider of the target runs the engine that was asked for, and what does; else nothing."""
    asked = choice.question.spec.serve.engine
    if asked == "auto" or any(asked in engines_of(place.provider) for place in choice.places):
        return
    first, *rest = (place.provider.name for place in choice.places)
    nor = "".join(f", nor does {name}" for name in rest)
    place = choice.question.place("serve.engine")
    yield f"{first} does not run {asked} in this version{nor} ({place})"
    if elsewhere := engine(asked).elsewhere:
        yield elsewhere


def _unfit(choice: Choice) -> Iterator[str]:
    """Say why no candidate holds the model, and what would."""
    found = choice.ranked
    if other := choice.question.info.other_use:
        why = "it does not generate text, and there is nothing to chat with"
        where = choice.question.place("model.source")
        yield f"{choice.question.info.name} is {other}: {why} ({where})"
        yield "set model.source to a model that generates text"
        return
    if all(c.barred for c in found):
        yield from tuple(dict.fromkeys(c.barred for c in found if c.barred))[:MOST_REFUSALS]
        if adapter := choice.question.adapter:
            yield from adapters.notes(adapter, choice.question.info)
        return
    found = tuple(c for c in found if not c.barred)
    best = min(found, key=lambda c: ("unknown", "no").index(c.sizing.fit))
    if best.sizing.fit == "unknown":
        where = choice.question.place("model.source")
        yield f"whether it fits is unknown: {best.sizing.limit} ({where})"
        yield from (note for note in choice.question.info.notes if "unknown" in note)
        yield "set the figures under model.facts (params, layers, kv_heads, head_dim), or name the instance"
        return
    yield from mends.too_small(choice)


def _no_offer(choice: Choice) -> str:
    question = choice.question
    asked = question.options
    instance = getattr(asked, "instance", None)
    region = getattr(asked, "region", None)
    if question.target == "local" and not (asked.hardware and asked.hardware.gpu):
        without = f"without a GPU only a GGUF file can be served ({_on_a_cpu()})"
        place = question.place("targets.local.hardware")
        if faulty := next((gpu for gpu in question.host.gpus if gpu.fault), None):
            step = (
                "correct that (nvidia-smi shows more), or set targets.local.hardware (gpu, count)"
            )
            fault = f"this machine's {faulty.name} cannot serve: {faulty.fault}"
            return f"{fault}; {step}; {without} ({place})"
        return f"no GPU is named: set targets.local.hardware (gpu, count); {without} ({place})"
    if unknown := _unknown_instance(choice, instance):
        return unknown
    where = f" in {region}" if region else ""
    if instance not in (None, "auto") and (meant := _instance_meant(question)):
        return (
            f"there is no offer of instance {instance}{f' in {region}' if region else ''}: {meant}"
            f" ({question.place(INSTANCE)})"
        )
    what = "no priced offer" if instance in (None, "auto") else f"no offer of instance {instance}"
    if question.target == "local":
        what = "no engine on your machine"
    key = f"targets.{question.target}" if instance in (None, "auto") else INSTANCE
    return f"{what}{where} can serve this model in this format ({question.place(key)})"


def _unknown_instance(choice: Choice, name: str | None) -> str | None:
    """Say that no provider of the target has an instance type of that name, and which is nearest; else nothing."""
    if name in (None, "auto"):
        return None
    question, every = choice.question, (place.provider.name for place in choice.places)
    known = {o.instance_type for provider in every for o in question.catalog.offers(provider)}
    if name in known:
        return None
    from difflib import get_close_matches  # late: only a refusal needs it

    near = get_close_matches(name.lower(), sorted(known), n=1)
    meant = f": did you mean {near[0]}?" if near else ", see 'deployer prices list'"
    return f"no instance type {quoted(name)} is known{meant} ({question.place(INSTANCE)})"


def _instance_meant(question: Question) -> str | None:
    """The instance type that one means which nobody offers; None for one that is offered somewhere."""
    asked = question.options
    names = providers(question.target) if asked.provider == "auto" else (asked.provider,)
    known = {offer.instance_type for name in names for offer in question.catalog.offers(name)}
    if asked.instance in known:
        return None
    from difflib import get_close_matches  # late: only a refusal needs it

    near = get_close_matches(asked.instance.lower(), sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else None


def _on_a_cpu() -> str:
    """Name the engines that serve GGUF files on a CPU without being asked for."""
    found = (engine(name) for name in choices())
    served = (one for one in found if "gguf" in one.families and "cpu" in one.vendors)
    return ", ".join(one.name for one in served if "cpu" not in one.by_name)


def _cheaper(choice: Choice) -> Iterator[str]:
    question = choice.question
    budget = question.spec.policy.budget
    if budget is None:
        return
    for name in smaller_than(question.info.native_dtype):
        other = next(iter(choice.in_format(name)), None)
        price = other.monthly_usd if other and other.holds else None
        if other and price is not None and price <= budget:
            yield (
                f"model.quantization: {name} on {named(other)} would pass,"
                f" from {usd(price)} USD/month{checkpoint(name)}"
            )
            return
    cheapest = next((c.monthly_usd for c in choice.ranked if c.monthly_usd is not None), None)
    if cheapest is not None:
        yield f"what fits costs from {usd(cheapest)} USD/month: raise policy.budget, or lower the requirements"


def warnings(choice: Choice) -> Iterator[str]:
    """Say what should be known before the first of the ranked candidates is applied."""
    question, best = choice.question, choice.ranked[0]
    sizing = best.sizing
    if sizing.fit != "fits":
        yield f"fit is {sizing.fit}: {sizing.limit}"
    yield from _format(question, sizing)
    yield from _too_long(question)
    if question.info.gated:
        yield (
            f"{question.info.name} is gated: accept its terms on its page at the model hub, and set HF_TOKEN"
            " (or `hf auth login`)"
        )
    if question.adapter and sizing.adapter_gib is None:
        yield "the adapter's size is unknown and not counted; adapters are usually small compared with the model"
    if question.adapter:
        yield from adapters.notes(question.adapter, question.info)
    if question.target == "local" and question.spec.serve.replicas.max > 1:
        yield "planned and priced as one copy: serve.replicas does not apply to your own machine"
    yield from local_notes.about(question, best)
    yield from others(choice)
    yield from _saving(choice)
    yield from _too_slow(question, best)
    yield from _repacked(question, best)
    yield from sizing.notes
    yield from question.info.notes


def _saving(choice: Choice) -> Iterator[str]:
    """What the next smaller format would save, where the hardware is rented."""
    question, best = choice.question, choice.ranked[0]
    price = best.offer.usd_per_hour
    if price is None or question.spec.model.quantization != "auto":
        return
    for name in smaller_than(question.info.native_dtype):
        weighed = (c for c in choice.ranked if c.sizing.quantization == name)
        other = next(weighed, None) or next(iter(choice.in_format(name)), None)
        theirs = other.offer.usd_per_hour if other and other.sizing.fit == "fits" else None
        if other and theirs is not None and theirs < price:
            yield (
                f"model.quantization: {name} fits {named(other)} at {theirs} USD/h instead of {price}, for the hardware"
                f" {usd_per(other.monthly_usd, 'month')} instead of {usd_per(best.monthly_usd, 'month')}"
                f"{checkpoint(name)}; accuracy: {_loss(question, name)}"
            )
            return


def _loss(question: Question, name: str) -> str:
    """The published accuracy loss of a format for this kind of model, or that it is unknown."""
    info = question.info
    kinds = (info.name, info.architecture or "")
    known = (accuracy_loss(name, kind) for kind in kinds)
    return next((loss for loss in known if loss), "the loss is unknown")


def _format(question: Question, sizing: Sizing) -> Iterator[str]:
    """Say what is served in another format than it is published in, and which format nothing is known of."""
    native = question.info.native_dtype
    if native == "fp32" and sizing.quantization in ("bf16", "fp16"):
        yield (
            f"published in 32 bits; {sizing.engine} serves it in 16 ({sizing.quantization}),"
            " which takes half the memory of its files"
        )
    elif native and sizing.quantization != native:
        yield from _reformatted(question, sizing.quantization, native)
    elif sizing.quantization not in (*FORMATS, "none"):
        named = "cannot be named" if native == UNKNOWN else f"is {native}"
        yield (
            f"the format of its weights {named}: it is sized by its files, and whether"
            f" {sizing.engine} serves it on this hardware, and how fast, is unknown"
        )


def _too_long(question: Question) -> Iterator[str]:
    """Say that the requests which speed and cost are counted for do not fit in the context."""
    load = question.load
    total = load.input_tokens + load.output_tokens
    if total <= load.context or question.info.file_format == "handler":
        return
    asked = f"{load.input_tokens} input and {load.output_tokens} output tokens"
    what = "is refused" if load.input_tokens >= load.context else "is cut short"
    yield (
        f"a typical request ({asked}) does not fit in the context of {load.context} tokens and {what}:"
        f" set model.context to at least {total}, or lower traffic.input_tokens or traffic.output_tokens"
    )


def _reformatted(question: Question, name: str, native: str) -> Iterator[str]:
    if native not in FORMATS or FORMATS[name].loss_rank > FORMATS[native].loss_rank:
        loss = _loss(question, name)
        yield f"served as {name}, not as published ({native}); accuracy: {loss}"
    if needs := checkpoint(name):
        yield f"{name}{needs}: model.source must be one"


def _too_slow(question: Question, best: Candidate) -> Iterator[str]:
    """What is not known of its speed, or that the busiest hour asks for more copies than there are."""
    sizing, spec = best.sizing, question.spec
    if sizing.output_tok_s is None and best.managed:
        yield (
            "the provider chooses the hardware: speed and concurrent requests are unknown until they are measured"
        )
        return
    if sizing.output_tok_s is None and sizing.decode_tok_s is None:
        yield "its speed on this hardware is unknown: measure it"
        return
    if sizing.output_tok_s is None:
        yield (
            f"its speed with {spec.serve.concurrency} requests at once is unknown: measure it;"
            " that of one alone is known"
        )
        return
    peak = max(hourly_rates(float(spec.traffic.requests_per_day), spec.traffic.profile))
    found = Capacity.of(sizing, spec.serve.concurrency, peak, float(spec.traffic.output_tokens))
    short = found.shortfall(spec, question.target, sizing) if found else None
    if short:
        yield short


def _repacked(question: Question, best: Candidate) -> Iterator[str]:
    """That the engine of this plan loads more than lies in the files, where it repacks the format."""
    sizing = best.sizing
    served = engine_by(best.provider, sizing.engine)
    if sizing.quantization not in served.load_factor or sizing.weights_gib is None:
        return
    loaded = loaded_gib(question.info, served, sizing.quantization, max(sizing.gpus, 1))
    if loaded:
        yield f"{sizing.engine} loads {loaded[0]:.1f} to {loaded[1]:.1f} GiB of it (repacked), more than its files"
