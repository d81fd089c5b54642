"""What `plan` and `compare` tell of the same spec: the same machines, the same USD, the same warnings; 200 at random."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.cli.views import compare as compare_view
from deployer.cli.views import compare_markdown
from deployer.cli.views import plan as plan_view
from deployer.core.domain import TARGETS, Plan, Resource
from deployer.core.offer_words import RENTED_WHOLE
from deployer.core.units import usd
from deployer.engines import names
from deployer.planning import catalog, compare, report
from deployer.planning import plan as planning
from deployer.planning.capacity import allowed
from deployer.planning.compare.options import own_way
from deployer.planning.compare.result import Recommendation, Row
from deployer.planning.compare.rows import row
from deployer.planning.compare.rules import Case, recommend
from deployer.planning.compare.shapes import Shapes
from deployer.planning.question import Question
from deployer.planning.traffic.demand import of_traffic
from deployer.providers.api import Host, Provider
from deployer.spec import Spec
from deployer.spec.load import load
from deployer.workflows.compare import question
from deployer.workflows.plan import Setting, collector, facts
from tests.kits.random_specs import specs

COUNT = 200
WHOLE = 6
"""Of so many specs the comparison is made with all its parts."""


@dataclass(frozen=True)
class Told:
    """One spec, planned and compared."""

    text: str
    spec: Spec
    plans: tuple[Plan, ...]
    rows: tuple[Row, ...]
    said: Recommendation

    @property
    def pairs(self) -> Iterator[tuple[Plan, Row]]:
        """Each target's plan beside its row, where it can be served."""
        return ((p, r) for p, r in zip(self.plans, self.rows, strict=True) if p.cost)


@dataclass
class Bench:
    """Plans and compares without what no price depends on: names, tags, what a machine starts from."""

    folder: Path
    known: dict[str, Sequence[Resource]] = field(default_factory=dict)

    @property
    def setting(self) -> Setting:
        """Where programs are run."""
        return Setting(self.folder / "home", offline=True)

    def collect(self, where: Provider, inputs: Mapping[str, Any]) -> Sequence[Resource]:
        """Run a program once for what costs the same."""
        unpriced = where.program.unpriced if where.program else ()
        told = {name: value for name, value in inputs.items() if name not in unpriced}
        key = f"{where.name} {json.dumps(told, sort_keys=True, default=str)}"
        if key not in self.known:
            self.known[key] = collector(self.setting)(where, inputs)
        return self.known[key]

    def asked(self, text: str, others: int = 4) -> compare.Asked:
        """Return what is compared for a spec, with so many alternatives."""
        file = self.folder / "deployer.yaml"
        file.write_text(text)
        loaded = load(file)
        info, prices = facts(loaded, self.setting), catalog.load()
        questions = (Question(loaded.spec, target, info, prices, HOST) for target in TARGETS)
        plans = tuple(
            planning.make(
                planning.Asked(one, loaded, others=others),
                prices,
                self.collect,
                "2026-11-01T00:00:00Z",
                _no_files,
            )
            for one in questions
        )
        demand = of_traffic(
            loaded.spec.traffic, weeks=1
        )  # a year takes longer and changes no copies
        asked = question(loaded, plans, demand, self.setting, as_planned=True)
        return replace(asked, shapes=Shapes(self.collect))


HOST = Host(cpus=8, memory_bytes=64 * 2**30, docker=True)


def _no_files(order: Mapping[str, Any], provider: Provider) -> Mapping[str, str]:
    return {}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    bench, every = Bench(tmp_path_factory.mktemp("specs")), []
    for text in specs(COUNT):
        asked = bench.asked(text, others=0)
        rows = tuple(row(asked, own_way(p), asked.demand) for p in asked.plans)
        said = recommend(Case(asked.spec, asked.demand, rows))
        every.append(Told(text, asked.spec, asked.plans, rows, said))
    return every


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> list[tuple[compare.Asked, compare.Comparison]]:
    bench = Bench(tmp_path_factory.mktemp("whole"))
    asked = [bench.asked(text) for text in specs(WHOLE, seed=2)]
    return [(one, compare.compare(one, "now")) for one in asked]


def _shortfalls(plan: Plan) -> list[str]:
    return [note for note in plan.warnings if "are needed" in note]


def test_the_specs_cover_both_sides_of_every_question(told: list[Told]) -> None:
    pairs = [(t, p, r) for t in told for p, r in t.pairs]
    short = {p.target for _, p, _ in pairs if _shortfalls(p)}
    enough = {p.target for _, p, _ in pairs if not _shortfalls(p)}
    assert short == enough == {"local", "cloud-gpu", "serverless"}
    assert any(r.unpriced for _, _, r in pairs)
    assert any(r.owned for _, _, r in pairs)
    assert {t.said.target for t in told} >= {"local", "cloud-gpu", "serverless"}


def _follows(spec: Spec, plan: Plan) -> bool:
    """Whether it is a fleet that follows the traffic: its plan says what the fewest and the most machines cost."""
    scale = spec.serve.replicas
    return plan.target == "cloud-gpu" and max(1, scale.min) < scale.max


def test_machines_and_usd_are_the_same_in_both(told: list[Told]) -> None:
    for one in told:
        for plan, found in one.pairs:
            assert plan.cost
            most, copies = allowed(one.spec, plan.target), found.copies or 1
            if _follows(one.spec, plan) and copies <= most:
                low, high = plan.cost.monthly_range or (
                    plan.cost.monthly_usd,
                    plan.cost.monthly_usd,
                )
                likely = found.decimal("monthly_usd")
                if low is None or high is None:
                    assert likely is None
                else:
                    assert likely is not None
                    assert low <= likely <= high, one.text
            elif copies <= most and not _shortfalls(plan):
                assert found.decimal("monthly_usd") == plan.cost.monthly_usd, one.text
                assert found.items == plan.cost.items, one.text
            else:
                (warned,) = _shortfalls(plan)
                assert copies > most
                assert f"{copies} copies" in warned, (one.text, warned)
                known = plan.cost.monthly_usd
                if known is not None:
                    assert (found.decimal("monthly_usd") or 0) >= known * Decimal("0.999"), one.text
                continue  # more copies are another stack, with a balancer of its own
            assert found.unpriced == plan.cost.unpriced


def _least(rows: list[Row]) -> Decimal | None:
    known = [r.decimal("monthly_usd") for r in rows if r.feasible]
    return min((k for k in known if k is not None), default=None)


def test_what_is_recommended_is_the_cheapest_or_says_how_much_more_it_costs(
    told: list[Told],
) -> None:
    for one in told:
        rows = {r.target: r for r in one.rows}
        left = tuple(rows)
        for rule in one.said.rules:
            ours = _least([rows[t] for t in rule.keeps])
            theirs = _least([rows[t] for t in left if t not in rule.keeps])
            if theirs is not None and rule.verdict == "applies" and (ours is None or theirs < ours):
                assert rule.rule not in ("bursty", "idle", "cost"), (one.text, rule)
                assert ours is None or f"{usd(ours - theirs)} USD a month more" in rule.detail, rule
            left = rule.keeps
        if one.said.target is None:
            assert not any(r.feasible for r in one.rows)


def test_a_rule_names_only_what_was_compared(told: list[Told]) -> None:
    for one in told:
        left = tuple(r.target for r in one.rows)
        for rule in one.said.rules:
            if rule.rule == "idle":
                named = {t for t in ("local", "cloud-gpu") if f"USD of {t}" in rule.detail}
                assert named <= set(left)
            if rule.rule == "bursty" and rule.verdict == "applies":
                assert not any(r.owned for r in one.rows if r.target in left)
            left = rule.keeps


def test_notes_agree_with_the_figures_that_they_stand_beside(told: list[Told]) -> None:
    for one in told:
        for plan, found in one.pairs:
            assert plan.sizing
            assert plan.offer
            shown = plan_view.render(plan)
            assert "unpriced USD" not in shown
            speed_unknown = any("speed on this hardware is unknown" in n for n in plan.warnings)
            assert speed_unknown <= (plan.sizing.output_tok_s is None)
            for engine in names():
                if any(note.startswith(f"{engine} loads") for note in plan.warnings):
                    assert plan.sizing.engine == engine
            if plan.target == "local":
                assert not any("set serve.replicas" in note for note in plan.warnings)
            if plan.offer.billing not in RENTED_WHOLE:
                assert ": CPU" not in str(found.cells["hardware"].value)
            users = found.cells["capacity_users"].value
            asked = one.spec.serve.concurrency
            copies = max(found.copies or 1, allowed(one.spec, plan.target))
            assert users is None or (isinstance(users, int) and users <= asked * copies), one.text
            if found.cells["wait"].value == "overloaded":
                assert found.cells["utilisation"].value is not None


def test_a_comparison_warns_in_the_words_of_the_plan_and_names_what_has_no_price(whole) -> None:
    for asked, made in whole:
        for plan in asked.plans:
            for note in _shortfalls(plan):
                assert any(said.startswith(f"{plan.target}: {note}") for said in made.notes)
        page = report.page(made)
        views = (compare_view.render(made), compare_markdown.render(made), page)
        for found in made.rows:
            for view in views:
                assert "unpriced USD" not in view
                if found.unpriced:
                    assert "electricity" in view
            if "overloaded" in (found.cells["wait"].value or ""):
                assert any("on average" in note for note in made.notes)


def test_an_alternative_costs_what_it_costs_when_it_is_chosen_by_name(tmp_path: Path) -> None:
    bench, head = (
        Bench(tmp_path),
        "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\nserve: {replicas: 2}\n",
    )

    def planned_on(instance: str) -> Plan:
        return bench.asked(f"{head}targets: {{cloud-gpu: {{instance: {instance}}}}}\n").plans[1]

    same = 0
    for other in planned_on("auto").alternatives[:4]:
        named = planned_on(other.offer.instance_type)
        assert named.sizing
        assert named.cost
        if named.sizing.quantization == other.sizing.quantization:
            assert named.cost.monthly_usd == other.monthly_usd, other.offer.instance_type
            same += 1
    assert same
