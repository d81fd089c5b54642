"""What a LoRA adapter asks of its base model, its engine and where it runs. Pure.

A wrong base is refused by what the adapter's own tensors fit on, and by the names of models where both are of the
model hub. What it takes in memory is exact where its tensors are here, and else follows from its rank and its modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from deployer.core.adapter import USUAL_RANK, Adapter
from deployer.core.domain import GIB, ModelInfo, Range
from deployer.core.errors import UsageError
from deployer.core.model_source import in_bucket, on_hub
from deployer.engines import Engine
from deployer.planning.sizing.memory import adapter_bytes
from deployer.providers.api import Provider

Lookup = Callable[[str], Adapter | None]
"""Takes `<repo>[@<revision>]` of the model hub and returns what it knows of that adapter, or None."""

BYTES = 2
"""Engines load adapters in 16 bits."""
_TWINS = r"(meta|unsloth|bnb|4bit|8bit|hf|gguf|awq|gptq|fp8|nvfp4|int4|int8|bf16|fp16|w4a16|w8a8|quantized|dynamic|mlx)"
"""Parts of a repository's name that say who copied it or in which format, and not which model it is."""


def describe(source: str, base: Path, hub: Lookup | None) -> Adapter:
    """Gather what is known of the adapter that a spec names. `base` is the spec's folder.

    Raises:
        UsageError: a path that is missing, is no adapter, or is damaged.
    """
    if in_bucket(source):
        return Adapter(source)
    if on_hub(source):
        found = hub(source.removeprefix("hf:")) if hub else None
        return found or Adapter(source, format="peft")
    from deployer.planning.model_facts.adapter import describe as local

    return local((base / source).resolve(), source)


def check(adapter: Adapter, info: ModelInfo, source: str) -> None:
    """Refuse an adapter that was made for another model. `source` is the spec's `model.source`.

    Raises:
        UsageError: its tensors do not fit, or it names another base.
    """
    why = _misfit(adapter, info) or _other_base(adapter, source)
    if why:
        base = f", {adapter.base}" if adapter.base else ""
        raise UsageError(
            f"the adapter {adapter.source} does not belong to {info.name}: {why}",
            hint=f"set model.source to the model that it was trained on{base}",
            where=adapter.path or "model.adapter",
        )


def _misfit(adapter: Adapter, info: ModelInfo) -> str | None:
    """Say what of the adapter does not fit on the model's tensors; None where nothing contradicts."""
    architecture = info.architecture if info.file_format == "gguf" else None
    if adapter.architecture and architecture and adapter.architecture != architecture:
        return f"it adapts {adapter.architecture} models, and this is {architecture}"
    if adapter.layers and info.layers and adapter.layers > info.layers:
        return f"it adapts layer {adapter.layers - 1}, and the model has {info.layers} layers"
    wanted = _widths(info)
    for name, found in adapter.widths.items():
        expected = wanted.get(name, (None, None))
        if any(e is not None and e != f for e, f in zip(expected, found, strict=True)):
            return f"{name} of it goes from {found[0]:,} to {found[1]:,}, the model's from {expected[0]:,} to {expected[1]:,}"
    return None


def _widths(info: ModelInfo) -> Mapping[str, tuple[int | None, int | None]]:
    """What the model's own attention takes and gives, where its shape is that of plain attention."""
    if info.attention not in ("full", "sliding") or not (
        info.hidden and info.attn_heads and info.head_dim
    ):
        return {}
    if info.file_format == "gguf":
        return {}
    hidden, query = info.hidden, info.attn_heads * info.head_dim
    own = {"q_proj": (hidden, query), "o_proj": (query, hidden)}
    if info.kv_heads:
        value = (hidden, info.kv_heads * info.head_dim)
        own |= {"k_proj": value, "v_proj": value}
    return own


def _other_base(adapter: Adapter, source: str) -> str | None:
    """Say that the adapter names another base, where both are repositories of the hub; None where they may be one."""
    base = adapter.base or ""
    if not on_hub(source) or base.count("/") != 1 or base[0] in "./~":
        return None
    repo = source.removeprefix("hf:").partition("@")[0]
    mine, theirs = _words(repo), _words(base)
    return None if mine <= theirs or theirs <= mine else f"it was trained on {base}"


def _words(repo: str) -> set[str]:
    words = re.split(r"[^a-z0-9.]+", repo.rpartition("/")[2].lower())
    return {word for word in words if word and not re.fullmatch(_TWINS, word)}


def size(adapter: Adapter, info: ModelInfo) -> Range | None:
    """Return what an adapter takes, lowest and highest, in bytes; both are the same where its tensors are here."""
    if adapter.nbytes is not None:
        return adapter.nbytes, adapter.nbytes
    if adapter.rank is None or adapter.targets is None:
        return adapter_bytes(info, adapter.rank)
    widths = dict(_widths(info))
    if (inner := _intermediate(info)) and info.hidden:
        widths |= dict.fromkeys(("gate_proj", "up_proj"), (info.hidden, inner))
        widths["down_proj"] = (inner, info.hidden)
    total = 0
    for name in adapter.targets:
        if name not in widths or not info.layers:
            return adapter_bytes(info, adapter.rank)
        total += info.layers * adapter.rank * sum(n or 0 for n in widths[name])
    edges = sum(1 for name in adapter.whole if name in ("embed_tokens", "lm_head"))
    whole = _vocabulary(info) * edges if edges == len(adapter.whole) else None
    if whole is None:
        return adapter_bytes(info, adapter.rank)
    return BYTES * (total + whole), BYTES * (total + whole)


def _intermediate(info: ModelInfo) -> int | None:
    if info.experts:
        return None
    return next((part.size for part in info.parts if part.name == "intermediate_size"), None)


def _vocabulary(info: ModelInfo) -> int:
    """Return the parameters of the embedding alone."""
    words = next((part.size for part in info.parts if part.name == "vocab_size"), 0)
    return words * (info.hidden or 0)


def refusal(adapter: Adapter, served: Engine, where: Provider) -> str | None:
    """Say why an engine of a provider cannot serve an adapter, in words; None where it can."""
    if served.adapters is None:
        return f"{served.name} serves no adapters in this version: merge it into the model"
    if in_bucket(adapter.source):
        return f"adapters are not read from buckets in this version: {adapter.source}"
    if reason := served.adapters(adapter):
        return reason
    if adapter.path is not None and where.boot is not None and not adapter.lacking:
        return (
            f"the adapter {adapter.source} is on this machine, and a rented one fetches adapters from the model hub:"
            " publish it and write model.adapter: hf:<repo>, or merge it into the model"
        )
    return adapter.lacking


def notes(adapter: Adapter, info: ModelInfo) -> tuple[str, ...]:
    """Say what is known of the adapter, and what is taken where something is not."""
    taken = size(adapter, info)
    big = f", {taken[0] / GIB:.2f} GiB" if taken and taken[0] == taken[1] else ""
    if adapter.rank is None:
        return (
            f"the adapter's rank is unknown: one up to {USUAL_RANK} is planned for",
            *adapter.notes,
        )
    on = f" on {', '.join(adapter.targets)}" if adapter.targets else ""
    base = f", trained on {adapter.base}" if adapter.base and adapter.base != info.name else ""
    return (f"the adapter {adapter.source} has rank {adapter.rank}{on}{base}{big}", *adapter.notes)
