"""The cells of a row, each with its basis and its source. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from deployer.core.domain import Basis, Estimate, Plan, Range
from deployer.core.offer_words import chips
from deployer.planning.capacity import allowed, at_once
from deployer.planning.catalog.target_traits import TRAITS, trait
from deployer.planning.compare.bill import Ran
from deployer.planning.compare.options import Asked, Way
from deployer.planning.compare.result import Cell, left_out
from deployer.planning.compare.service_rate import Serving, seen
from deployer.planning.compare.week import wait_class

SIMULATED = "simulated hours x the plan's own prices"


def _unknown(why: str, unit: str = "") -> Cell:
    return Cell(None, "unknown", why, unit)


def hardware(way: Way) -> dict[str, Cell]:
    """What it runs on, and whether the model fits."""
    offer, sizing = way.offer, way.sizing
    if offer is None or sizing is None:
        why = "no offer can hold the model"
        return {"hardware": _unknown(why), "fit": _unknown(why)}
    form = "" if sizing.quantization == "none" else f", {sizing.quantization}"
    started = seen(sizing, "kv_capacity_tokens")
    fit = Cell(
        sizing.fit, "measured" if started else "estimated", started or "deployer.planning.sizing"
    )
    return {
        "hardware": Cell(f"{offer.instance_type}: {chips(offer)}{form}", "exact", offer.source),
        "fit": _unknown(sizing.limit or "unknown") if sizing.fit == "unknown" else fit,
    }


def costs(bill: Estimate | None, plan: Plan, ran: Ran | None) -> dict[str, Cell]:
    """What it costs: a month, a million tokens, idle, up front."""
    if bill is None or ran is None:
        names = ("monthly_usd", "unpriced", "usd_per_1m_tokens", "idle_hourly_usd", "upfront_usd")
        return {name: _unknown("there is no plan", "USD") for name in names}
    why = SIMULATED
    if bill.monthly_usd is None:
        why = f"no price of {', '.join(bill.unpriced) or 'anything'}"
    idle = bill.idle_hourly_usd
    return {
        "monthly_usd": _money(bill.monthly_usd, bill.monthly_range, why, "USD/month", _basis(bill)),
        "unpriced": Cell(
            left_out(bill.unpriced) or "nothing",
            "exact",
            "the lines of the bill that have no price",
        ),
        "usd_per_1m_tokens": _per_million(bill, why),
        "idle_hourly_usd": Cell(
            idle,
            "unknown" if idle is None else _basis(bill, "exists"),
            "the lines of the bill that are paid while it is stopped or scaled to zero",
            "USD/hour",
        ),
        "upfront_usd": _upfront(plan, ran),
    }


def _basis(bill: Estimate, *when: str) -> Basis:
    """Exact, where every line is that costs anything."""
    lines = [i for i in bill.items if i.monthly_usd and (not when or i.when in when)]
    return "estimated" if any(i.basis == "estimated" for i in lines) else "exact"


def _money(
    amount: Decimal | None,
    within: tuple[Decimal, Decimal] | None,
    source: str,
    unit: str,
    basis: Basis = "exact",
) -> Cell:
    told: Basis = "estimated" if within else basis
    return Cell(amount, "unknown" if amount is None else told, source, unit, within)


def _per_million(bill: Estimate, source: str) -> Cell:
    pair = bill.usd_per_1m_tokens
    if pair is None:
        why = "there are no tokens" if bill.monthly_usd is not None else source
        return _unknown(why, "USD/1M tokens")
    return Cell((pair[0] + pair[1]) / 2, "estimated", source, "USD/1M tokens", pair)


def _upfront(plan: Plan, ran: Ran) -> Cell:
    """The price of hardware that is bought: as many machines as the traffic asks for, less one that is owned."""
    bought = [r.inputs for r in plan.resources if "amortize_months" in r.inputs]
    if not bought:
        return Cell(Decimal(0), "exact", "nothing is bought", "USD")
    have = 1 if bought[0].get("owned") else 0
    if have and ran.copies[1] == 1:
        return Cell(Decimal(0), "exact", "the machine is owned already", "USD")
    price = bought[0].get("price_usd")
    source = str(bought[0].get("price_source"))
    if price is None:
        return _unknown("the price of the hardware is unknown", "USD")
    low, high = (Decimal(str(price)) * (copies - have) for copies in ran.copies)
    return _money((low + high) / 2, None if low == high else (low, high), source, "USD")


def capacity(way: Way, asked: Asked, how: Serving | None, ran: Ran | None) -> dict[str, Cell]:
    """How much it carries, how busy it is, how long requests wait."""
    names = ("copies", "capacity_users", "capacity_per_hour", "utilisation", "wait")
    more = ("cold_start_share", "ttft_ms")
    if how is None or ran is None or way.sizing is None:
        return {name: _unknown("there is no plan") for name in (*names, *more)}
    basis: Basis = "measured" if way.measured else "estimated"
    speed = _speed_source(way)
    shares = sorted((ran.fast.cold_share, ran.slow.cold_share))
    slow = ran.slow
    used = [run.utilisation for run in (ran.fast, ran.slow) if run.utilisation is not None]
    low, high = map(float, ran.copies)
    return {
        "copies": _figure(slow.copies if how.known else None, basis, speed, pair=(low, high)),
        "capacity_users": _users(way, asked, ran),
        "capacity_per_hour": _per_hour(how, ran, basis, speed),
        "utilisation": _figure(slow.utilisation, basis, speed, "share", _ends(used)),
        "wait": _wait(slow.wait_seconds, speed),
        "cold_start_share": Cell(
            (shares[0] + shares[1]) / 2, "estimated", asked.demand.source, "share", _ends(shares)
        ),
        "ttft_ms": _ttft(way),
    }  # fmt: skip


def _speed_source(way: Way) -> str:
    if way.sizing is None or way.sizing.output_tok_s is None:
        return "its speed on this hardware is unknown: measure it"
    return (
        way.measured.source
        if way.measured
        else "the throughput model (deployer.planning.throughput)"
    )


def _figure(
    value: float | None,
    basis: Basis,
    source: str,
    unit: str = "",
    pair: Range | None = None,
) -> Cell:
    if value is None:
        return _unknown(source, unit)
    return Cell(value, basis, source, unit, pair)


def _wait(seconds: float | None, source: str) -> Cell:
    """How long requests wait for their turn, those of the 5 % that wait longest left out."""
    if seconds is None:
        return _unknown(source)
    return Cell(wait_class(seconds), "estimated", f"simulated from {source}")


def _ends(values: Sequence[float]) -> Range | None:
    return (min(values), max(values)) if values else None


def _users(way: Way, asked: Asked, ran: Ran) -> Cell:
    """How many requests are answered at once: the scaling wall of what is there."""
    held = way.sizing.max_concurrency if way.sizing else None
    if held is None or way.sizing is None:
        return _unknown("how many requests the memory holds is unknown", "users")
    scaled = way.plan.target == "serverless"
    copies = max(ran.slow.copies, allowed(asked.spec, way.plan.target) if scaled else 1)
    each = at_once(way.sizing, asked.spec.serve.concurrency)
    source = (
        f"{copies} {'copies' if copies > 1 else 'copy'}, each answering {each} at once;"
        f" the KV cache of one holds {held} of the whole context"
    )
    if started := seen(way.sizing, "kv_capacity_tokens"):
        return _figure(each * copies, "measured", f"{source}; {started}", "users")
    return _figure(each * copies, "estimated", source, "users")


def _per_hour(how: Serving, ran: Ran, basis: Basis, source: str) -> Cell:
    """Requests an hour that the copies answer at the spec's concurrency."""
    if not how.known:
        return _unknown(source, "requests/hour")
    ends = [how.fast.per_hour * ran.fast.copies, how.slow.per_hour * ran.slow.copies]
    return _figure(how.slow.per_hour * ran.slow.copies, basis, source, "requests/hour", _ends(ends))


def _ttft(way: Way) -> Cell:
    floor = way.sizing.ttft_floor_ms if way.sizing else None
    if way.measured and (times := way.measured.ttft_ms):
        return Cell(times[0], "measured", f"{way.measured.source}; median and 95 %", "ms", times)
    if floor is None:
        return _unknown("time to first token must be measured", "ms")
    source = "one prompt on idle hardware, without the network: a floor"
    return Cell(sum(floor) / 2, "estimated", source, "ms", floor)


def words(asked: Asked, plan: Plan) -> dict[str, Cell]:
    """What is true of the target whatever the model."""
    where = asked.privacy.get(plan.target)
    told = Cell(where, "exact", "the provider") if where else _unknown("no provider")
    cells = {"privacy": told}
    for name in TRAITS:
        said = trait(plan.target, name)
        cells[name] = Cell(said.text, "estimated", said.source)
    return cells
