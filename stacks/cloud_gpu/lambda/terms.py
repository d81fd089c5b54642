"""How a policy stands on a machine: in tags, which are written at its launch alone, and in its name. Pure.

What `deployer idle extend` moves is the name, the one thing that Lambda lets be changed: `bot-cloud-gpu @1796000000`
is removed at that time (seconds since 1970), `bot-cloud-gpu @never` never.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

from deployer.providers.cloud import Machine, Terms

from .program.dynamic.launch import LAUNCHED, MADE_FOR, OWNER, made_by, tags_of

SECONDS = re.compile(r"(\d{1,12})s?")
NAMED = re.compile(r"^(?P<name>.*) @(?P<until>never|\d{1,11})$")
NEVER = "never"
STATES = {"booting": "pending"}
"""By Lambda's word, where it is not running: one that is unhealthy is billed as well."""


class LambdaTags:
    """Fulfils `deployer.providers.cloud.Tags`."""

    def write(self, terms: Terms) -> dict[str, str]:
        """See `Tags`."""
        after, expires = terms.idle_after_s, terms.expires_after_s
        budget = terms.budget_usd
        return {
            "deployer:expires-after": NEVER if expires is None else f"{int(expires)}s",
            **({} if after is None else {"deployer:idle-after": f"{int(after)}s"}),
            "deployer:idle-action": terms.idle_action,
            **({} if budget is None else {"deployer:budget": str(budget)}),
            "deployer:over-budget": terms.over_budget,
        }

    def read(self, tags: Mapping[str, str]) -> Terms:
        """See `Tags`."""
        action = tags.get("deployer:idle-action")
        known = action if action in ("destroy", "none") else "destroy"  # there is no stop
        return Terms(
            idle_after_s=_seconds(tags.get("deployer:idle-after")),
            idle_action=cast('Literal["destroy", "none"]', known),
            expires_after_s=_seconds(tags.get("deployer:expires-after")),
            budget_usd=_dollars(tags.get("deployer:budget", "")),
            over_budget="warn" if tags.get("deployer:over-budget") == "warn" else "stop",
        )


def machine(one: Mapping[str, Any], now: float) -> Machine:
    """Return a machine in the neutral words. One that does not say when it was launched has just been."""
    tags = tags_of(one)
    began = _seconds(tags.get(LAUNCHED))
    launched = now if began is None else began
    return Machine(
        id=one["id"],
        scope=one["region"]["name"],
        deployment=tags[OWNER],
        provider="lambda",
        state=STATES.get(one["status"], "running"),
        started_at=launched,
        made_at=launched,
        type=one["instance_type"]["name"],
        can_stop=False,
        ours=made_by(one),
        owner=tags.get(MADE_FOR),
        terms=_moved(LambdaTags().read(tags), one.get("name") or ""),
    )


def _moved(terms: Terms, name: str) -> Terms:
    """Take the name's word for when it expires, if it says so."""
    found = NAMED.match(name)
    if found is None:
        return terms
    at = None if found["until"] == NEVER else float(found["until"])
    return replace(terms, expires_after_s=None, expires_at=at)


def named(deployment: str, until: float | None) -> str:
    """Return the name of a machine that is removed then; None: never."""
    return f"{deployment} @{NEVER if until is None else int(until)}"


def _seconds(text: str | None) -> float | None:
    found = SECONDS.fullmatch(text or "")
    return float(found[1]) if found else None


def _dollars(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None
