"""The model hub: an edge. It speaks to the network, so only the pipeline calls it, never a pure stage.

Through `huggingface_hub`, which brings tokens, `HF_ENDPOINT` and `HF_HUB_OFFLINE` with it. What was fetched
is kept as JSON, so a model is asked for once a day. That the hub cannot be reached is an answer, not an error: what it
said before is used then, and that is said.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deployer.core.cache import Cache, fresh
from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import strict_json
from deployer.planning.model_facts.hf_config import from_config
from deployer.planning.model_facts.local import QUANT_CONFIG
from deployer.planning.model_facts.provenance import with_origin
from deployer.planning.model_facts.tensor_totals import BITS, Sums, Tensor, add_up, with_sums
from deployer.planning.model_facts.weight_files import select

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FIRST_TIMEOUT = 3.0
"""Seconds for the first answer: on a plane, a plan must not hang."""

TIMEOUT = 10.0
"""Seconds for every later answer."""

KEPT_H = 24.0
"""For how many hours an answer is used unasked. A commit never changes, so that of one is used for good."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")


@dataclass(frozen=True)
class Fetched:
    """What the hub knows of a model, or why that is not known (one line for the user)."""

    info: ModelInfo | None
    reason: str | None = None
    gated: bool = False  # where its files may not be read


def fetch(
    repo: str,
    revision: str | None,
    cache: Path,
    now: str,
    endpoint: str | None = None,
    timeout: float = FIRST_TIMEOUT,
) -> Fetched:
    """Ask the hub for a model's config.json and safetensors headers; the weights are not fetched.

    `cache` is a folder of ours; what is there and not older than `KEPT_H` needs no network. `now` is the time or the
    day, ISO 8601. `endpoint` replaces `HF_ENDPOINT`; `timeout` is for the first answer, in seconds.

    Raises:
        NoModelError: the repository holds an adapter, and no model.
    """
    kept = Cache(cache, partial(_Known.of, repo))
    key = f"{quote(repo, safe='')}@{quote(revision or 'main', safe='')}"
    known = kept.get(key)
    if known and (_COMMIT.fullmatch(revision or "") or fresh(known.fetched_at, now, KEPT_H)):
        return Fetched(known.info)
    if switched_off():
        return _as_known(known, f"{repo} was not looked up: HF_HUB_OFFLINE is set")
    try:
        document = _ask(repo, revision, endpoint or os.environ.get("HF_ENDPOINT") or None, timeout)
    except NoModelError:
        raise
    except Exception as error:  # noqa: BLE001 - the library changed its HTTP client, and so its errors, twice
        found = _as_known(known, reason_of(repo, error))
        return replace(found, gated=is_gate(error)) if found.info is None else found
    document = {"schema": 1, "fetched_at": now, **document}
    kept.put(key, document)
    return Fetched(_info(repo, document))


class NoModelError(UsageError):
    """A repository that holds something else than a model."""


def switched_off() -> bool:
    """Whether the user has forbidden every look at the hub (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True)
class _Known:
    """What was kept of an earlier answer."""

    info: ModelInfo
    fetched_at: str

    @classmethod
    def of(cls, repo: str, document: Mapping[str, Any]) -> _Known:
        return cls(_info(repo, document), str(document["fetched_at"]))


def _as_known(known: _Known | None, reason: str) -> Fetched:
    """What was known before, with why it was not asked for anew; else only the reason."""
    if known is None:
        return Fetched(None, reason)
    note = f"{reason}: using the model hub's answer of {known.fetched_at}"
    return Fetched(replace(known.info, notes=(*known.info.notes, note)))


def _ask(repo: str, revision: str | None, endpoint: str | None, timeout: float) -> dict[str, Any]:
    from huggingface_hub import HfApi  # late: 0.3 s, and only a fetch needs it

    api = HfApi(endpoint=endpoint)
    model = api.model_info(repo, revision=revision, timeout=timeout)
    files = [s.rfilename for s in model.siblings or ()]
    if "config.json" not in files and "adapter_config.json" in files:
        raise NoModelError(
            f"{repo} is a LoRA adapter, not a model",
            hint=f"set model.source to its base model, and model.adapter to hf:{repo}",
            where="model.source",
        )
    at = model.sha or revision
    config = read_json(api, repo, "config.json", at)
    quant = read_json(api, repo, QUANT_CONFIG, at) if QUANT_CONFIG in files else None
    shown = from_config(repo, config, f"config.json of {repo}", quant)
    sums = _sums(api, repo, at, _weights(files, repo), shown)
    return {
        "endpoint": api.endpoint,
        "config": config,
        "quant_config": quant,
        "gated": bool(getattr(model, "gated", None)),
        "sums": asdict(sums) if sums else None,
    }


def _weights(files: Sequence[str], repo: str) -> list[str]:
    """Return one copy of the weights among the files of a repository."""
    every = [name for name in files if name.endswith(".safetensors") and "/" not in name]
    selection = select([name for name in every if _WEIGHTS.fullmatch(name)] or every, repo)
    own = [one for one in selection.sets if one.stem == "model"][:1]
    return [name for one in own or selection.sets for name in one.names]


def read_json(api: HfApi, repo: str, name: str, revision: str | None) -> dict[str, Any]:
    """Fetch one JSON file of a repository and read it as strangers' JSON is read.

    Raises:
        UsageError: it is damaged. Errors of the library and of the network pass through.
    """
    from huggingface_hub.utils.tqdm import disable_progress_bars  # late, as above

    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        path = api.hf_hub_download(
            repo, name, revision=revision, local_dir=folder, etag_timeout=TIMEOUT
        )
        return strict_json.config(Path(path))


def _sums(
    api: HfApi, repo: str, revision: str | None, names: list[str], shown: ModelInfo
) -> Sums | None:
    """Add up the headers of all weight files, eight at a time."""

    def tensors(name: str) -> list[Tensor]:
        found = api.parse_safetensors_file_metadata(repo, name, revision=revision)
        return [
            Tensor(name, tensor.dtype, tensor.parameter_count, tuple(tensor.shape))
            for name, tensor in found.tensors.items()
        ]

    with ThreadPoolExecutor(8) as pool:
        every = [t for listed in pool.map(tensors, names) for t in listed]
    if not every or any(t.dtype not in BITS for t in every):
        return None
    return add_up(every, shown.native_dtype, shown.experts)


def _info(repo: str, document: Mapping[str, Any]) -> ModelInfo:
    quant = document.get("quant_config")
    info = from_config(repo, document["config"], f"config.json of {repo}", quant)
    if document["sums"] is not None:
        info = with_sums(info, Sums(**document["sums"]))
    if (gated := document.get("gated")) is not None:
        info = replace(info, gated=gated)
    host = re.sub(r"^https?://(?:[^@/]*@)?", "", document["endpoint"])
    return with_origin(info, f"{host}, fetched {document['fetched_at']}")


_REASONS = {  # the library's error: what to tell the user. The first that fits
    "GatedRepoError": "is gated: accept its terms on its page, then set HF_TOKEN (or `hf auth login`)",
    "RepositoryNotFoundError": "is not on the model hub, or is private: check the name, or set HF_TOKEN",
    "RevisionNotFoundError": "has no such revision",
    "EntryNotFoundError": "has no config.json, so its shape is unknown",
    "HFValidationError": "is not a valid model name: it must be <owner>/<name>",
}


def is_gate(error: Exception) -> bool:
    """Whether an error of the library says that a repository's terms must be accepted first."""
    return any(kind.__name__ == "GatedRepoError" for kind in type(error).__mro__)


def reason_of(repo: str, error: Exception) -> str:
    """Say in one line why a repository could not be read."""
    if isinstance(error, UsageError):
        return error.message
    kinds = {kind.__name__ for kind in type(error).__mro__}
    for kind, said in _REASONS.items():
        if kind in kinds:
            return f"{repo} {said}"
    return f"{repo} was not looked up: the model hub cannot be reached ({type(error).__name__})"
