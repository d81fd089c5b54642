"""Whose is what `down` finds: each thing with its owner, its age and its monthly cost, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import PolicyError
from deployer.core.units import duration, usd
from deployer.providers.inventory import Found, KnowsOwners
from deployer.providers.managers import Manager
from deployer.running import ownership


@dataclass(frozen=True)
class Claim:
    """One thing that carries a deployment's tag or name. `monthly_usd` None: unpriced, or not asked for."""

    found: Found
    monthly_usd: Decimal | None = None

    def line(self, now: float) -> str:
        """As a message shows it: what, whose, since when, for how much."""
        made = self.found.made_at
        age = "age unknown" if made is None else f"{duration(max(0, int(now - made)))} old"
        cost = "unpriced" if self.monthly_usd is None else f"{usd(self.monthly_usd)} USD/month"
        owner = self.found.owner or ownership.UNKNOWN
        return f"{self.found.type} {self.found.id}: made by {owner}, {age}, {cost}"


def gathered(name: str, managers: Sequence[Manager], owner: str) -> list[Found]:
    """Return what there is of a deployment, and what only carries its tag.

    Who knows of no owners finds things of this user alone (`owner`).
    """
    return [one for manager in managers for one in _found(name, manager, owner)]


def _found(name: str, manager: Manager, owner: str) -> Iterator[Found]:
    if isinstance(manager, KnowsOwners):
        yield from manager.claimed(name)
        return
    for one in manager.found(name):
        yield Found(one["type"], one["id"], one.get("name", name), name, "", owner=owner)


def priced(found: Sequence[Found], home: Path) -> list[Claim]:
    """Return things with what each costs in a month of 730 h as it is."""
    from deployer.planning import catalog
    from deployer.running.reaper.costs import at_least

    rates = catalog.load(home / "catalog")
    return [Claim(one, at_least(one, rates)) for one in found]


def total(claims: Sequence[Claim]) -> str:
    """Say what things cost together, and how many of them are unpriced."""
    known = sum((one.monthly_usd for one in claims if one.monthly_usd is not None), Decimal(0))
    unpriced = sum(one.monthly_usd is None for one in claims)
    return f"{usd(known)} USD/month" + (f" and {unpriced} unpriced" if unpriced else "")


def strangers(
    found: Sequence[Found], own: frozenset[str], record: Deployment | None
) -> list[Found]:
    """Return what says that somebody else has made it, and is not in this user's record.

    Args:
        found: what there is.
        own: the owners that count as this user.
        record: what is remembered of the deployment.
    """
    recorded = {one["id"] for one in record.resources} if record else set()
    return [one for one in found if one.owner and one.owner not in own and one.id not in recorded]


def check_owner(
    name: str,
    others: Sequence[Found],
    named: str | None,
    list_them: Callable[[], Sequence[Claim]],
) -> None:
    """See that what somebody else has made is removed only by whoever names its owner.

    Args:
        name: the deployment's.
        others: what somebody else has made.
        named: the owner that the user names.
        list_them: shows what there is, and returns it with its costs.

    Raises:
        PolicyError: it is somebody else's, and that was not named.
    """
    refused = [one for one in ownership.owners(others) if one != named]
    if not refused:
        return
    claims = list_them()
    count = f"{len(claims)} resource{'s' if len(claims) > 1 else ''}"
    who = ", ".join(refused)
    raise PolicyError(
        f"{name} was made by {who}, and this home has no record of it: {count}, {total(claims)};"
        " nothing was removed",
        hint=f"ask {who}; if it may go, 'deployer down {name} --owner {refused[0]}' removes it",
    )
