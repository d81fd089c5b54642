"""What the spec's policy says of a plan: privacy, region, budget. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from deployer.core.domain import Estimate, Verdict
from deployer.core.units import usd
from deployer.providers.regions import Region
from deployer.spec import Policy


def judge(
    policy: Policy, target: str, place: Region | None, cost: Estimate | None
) -> tuple[Verdict, ...]:
    """Return one verdict for each rule that applies; `cost` None leaves the budget out."""
    return tuple(_verdicts(policy, target, place, cost))


def _verdicts(
    policy: Policy, target: str, place: Region | None, cost: Estimate | None
) -> Iterator[Verdict]:
    yield privacy(policy, target, place)
    if policy.budget is not None and cost is not None:
        yield _budget(policy.budget, cost)


def privacy(policy: Policy, target: str, place: Region | None) -> Verdict:
    """Say whether the data may go where the target is."""
    wanted = policy.privacy
    if target == "local" or wanted == "cloud-ok":
        where = "stays on your machine" if target == "local" else "cloud is allowed"
        return Verdict("privacy", ok=True, detail=f"{wanted}: {where}")
    if wanted == "local-only":
        return Verdict(
            "privacy",
            ok=False,
            detail=f"local-only forbids {target}: --target local is allowed",
        )
    area = wanted.removeprefix("region:")
    inside = place is not None and place.lies_in(area)
    hint = "" if inside else f": set targets.{target}.region to one in {area}"
    said = "is in" if inside else "is not in"
    name = place.id if place else "no known region"
    return Verdict("privacy", ok=inside, detail=f"{name} {said} {wanted}{hint}")


def _budget(budget: Decimal, cost: Estimate) -> Verdict:
    worst = cost.monthly_range[1] if cost.monthly_range else cost.monthly_usd
    if worst is None:
        what = ", ".join(cost.unpriced) or "the price"
        return Verdict(
            "budget", ok=False, detail=f"{what} is unpriced, so the budget cannot be guaranteed"
        )
    compared = f"{usd(worst)} of {usd(budget)} USD/month"
    if cost.unpriced:
        compared += f", without what is unpriced: {', '.join(cost.unpriced)}"
    if worst <= budget:
        return Verdict("budget", ok=True, detail=compared)
    return Verdict(
        "budget",
        ok=False,
        detail=f"{usd(worst)} USD/month is {usd(worst - budget)} over the budget of {usd(budget)}",
    )
