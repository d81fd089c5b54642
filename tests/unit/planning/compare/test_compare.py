"""Comparing: what holds for any traffic and any price, and what the command shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.cli import main
from deployer.core.domain import TARGETS, MeasuredFigure
from deployer.planning.compare import Asked, compare
from deployer.planning.compare.document import document
from deployer.planning.compare.rules import CHECKS
from deployer.planning.measured import Measurement, Served, Speed
from deployer.sources.measurements import keep
from deployer.spec.load import load
from deployer.workflows import compare as comparing
from deployer.workflows import plan
from tests.kits.compared import Prices, asked, monthly, recommended, rows, spec
from tests.kits.documents import printed

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").glob("*.yaml"))
QWEN = next(file for file in EXAMPLES if file.stem == "qwen3-8b")
PROFILES = st.sampled_from(["steady", "office-hours", "diurnal", "spiky"])
TRAFFIC = st.floats(0, 1e6)
PRICE = st.decimals("0.05", "20", places=2).map(str)
BASES = {"exact", "measured", "estimated", "unknown"}


@settings(max_examples=15)
@given(profile=PROFILES, per_day=TRAFFIC, factor=st.floats(1, 100), slower=st.floats(1, 3))
def test_more_traffic_never_costs_less(profile, per_day, factor, slower):
    speed = (1000.0, 1000.0 * slower)
    few, many = (
        rows(asked(spec(profile, amount), speed=speed)) for amount in (per_day, per_day * factor)
    )
    for less, more in zip(few, many, strict=True):
        assert less.monthly is not None
        assert more.monthly is not None
        for a, b in zip(less.monthly, more.monthly, strict=True):
            assert float(b) >= float(a) - 1e-4


@settings(max_examples=15)
@given(
    profile=PROFILES,
    per_day=TRAFFIC,
    prices=st.tuples(PRICE, PRICE, PRICE),
    dearer=st.integers(0, 2),
    times=st.integers(1, 50),
    slower=st.floats(1, 3),
)
def test_a_higher_price_never_wins(profile, per_day, prices, dearer, times, slower):
    def winner(cloud: str, serverless: str, own: str) -> str | None:
        world: dict[str, Any] = {
            "prices": Prices(cloud, serverless),
            "own_price": str(float(own) * 1000),
        }
        told = spec(profile, per_day)
        return recommended(asked(told, speed=(1000.0, 1000.0 * slower), **world)).target

    raised = [str(float(p) * times) if i == dearer else p for i, p in enumerate(prices)]
    target = ("cloud-gpu", "serverless", "local")[dearer]
    if winner(*prices) != target:
        assert winner(*raised) != target


@given(profile=PROFILES, price=PRICE)
@settings(max_examples=10)
def test_serverless_at_zero_traffic_costs_only_what_exists(profile, price):
    question = asked(spec(profile, 0), prices=Prices(serverless=price))
    (row,) = (r for r in rows(question) if r.target == "serverless")
    assert row.decimal("monthly_usd") == sum(
        i.monthly_usd or 0 for i in row.items if i.when == "exists"
    )


@settings(max_examples=10)
@given(
    profile=PROFILES,
    per_day=TRAFFIC,
    prefer=st.sampled_from(("auto", *TARGETS)),
    needs=st.lists(st.sampled_from(("pii", "offline", "multi-tenant")), unique=True),
    ignore=st.lists(st.sampled_from(("private", "wall", "bursty", "steady", "idle")), unique=True),
)
def test_whatever_the_spec_says_one_target_is_taken_and_every_rule_is_shown(
    profile, per_day, prefer, needs, ignore
):
    decide = {"prefer": prefer, "needs": tuple(needs), "ignore": tuple(ignore)}
    said = recommended(asked(spec(profile, per_day, decide=decide)))
    assert said.target in TARGETS
    assert [rule.rule for rule in said.rules] == [*(name for name, _ in CHECKS), "cost"]
    assert prefer in ("auto", said.target)
    for rule in said.rules:
        assert rule.keeps
        assert rule.detail
        assert (rule.verdict == "left out") <= (rule.rule in ignore)


def test_where_nothing_can_serve_it_nothing_is_recommended():
    said = recommended(asked(spec(budget=1)))
    assert said.target is None
    assert said.rules[0].rule == "feasible"


def test_a_budget_that_one_copy_keeps_and_the_copies_break_is_refused_with_the_reason():
    # one machine is 597.104; 10,000 an hour ask for two
    found = rows(asked(spec(per_day=240_000, budget=700)))
    (cloud,) = (r for r in found if r.target == "cloud-gpu")
    assert not cloud.feasible
    assert "over the budget" in cloud.reasons[0]


def test_without_a_price_nothing_is_called_free_and_the_rest_is_compared():
    question = asked(spec())
    broken = replace(question.plans[0].resources[0], inputs={"gpu_count": 1, "amortize_months": 36})
    local = replace(question.plans[0], resources=(broken,))
    question = replace(question, plans=(local, *question.plans[1:]))
    assert monthly(question)["local"] is None
    (own,) = (r for r in rows(question) if r.target == "local")
    assert own.cells["monthly_usd"].basis == "unknown"
    assert recommended(question).target == "serverless"
    made = compare(question, "now")
    assert {m.verdict for m in made.meetings if "local" in m.pair} == {
        "unknown: a price is missing"
    }
    assert all("unknown" in p.verdict for p in made.paid)


def test_an_unknown_speed_leaves_the_capacity_unknown_and_not_endless():
    for row in rows(asked(spec(), speed=None)):
        for name in ("copies", "capacity_per_hour", "utilisation", "wait"):
            assert (row.cells[name].value, row.cells[name].basis) == (None, "unknown")


def _measured(question: Asked, target: str, tok_s: float) -> Asked:
    """The question, where the speed of one target's plan was measured."""
    seen = MeasuredFigure("output_tok_s", tok_s, "tok/s", None, None, "2026-01-05T08:00", "bench")
    plans = [
        replace(
            p,
            sizing=replace(
                p.sizing, output_tok_s=(tok_s, tok_s), ttft_ms=(80.0, 120.0), measured=(seen,)
            ),
        )
        if p.target == target and p.sizing
        else p
        for p in question.plans
    ]
    return replace(question, plans=tuple(plans))


def test_what_was_measured_goes_before_what_was_estimated_and_says_so():
    question = asked(spec(per_day=240_000))
    plain, better = rows(question), rows(_measured(question, "cloud-gpu", 2000.0))
    assert plain[1].copies == 2
    assert better[1].copies == 1
    for name in ("copies", "capacity_per_hour", "utilisation", "ttft_ms"):
        assert better[1].cells[name].basis == "measured", name
        assert "bench, 2026-01-05" in better[1].cells[name].source
    assert better[1].cells["ttft_ms"].within == (80.0, 120.0)
    assert better[0].cells == plain[0].cells


def test_a_measured_cache_makes_the_fit_and_the_users_measured_and_no_speed():
    question = asked(spec())
    said = MeasuredFigure(
        "kv_capacity_tokens", 9e4, "tokens", None, None, "2026-01-05", "vllm's log"
    )
    own = question.plans[0]
    assert own.sizing
    own = replace(own, sizing=replace(own.sizing, basis="measured", measured=(said,)))
    cells = rows(replace(question, plans=(own, *question.plans[1:])))[0].cells
    assert {n for n, cell in cells.items() if cell.basis == "measured"} == {"fit", "capacity_users"}
    assert "vllm's log" in cells["capacity_users"].source


@pytest.mark.usefixtures("tiny_gguf")
def test_what_bench_kept_is_what_the_next_comparison_says(home, capsys):
    tiny = next(file for file in EXAMPLES if file.stem == "tiny")
    setting = plan.Setting.here(offline=True)
    (own,) = plan.make_plans(tiny, ["local"], setting)
    assert own.sizing
    assert own.offer
    sizing = own.sizing
    assert sizing.concurrency
    speed = Speed(
        concurrency=sizing.concurrency,
        input_tokens=float(sizing.input_tokens or 0),
        output_tokens=float(sizing.output_tokens or 0),
        requests=50,
        errors=0,
        output_tok_s=321.0,
        tpot_ms=(3.0, 4.0),
        ttft_ms=(5.0, 9.0),
    )
    served = Served.by(own.model, sizing, own.offer)
    keep(home, Measurement("2026-01-05T08:00:00Z", "deployer bench", "0", served, speeds=(speed,)))
    cells = printed(capsys, "compare", "-f", tiny, "--offline").document["targets"][0]["cells"]
    assert (cells["ttft_ms"]["basis"], cells["ttft_ms"]["range"]) == ("measured", [5.0, 9.0])
    assert cells["capacity_per_hour"]["basis"] == "measured"
    assert "deployer bench, 2026-01-05" in cells["capacity_per_hour"]["source"]
    each = sizing.output_tokens or 1
    assert cells["capacity_per_hour"]["value"] == pytest.approx(321 / each * 3600, rel=1e-6)


def test_a_machine_that_stops_when_idle_is_an_alternative_with_its_cold_starts():
    made = compare(asked(spec("office-hours", 4500)), "now")
    (stopped,) = (r for r in made.alternatives if "stopped after 30 min" in r.variant)
    # 9.5 h and 3 s on 5 days of 4.345238 weeks x 0.8048, and the disk of the whole month
    assert float(stopped.decimal("monthly_usd") or 0) == pytest.approx(
        9.500833 * 5 * 4.345238 * 0.8048 + 9.60, rel=0.002
    )
    assert stopped.cells["cold_start_share"].value
    assert made.row("cloud-gpu").cells["cold_start_share"].value == 0


@pytest.mark.usefixtures("tiny_gguf", "home")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
def test_every_example_is_compared_as_the_schema_says(example, capsys):
    code, found, _ = printed(capsys, "compare", "-f", example, "--offline")
    assert code == 0
    assert [row["target"] for row in found["targets"]] == list(TARGETS)
    for row in (*found["targets"], *found["alternatives"]):
        assert row["cells"]
        for cell in row["cells"].values():
            assert cell["basis"] in BASES
            assert cell["source"]
            assert (cell["value"] is None) == (cell["basis"] == "unknown")
        assert all(item["source"] for item in row["items"])
    assert found["recommendation"]["target"] in TARGETS
    assert found["recommendation"]["why"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("more", [[], ["--markdown"]], ids=["terminal", "markdown"])
def test_what_is_shown_says_the_same_as_the_document(more, capsys):
    assert main(["compare", "-f", str(QWEN), "--offline", *more]) == 0
    text = capsys.readouterr().out
    made = comparing.make(QWEN, plan.Setting.here(offline=True))
    low, _ = document(made).targets[1].cells["monthly_usd"].range or (0, 0)
    assert f"{low:,.2f}" in text
    assert made.recommendation.target in text
    for rule in made.recommendation.rules:
        if rule.verdict == "applies":
            assert rule.rule in text
    for row in made.alternatives:
        assert row.variant.split(";")[0] in text.replace("\\", "")


@pytest.fixture
def told(tmp_path, capsys, home):
    def run(text: str, *arguments: str) -> tuple[int, Any]:
        file = tmp_path / "deployer.yaml"
        file.write_text(text)
        code, document, _ = printed(capsys, "compare", "-f", file, "--offline", *arguments)
        return code, document

    return run


HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


def test_a_log_takes_the_place_of_the_specs_traffic(told, tmp_path):
    log = tmp_path / "requests.csv"
    lines = [f"2026-01-{day:02}T10:{m:02}:00,500,50" for day in range(5, 12) for m in range(60)]
    log.write_text("\n".join(["timestamp,input_tokens,output_tokens", *lines, "soon,1,1"]))
    code, found = told(HEAD, "--trace", str(log))
    assert code == 0
    assert found["traffic"]["requests_per_month"] == pytest.approx(60 * 365 / 12, rel=1e-3)
    assert (found["traffic"]["input_tokens"], found["traffic"]["output_tokens"]) == (500, 50)
    assert found["traffic"]["burstiness"] == pytest.approx(24)
    assert any("line 422" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (HEAD, ["--markdown"], 2),
        (HEAD, ["--trace", "none.csv"], 2),
        (HEAD + "decide: {prefer: moon}\n", [], 2),
        (HEAD + "decide: {ignore: [cost]}\n", [], 2),
        (HEAD + "policy: {budget: 1 USD/month}\n", [], 4),
        (HEAD + "targets: {cloud-gpu: {region: mars-1}, serverless: {region: mars-1}}\n", [], 3),
    ],
)
def test_what_cannot_be_compared_or_recommended_says_so_by_its_exit_code(
    told, text, arguments, code
):
    assert told(text, *arguments)[0] == code


def test_what_is_decided_changes_no_digest_and_no_plan(tmp_path):
    digests = set()
    for number, more in enumerate(("", "decide: {prefer: local, needs: [pii]}\n")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(HEAD + more)
        loaded = load(file)
        digests.add(loaded.digest)
    assert loaded.spec.decide.needs == ("pii",)
    assert len(digests) == 1
