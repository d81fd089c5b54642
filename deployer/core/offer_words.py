"""An offer's hardware in words, the same in every view. Pure."""

from __future__ import annotations

from deployer.core.domain import Offer

RENTED_WHOLE = ("owned", "on-demand", "spot")
"""How hardware is billed that has no GPU because there is none in it."""


def chips(offer: Offer) -> str:
    """Name what computes: its GPUs, its CPU, or what a provider does not name behind units of its own."""
    if offer.gpu_words:
        return offer.gpu_words
    return "CPU" if offer.billing in RENTED_WHOLE else "hardware chosen by the provider"
