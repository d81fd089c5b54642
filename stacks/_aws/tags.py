"""How a policy stands in the tags of an instance. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from deployer.core.clock import iso
from deployer.providers.cloud import Terms

AFTER, ACTION = "deployer:idle-after", "deployer:idle-action"
EXPIRES_AFTER, EXPIRES_AT = "deployer:expires-after", "deployer:expires-at"
BUDGET, OVER_BUDGET = "deployer:budget", "deployer:over-budget"
ACTIONS: Mapping[str, Literal["stop", "destroy", "none"]] = {
    "stop": "stop",
    "destroy": "destroy",
    "none": "none",
}


class AwsTags:
    """Fulfils `deployer.providers.cloud.Tags`: seconds as `1800s`, times in ISO 8601, dollars as a number."""

    def write(self, terms: Terms) -> dict[str, str]:
        """See `Tags`."""
        after, until = terms.idle_after_s, iso(terms.expires_at)
        over = {BUDGET: str(terms.budget_usd), OVER_BUDGET: terms.over_budget}
        return {
            EXPIRES_AFTER: _spelled(terms.expires_after_s),
            **({} if until is None else {EXPIRES_AT: until}),
            **({} if after is None else {AFTER: _spelled(after)}),
            ACTION: terms.idle_action,
            **({} if terms.budget_usd is None else over),
        }

    def read(self, tags: Mapping[str, str]) -> Terms:
        """See `Tags`. A time that was written and cannot be read stands for never: nothing is destroyed by mistake."""
        written = tags.get(EXPIRES_AT)
        return Terms(
            idle_after_s=_seconds(tags.get(AFTER)),
            idle_action=ACTIONS.get(tags.get(ACTION, ""), "stop"),
            expires_after_s=None if written else _seconds(tags.get(EXPIRES_AFTER)),
            expires_at=_time(written) if written else None,
            budget_usd=_dollars(tags.get(BUDGET, "")),
            over_budget="warn" if tags.get(OVER_BUDGET) == "warn" else "stop",
        )


def _spelled(seconds: float | None) -> str:
    return "never" if seconds is None else f"{int(seconds)}s"


def _seconds(text: str | None) -> float | None:
    """Read `1800s`; anything else, `never` among it, is None."""
    found = re.fullmatch(r"(\d{1,12})s?", text or "")
    return float(found[1]) if found else None


def _time(text: str) -> float | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _dollars(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None
