"""The words of the design as frozen data: what one stage hands to the next.

Pure and light: it imports nothing of this package, so every stage and every provider may use it.
Sizes are bytes, GiB (2**30) or MiB (2**20) as each name says; money is `Decimal` US dollars.
`None` means unknown: it is never a zero and never a guess.
"""

from __future__ import annotations

from deployer.core.domain.bill import (
    Estimate,
    Item,
    Rate,
    Usage,
)
from deployer.core.domain.hardware import (
    Gpu,
    Offer,
)
from deployer.core.domain.model import (
    ModelInfo,
    Part,
)
from deployer.core.domain.plan import (
    CONTAINER,
    PROCESS,
    Alternative,
    Plan,
    Resource,
    Verdict,
)
from deployer.core.domain.sizing import (
    MeasuredFigure,
    Sizing,
)
from deployer.core.domain.terms import (
    GIB,
    HOURS_PER_MONTH,
    MIB,
    SECONDS_PER_HOUR,
    TARGETS,
    Basis,
    Date,
    Fit,
    Keyword,
    Price,
    Range,
    Signed,
    State,
    Vendor,
)

__all__ = [
    "CONTAINER",
    "GIB",
    "HOURS_PER_MONTH",
    "MIB",
    "PROCESS",
    "SECONDS_PER_HOUR",
    "TARGETS",
    "Alternative",
    "Basis",
    "Date",
    "Estimate",
    "Fit",
    "Gpu",
    "Item",
    "Keyword",
    "MeasuredFigure",
    "ModelInfo",
    "Offer",
    "Part",
    "Plan",
    "Price",
    "Range",
    "Rate",
    "Resource",
    "Signed",
    "Sizing",
    "State",
    "Usage",
    "Vendor",
    "Verdict",
]
