"""What an engine's state tells: what the stack exports, and which zone it is in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def outputs_of(state: Mapping[str, Any]) -> dict[str, str]:
    """What a stack exports, as text; what is secret or missing is left out."""
    for resource in state.get("resources") or ():
        if resource["type"] == "pulumi:pulumi:Stack":
            told: Mapping[str, Any] = resource.get("outputs") or {}
            return {k: v for k, v in told.items() if isinstance(v, str)}
    return {}


def zones_to_try(state: Mapping[str, Any], zones: Sequence[str]) -> list[str]:
    """The zones in the order in which they are tried: first the one where things are already."""
    outputs = [resource.get("outputs") or {} for resource in state.get("resources") or ()]
    here = {told.get("availabilityZone") for told in outputs}
    return sorted(zones, key=lambda zone: (zone not in here, zone))
