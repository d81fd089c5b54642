"""What each provider can, and what it means that it cannot the rest: `deployer doctor --providers`."""

from __future__ import annotations

from typing import Any

from deployer.providers import registry
from deployer.providers.abilities import can


def rows() -> list[dict[str, Any]]:
    """Return one row for each provider that is found, ready for JSON."""
    found = [registry.provider(*one) for one in registry.every_provider()]
    return [
        {
            "target": one.target,
            "provider": one.name,
            "engines": list(one.engines),
            "default_region": one.regions.default if one.regions else None,
            "regions": sorted(one.regions.countries) if one.regions else [],
            "can": list(can(one)),
            "lacks": dict(one.lacks()),
        }
        for one in found
    ]
