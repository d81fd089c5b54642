"""What Pulumi's state tells: what the stack exports, and which zone it is in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deployer.core.domain import Resource
from deployer.running.stack.changes import plain


def outputs_of(state: Mapping[str, Any]) -> dict[str, str]:
    """What a stack exports, as text; what is secret or missing is left out."""
    for resource in state.get("resources") or ():
        if resource["type"] == "pulumi:pulumi:Stack":
            told: Mapping[str, Any] = resource.get("outputs") or {}
            return {k: str(v) for k, v in told.items() if _is_plain(v)}
    return {}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def resources_in(state: Mapping[str, Any]) -> list[Resource]:
    """What exists as the pricing rules read it: inputs, and what was learnt when it was made."""
    return [
        _resource(one)
        for one in state.get("resources") or ()
        if not one["type"].startswith("pulumi:")
    ]


def _resource(one: Mapping[str, Any]) -> Resource:
    told = {**(one.get("outputs") or {}), **_known(one.get("inputs") or {})}
    return Resource(one["type"], one["urn"].split("::")[-1], plain(told))


def _known(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in inputs.items() if value is not None}


def zones_to_try(state: Mapping[str, Any], zones: Sequence[str]) -> list[str]:
    """The zones in the order in which they are tried: first the one where things are already."""
    outputs = [resource.get("outputs") or {} for resource in state.get("resources") or ()]
    here = {told.get("availabilityZone") for told in outputs}
    return sorted(zones, key=lambda zone: (zone not in here, zone))
