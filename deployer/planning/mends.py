"""Why no hardware that is on offer holds the model, and what would help: every mend is sized before it is named. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deployer.core.domain import Gpu, Sizing
from deployer.core.quantization import FORMATS
from deployer.planning.catalog import gpus
from deployer.planning.choose import Candidate, Choice, hardware_of
from deployer.planning.question import Question
from deployer.planning.sizing import Hardware, Load, size
from deployer.providers.registry import engine_by

SMALLER = ("fp8", "awq", "mlx_4bit")
"""What is tried when the model is too large or too dear as it is."""
SMALLER_FILES = ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m")
"""The same of GGUF files, of which each holds one format."""
ROUND = 256
"""Contexts are named in steps of so many tokens."""
COUNTS = (1, 2, 4, 8)
HELD = ("fits", "tight")


def smaller_than(native: str | None) -> tuple[str, ...]:
    """The formats to try beside the one the model is published in, clearly smaller ones only."""
    known = FORMATS.get(native or "bf16")
    if known is None or known.family != "safetensors":
        return ()
    return tuple(name for name in SMALLER if FORMATS[name].bits < 0.9 * known.bits)


def checkpoint(name: str) -> str:
    """Say that a format needs a checkpoint of its own, where it does."""
    return f" (needs a checkpoint in {name.upper()})" if name in ("awq", "gptq", "mlx_4bit") else ""


def named(candidate: Candidate) -> str:
    """Name a candidate's hardware."""
    offer = candidate.offer
    alone = offer.gpu_count == 1 and offer.gpu_fraction is None
    gpus = offer.gpu if alone else offer.gpu_words
    return f"{offer.instance_type} ({gpus})" if offer.gpu else offer.instance_type


def too_small(choice: Choice) -> Iterator[str]:
    """Say why not even the largest hardware holds the model, and what would."""
    question = choice.question
    most, asked = question.info.max_context, question.load.context
    if most is not None and asked > most:
        where = question.place("model.context")
        yield f"the model's context ends at {most} tokens, and model.context is {asked} ({where})"
        yield f"set model.context to at most {most}"
        return
    largest = max(choice.ranked, key=lambda c: (c.sizing.vram_gib or 0, c.offer.memory_gib or 0))
    only = len({c.offer.instance_type for c in choice.ranked}) == 1
    which = named(largest) if only else f"{named(largest)}, the largest,"
    where = question.place("model.source")
    yield f"no hardware on offer is large enough: {which} is {largest.sizing.limit} ({where})"
    yield from largest.sizing.notes
    yield from _help(choice, largest)


def _help(choice: Choice, largest: Candidate) -> Iterator[str]:
    question = choice.question
    found = False
    for name in smaller_than(question.info.native_dtype):
        held = [c for c in choice.in_format(name) if c.holds]
        if held:
            yield f"model.quantization: {name} would fit, on {named(held[0])}{checkpoint(name)}"
            found = True
            break
    if file := _smaller_file(question, largest):
        yield f"a GGUF file of it in {file} would fit"
        found = True
    context = _longest_context(question, largest)
    if context:
        yield f"model.context: {context} would fit, for fewer requests at once than asked"
        found = True
    if larger := _larger(question, largest):
        yield f"{'or ' if found else ''}hardware with more memory would hold it: {larger} is enough"
        found = True
    if not found:
        yield "take a smaller model"


def _sized(question: Question, one: Candidate, form: str, hardware: Hardware, load: Load) -> Sizing:
    return size(question.info, engine_by(one.provider, one.sizing.engine), form, hardware, load)


def _smaller_file(question: Question, largest: Candidate) -> str | None:
    """The least lossy format of a GGUF file that the hardware holds, where the model is such a file."""
    native = FORMATS.get(question.info.native_dtype or "")
    if question.info.file_format != "gguf" or native is None:
        return None
    where = hardware_of(largest.offer, largest.gpu)
    for name in SMALLER_FILES:
        if FORMATS[name].bits < 0.9 * native.bits:
            sizing = _sized(question, largest, name, where, question.load)
            if sizing.fit in HELD and sizing.cpu_layers is None:
                return name
    return None


def _longest_context(question: Question, largest: Candidate) -> int | None:
    """The longest context with which one request fits; None where the weights alone do not, or it is not known."""
    where, form = hardware_of(largest.offer, largest.gpu), largest.sizing.quantization

    def fits(steps: int) -> bool:
        load = replace(question.load, context=steps * ROUND, concurrency=1)
        return _sized(question, largest, form, where, load).fit in HELD

    low, high = 0, question.load.context // ROUND
    if not fits(1) or not high:
        return None
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return max(low, 1) * ROUND


def _larger(question: Question, largest: Candidate) -> str | None:
    """The smallest GPUs of the catalog that hold it as it is asked for, with the same engine and format."""
    served, form = engine_by(largest.provider, largest.sizing.engine), largest.sizing.quantization
    if largest.gpu is None and largest.offer.gpu is None and "cpu" in served.vendors:
        return None

    def enough(gpu: Gpu, count: int) -> bool:
        if gpu.vendor == "apple" and count > 1:
            return False
        hardware = Hardware(gpu, count, gpu.vram_gb)
        return _sized(question, largest, form, hardware, question.load).fit == "fits"

    runs = [g for g in gpus.every() if g.vendor in served.vendors and not served.refuses(g, form)]
    same = [g for g in runs if largest.gpu is None or g.vendor == largest.gpu.vendor]
    for count in COUNTS:
        for gpu in sorted(same or runs, key=lambda g: g.vram_gb):
            if enough(gpu, count):
                return f"{f'{count}x ' if count > 1 else ''}{gpu.name} ({gpu.vram_gb:g} GB{' each' if count > 1 else ''})"
    return None
