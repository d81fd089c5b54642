"""The Pulumi program of `cloud-gpu` on AWS, run offline: what it makes, and what it must never make."""

from __future__ import annotations

import ast
import ipaddress
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deployer import catalog, cost, program, target
from deployer.target import Host, Want
from deployer.words import Offer, Resource

FILE = target.providers("cloud-gpu")["aws"]
AWS: Any = target.provider("cloud-gpu", "aws")
CATALOG = catalog.load()
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "spot": {"spot": True},
    "private": {"expose": "private"},
    "listed": {"expose": ["198.51.100.0/24", "203.0.113.7/32"]},
    "s3": {"source": "s3://models/qwen/8b"},
    "unknown-size": {"weights_gib": None},
    "throwaway": {"idle": "destroy", "expires": 604800},
}
TAGGED = {
    "deployer:deployment",
    "deployer:spec-digest",
    "deployer:expires-after",
    "deployer:owner",
}
UNTAGGABLE = {
    "pulumi:providers:aws",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
}


def order(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "deployment": "support-bot-cloud-gpu",
        "spec_name": "support-bot",
        "digest": "0" * 64,
        "model": {"source": given.get("source", "hf:Qwen/Qwen3-8B"), "name": "Qwen3-8B"},
        "engine": "vllm",
        "weights_gib": given.get("weights_gib", 15.3),
        "offer": {
            "region": "us-east-1",
            "instance_type": "g6.xlarge",
            "billing": "spot" if given.get("spot") else "on-demand",
            "gpu_count": 1,
            "vram_mib": 22888,
        },
        "options": {"region": "us-east-1", "expose": given.get("expose", "my-ip")},
        "policy": {
            "expires": given.get("expires"),
            "idle": {"after": 1800, "action": given.get("idle", "stop")},
        },
    }


@cache
def made(variant: str) -> tuple[Resource, ...]:
    inputs = AWS.inputs(order(VARIANTS[variant]))
    return program.collect(AWS.program, inputs, project="deployer", stack="test")


def one(variant: str, kind: str) -> Mapping[str, Any]:
    (found,) = [r.inputs for r in made(variant) if r.type.endswith(f":{kind}")]
    return found


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def imported(node: ast.AST) -> set[str]:
    found = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = {getattr(n, "module", None) or "" for n in found}
    return {m.split(".")[0] for m in modules | {a.name for n in found for a in n.names}}


def test_the_stack_imports_nothing_of_deployer():
    assert "deployer" not in imported(ast.parse(FILE.read_text()))


def test_the_stack_imports_pulumi_only_when_it_is_run():
    tree = ast.parse(FILE.read_text())
    first = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    assert not {"pulumi", "pulumi_aws"} & imported(ast.Module(first, []))
    assert {"pulumi", "pulumi_aws"} <= imported(tree)


def test_inputs_are_plain_and_hold_no_secret(variant):
    inputs = AWS.inputs(order(VARIANTS[variant]))
    assert json.loads(json.dumps(inputs)) == inputs


def test_every_type_is_priced_or_declared_free(variant):
    types = {r.type for r in made(variant)}
    assert types <= set(cost.RULES) | set(cost.FREE)
    assert {"aws:ec2/instance:Instance", "aws:secretsmanager/secret:Secret"} <= types


def test_the_metadata_service_wants_a_token_and_is_out_of_reach_of_containers(variant):
    assert one(variant, "Instance")["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }


def test_the_disk_is_encrypted_and_goes_with_the_machine(variant):
    disk = one(variant, "Instance")["rootBlockDevice"]
    assert disk["encrypted"] is True
    assert disk["deleteOnTermination"] is True
    assert disk["volumeType"] == "gp3"


def test_only_https_comes_in_and_from_no_one_who_was_not_named(variant):
    for rule in one(variant, "SecurityGroup")["ingress"]:
        assert (rule["fromPort"], rule["toPort"], rule["protocol"]) == (443, 443, "tcp")
        for block in rule["cidrBlocks"]:
            assert ipaddress.ip_network(block).prefixlen >= 24


def test_there_is_no_ssh_key_and_no_rule_of_another_kind(variant):
    assert "keyName" not in one(variant, "Instance")
    assert not [r.type for r in made(variant) if "Rule" in r.type]


@pytest.mark.parametrize(
    ("expose", "caller", "blocks"),
    [
        ("my-ip", "198.51.100.7/32", ["198.51.100.7/32"]),
        ("my-ip", None, ["192.0.2.1/32"]),  # documentation addresses: nobody has them
        ("private", "198.51.100.7/32", []),
        ("public", None, ["0.0.0.0/0"]),
        (["203.0.113.0/24"], None, ["203.0.113.0/24"]),
    ],
)
def test_who_may_connect_is_what_the_spec_says(expose, caller, blocks):
    assert AWS.callers(expose, caller) == blocks


def test_a_private_machine_lets_nobody_in():
    assert not one("private", "SecurityGroup").get("ingress")


def test_everything_that_can_be_tagged_is(variant):
    for resource in made(variant):
        if resource.type not in UNTAGGABLE:
            assert set(resource.inputs["tags"]) >= TAGGED, resource.name
    assert set(one(variant, "Instance")["rootBlockDevice"]["tags"]) >= TAGGED


def test_the_expiry_is_a_span_so_that_a_plan_needs_no_clock():
    tag = "deployer:expires-after"
    assert one("throwaway", "Instance")["tags"][tag] == "604800s"
    assert one("plain", "Instance")["tags"][tag] == "never"


def test_the_role_may_read_its_own_secret_and_write_its_own_log_and_no_more():
    policy = json.loads(one("plain", "RolePolicy")["policy"])
    allowed = {(a, s["Resource"]) for s in policy["Statement"] for a in s["Action"]}
    assert allowed == {
        ("secretsmanager:GetSecretValue", "${api-key.arn}"),
        ("logs:CreateLogStream", "${logs.arn}:*"),
        ("logs:PutLogEvents", "${logs.arn}:*"),
    }


def test_weights_in_a_bucket_may_be_read_below_their_prefix_only():
    policy = json.loads(one("s3", "RolePolicy")["policy"])
    resources = [s["Resource"] for s in policy["Statement"] if "s3:GetObject" in s["Action"]]
    assert resources == ["arn:aws:s3:::models/qwen/8b*"]


def test_the_secret_has_no_value_in_a_plan(variant):
    assert not [r for r in made(variant) if r.type.endswith("SecretVersion")]
    assert "secretString" not in one(variant, "Secret")


def test_a_log_is_not_kept_for_ever(variant):
    assert one(variant, "LogGroup")["retentionInDays"] == 14


def test_the_way_to_s3_is_free(variant):
    assert one(variant, "VpcEndpoint")["vpcEndpointType"] == "Gateway"


def test_spot_is_asked_for_only_when_wanted():
    assert one("spot", "Instance")["instanceMarketOptions"] == {"marketType": "spot"}
    assert "instanceMarketOptions" not in one("plain", "Instance")


@pytest.mark.parametrize(
    ("variant", "behaviour"), [("plain", "stop"), ("spot", "terminate"), ("throwaway", "terminate")]
)
def test_a_machine_that_shuts_itself_down_stops_or_ends_as_the_policy_says(variant, behaviour):
    assert one(variant, "Instance")["instanceInitiatedShutdownBehavior"] == behaviour


@pytest.mark.parametrize(
    ("weights", "image", "gib"),
    [
        (15.3, None, 120),  # 75 + 25 + 1.2 x 15.3 = 118.4
        (131.4, None, 260),  # 75 + 25 + 157.7 = 257.7
        (0.01, 5.0, 90),  # 75 + 5 + 0.012 = 80.01
        (None, None, 130),  # the GPU's 22.35 GiB: 75 + 25 + 26.8 = 126.8
    ],
)
def test_the_disk_holds_system_image_and_weights_rounded_up(weights, image, gib):
    asked = order({"weights_gib": weights}) | {"weights_gib": weights, "image_gib": image}
    assert AWS.disk_gib(asked) == gib


def test_the_program_says_the_same_each_time():
    inputs = AWS.inputs(order({}))
    again = program.collect(AWS.program, inputs, project="deployer", stack="test")
    assert again == made("plain")


def offers(region: str | None = "us-east-1", **options: Any) -> list[Offer]:
    return list(AWS.offers(Want(region, options, Host(4, 2**34)), CATALOG))


def test_offers_are_nvidia_machines_of_the_region_on_demand():
    found = offers()
    assert len(found) == 56
    assert {o.billing for o in found} == {"on-demand"}
    assert {o.region for o in found} == {"us-east-1"}
    families = {o.instance_type.split(".")[0] for o in found}
    assert not families & {"inf2", "trn1", "trn1n", "trn2", "g6f"}
    assert {"g4dn", "g5", "g6", "g6e", "p5"} <= families


def test_spot_offers_are_spot():
    assert {o.billing for o in offers(spot=True)} == {"spot"}


def test_a_named_instance_is_the_only_offer_and_an_unknown_one_is_none():
    assert [o.instance_type for o in offers(instance="g5.xlarge")] == ["g5.xlarge"]
    assert offers(instance="g5.huge") == []
    assert offers(region="mars-1") == []


def test_the_file_runs_by_itself_as_a_standalone_project():
    source = Path(FILE).read_text()
    alone: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(source, "aws.py", "exec"), alone)  # noqa: S102 - that is what is shown
    found = program.collect(
        alone["program"], AWS.inputs(order({})), project="deployer", stack="test"
    )
    assert found == made("plain")
