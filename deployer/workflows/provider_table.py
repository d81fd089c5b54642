"""What each provider can, and what it means that it cannot the rest: `deployer doctor --providers`."""

from __future__ import annotations

from deployer.core.documents.doctor import ProviderRow, ProvidersDocument
from deployer.providers import registry
from deployer.providers.abilities import can, lacks


def document() -> ProvidersDocument:
    """Return one row for each provider that is found."""
    found = (registry.provider(*one) for one in registry.every_provider())
    rows = (
        ProviderRow(
            target=one.target,
            provider=one.name,
            engines=registry.engines_of(one),
            default_region=one.regions.default if one.regions else None,
            regions=tuple(sorted(one.regions.countries)) if one.regions else (),
            can=tuple(can(one)),
            lacks=dict(lacks(one)),
        )
        for one in found
    )
    return ProvidersDocument(providers=tuple(rows))
