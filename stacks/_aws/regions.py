"""AWS's regions with their countries: AWS's own list of regions and the places that it names them after."""

from __future__ import annotations

from collections.abc import Iterable

from deployer.providers.regions import Regions

DEFAULT = "us-east-1"
COUNTRIES = {
    "af-south-1": "za",
    "ap-east-1": "hk",
    "ap-east-2": "tw",
    "ap-northeast-1": "jp",
    "ap-northeast-2": "kr",
    "ap-northeast-3": "jp",
    "ap-south-1": "in",
    "ap-south-2": "in",
    "ap-southeast-1": "sg",
    "ap-southeast-2": "au",
    "ap-southeast-3": "id",
    "ap-southeast-4": "au",
    "ap-southeast-5": "my",
    "ap-southeast-6": "nz",
    "ap-southeast-7": "th",
    "ca-central-1": "ca",
    "ca-west-1": "ca",
    "eu-central-1": "de",
    "eu-central-2": "ch",
    "eu-north-1": "se",
    "eu-south-1": "it",
    "eu-south-2": "es",
    "eu-west-1": "ie",
    "eu-west-2": "gb",
    "eu-west-3": "fr",
    "il-central-1": "il",
    "me-central-1": "ae",
    "me-south-1": "bh",
    "mx-central-1": "mx",
    "sa-east-1": "br",
    "us-east-1": "us",
    "us-east-2": "us",
    "us-west-1": "us",
    "us-west-2": "us",
}
"""The commercial regions; by ISO 3166-1."""
REGIONS = Regions(DEFAULT, COUNTRIES)


def only(names: Iterable[str]) -> Regions:
    """Return the regions of a service that is not offered in all of them."""
    return Regions(DEFAULT, {name: COUNTRIES[name] for name in names})
