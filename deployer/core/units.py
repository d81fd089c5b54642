"""Text with a unit, both ways: durations, money, sizes. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from deployer.core.errors import quoted

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

DURATION_PATTERN = r"^(\d{1,9}(s|m|h|d|w))+$"
MONEY_PATTERN = r"^\d{1,12}(\.\d{1,2})? ?USD(/month)?$"


def seconds(text: str) -> int:
    """Read a duration such as `30m`, `7d` or `1h30m` as seconds.

    Raises:
        ValueError: it is not of that form, or zero.
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{quoted(text)} is not a duration: write it like 30m, 2h, 7d or 1h30m")
    total = sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))
    if not 0 < total <= 10 * 366 * SECONDS["d"]:
        raise ValueError(f"{quoted(text)} is not between 1s and ten years")
    return total


def duration(total: int) -> str:
    """Write seconds as `seconds` reads them: 5400 as `1h30m`."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, total = divmod(total, SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def usd_per_month(text: str) -> Decimal:
    """Read a budget such as `400 USD/month` as US dollars a month.

    Raises:
        ValueError: it is not of that form.
    """
    if not re.fullmatch(MONEY_PATTERN, text):
        raise ValueError(f"{quoted(text)} is not a budget: write it like 400 USD/month")
    return Decimal(text.split("USD", maxsplit=1)[0].strip())


def usd(amount: Decimal | None, places: int = 2) -> str:
    """Write an amount for a table: `1,358.53`; an unknown one is `unpriced`."""
    if amount is None:
        return "unpriced"
    return f"{amount:,.{places}f}"


def usd_per(amount: Decimal | None, period: str, places: int = 2) -> str:
    """Write an amount with its unit: `1,358.53 USD/month`; an unknown one is `unpriced`, and no amount of anything."""
    return usd(amount, places) if amount is None else f"{usd(amount, places)} USD/{period}"
