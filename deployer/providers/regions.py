"""Where a provider can be used, and which law the data is under there. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployer.core.errors import quoted
from deployer.core.records import dataclass

EU = frozenset(
    {
        "at", "be", "bg", "cy", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hr", "hu", "ie", "it", "lt",
        "lu", "lv", "mt", "nl", "pl", "pt", "ro", "se", "si", "sk",
    }
)  # fmt: skip
"""The member states of the European Union by ISO 3166-1, as of 2026."""
ALSO = {"uk": "gb"}
"""Other ways to write a country."""
FEW = 6
"""So many regions are all named where one is refused."""


@dataclass(frozen=True)
class Region:
    """One region; `country` is its ISO 3166-1 code in lower case, None where that is not known."""

    id: str
    country: str | None = None

    def lies_in(self, area: str) -> bool:
        """Whether it is the area itself, or lies in that country (`de`, `uk`) or in a member state of `eu`."""
        if area == self.id:
            return True
        if area == "eu":
            return self.country in EU
        return self.country is not None and self.country == ALSO.get(area, area)


@dataclass(frozen=True)
class Regions:
    """The regions of a provider: the one that is taken when none is named, and the country of each."""

    default: str
    countries: Mapping[str, str]

    def find(self, wanted: str | None) -> Region:
        """Return the region that is meant; None means the default. An unknown one lies in no known country."""
        name = wanted or self.default
        return Region(name, self.countries.get(name))

    def within(self, area: str) -> tuple[str, ...]:
        """Name the regions that lie in an area, in order."""
        return tuple(r for r, c in sorted(self.countries.items()) if Region(r, c).lies_in(area))

    def refusal(self, wanted: str | None) -> str | None:
        """Say that there is no such region, and which is nearest in spelling; None when there is."""
        if wanted is None or wanted in self.countries:
            return None
        if len(self.countries) <= FEW:
            return f"there is no region {quoted(wanted)}, only {', '.join(sorted(self.countries))}"
        from difflib import get_close_matches  # late: only a refusal needs it

        near = get_close_matches(wanted.lower(), sorted(self.countries), n=1)
        named = (
            f": the nearest is {near[0]}" if near else f", only {', '.join(sorted(self.countries))}"
        )
        return f"there is no region {quoted(wanted)}{named}"
