"""What hardware of one's own costs: its price spread over months, and electricity. Pure.

    electricity = busy hours x watts + (730 - busy hours) x idle watts

written as two lines: the idle power all month long, which is paid as long as the machine is on, and what
answering adds to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Rule, Setting, decimal, line, times

KILO = Decimal(1000)


def _hardware(resource: Resource, at: Setting) -> Iterator[Item]:
    yield _bought(resource)
    inputs = resource.inputs
    watts, idle = decimal(inputs.get("watts")), decimal(inputs.get("idle_watts"))
    rate = _electricity(resource)
    asleep = Quantity(times(idle, MONTH / KILO), "kWh", basis="estimated")
    yield line(resource, "electricity, idle", asleep, rate, "exists")
    low, high = at.usage.busy_hours
    if watts is None:
        yield line(resource, "electricity, answering", Quantity(None, "kWh"), rate, "running")
        return
    more = (watts - (idle or Decimal(0))) / KILO
    busy = Quantity.between(low * more, high * more, "kWh")
    yield line(resource, "electricity, answering", busy, rate, "running")


def _bought(resource: Resource) -> Item:
    """The price in equal parts over the months it is used; it is paid whether it runs or not.

    What is owned already is paid: its price decides nothing any more.
    """
    inputs = resource.inputs
    if inputs.get("owned"):
        paid = Rate("hardware", "month", Decimal(0), "the spec: it is owned already", None)
        return line(resource, "hardware", Quantity(Decimal(1), "month"), paid, "exists")
    price, months = decimal(inputs.get("price_usd")), decimal(inputs.get("amortize_months"))
    part = price / months if price is not None and months else None
    source = str(inputs.get("price_source") or "the price is unknown")
    rate = Rate("hardware", "month", part, source, None)
    return line(resource, "hardware", Quantity(Decimal(1), "month"), rate, "exists")


def _electricity(resource: Resource) -> Rate:
    price = decimal(resource.inputs.get("usd_per_kwh"))
    source = str(resource.inputs.get("kwh_source") or "the price is unknown")
    return Rate("electricity", "kWh", price, source, None)


RULES: Mapping[str, Rule] = {"local:index:Hardware": _hardware}
FREE: Mapping[str, str] = {
    "local:index:Process": "it runs on the machine, which is priced",
    "local:index:Container": "it runs on the machine, which is priced",
    "local:index:Network": "it runs on the machine, which is priced",
    "local:index:Image": "it is built on the machine, which is priced",
}
