"""A small world for comparisons: plans whose prices and speeds are round figures.

speed       1000 output tokens/s for 10 requests at once, of 300 tokens: 3 s each, 12,000 an hour;
            a copy is built for 80 % of that, 9,600 an hour
cloud-gpu   0.8048 an hour and a disk of 120 GB at 0.08: 587.504 + 9.60 = 597.104 a month
serverless  0.80 an hour while awake, asleep 15 minutes after the last request
local       3600 USD over 36 months, 100 W idle, 400 W more while answering, 0.20 a kWh:
            100 + 14.60 a month, and 0.08 for each hour in which it answers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from deployer.core.domain import TARGETS, Estimate, ModelInfo, Offer, Plan, Range, Resource, Sizing
from deployer.planning import cost
from deployer.planning.compare import Asked, Pricing
from deployer.planning.compare.options import own_way
from deployer.planning.compare.result import Recommendation, Row
from deployer.planning.compare.rows import row
from deployer.planning.compare.rules import Case, recommend
from deployer.planning.policy import judge
from deployer.planning.traffic.demand import Demand, of_traffic
from deployer.planning.traffic.profile import usage
from deployer.providers.regions import Region
from deployer.spec import Decide, Model, Policy, Serve, Spec, Traffic
from tests.golden.price_list import PriceList, endpoint, hardware, instance

SPEED: Range = (1000.0, 1000.0)


class Prices(PriceList):
    """The golden price list, with other prices of the machine and the endpoint."""

    def __init__(self, cloud: str = "0.8048", serverless: str = "0.80") -> None:
        self.hourly = {"aws": Decimal(cloud), "huggingface": Decimal(serverless)}

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        listed = super().offers(provider, region)
        return [replace(offer, usd_per_hour=self.hourly[provider]) for offer in listed]


def spec(profile: Any = "steady", per_day: float = 24_000, **more: Any) -> Spec:
    traffic = Traffic(Decimal(str(per_day)), input_tokens=700, output_tokens=300, profile=profile)
    policy = Policy(privacy=more.get("privacy", "cloud-ok"), budget=more.get("budget"))
    return Spec(
        name="bot",
        model=Model("hf:a/b"),
        serve=Serve(concurrency=10),
        traffic=traffic,
        policy=policy,
        decide=Decide(**more.get("decide", {})),
    )


def plan(asked: Spec, target: str, prices: Prices, speed: Range | None, price: str) -> Plan:
    offer, things = _things(target, prices, price)
    sizing = Sizing("fits", "bf16", "vllm", 1, "estimated", max_concurrency=20, output_tok_s=speed)
    bill = _bill(asked, things, prices, offer)
    verdicts = judge(asked.policy, target, Region("us-east-1", "us"), bill)
    broken = tuple(v.detail for v in verdicts if not v.ok)
    return Plan(
        deployment=f"bot-{target}",
        spec_name="bot",
        spec_digest="0" * 64,
        target=target,
        provider=offer.provider,
        feasible=not broken,
        reasons=broken,
        model=ModelInfo("a/b"),
        sizing=sizing,
        offer=offer,
        resources=things,
        cost=bill,
        policy=verdicts,
    )


def _things(target: str, prices: Prices, price: str) -> tuple[Offer, tuple[Resource, ...]]:
    if target == "local":
        own = Offer("native", None, "own", "RTX 4090", 1, None, None, "owned", "the spec", None)
        return own, (hardware(price_usd=price),)
    if target == "cloud-gpu":
        return prices.offers("aws", "us-east-1")[0], (instance(),)
    return prices.offers("huggingface")[0], (endpoint(scale_to_zero_minutes=15),)


def _bill(asked: Spec, things: tuple[Resource, ...], prices: Prices, offer: Offer) -> Estimate:
    used = usage(asked.traffic, scale_to_zero_minutes=15, seconds_per_request=(3.0, 3.0))
    return cost.estimate(things, rates=prices, usage=used, region=offer.region)


def asked(
    told: Spec,
    *,
    targets: Sequence[str] = TARGETS,
    prices: Prices | None = None,
    speed: Range | None = SPEED,
    own_price: str = "3600",
    demand: Demand | None = None,
    **more: Any,
) -> Asked:
    """A question whose demand is the expected week, without bursts, so that it can be worked out by hand."""
    listed = prices or Prices()
    return Asked(
        spec=told,
        plans=tuple(plan(told, t, listed, speed, own_price) for t in targets),
        demand=demand or of_traffic(told.traffic).week(),
        pricing={t: Pricing(listed) for t in targets},
        privacy=dict.fromkeys(targets, "somewhere"),
        **more,
    )


def rows(question: Asked) -> tuple[Row, ...]:
    return tuple(row(question, own_way(p), question.demand) for p in question.plans)


def recommended(question: Asked) -> Recommendation:
    return recommend(Case(question.spec, question.demand, rows(question)))


def monthly(question: Asked) -> Mapping[str, Decimal | None]:
    return {r.target: r.decimal("monthly_usd") for r in rows(question)}
