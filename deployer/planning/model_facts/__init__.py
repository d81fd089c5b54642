"""What is known of a model, and where each figure was read. Pure: it reads files and asks what it is handed.

In this order: the files on disk, the bundled catalog, the model hub, the figures given in the spec. A later
source only fills what an earlier one left open; what none of them says stays `None`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.core.domain import GIB, ModelInfo
from deployer.core.errors import UsageError
from deployer.core.model_source import in_bucket
from deployer.core.quantization import UNKNOWN, normal
from deployer.planning.model_facts.consistency import check
from deployer.planning.model_facts.provenance import with_origin
from deployer.planning.model_facts.purpose import other_than_text

Lookup = Callable[[str], ModelInfo | None]
"""Takes `<repo>[@<revision>]` and returns what it knows of that model, or None."""

GIVEN: Mapping[str, str] = {
    "params": "params_total",
    "active_params": "params_active",
    "layers": "layers",
    "hidden": "hidden",
    "attn_heads": "attn_heads",
    "kv_heads": "kv_heads",
    "head_dim": "head_dim",
    "max_context": "max_context",
    "dtype": "native_dtype",
    "weights_gib": "weights_bytes",
}
"""The keys of the spec's `model.facts`, and the field of `ModelInfo` that each one fills."""


PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)
"""How the name of a part of a split GGUF file ends, with how many parts there are."""


def describe(
    source: str,
    *,
    base: Path,
    catalog: Lookup,
    hub: Lookup | None = None,
    given: Mapping[str, Any] | None = None,
    handler: bool = False,
) -> ModelInfo:
    """Gather what is known of the model that a spec names.

    `base` is the spec's folder; relative paths start there. `hub` is asked only for what the catalog does
    not have. `given` are the spec's own figures (`GIVEN`). `handler`: the folder's handler.py is meant, whatever
    else lies there.

    Raises:
        UsageError: a path that is missing, is no model, or is damaged, or figures that contradict.
    """
    if in_bucket(source):
        _check_whole(source)
        info = _unknown(
            source,
            "nothing is read from a bucket: only what model.facts says of the model is known",
        )
    elif source.startswith("hf:"):
        info = _named(source.removeprefix("hf:"), catalog, hub)
    else:
        from deployer.planning.model_facts import local

        path = base / source
        info = local.handler(path) if handler else local.describe(path, source)
    info = replace(info, other_use=info.other_use or other_than_text(info.architecture))
    filled = _filled(info, given or {})
    check(filled, source if filled == info else "model.facts")
    return filled


def _check_whole(source: str) -> None:
    """Refuse a part of a split GGUF file in a bucket: what is named by its URL is fetched alone."""
    match = PART.search(source)
    if match and int(match[1]) > 1:
        folder = source.rpartition("/")[0]
        raise UsageError(
            f"{source} is one of {int(match[1])} parts of a model, and the others would not be fetched",
            hint=f"name the folder in the bucket, with all its parts: model.source: {folder}",
            where="model.source",
        )


def _named(repo: str, catalog: Lookup, hub: Lookup | None) -> ModelInfo:
    found = catalog(repo)
    if found is None and hub is not None:
        found = hub(repo)
    if found is not None:
        return found
    where = "the bundled catalog" if hub is None else "the bundled catalog and not at the model hub"
    return _unknown(repo, f"{repo} is not in {where}: only model.facts describes the model")


def _unknown(name: str, note: str) -> ModelInfo:
    return ModelInfo(name, notes=(note,))


def _filled(info: ModelInfo, given: Mapping[str, Any]) -> ModelInfo:
    """Fill what is still unknown with the figures of the spec."""
    said = {GIVEN[k]: _value(k, v) for k, v in given.items() if v is not None}
    new = {k: v for k, v in said.items() if getattr(info, k) in (None, UNKNOWN)}
    unused = [k for k in given if GIVEN[k] in said.keys() - new.keys()]
    notes = info.notes
    if unused:
        notes = (
            *notes,
            f"model.facts: {', '.join(unused)} ignored, already known from other sources",
        )
    filled = _with_kv(replace(info, **new, notes=notes))
    return with_origin(filled, "spec: model.facts", since=info)


def _value(key: str, value: Any) -> Any:
    if key == "weights_gib":
        return round(float(value) * GIB)
    return normal(str(value)) if key == "dtype" else int(value)


def _with_kv(info: ModelInfo) -> ModelInfo:
    """Work out the KV cache of a model whose shape is given, taking every layer as full attention."""
    known = info.layers and info.kv_heads and info.head_dim
    if not known or info.attention is not None or info.kv_bytes_per_token is not None:
        return info
    each = 2 * (info.kv_heads or 0) * (info.head_dim or 0) * 2
    return replace(
        info,
        attention="full",
        full_attn_layers=info.layers,
        kv_bytes_per_token=(info.layers or 0) * each,
    )
