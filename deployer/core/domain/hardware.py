"""What a model runs on: a GPU, and a way to get it."""

from __future__ import annotations

from decimal import Decimal

from deployer.core.domain.terms import Date, Price, Vendor
from deployer.core.records import dataclass

VOWEL_SOUNDS = "AEFHILMNORSX"
"""Letters whose names begin with a vowel: an L4, an H100, a T4."""


@dataclass(frozen=True)
class Gpu:
    """One GPU or unified-memory chip. Dense (never sparse) TFLOPS; bandwidth in GB/s (10**9). None: unknown."""

    name: str
    vram_gb: float
    bandwidth_gb_s: float | None
    bf16_tflops: float | None
    fp8_tflops: float | None
    watts: float | None
    list_price_usd: Decimal | None
    vendor: Vendor
    source: str
    vram_mib_reported: int | None = None  # what a cloud or the driver reports, below the nominal


@dataclass(frozen=True)
class Offer:
    """One buyable way to get the hardware. `usd_per_hour` is None when unpriced, never 0."""

    provider: str
    region: str | None
    instance_type: str
    gpu: str | None
    gpu_count: int
    vram_mib: int | None  # of one GPU, as the provider reports it
    usd_per_hour: Price | None
    billing: str  # on-demand | spot | per-minute | owned
    source: str
    as_of: Date | None  # of the price
    vcpus: int | None = None
    memory_gib: float | None = None
    gpu_fraction: float | None = None  # the share of one GPU, where it is not a whole one
    gpu_ids: tuple[str, ...] = ()  # which of the machine's GPUs, where it has others too
    gpu_vendor: Vendor | None = None  # `Gpu.vendor`, of one that the catalog may not have

    @property
    def gpu_words(self) -> str | None:
        """The GPUs in words: `2x L4`, or `1/8 of an L4` of a slice; None without one."""
        if not self.gpu:
            return None
        if self.gpu_fraction is None:
            return f"{self.gpu_count}x {self.gpu}"
        from fractions import Fraction  # late: hardly any offer is a slice

        share = Fraction(self.gpu_fraction).limit_denominator(100)
        return f"{share} of {'an' if self.gpu[:1] in VOWEL_SOUNDS else 'a'} {self.gpu}"
