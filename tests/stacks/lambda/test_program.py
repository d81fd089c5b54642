"""Lambda's machines: what is offered where, what is refused, and what is declared for any text of a user's."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
import yaml

from deployer.core.domain import ModelInfo, Offer
from deployer.planning import catalog, cloud_init
from deployer.providers import registry
from deployer.providers.api import Host, Want
from deployer.providers.regions import Region
from deployer.running.stack import offline
from tests.kits.lambda_api import part

LAMBDA: Any = registry.provider("cloud-gpu", "lambda")
HOSTILE = ("$(touch /tmp/x)", "'; rm -rf / #", '"\n- evil: yes', "{{ 7 * 7 }}", "\u2028ö\\", "a: b")
TYPE = "pulumi-python:dynamic/deployer:Lambda"


def want(**given: Any) -> Want:
    options = {"instance": "auto", "spot": False, "expose": "my-ip"} | given.pop("options", {})
    made = {"region": "us-east-1", "source": "hf:Qwen/Qwen3-8B"} | given
    return Want(made.pop("region"), options, Host(4, 2**34), **made)


def offers(**given: Any) -> list[Offer]:
    return list(LAMBDA.offers(want(**given), catalog.load()))


def refusals(**given: Any) -> list[str]:
    return [one.reason for one in LAMBDA.refuses(want(**given), catalog.load())]


def order(**changes: Any) -> Any:
    made = {
        "deployment": "try-cloud-gpu",
        "spec_name": "try",
        "digest": "0" * 64,
        "model": {"source": "hf:Qwen/Qwen3-8B", "name": "Qwen/Qwen3-8B", "path": None},
        "engine": "vllm",
        "quantization": "bf16",
        "context": 2048,
        "concurrency": 8,
        "replicas": {"min": 1, "max": 1},
        "gpus": 1,
        "weights_gib": 15.3,
        "offer": {
            "region": "us-east-1",
            "instance_type": "gpu_1x_a10",
            "gpu": "A10",
            "billing": "on-demand",
        },
        "options": {"region": None, "expose": "my-ip"},
        "traffic": {"output_tokens": 300},
        "policy": {
            "privacy": "cloud-ok",
            "budget": None,
            "expires": 604800,
            "idle": {"after": 1800, "action": "destroy"},
        },
    }
    made |= changes
    return made | {"files": cloud_init.files(made, LAMBDA)}  # type: ignore[arg-type]


def declared(**changes: Any) -> dict[str, dict[str, Any]]:
    made = offline.resources_of(LAMBDA, LAMBDA.inputs(order(**changes)), None)
    return {one.type.removeprefix(TYPE): dict(one.inputs) for one in made}


def test_it_works_without_importing_deployer():
    names = [
        name
        for file in registry.sources("cloud-gpu", "lambda")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
    ]
    assert "pulumi.dynamic" in names
    assert not [name for name in names if name and name.startswith("deployer")]


def test_a_price_is_the_same_in_every_region_and_says_where_it_is_from():
    for region in LAMBDA.regions.countries:
        found = {offer.instance_type: offer for offer in offers(region=region)}
        assert found["gpu_1x_a10"].usd_per_hour == found["gpu_1x_a10"].usd_per_hour
        assert {offer.region for offer in found.values()} == {region}
        assert all(offer.as_of and offer.source for offer in found.values())
    assert str(found["gpu_8x_h100_sxm5"].usd_per_hour) == "31.92"


def test_what_has_no_such_region_or_no_spot_offers_nothing():
    assert offers(region="mars-1") == offers(options={"spot": True}) == []


def test_a_gguf_file_is_not_offered_a_machine_with_arm64():
    model = ModelInfo("m", file_format="gguf")
    assert "gpu_1x_gh200" in {offer.instance_type for offer in offers()}
    assert "gpu_1x_gh200" not in {offer.instance_type for offer in offers(model=model)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"idle_action": "stop"}, "set policy.idle.action: destroy"),
        ({"replicas": (0, 3)}, "set serve.replicas: 1"),
        ({"options": {"spot": True}}, "leave targets.cloud-gpu.spot out"),
        ({"options": {"domain": "llm.example.com"}}, "leave targets.cloud-gpu.domain out"),
        ({"options": {"expose": "private"}}, "expose my-ip, public or a list"),
        ({"options": {"expose": ("10.0.0.0/8", "2001:db8::/32")}}, "not 2001:db8::/32"),
        ({"source": "s3://models/a"}, "publish the model on the hub"),
    ],
)
def test_what_lambda_cannot_do_is_refused_with_what_can_be_done(given, said):
    (reason,) = refusals(**given)
    assert said in reason


@pytest.mark.parametrize("action", [None, "destroy", "none"])
def test_what_it_can_do_is_not_refused(action):
    assert refusals(idle_action=action, options={"expose": ("10.0.0.0/8",)}) == []


def test_the_defaults_stop_becomes_destroy_and_is_said_loudly():
    policy = order()["policy"] | {"idle": {"after": 1800, "action": "stop"}}
    inputs = LAMBDA.inputs(order(policy=policy))
    assert inputs["tags"]["deployer:idle-action"] == "destroy"
    said = " ".join(LAMBDA.warnings(inputs, offers()[0]))
    assert "idle, it is destroyed where the default would stop it" in said
    assert "'deployer idle destroy' must run" in said


def test_a_machine_that_nothing_ends_needs_no_reaper():
    policy = order()["policy"] | {"expires": None, "idle": {"after": 1800, "action": "none"}}
    inputs = LAMBDA.inputs(order(policy=policy))
    assert "must run" not in " ".join(LAMBDA.warnings(inputs, offers()[0]))


def test_it_is_launched_where_the_policy_allows_and_nowhere_else():
    eu = order()["policy"] | {"privacy": "region:eu"}
    assert LAMBDA.inputs(order(policy=eu))["regions"] == ["europe-central-1", "europe-south-1"]
    named = order(options={"region": "me-west-1", "expose": "my-ip"})
    assert LAMBDA.inputs(named)["regions"] == ["me-west-1"]
    assert LAMBDA.inputs(order())["regions"][0] == "us-east-1"


@pytest.mark.parametrize(
    ("region", "area", "inside"),
    [
        ("europe-central-1", "eu", True),
        ("europe-south-1", "eu", True),
        ("europe-central-1", "de", True),
        ("us-west-3", "us", True),
        ("us-west-3", "eu", False),
        ("me-west-1", "eu", False),
        ("asia-northeast-2", "jp", True),
    ],
)
def test_a_region_lies_in_its_country(region, area, inside):
    assert Region(region, LAMBDA.regions.countries[region]).lies_in(area) == inside


def test_a_key_a_firewall_of_its_own_and_a_machine_are_declared():
    made = declared()
    assert made["Key"] == {"name": "deployer-try-cloud-gpu"}
    assert made["Ruleset"]["sources"] == [part("program").NOBODY], "a plan knows no caller"
    assert made["Ruleset"]["ports"] == [443, 8443]
    assert made["Machine"]["secret"] == "<secret>"
    assert made["Machine"]["ruleset_id"] == "${firewall.id}"


def test_every_tag_and_name_is_one_that_lambda_takes():
    launch = part("program.dynamic.launch")
    longest = {"deployment": f"{'a' * 40}-cloud-gpu", "spec_name": "a" * 40}
    policy = order()["policy"] | {"budget": "400", "over_budget": "stop"}
    made = declared(**longest, policy=policy)["Machine"]
    body = launch.request(made | {"secret": "{}"}, "0" * 32, "image")
    for tag in body["tags"]:
        assert len(tag["key"]) <= 55
        assert len(tag["value"]) <= 128
    terms = part("terms")
    assert len(terms.named(longest["deployment"], 99999999999)) <= 64
    assert len(body["ssh_key_names"][0]) <= 64


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_of_a_user_reaches_the_machine_as_text(text):
    launch = part("program.dynamic.launch")
    model = {"source": f"hf:{text}", "name": text, "path": None}
    made = declared(model=model, spec_name=text, options={"region": None, "expose": [text]})
    assert made["Ruleset"]["sources"] == [text]
    secret = json.dumps({"api_key": text, "ca_certificate": text, "ca_key": text})
    whole = launch.user_data(made["Machine"]["user_data"], secret)
    told = yaml.safe_load(whole)
    assert set(told) == {"write_files", "runcmd"}
    assert told["runcmd"] == [["/opt/deployer/start"]]
    assert all({"path", "owner", "permissions", "content"} <= set(f) for f in told["write_files"])
    assert len(whole.encode()) < LAMBDA.boot.most_bytes


def test_no_secret_is_in_the_plans_own_user_data(monkeypatch):
    monkeypatch.setenv("LAMBDA_API_KEY", "canary-secret-5e1f")
    made = declared()
    assert "canary" not in json.dumps(made)
    assert "secret.json\n" not in made["Machine"]["user_data"]
