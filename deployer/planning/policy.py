"""What the spec's policy says of a plan: privacy, region, budget. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from ipaddress import ip_address

from deployer.core.domain import Estimate, Verdict
from deployer.core.records import dataclass
from deployer.core.units import usd
from deployer.providers.other_docker import OtherDocker
from deployer.providers.regions import Region
from deployer.spec import Policy

LOCAL_ONLY, CLOUD_OK = "local-only", "cloud-ok"


@dataclass(frozen=True)
class Reach:
    """Where the data of the `local` target goes: the daemon that it is handed to, the address that it is open on."""

    docker: OtherDocker | None = None
    expose: str | None = None

    @property
    def open_on(self) -> str | None:
        """The address that others can reach, in words; None where only this machine can."""
        if self.expose is None:
            return None
        given = ip_address(self.expose)
        given = getattr(given, "ipv4_mapped", None) or given  # ::ffff:127.0.0.1
        if given.is_loopback:
            return None
        everywhere = given.is_unspecified
        return f"{self.expose} (every address of the machine)" if everywhere else self.expose


HERE = Reach()


def judge(
    policy: Policy, target: str, place: Region | None, cost: Estimate | None, reach: Reach = HERE
) -> tuple[Verdict, ...]:
    """Return one verdict for each rule that applies; `cost` None leaves the budget out."""
    return tuple(_verdicts(policy, target, place, cost, reach))


def _verdicts(
    policy: Policy, target: str, place: Region | None, cost: Estimate | None, reach: Reach
) -> Iterator[Verdict]:
    yield privacy(policy, target, place, reach)
    if policy.budget is not None and cost is not None:
        yield _budget(policy.budget, cost)


def privacy(policy: Policy, target: str, place: Region | None, reach: Reach = HERE) -> Verdict:
    """Say whether the data may go where the target is."""
    wanted = policy.privacy
    if target == "local":
        return _local(wanted, reach)
    if wanted == CLOUD_OK:
        return Verdict("privacy", ok=True, detail=f"{wanted}: cloud is allowed")
    if wanted == LOCAL_ONLY:
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


def _local(wanted: str, reach: Reach) -> Verdict:
    if reach.docker is not None:
        return _elsewhere(wanted, reach.docker)
    if wanted == LOCAL_ONLY and reach.open_on:
        return Verdict(
            "privacy",
            ok=False,
            detail=f"local-only forbids targets.local.expose: {reach.open_on} can be reached from other"
            " machines: set it to 127.0.0.1",
        )
    where = (
        f"open to other machines on {reach.open_on}" if reach.open_on else "stays on your machine"
    )
    return Verdict("privacy", ok=True, detail=f"{wanted}: {where}")


def _elsewhere(wanted: str, docker: OtherDocker) -> Verdict:
    """A daemon that is reached over a network may be anywhere: only cloud-ok allows it."""
    if wanted == CLOUD_OK:
        return Verdict("privacy", ok=True, detail=f"{wanted}: goes to {docker}")
    return Verdict(
        "privacy",
        ok=False,
        detail=f"{wanted} forbids {docker}: it is reached over a network, so nothing says that it is"
        f" {'this machine' if wanted == LOCAL_ONLY else 'in ' + wanted.removeprefix('region:')}:"
        " use the daemon's socket on this machine (unset DOCKER_HOST; docker context use default),"
        " or set targets.local.provider: native",
    )


def _budget(budget: Decimal, cost: Estimate) -> Verdict:
    worst = cost.monthly_range[1] if cost.monthly_range else cost.monthly_usd
    if worst is None:
        what = "; ".join(cost.unpriced) or "anything"
        return Verdict(
            "budget",
            ok=False,
            detail=f"no price is known of {what}: the budget cannot be guaranteed",
        )
    compared = f"{usd(worst)} of {usd(budget)} USD/month"
    if cost.unpriced:
        compared += f", without what is unpriced: {'; '.join(cost.unpriced)}"
    if worst <= budget:
        return Verdict("budget", ok=True, detail=compared)
    return Verdict(
        "budget",
        ok=False,
        detail=f"{usd(worst)} USD/month is {usd(worst - budget)} over the budget of {usd(budget)}",
    )
