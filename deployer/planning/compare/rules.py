"""Which target, rule by rule. Pure.

Each rule says which targets it keeps and why; the next one chooses among those. A rule that would leave none
is shown and passed over. A rule about money (`bursty`, `idle`) only says why the cheapest is the cheapest: where it
would take something dearer it does not apply. Any other that takes what costs more says how much more. Of what is
left at the end the lowest expected cost wins, so that a higher price never does. The spec may name the target
(`decide.prefer`) or leave rules out (`decide.ignore`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from deployer.core.documents.compare import Rule
from deployer.core.units import usd
from deployer.planning.compare.breakeven import cheaper, within
from deployer.planning.compare.result import Recommendation, Row
from deployer.planning.traffic.demand import Demand
from deployer.spec import Spec

BURSTY_FROM = 4.0
"""Times the mean hour that the busiest has; office hours alone make 168 / 45 = 3.7."""
STEADY_TO = 2.0
"""A wave from day to night has 1.9 times the mean at its top."""
EASE = ("serverless", "cloud-gpu", "local")
"""The least to look after first: it decides between equal costs."""
CLOUD = ("cloud-gpu", "serverless")
DEDICATED = ("local", "cloud-gpu")


@dataclass(frozen=True)
class Case:
    """What the rules look at."""

    spec: Spec
    demand: Demand
    rows: tuple[Row, ...]

    def row(self, target: str) -> Row:
        """The row of a target."""
        return next(row for row in self.rows if row.target == target)

    @property
    def owned(self) -> bool:
        """Whether the machine of the local target is paid for, so that its price decides nothing."""
        return "local" in self.targets and self.row("local").owned

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that were compared."""
        return tuple(row.target for row in self.rows)


Said = tuple[tuple[str, ...] | None, str]
"""The targets that a rule keeps (None: it does not apply), and why."""
Check = Callable[[Case, tuple[str, ...]], Said]


def _feasible(case: Case, left: tuple[str, ...]) -> Said:
    kept = tuple(t for t in left if case.row(t).feasible)
    out = [f"{t}: {'; '.join(case.row(t).reasons[:1]) or 'refused'}" for t in left if t not in kept]
    return (kept, "; ".join(out)) if out else (None, "every target can serve it")


def _prefer(case: Case, left: tuple[str, ...]) -> Said:  # noqa: ARG001 - every rule is called alike
    wanted = case.spec.decide.prefer
    if wanted == "auto":
        return None, "decide.prefer names no target"
    return (wanted,), f"decide.prefer: {wanted}"


def _private(case: Case, left: tuple[str, ...]) -> Said:  # noqa: ARG001
    said: list[str] = [name for name in ("pii", "offline") if name in case.spec.decide.needs]
    if case.spec.policy.privacy == "local-only":
        said.append("policy.privacy: local-only")
    if not said:
        return None, "neither personal data (pii), offline nor local-only is asked for"
    return ("local",), f"{', '.join(said)}: the data stays on your own machine"


def _multi_tenant(case: Case, left: tuple[str, ...]) -> Said:  # noqa: ARG001
    if "multi-tenant" not in case.spec.decide.needs:
        return None, "multi-tenant is not asked for"
    return CLOUD, "multi-tenant: customers must not share one machine of yours"


def _wall(case: Case, left: tuple[str, ...]) -> Said:
    if "local" not in left or (case.row("local").copies or 1) <= 1:
        return (
            None,
            "one machine of your own carries the busiest hour, as far as its speed is known",
        )
    copies, upfront = case.row("local").copies or 1, case.row("local").decimal("upfront_usd")
    said = (
        f"the busiest hour ({case.demand.peak:,.0f} requests) needs {copies} machines like your own"
    )
    if case.owned:
        price = "" if upfront is None else f" for {usd(upfront)} USD"
        said += f": {copies - 1} more would have to be bought{price}"
    return CLOUD, said


def _bursty(case: Case, left: tuple[str, ...]) -> Said:
    times = case.demand.burstiness
    said = f"the busiest hour has {times:.1f} times the mean"
    if times < BURSTY_FROM:
        return None, f"{said}, less than {BURSTY_FROM:g}"
    if "local" in left and case.owned:
        return None, f"{said}, but your own machine is paid for: the cost decides"
    if "local" in left and not _is_cheaper(case, CLOUD, ("local",), left):
        return None, f"{said}, but hardware of your own costs less all the same: the cost decides"
    return CLOUD, f"{said}: hardware bought for it is idle most of the time"


def _steady(case: Case, left: tuple[str, ...]) -> Said:  # noqa: ARG001
    times, privacy = case.demand.burstiness, case.spec.policy.privacy
    if times > STEADY_TO or not case.demand.per_hour:
        return None, f"the busiest hour has {times:.1f} times the mean, more than {STEADY_TO:g}"
    if privacy == "cloud-ok" and "pii" not in case.spec.decide.needs:
        return None, "the load is steady, but nothing asks for privacy: the cost decides"
    return ("local",), f"the load is steady and {privacy} asks for privacy"


def _idle(case: Case, left: tuple[str, ...]) -> Said:
    """Serverless, where it is cheaper than what runs all month because it is not awake all month."""
    if "serverless" not in left:
        return None, "serverless is already ruled out"
    own, others = case.row("serverless"), tuple(t for t in DEDICATED if t in left)
    amounts = [amount for t in others if (amount := case.row(t).decimal("monthly_usd")) is not None]
    mine = own.decimal("monthly_usd")
    if not amounts or mine is None or own.simulation is None:
        return None, "there is nothing to compare it with"
    hours = own.simulation.monthly("copy_hours")
    said = f"serverless would run {hours:,.0f} h a month for {usd(mine)} USD"
    cheapest = min(others, key=lambda t: _cost(case.row(t)))
    with_ = f"{usd(min(amounts))} USD of {cheapest}"
    if _is_cheaper(case, ("serverless",), others, left):
        return ("serverless",), f"{said}, less than the {with_}"
    return None, f"{said}, not less than the {with_}"


def _is_cheaper(
    case: Case, kept: Sequence[str], dropped: Sequence[str], left: tuple[str, ...]
) -> bool:
    """Whether the cheapest of some targets costs less than the cheapest of others."""
    return _least(case, [t for t in kept if t in left]) < _least(case, dropped)


def _least(case: Case, targets: Sequence[str]) -> Decimal:
    """The lowest cost of targets that can serve it; without end where none is known."""
    rows = [case.row(t) for t in targets]
    known = [row.decimal("monthly_usd") for row in rows if row.feasible]
    return min((k for k in known if k is not None), default=Decimal("Infinity"))


def _dearer(case: Case, left: tuple[str, ...], kept: tuple[str, ...]) -> str:
    """How much more a month the cheapest that a rule keeps costs than the cheapest that it leaves out, in words."""
    dropped = tuple(t for t in left if t not in kept)
    ours, theirs = _least(case, kept), _least(case, dropped)
    if not theirs.is_finite() or ours <= theirs:
        return ""
    cheapest = min(dropped, key=lambda t: _least(case, (t,)))
    if not ours.is_finite():
        return f"; what that costs is not known, and {cheapest} costs {usd(theirs)} USD a month"
    return f"; that costs {usd(ours - theirs)} USD a month more than {cheapest}"


PRICES = {"local": "set targets.local.hardware (price_usd, usd_per_kwh)"}
"""Where a user says what has no price, by target."""

CHECKS: tuple[tuple[str, Check], ...] = (
    ("feasible", _feasible),
    ("prefer", _prefer),
    ("private", _private),
    ("multi-tenant", _multi_tenant),
    ("wall", _wall),
    ("bursty", _bursty),
    ("steady", _steady),
    ("idle", _idle),
)
"""The rules by name, in their order; the last one is the cost."""


def recommend(case: Case) -> Recommendation:
    """Apply every rule, then take the cheapest of what is left."""
    left, said = case.targets, []
    for name, check in CHECKS:
        rule = _applied(case, name, check, left)
        left = rule.keeps
        said.append(rule)
    if not any(case.row(t).feasible for t in left):
        return Recommendation(None, tuple(said))
    order = sorted(left, key=lambda t: _cost(case.row(t)))
    last = _by_cost(case, order)
    close = tuple(t for t in order[1:] if _close(case.row(order[0]), case.row(t)))
    return Recommendation(order[0], (*said, last), close)


def _applied(case: Case, name: str, check: Check, left: tuple[str, ...]) -> Rule:
    kept, detail = check(case, left)
    if kept is None:
        return Rule(name, "does not apply", detail, left)
    if name in case.spec.decide.ignore:
        return Rule(name, "left out", f"ignored by decide.ignore; without it: {detail}", left)
    both = tuple(target for target in left if target in kept)
    if not both:
        return Rule(name, "nothing left", f"{detail}; none of these targets is left", left)
    return Rule(name, "applies", f"{detail}{_dearer(case, left, both)}", both)


def _cost(row: Row) -> tuple[bool, Decimal, int]:
    amount = row.decimal("monthly_usd")
    return amount is None, amount or Decimal(0), EASE.index(row.target)


def _close(a: Row, b: Row) -> bool:
    return a.monthly is not None and b.monthly is not None and cheaper(a.monthly, b.monthly) == 0


def _by_cost(case: Case, order: Sequence[str]) -> Rule:
    said = [f"{t} {_amount(case.row(t))}" for t in order]
    close = [t for t in order[1:] if _close(case.row(order[0]), case.row(t))]
    detail = f"USD a month: {', '.join(said)}"
    if close:
        detail += f"; too close to call: {', '.join((order[0], *close))}"
    for row in map(case.row, order if len(order) > 1 else ()):
        if row.unpriced:
            step = PRICES.get(row.target, "'deployer prices refresh' may know it")
            detail += f"; {row.target} is compared without {row.without}, of which no price is known: {step}"
    return Rule("cost", "applies", detail, (order[0],))


def _amount(row: Row) -> str:
    amount = row.decimal("monthly_usd")
    if amount is None:
        return "unpriced" if row.items else "cannot serve it"
    without = f" without {row.without} (no price is known)" if row.unpriced else ""
    return f"{usd(amount)} ({within(row.monthly)}){without}"


def hybrid(production: Recommendation, development: Recommendation, requests: float) -> str | None:
    """Say what a split would look like, where both ask for different targets."""
    here, there = production.target, development.target
    if here is None or there is None or here == there:
        return None
    return (
        f"{here} for production, {there} for development and internal use"
        f" ({requests:,.0f} requests a day in office hours)"
    )
