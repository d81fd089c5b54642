"""Where Lambda has machines, with the country of each region. Pure.

As its API and two public lists of it had them in 2026; a region that is not here is asked for by no plan.
"""

from __future__ import annotations

from deployer.providers.regions import Regions

UNITED_STATES = (
    *("us-east-1", "us-east-2", "us-east-3", "us-midwest-1", "us-south-1", "us-south-2"),
    *("us-south-3", "us-west-1", "us-west-2", "us-west-3"),
)
REGIONS = Regions(
    "us-east-1",
    {
        **dict.fromkeys(UNITED_STATES, "us"),
        "asia-northeast-1": "jp",
        "asia-northeast-2": "jp",
        "asia-south-1": "in",
        "australia-east-1": "au",
        "europe-central-1": "de",
        "europe-south-1": "it",
        "me-west-1": "il",
    },
)


def to_try(named: str | None, privacy: str) -> list[str]:
    """Return the regions that a machine may be in: the one that was named, or all that the policy allows."""
    if named is not None:
        return [named]
    area = privacy.removeprefix("region:")
    inside = REGIONS.within(area) if area != privacy else tuple(sorted(REGIONS.countries))
    return sorted(inside, key=lambda region: (region != REGIONS.default, region))
