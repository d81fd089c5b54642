"""Plans: what is chosen, what it costs, when it is refused, and what the documents say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.domain import TARGETS
from tests.kits.documents import printed

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"
Answer = tuple[int, Any]
NAMED_IN_DESIGN = {
    "plan": {"target", "provider", "feasible", "reasons", "sizing", "offer", "alternatives"}
    | {"resources", "files", "cost", "policy", "warnings"},
    "sizing": {"fit", "weights_gib", "kv_bytes_per_token", "kv_gib", "kv_capacity_tokens"}
    | {"overhead_gib", "vram_gib", "gpus", "quantization", "max_concurrency", "decode_tok_s"}
    | {"tpot_ms", "output_tok_s", "saturated_tok_s", "basis"},
    "offer": {"provider", "region", "instance_type", "gpu", "gpu_count", "usd_per_hour"}
    | {"billing", "source", "as_of"},
    "cost": {"currency", "hours_per_month", "hourly_usd", "monthly_usd", "idle_hourly_usd"}
    | {"usd_per_1m_tokens", "items", "unpriced"},
    "item": {"resource", "component", "quantity", "unit", "unit_price_usd", "monthly_usd"}
    | {"kind", "source", "as_of"},
}


@pytest.fixture
def plan(tmp_path, capsys, home):
    """Plan a spec's text offline and return the exit code and the document."""

    def make(text: str, *arguments: str) -> Answer:
        file = tmp_path / "deployer.yaml"
        file.write_text(text)
        code, document, _ = printed(capsys, "plan", "-f", file, "--offline", *arguments)
        return code, document

    return make


def only(answer: Answer) -> Any:
    (made,) = answer[1]["plans"]
    return made


@pytest.mark.usefixtures("tiny_gguf")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
def test_every_example_is_planned_for_every_target_as_the_design_promises(example, capsys, home):
    code, document, _ = printed(capsys, "plan", "-f", example, "--offline")
    assert code == 0
    assert [p["target"] for p in document["plans"]] == list(TARGETS)
    for made in document["plans"]:
        assert made.keys() >= NAMED_IN_DESIGN["plan"]
        assert made["feasible"] or made["reasons"]
        if made["feasible"]:
            assert made["sizing"].keys() >= NAMED_IN_DESIGN["sizing"]
            assert made["offer"].keys() >= NAMED_IN_DESIGN["offer"]
            assert made["cost"].keys() >= NAMED_IN_DESIGN["cost"]
            assert made["resources"]
            assert all(item.keys() >= NAMED_IN_DESIGN["item"] for item in made["cost"]["items"])


@pytest.mark.usefixtures("tiny_gguf")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
def test_every_bill_adds_up_and_names_its_sources(example, capsys, home):
    for made in printed(capsys, "plan", "-f", example, "--offline").document["plans"]:
        cost = made["cost"]
        if not cost or cost["monthly_usd"] is None:
            continue
        priced = [i["monthly_usd"] for i in cost["items"] if i["monthly_usd"] is not None]
        assert sum(priced) == pytest.approx(cost["monthly_usd"], abs=0.001)
        assert all(item["source"] for item in cost["items"])
        for item in cost["items"]:
            if item["unit_price_usd"] is None:
                assert item["monthly_usd"] is None
                assert any(item["component"] in name for name in cost["unpriced"])


def test_the_examples_show_what_they_say(capsys, home):
    def made(name: str, target: str) -> Answer:
        folder = EXAMPLES[0].parent
        asked = ("plan", "-f", folder / name, "--offline", "--target", target)
        code, document, _ = printed(capsys, *asked)
        return code, only((code, document))

    assert made("llama-3.3-70b.yaml", "cloud-gpu")[1]["sizing"]["gpus"] > 1
    assert made("gpt-oss-120b.yaml", "cloud-gpu")[1]["sizing"]["fit"] == "tight"
    assert made("private-pii.yaml", "cloud-gpu")[0] == 4
    assert made("private-pii.yaml", "local")[0] == 0


def test_the_cheapest_hardware_that_fits_at_full_accuracy_is_taken(plan):
    made = only(plan(HEAD, "--target", "cloud-gpu"))
    assert made["sizing"]["quantization"] == "bf16"
    fitting = [
        a for a in made["alternatives"] if a["fit"] == "fits" and a["quantization"] == "bf16"
    ]
    assert all(a["monthly_usd"] >= made["cost"]["monthly_usd"] for a in fitting)
    assert any("fp8 fits g6.xlarge" in w for w in made["warnings"])


@pytest.mark.parametrize("target", TARGETS)
def test_a_plan_on_a_known_gpu_says_how_fast_it_is_and_that_it_is_an_estimate(plan, target):
    text = HEAD + "targets: {local: {hardware: {gpu: rtx-4090, count: 2}}}\n"
    sizing = only(plan(text, "--target", target))["sizing"]
    for figure in ("decode_tok_s", "tpot_ms", "output_tok_s", "saturated_tok_s"):
        low, high = sizing[figure]
        assert 0 < low < high
    assert sizing["basis"] == "estimated"


def test_alternatives_hold_the_model_and_come_cheapest_first(plan):
    others = only(plan(HEAD, "--target", "cloud-gpu"))["alternatives"]
    costs = [a["monthly_usd"] for a in others]
    assert costs == sorted(costs)
    assert {a["fit"] for a in others} <= {"fits", "tight"}
    assert only(plan(HEAD, "--target", "cloud-gpu"))["offer"]["instance_type"] not in {
        a["instance_type"] for a in others
    }


def test_a_budget_makes_auto_take_a_smaller_format_and_say_so(plan):
    made = only(plan(HEAD + "policy: {budget: 700 USD/month}\n", "--target", "cloud-gpu"))
    assert made["feasible"]
    assert made["sizing"]["quantization"] == "fp8"
    assert any("served as fp8" in w and "accuracy" in w for w in made["warnings"])


def test_a_budget_that_nothing_keeps_is_refused_with_what_would_pass(plan):
    code, document = plan(HEAD + "policy: {budget: 100 USD/month}\n", "--target", "cloud-gpu")
    made = document["plans"][0]
    assert code == 4
    assert not made["feasible"]
    assert any("over the budget" in reason for reason in made["reasons"])
    assert any("raise policy.budget" in reason for reason in made["reasons"])


def test_a_format_that_was_asked_for_is_not_exchanged_for_the_budget(plan):
    # one request of 40960 tokens: bf16 does not start on an L4 or A10G, fp8 would
    text = HEAD.replace("B}", "B, quantization: none, context: 40960}")
    text += "serve: {concurrency: 1}\npolicy: {budget: 700 USD/month}\n"
    code, document = plan(text, "--target", "cloud-gpu")
    assert code == 4
    assert any("fp8 on g6.xlarge" in reason for reason in document["plans"][0]["reasons"])


BIG = """name: bot
model: {{source: hf:{model}, quantization: none}}
targets: {{local: {{hardware: {{gpu: rtx-4090}}}}}}
"""


@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("Qwen/Qwen2.5-14B-Instruct", "fp8 would fit"),
        ("Qwen/Qwen2.5-72B-Instruct", "hardware with more memory would hold it"),
    ],
)
def test_a_model_that_no_hardware_holds_exits_3_and_names_a_way(plan, model, way):
    code, document = plan(BIG.format(model=model), "--target", "local")
    made = document["plans"][0]
    assert (code, made["feasible"], made["cost"]) == (3, False, None)
    assert any(way in reason for reason in made["reasons"])


def test_a_shorter_context_is_no_mend_where_the_weights_alone_do_not_fit(plan):
    _, document = plan(BIG.format(model="Qwen/Qwen2.5-72B-Instruct"), "--target", "local")
    reasons = document["plans"][0]["reasons"]
    assert any("for the weights alone" in reason for reason in reasons)
    assert not any("model.context" in reason or "concurrency" in reason for reason in reasons)


def test_a_context_that_is_named_as_a_mend_fits(plan):
    text = HEAD.replace("B}", "B, quantization: none, context: 40960}")
    text += "targets: {local: {hardware: {gpu: m4-max, memory_gib: 28}}}\n"
    _, document = plan(text, "--target", "local")
    reasons = document["plans"][0]["reasons"]
    (mend,) = [reason for reason in reasons if reason.startswith("model.context: ")]
    tokens = mend.split()[1]
    shorter = text.replace("40960", tokens)
    assert only(plan(shorter, "--target", "local"))["feasible"]


def test_a_context_beyond_the_models_own_is_told_as_that(plan):
    text = HEAD.replace("B}", "B, context: 500000}")
    _, document = plan(text, "--target", "cloud-gpu")
    first, second = document["plans"][0]["reasons"][:2]
    assert "the model's context ends at" in first
    assert "set model.context to" in second


MAC = "targets: {local: {hardware: {gpu: m4-max, memory_gib: 64}}}\n"


def test_what_macos_lets_the_gpu_have_is_said_and_what_an_engine_repacks_by_that_engine(plan):
    mac = only(plan(HEAD + MAC, "--target", "local"))
    assert any("macOS lets the GPU use 48.0 of the Mac's 64 GiB" in w for w in mac["warnings"])
    oss = "name: bot\nmodel: {source: hf:openai/gpt-oss-20b}\n"
    assert not any("repacked" in w for w in only(plan(oss + MAC, "--target", "local"))["warnings"])
    cloud = only(plan(oss, "--target", "cloud-gpu"))
    assert any(w.startswith("vllm loads ") for w in cloud["warnings"])


def test_hardware_that_is_owned_costs_its_electricity(plan):
    own = "targets: {{local: {{hardware: {{gpu: rtx-4090, price_usd: 3600, usd_per_kwh: 0.2, watts: 500, idle_watts: 100, owned: {}}}}}}}\n"
    bought, owned = (
        only(plan(HEAD + own.format(word), "--target", "local")) for word in ("false", "true")
    )
    assert bought["cost"]["monthly_usd"] - owned["cost"]["monthly_usd"] == pytest.approx(100)


def test_an_unknown_model_is_unknown_and_not_guessed(plan):
    code, document = plan("name: bot\nmodel: {source: hf:nobody/knows}\n", "--target", "cloud-gpu")
    made = document["plans"][0]
    assert code == 3
    assert made["sizing"]["fit"] == "unknown"
    assert made["sizing"]["weights_gib"] is None
    assert any("model.facts" in reason for reason in made["reasons"])


FACTS = """name: bot
model:
  source: hf:nobody/knows
  facts: {params: 8190735360, layers: 36, attn_heads: 32, kv_heads: 8, head_dim: 128, dtype: bf16}
"""


def test_figures_in_the_spec_make_an_unknown_model_known(plan):
    mine = only(plan(FACTS, "--target", "cloud-gpu"))
    known = only(plan(HEAD, "--target", "cloud-gpu"))
    assert mine["offer"]["instance_type"] == known["offer"]["instance_type"]
    assert mine["model"]["origins"]["params_total"].startswith("spec")


def test_an_instance_that_was_named_is_taken_or_refused_and_never_exchanged(plan):
    def named(instance: str) -> Answer:
        text = HEAD + f"targets: {{cloud-gpu: {{instance: {instance}}}}}\n"
        answer: Answer = plan(text, "--target", "cloud-gpu")
        return answer

    assert only(named("p4d.24xlarge"))["offer"]["instance_type"] == "p4d.24xlarge"
    code, document = named("x9.nothing")
    assert code == 3
    assert "x9.nothing" in document["plans"][0]["reasons"][0]


def test_an_unpriced_offer_is_never_taken_by_itself_nor_called_free(plan):
    text = HEAD + "targets: {cloud-gpu: {region: eu-west-1}}\n"
    made = only(plan(text, "--target", "cloud-gpu"))
    assert made["offer"]["usd_per_hour"] is not None
    assert all(a["usd_per_hour"] for a in made["alternatives"])


def test_the_same_plan_is_made_twice(plan):
    first, second = plan(HEAD), plan(HEAD)
    assert first[1]["plans"] == second[1]["plans"]


def test_a_saved_plan_is_applied_only_while_it_is_what_would_be_planned(tmp_path, capsys, home):
    spec, saved = tmp_path / "s.yaml", tmp_path / "plan.json"
    spec.write_text(HEAD)
    target = ["--target", "cloud-gpu", "-f", str(spec)]
    assert main(["plan", *target, "--out", str(saved)]) == 0
    assert main(["up", *target, "--plan", str(saved), "--yes"]) == 6  # cannot be applied yet
    spec.write_text(HEAD + "traffic: {requests_per_day: 7}\n")
    assert main(["up", *target, "--plan", str(saved), "--yes"]) == 5
    spec.write_text(HEAD)
    saved.write_text(saved.read_text().replace("1.861", "1.862"))
    assert main(["up", *target, "--plan", str(saved), "--yes"]) == 5
    saved.write_text("[]")
    assert main(["up", *target, "--plan", str(saved), "--yes"]) == 5
    saved.write_text("{")
    assert main(["up", *target, "--plan", str(saved), "--yes"]) == 2
    assert "plan" in capsys.readouterr().err


def test_the_table_for_humans_says_the_same_as_the_document(plan, tmp_path, capsys):
    made = only(plan(HEAD, "--target", "cloud-gpu"))
    assert main(["plan", "-f", str(tmp_path / "deployer.yaml"), "--target", "cloud-gpu"]) == 0
    text = capsys.readouterr().out
    assert f"{made['cost']['monthly_usd']:,.2f} USD/month" in text
    assert made["offer"]["instance_type"] in text
    assert all(r["type"] in text for r in made["resources"])
    assert all(f"{key}=" in text for key in made["defaults"])
