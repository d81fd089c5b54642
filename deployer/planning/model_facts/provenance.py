"""Keeping, for each figure of a model, where it was read. Pure."""

from __future__ import annotations

from dataclasses import fields, replace

from deployer.core.domain import ModelInfo

FIGURES = tuple(
    f.name
    for f in fields(ModelInfo)
    if f.name not in ("name", "origins", "notes", "file_format", "other_use", "parts", "gated")
)
"""The fields that may be unknown and whose origin is kept."""


def with_origin(info: ModelInfo, origin: str, since: ModelInfo | None = None) -> ModelInfo:
    """Name the origin of every figure that is known, or of those that `since` had otherwise."""
    new = {
        name: origin
        for name in FIGURES
        if getattr(info, name) is not None
        and (since is None or getattr(info, name) != getattr(since, name))
    }
    return replace(info, origins={**info.origins, **new})
