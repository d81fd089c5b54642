"""Where AWS's public price lists are."""

from __future__ import annotations

import os
from collections.abc import Mapping

AWS_URL = "https://pricing.us-east-1.amazonaws.com"


def base_url(environ: Mapping[str, str] | None = None) -> str:
    """Return where the price lists are: DEPLOYER_PRICES_URL, else AWS_ENDPOINT_URL, else AWS."""
    known = os.environ if environ is None else environ
    url = known.get("DEPLOYER_PRICES_URL") or known.get("AWS_ENDPOINT_URL") or AWS_URL
    return url.rstrip("/")


def file_url(base: str, offer: str, region: str) -> str:
    """Return the address of the newest price list of one offer in one region."""
    return f"{base}/offers/v1.0/aws/{offer}/current/{region}/index.csv"
