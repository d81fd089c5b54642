"""LoRA adapters at the model hub: an edge, like `deployer.sources.model_hub`, whose answers it keeps in the same way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deployer.core.adapter import Adapter
from deployer.core.cache import Cache, fresh
from deployer.planning.model_facts.adapter import (
    CONFIG,
    PICKLED,
    WEIGHTS,
    from_config,
    with_tensors,
)
from deployer.planning.model_facts.strict_json import Keys
from deployer.planning.model_facts.tensor_totals import Tensor
from deployer.sources import model_hub

_DEFINITE = ("GatedRepoError", "RepositoryNotFoundError", "RevisionNotFoundError")
"""Errors of the library that no engine gets around either."""


def fetch(
    name: str,
    cache: Path,
    now: str,
    endpoint: str | None = None,
    timeout: float = model_hub.FIRST_TIMEOUT,
) -> Adapter:
    """Ask the hub for an adapter's adapter_config.json and the header of its weights; these are not fetched.

    `name` is `<repo>[@<revision>]`; all else is as for models. What cannot be looked up is a note of the adapter; what
    the hub says it has not, or not for this user, is its `lacking`.
    """
    source = f"hf:{name}"
    kept = Cache(cache, _Known)
    key = quote(name, safe="")
    known = kept.get(key)
    if known and fresh(known.fetched_at, now, model_hub.KEPT_H):
        return known.adapter
    unknown = known.adapter if known else Adapter(source, format="peft")
    if model_hub.switched_off():
        return _noted(unknown, f"{name} was not looked up: HF_HUB_OFFLINE is set")
    repo, _, revision = name.partition("@")
    try:
        found = _ask(source, repo, revision or None, endpoint, timeout)
    except Exception as error:  # noqa: BLE001 - as for models
        reason = model_hub.reason_of(repo, error)
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & {*_DEFINITE}:
            return replace(unknown, lacking=f"the adapter {reason}")
        return _noted(unknown, reason)
    kept.put(key, {"schema": 1, "fetched_at": now, "adapter": asdict(found)})
    return found


class _Known:
    """What was kept of an earlier answer."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        said = dict(document["adapter"])
        widths = {str(k): (int(a), int(b)) for k, (a, b) in said.pop("widths").items()}
        said |= {k: tuple(said[k]) for k in ("whole", "notes")}
        targets = said.pop("targets")
        named = None if targets is None else tuple(targets)
        self.adapter = Adapter(**said, targets=named, widths=widths)
        self.fetched_at = str(document["fetched_at"])


def _noted(adapter: Adapter, note: str) -> Adapter:
    return replace(adapter, notes=(*adapter.notes, note))


def _ask(
    source: str, repo: str, revision: str | None, endpoint: str | None, timeout: float
) -> Adapter:
    from huggingface_hub import HfApi  # late: 0.3 s, and only a fetch needs it

    api = HfApi(endpoint=endpoint or os.environ.get("HF_ENDPOINT") or None)
    said = api.model_info(repo, revision=revision, timeout=timeout)
    files = {s.rfilename for s in said.siblings or ()}
    if CONFIG not in files:
        return Adapter(source, lacking=f"{source} is not an adapter: it has no {CONFIG}")
    keys = Keys(model_hub.read_json(api, repo, CONFIG, said.sha or revision), f"{CONFIG} of {repo}")
    found = from_config(keys, source)
    if WEIGHTS not in files:
        lacking = None if PICKLED in files else f"the adapter {source} has no weights ({WEIGHTS})"
        return replace(found, lacking=lacking)
    header = api.parse_safetensors_file_metadata(repo, WEIGHTS, revision=said.sha or revision)
    return with_tensors(
        found,
        (Tensor(k, t.dtype, t.parameter_count, tuple(t.shape)) for k, t in header.tensors.items()),
    )
