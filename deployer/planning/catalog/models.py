"""The bundled catalog of open-weight models. Pure: one JSON file in the package, read once.

Each row says where its figures were read. What a row leaves out is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from deployer.core.domain import ModelInfo

DATA = Path(__file__).parent / "data" / "models.json"

_ABOUT = ("name", "origins", "notes")

GATED = ("meta-llama/", "google/gemma-2", "google/gemma-3")
"""What the names of gated models begin with: their terms must be accepted at the hub first (recalled, not read)."""

_OWN_SOURCE = {
    "architecture": "the class that the model's family has in config.json (recalled, not read)",
    "embedding_params": "vocabulary x hidden size, checked against the parameter count",
    "kv_window_bytes": "window x sliding layers x 2 x KV heads x head size x 2 bytes",
}


def model(repo_id: str) -> ModelInfo | None:
    """Return what is known of a model on the hub, or None. Case and `@revision` do not matter."""
    row = _rows().get(repo_id.partition("@")[0].lower())
    return None if row is None else _info(row)


def names() -> tuple[str, ...]:
    """Return the repositories of the catalog, sorted."""
    return tuple(sorted(row["name"] for row in _rows().values()))


@cache
def _rows() -> Mapping[str, Mapping[str, Any]]:
    document = json.loads(DATA.read_text(encoding="utf-8"))
    return {row["name"].lower(): row for row in document["models"]}


def _info(row: Mapping[str, Any]) -> ModelInfo:
    known = {f.name for f in fields(ModelInfo)} - {*_ABOUT}
    figures = {k: v for k, v in row.items() if k in known}
    origins = {k: _origin(row, k) for k in figures if k != "file_format"}
    gated = True if row["name"].startswith(GATED) else None
    notes = tuple(row.get("notes", ()))
    return ModelInfo(row["name"], **figures, gated=gated, origins=origins, notes=notes)


def _origin(row: Mapping[str, Any], figure: str) -> str:
    source = _OWN_SOURCE.get(figure) or row["source"]
    if figure == "weights_bytes":
        source = row.get("weights_source") or source
    return f"bundled catalog: {source}, {row.get('as_of') or 'undated'}"
