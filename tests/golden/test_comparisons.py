"""Comparisons worked out by hand, one spec after the other, from the round figures of `tests/kits/compared.py`.

Among them what the texts that the project began with say: the decision matrix (privacy, idle cost, set-up,
complexity), the economics (hardware pays for itself after about six months), the scaling wall, the heuristics
(personal data and offline stay local, bursts and many customers go to the cloud), the million requests at ten
in the morning, and the hybrid of development and production.

A month has 730 h, or 365 / 12 = 30.41667 days of 24 h, or 4.345238 weeks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from deployer.core.domain import TARGETS
from deployer.planning.compare import compare
from tests.kits.compared import Prices, asked, monthly, recommended, rows, spec

AT_TEN = (0,) * 10 + (1,) + (0,) * 13


@dataclass(frozen=True)
class Golden:
    name: str
    told: dict[str, Any]
    wins: str | None
    costs: dict[str, float]  # USD a month, worked out in `how`
    how: str
    rule: str = "cost"  # the rule that decides: the last one that leaves something out
    world: dict[str, Any] = field(default_factory=dict)


GOLDEN = [
    Golden(
        "a steady load is carried by a machine of one's own",
        {},
        "local",
        {"local": 147.617, "cloud-gpu": 597.104, "serverless": 584.0},
        """1000 requests an hour. cloud-gpu 730 x 0.8048 + 9.60; 730,000 x 300 x 200 bytes = 40.8 GB out, free.
        serverless never sleeps: 730 x 0.80. local answers in 1 - exp(-1000 x 3 / 3600) = 0.565402 of the hours:
        412.743 h x 0.08 = 33.0195, and 100 + 14.60, less rounding 147.617""",
    ),
    Golden(
        "a steady load on rented hardware goes to the dedicated GPU, where serverless has its usual premium",
        {},
        "cloud-gpu",
        {"cloud-gpu": 597.104, "serverless": 1168.0},
        "serverless at twice the price of the machine: 730 x 1.60 = 1168",
        world={"targets": ("cloud-gpu", "serverless"), "prices": Prices(serverless="1.60")},
    ),
    Golden(
        "a million requests at ten and none at ten at night make a dedicated GPU the wrong buy",
        {"profile": AT_TEN, "per_day": 1_000_000},
        "serverless",
        {"cloud-gpu": 62_839.89, "serverless": 3193.77},
        """1,000,000 / 9,600 = 104.2: 105 machines, all day long: 105 x 597.104 = 62,695.92; 30,416,667 x 300 x 200
        bytes = 1,699.66 GB out, 1,599.66 of them x 0.09 = 143.97. serverless: the first copy is awake 1 h + 15 min
        + 3 s = 1.250833 h a day, 104 more for 1 h + 15 min = 130 h: 131.250833 x 30.41667 x 0.80 = 3,193.77""",
        rule="idle",
    ),
    Golden(
        "the same million all day long is carried by as many machines, which are never idle",
        {"per_day": 1_000_000},
        "cloud-gpu",
        {"cloud-gpu": 3129.49, "serverless": 5840.0},
        """41,666.7 an hour / 9,600 = 4.3: 5 machines: 5 x 597.104 = 2,985.52, and 143.97 for data out.
        serverless: 5 x 730 x 1.60 = 5,840""",
        rule="cost",
        world={"targets": ("cloud-gpu", "serverless"), "prices": Prices(serverless="1.60")},
    ),
    Golden(
        "office hours on a machine of one's own",
        {"profile": "office-hours", "per_day": 4500},
        "local",
        {"local": 121.514, "cloud-gpu": 597.104, "serverless": 160.807},
        """4500 x 7 / 45 = 700 an hour in 45 h of the week. serverless: 9 h + 15 min + 3 s = 9.250833 h on 5 days:
        46.254167 x 4.345238 = 200.985 h x 0.80 = 160.79, plus the moments before the last request of the window.
        local answers 1 - exp(-700 x 3 / 3600) = 0.441964 of 195.536 h = 86.42 h: 6.914, and 114.60""",
    ),
    Golden(
        "no traffic costs nothing where nothing is kept, the disk and the machine elsewhere",
        {"per_day": 0},
        "serverless",
        {"local": 114.60, "cloud-gpu": 597.104, "serverless": 0.0},
        "local 100 + 73 kWh x 0.20; cloud-gpu runs all the same; serverless sleeps: 0",
        rule="idle",
    ),
    Golden(
        "data that must not leave stays local, whatever it costs",
        {"privacy": "local-only", "per_day": 0},
        "local",
        {"local": 114.60},
        "100 + 73 kWh x 0.20; the others are refused by the policy",
        rule="feasible",
    ),
    Golden(
        "personal data stays local",
        {"per_day": 0, "decide": {"needs": ("pii",)}},
        "local",
        {"local": 114.60, "serverless": 0.0},
        "serverless would cost nothing, and is left out",
        rule="private",
    ),
    Golden(
        "what must answer offline stays local",
        {"per_day": 0, "decide": {"needs": ("offline",)}},
        "local",
        {"local": 114.60, "serverless": 0.0},
        "serverless would cost nothing, and is left out",
        rule="private",
    ),
    Golden(
        "many customers go to the cloud, to the cheaper of the two",
        {"decide": {"needs": ("multi-tenant",)}},
        "serverless",
        {"local": 147.617, "cloud-gpu": 597.104, "serverless": 584.0},
        "as the steady load: local would be cheapest, of the cloud's two it is 584.00",
        rule="idle",
    ),
    Golden(
        "bursts go to the cloud although a machine of one's own would be cheaper",
        {"profile": AT_TEN, "per_day": 9000},
        "serverless",
        {"local": 117.032, "cloud-gpu": 597.104, "serverless": 30.437},
        """9000 in one hour of 24, 24 times the mean: one copy (9,600). serverless 1.250833 x 30.41667 = 38.046 h x
        0.80 = 30.437. local 114.60 + 30.41667 h x (1 - exp(-7.5) = 0.999447) x 0.08 = 2.432""",
        rule="idle",
    ),
    Golden(
        "a steady load of a region's own data stays local even where serverless is cheaper",
        {"privacy": "region:us"},
        "local",
        {"local": 1047.617, "serverless": 584.0},
        "36,000 / 36 = 1000 instead of 100 a month: 147.617 + 900",
        rule="steady",
        world={"own_price": "36000"},
    ),
    Golden(
        "what one machine cannot carry is beyond the wall",
        {"per_day": 240_000},
        "serverless",
        {"local": 345.972, "cloud-gpu": 1223.18, "serverless": 1168.0},
        """10,000 an hour / 9,600: two. local 2 x 114.60 + 2 x 730 x 0.08 x (1 - exp(-8.3333)) = 229.20 + 116.772;
        cloud-gpu 2 x 597.104 = 1,194.208, and 407.92 GB - 100 x 0.09 = 27.71 for data out; serverless 2 x 584""",
        rule="idle",
    ),
    Golden(
        "a budget that only one target keeps decides",
        {"budget": 200, "per_day": 24_000},
        "local",
        {"local": 147.617},
        "597.104 and 584.00 are over 200",
        rule="feasible",
    ),
    Golden(
        "a target that the spec prefers is taken",
        {"decide": {"prefer": "cloud-gpu"}},
        "cloud-gpu",
        {"cloud-gpu": 597.104},
        "as the steady load",
        rule="prefer",
    ),
    Golden(
        "a rule that the spec leaves out decides nothing",
        {"profile": AT_TEN, "per_day": 9000, "decide": {"ignore": ("bursty", "idle")}},
        "local",
        {"local": 17.032, "serverless": 30.437},
        "as the bursts, with hardware that was a gift: 117.032 - 100",
        world={"own_price": "0"},
    ),
]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_a_comparison_is_what_was_worked_out_by_hand(case):
    question = asked(spec(**case.told), **case.world)
    found = monthly(question)
    for target, usd in case.costs.items():
        assert float(found[target] or 0) == pytest.approx(usd, rel=0.002, abs=0.005), target
    said = recommended(question)
    assert said.target == case.wins
    assert _decisive(said.rules) == case.rule


def _decisive(rules: Any) -> str:
    """The last rule that left something out."""
    before, last = 4, "cost"
    for rule in rules:
        if rule.verdict == "applies" and len(rule.keeps) < before and rule.rule != "cost":
            last = rule.rule
        if rule.rule == "cost" and before > 1:
            last = "cost"
        before = len(rule.keeps)
    return last


def test_hardware_pays_for_itself_after_about_six_months():
    # 3600 / (597.104 - 47.617 of electricity) = 6.55; against serverless 3600 / (584 - 47.617) = 6.71
    made = compare(asked(spec()), "now")
    assert {p.against: p.months[0] for p in made.paid if p.months} == {
        "cloud-gpu": pytest.approx(6.55, abs=0.01),
        "serverless": pytest.approx(6.71, abs=0.01),
    }


def test_what_is_spent_crosses_where_the_hardware_is_paid():
    made = compare(asked(spec()), "now")
    own, rented = made.months["local"], made.months["cloud-gpu"]
    assert own[0][0] == 3600
    assert next(m for m in range(37) if own[m][1] < rented[m][0]) == 7
    assert float(rented[12][0]) == pytest.approx(12 * 597.104, rel=1e-4)


def test_serverless_meets_the_machine_where_the_hours_cost_the_same():
    # 597.104 / 1.60 = 373.19 h, 0.511219 of the month: exp(m) + s = 1 / (1 - 0.511219) = 2.04592, m = r x 0.250833 h,
    # s = r x 1/12 to 1/60 h (start). r = 2.437: 1.8428 + 0.2031; r = 2.763: 1.9998 + 0.0461. x 730 h x 1000 tokens
    world: dict[str, Any] = {
        "targets": ("cloud-gpu", "serverless"),
        "prices": Prices(serverless="1.60"),
    }
    (met,) = compare(asked(spec(), **world), "now").meetings
    assert (met.cheaper_below, met.cheaper_above) == ("serverless", "cloud-gpu")
    assert met.tokens is not None
    assert list(met.tokens) == [
        pytest.approx(1.779e6, rel=0.015),
        pytest.approx(2.017e6, rel=0.015),
    ]


def test_a_range_that_overlaps_is_too_close_to_call():
    # 5,000 to 20,000 an hour from one copy: one or two machines, 597 to 1,194; serverless at 1.20: 876 or 1,752
    world: dict[str, Any] = {
        "targets": ("cloud-gpu", "serverless"),
        "prices": Prices(serverless="1.20"),
        "speed": (500.0, 2000.0),
    }
    question = asked(spec(per_day=6000 * 24), **world)
    assert recommended(question).close == ("serverless",)
    (met,) = compare(question, "now").meetings
    assert "too close to call" in met.verdict


def test_development_on_ones_own_machine_and_production_on_serverless_is_a_hybrid():
    # production 24 times the mean at ten; development 300 a day in office hours: 46.67 an hour keep it awake
    # for all of 200.985 h x 0.80 = 160.79, more than 114.60 and a little for a machine of one's own
    told = spec(AT_TEN, 9000, decide={"development_requests_per_day": 300})
    said = compare(asked(told), "now").recommendation
    assert (said.target, said.development) == ("serverless", "local")
    assert said.hybrid is not None
    assert "local for development" in said.hybrid


MATRIX = {
    "local": {"latency": "below 50 ms", "setup": "days", "complexity": "high", "updates": "hand"},
    "cloud-gpu": {"latency": "150 ms", "setup": "minutes", "complexity": "medium"},
    "serverless": {"latency": "150 ms", "setup": "seconds", "complexity": "low"},
}


@pytest.mark.parametrize("target", TARGETS)
def test_the_table_says_what_the_decision_matrix_says(target):
    row = next(r for r in rows(asked(spec())) if r.target == target)
    for name, said in MATRIX[target].items():
        assert said in str(row.cells[name].value)
    assert row.cells["upfront_usd"].value == (3600 if target == "local" else 0)
    # idle: a stopped machine's disk 9.60 / 730; hardware and 100 W: 114.60 / 730; asleep: 0
    idle = {"local": 0.156986, "cloud-gpu": 0.013151, "serverless": 0.0}[target]
    assert float(row.decimal("idle_hourly_usd") or 0) == pytest.approx(idle, abs=1e-5)
    assert (
        row.cells["capacity_users"].value == 10
    )  # its memory holds 20, and the engine is started for 10
