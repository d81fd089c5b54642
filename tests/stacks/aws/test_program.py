"""The Pulumi program of `cloud-gpu` on AWS, run offline: what it makes, and what it must never make."""

from __future__ import annotations

import ast
import base64
import gzip
import importlib
import ipaddress
import json
import shutil
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from deployer.core.domain import Offer, Resource, Usage
from deployer.planning import catalog, cost
from deployer.providers import registry
from deployer.providers.api import Host, Want
from deployer.running.stack import offline
from stacks.cloud_gpu.aws import program as aws_program
from stacks.cloud_gpu.aws import provider as aws_provider
from tests.kits.aws_orders import USER_DATA, VARIANTS
from tests.kits.aws_orders import machine_order as order

FILE = registry.providers("cloud-gpu")["aws"]
AWS: Any = registry.provider("cloud-gpu", "aws")
CATALOG = catalog.load()
TAGGED = {
    "deployer:deployment",
    "deployer:spec-digest",
    "deployer:expires-after",
    "deployer:idle-after",
    "deployer:idle-action",
    "deployer:owner",
}
FLEETS = ("spot", "fleet", "pair", "domain", "private-fleet", "expiring-fleet")
SCHEDULE, BUDGET = "aws:scheduler/schedule:Schedule", "aws:budgets/budget:Budget"
UNTAGGABLE = {
    "pulumi:providers:aws",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:autoscaling/policy:Policy",
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:route53/record:Record",
    "aws:scheduler/schedule:Schedule",
}


@cache
def made(variant: str) -> tuple[Resource, ...]:
    inputs = AWS.inputs(order(VARIANTS[variant]))
    return offline.collect(AWS.program.run, inputs, project="deployer", stack="test")


def one(variant: str, kind: str) -> Mapping[str, Any]:
    kinds = [r for r in made(variant) if r.type.endswith(f":{kind}") and r.name != "expiry"]
    (found,) = (r.inputs for r in kinds)
    return found


def machine(variant: str) -> Mapping[str, Any]:
    """The machine as it is launched, whether by itself or from a fleet's template."""
    if variant not in FLEETS:
        return one(variant, "Instance")
    template = one(variant, "LaunchTemplate")
    (disk,) = template["blockDeviceMappings"]
    return {
        **template,
        "rootBlockDevice": {k: {"true": True}.get(v, v) for k, v in disk["ebs"].items()},
        "userDataBase64": template["userData"],
    }


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def imported(node: ast.AST) -> set[str]:
    found = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = {getattr(n, "module", None) or "" for n in found}
    return {m.split(".")[0] for m in modules | {a.name for n in found for a in n.names}}


@pytest.mark.parametrize("file", registry.sources("cloud-gpu", "aws"), ids=lambda f: f.name)
def test_the_stack_imports_nothing_of_deployer(file):
    assert "deployer" not in imported(ast.parse(file.read_text()))


def test_the_stack_imports_pulumi_only_when_it_is_run():
    tree = ast.parse((FILE.parent / "program" / "__init__.py").read_text())
    first = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    assert not {"pulumi", "pulumi_aws", "_aws"} & imported(ast.Module(first, []))
    assert {"pulumi", "pulumi_aws"} <= imported(tree)


def test_inputs_are_plain_and_hold_no_secret(variant):
    inputs = AWS.inputs(order(VARIANTS[variant]))
    assert json.loads(json.dumps(inputs)) == inputs


def test_every_type_is_priced_or_declared_free(variant):
    types = {r.type for r in made(variant)}
    assert types <= set(cost.every_pricing().rules) | set(cost.every_pricing().free)
    launched = "autoscaling/group:Group" if variant in FLEETS else "ec2/instance:Instance"
    assert {f"aws:{launched}", "aws:secretsmanager/secret:Secret"} <= types


def test_the_metadata_service_wants_a_token_and_is_out_of_reach_of_containers(variant):
    assert machine(variant)["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "enabled",
    }


def test_the_disk_is_encrypted_and_goes_with_the_machine(variant):
    disk = machine(variant)["rootBlockDevice"]
    assert disk["encrypted"] is True
    assert disk["deleteOnTermination"] is True
    assert disk["volumeType"] == "gp3"


def test_only_https_comes_in_and_from_no_one_who_was_not_named(variant):
    for resource in made(variant):
        for rule in resource.inputs.get("ingress") or ():
            assert (rule["fromPort"], rule["toPort"], rule["protocol"]) == (443, 443, "tcp")
            for block in rule.get("cidrBlocks", ()):
                assert ipaddress.ip_network(block).prefixlen >= 24


@pytest.mark.parametrize("variant", FLEETS)
def test_a_fleets_machines_are_reached_through_its_balancer_alone(variant):
    groups = {r.name: r.inputs for r in made(variant) if r.type.endswith(":SecurityGroup")}
    (rule,) = groups["access"]["ingress"]
    assert rule["securityGroups"] == ["${balancer-access.id}"]
    assert "cidrBlocks" not in rule


def test_nothing_but_https_goes_out(variant):
    for resource in made(variant):
        for rule in resource.inputs.get("egress") or ():
            assert (rule["fromPort"], rule["toPort"], rule["protocol"]) == (443, 443, "tcp")


def test_the_networks_own_default_group_lets_nothing_through(variant):
    assert not {"ingress", "egress"} & set(one(variant, "DefaultSecurityGroup"))


def test_there_is_no_ssh_key_and_no_rule_of_another_kind(variant):
    assert "keyName" not in machine(variant)
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
    assert aws_program.callers(expose, caller) == blocks


def test_a_private_machine_lets_nobody_in():
    assert not one("private", "SecurityGroup").get("ingress")


def tags_of(inputs: Mapping[str, Any]) -> set[str]:
    tags = inputs["tags"]
    return set(tags) if isinstance(tags, Mapping) else {t["key"] for t in tags}


def test_everything_that_can_be_tagged_is(variant):
    for resource in made(variant):
        if resource.type not in UNTAGGABLE:
            assert tags_of(resource.inputs) >= TAGGED, resource.name


def test_disks_are_tagged_too(variant):
    if variant not in FLEETS:
        assert tags_of(machine(variant)["rootBlockDevice"]) >= TAGGED
        return
    told = one(variant, "LaunchTemplate")["tagSpecifications"]
    assert {t["resourceType"] for t in told} >= {"volume"}
    assert all(tags_of(t) >= TAGGED for t in told)
    assert all(t["propagateAtLaunch"] for t in one(variant, "Group")["tags"])


def test_the_expiry_is_a_span_so_that_a_plan_needs_no_clock():
    tag = "deployer:expires-after"
    assert one("throwaway", "Instance")["tags"][tag] == "604800s"
    assert one("plain", "Instance")["tags"][tag] == "never"


SESSIONS = {
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""What Session Manager needs of a machine."""


def test_the_role_may_read_its_own_secret_and_write_its_own_log_and_no_more():
    policy = json.loads(one("plain", "RolePolicy")["policy"])
    allowed = {(a, s["Resource"]) for s in policy["Statement"] for a in s["Action"]}
    assert allowed == {
        ("secretsmanager:GetSecretValue", "${secret.arn}"),
        ("logs:CreateLogStream", "${logs.arn}:*"),
        ("logs:PutLogEvents", "${logs.arn}:*"),
        ("cloudwatch:PutMetricData", "*"),
        *((action, "*") for action in SESSIONS),
        ("ec2:StopInstances", "arn:aws:ec2:us-east-1:*:instance/*"),
        ("ec2:TerminateInstances", "arn:aws:ec2:us-east-1:*:instance/*"),
    }


def test_whatever_the_role_may_end_carries_the_tag_of_its_deployment(variant):
    policy = json.loads(one(variant, "RolePolicy")["policy"])
    tag = {"aws:ResourceTag/deployer:deployment": "support-bot-cloud-gpu"}
    for statement in policy["Statement"]:
        ends = ("Stop", "Terminate", "UpdateAutoScalingGroup")
        if any(word in a for a in statement["Action"] for word in ends):
            assert statement["Condition"] == {"StringEquals": tag}


def test_only_what_takes_no_narrower_resource_is_allowed_on_everything(variant):
    policy = json.loads(one(variant, "RolePolicy")["policy"])
    wide = {a for s in policy["Statement"] if s["Resource"] == "*" for a in s["Action"]}
    narrowest = {"cloudwatch:PutMetricData", "autoscaling:DescribeAutoScalingInstances"}
    assert wide <= narrowest | SESSIONS
    assert not any("Parameter" in action or action.endswith("*") for action in wide)


def test_weights_in_a_bucket_may_be_read_below_their_prefix_only():
    policy = json.loads(one("s3", "RolePolicy")["policy"])
    resources = [s["Resource"] for s in policy["Statement"] if "s3:GetObject" in s["Action"]]
    assert resources == ["arn:aws:s3:::models/qwen/8b*"]


def test_the_secrets_value_is_not_in_a_plan(variant):
    assert one(variant, "SecretVersion")["secretString"] == "<secret>"
    assert one(variant, "Secret")["name"] == "deployer/support-bot-cloud-gpu"


def test_a_machine_starts_from_the_text_of_the_plan_gzipped_the_same_way_each_time(variant):
    packed = base64.b64decode(machine(variant)["userDataBase64"])
    assert gzip.decompress(packed).decode() == USER_DATA
    assert packed[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff", "neither time, nor name, nor system"
    assert packed[4:10] == b"\0\0\0\0\x02\xff", "no time and no system in its header"


def test_a_log_is_not_kept_for_ever(variant):
    assert one(variant, "LogGroup")["retentionInDays"] == 14


def test_the_way_to_s3_is_free(variant):
    assert one(variant, "VpcEndpoint")["vpcEndpointType"] == "Gateway"


def test_spot_is_asked_for_only_when_wanted(variant):
    asked = machine(variant).get("instanceMarketOptions")
    assert asked == ({"marketType": "spot"} if variant == "spot" else None)


@pytest.mark.parametrize(
    ("variant", "behaviour"),
    [("plain", "stop"), ("throwaway", "terminate"), *((name, "terminate") for name in FLEETS)],
)
def test_a_machine_that_shuts_itself_down_stops_or_ends_as_the_policy_says(variant, behaviour):
    assert machine(variant)["instanceInitiatedShutdownBehavior"] == behaviour


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [("spot", (1, 1, 1)), ("fleet", (1, 4, 1)), ("pair", (2, 2, 2)), ("private-fleet", (0, 2, 1))],
)
def test_a_fleet_has_as_many_machines_as_the_spec_says_and_begins_with_one(variant, sizes):
    group = one(variant, "Group")
    assert (group["minSize"], group["maxSize"], group["desiredCapacity"]) == sizes
    assert group["healthCheckType"] == "ELB"
    assert len(group["vpcZoneIdentifiers"]) == 3


@pytest.mark.parametrize("variant", FLEETS)
def test_a_fleet_scales_by_load_only_where_it_may(variant):
    policies = [r.inputs for r in made(variant) if r.type.endswith(":Policy")]
    assert bool(policies) == (variant in ("fleet", "private-fleet"))
    for policy in policies:  # 8 at once, 300 tokens at 30 a second: 0.7 x 8 x 6 a minute
        assert policy["targetTrackingConfiguration"]["targetValue"] == 34


@pytest.mark.parametrize("variant", FLEETS)
def test_a_balancer_speaks_tls_alone_and_is_inside_only_when_private(variant):
    listener = one(variant, "Listener")
    assert (listener["port"], listener["protocol"]) == (443, "HTTPS")
    assert "TLS13" in listener["sslPolicy"]
    assert one(variant, "LoadBalancer")["internal"] is (variant == "private-fleet")
    assert one(variant, "TargetGroup")["healthCheck"]["path"] == "/health"


def test_a_domain_gets_a_public_certificate_and_its_name_leads_to_the_balancer():
    certificate = one("domain", "Certificate")
    assert (certificate["domainName"], certificate["validationMethod"]) == (
        "llm.example.com",
        "DNS",
    )
    records = {r.name for r in made("domain") if r.type.endswith(":Record")}
    assert records == {"proof", "address"}


def test_without_a_domain_the_balancers_key_is_given_and_shown_nowhere():
    assert one("fleet", "Certificate")["privateKey"] == "<secret>"


def priced(variant: str) -> dict[str, Any]:
    none = (Decimal(0), Decimal(0))
    used = Usage(none[0], none[0], none[0], none[0], none[0], none, none)
    bill = cost.estimate(made(variant), rates=CATALOG, usage=used, region="us-east-1")
    assert bill.unpriced == ()
    return {item.component: item for item in bill.items}


def test_a_fleet_is_priced_from_its_fewest_to_its_most_machines():
    single, fleet = priced("plain"), priced("fleet")
    each = single["instance"].monthly_usd
    assert fleet["instance"].monthly_range == (each, 4 * each)
    assert fleet["gp3 storage"].monthly_range == (Decimal("9.60"), Decimal("38.40"))  # 120 x 0.08
    assert fleet["gp3 storage"].when == "running", "a fleet's disks go with their machines"
    assert {"load balancer", "load balancer capacity", "alarms of scaling"} <= set(fleet)


def test_what_expires_is_ended_at_aws_and_what_has_a_budget_is_counted_there():
    ends = {v: {r.type for r in made(v)} & {SCHEDULE, BUDGET} for v in VARIANTS}
    assert ends.pop("throwaway") == {SCHEDULE, BUDGET}
    assert ends.pop("expiring-fleet") == {SCHEDULE}
    assert not any(ends.values())


def test_a_pair_costs_twice_and_exactly():
    single, pair = priced("plain")["instance"], priced("pair")["instance"]
    assert pair.monthly_usd == 2 * single.monthly_usd
    assert pair.monthly_range is None


@pytest.mark.parametrize(
    ("variant", "one", "several", "found"),
    [
        ("plain", None, None, [None]),
        ("plain", "us-east-1b", "us-east-1a,us-east-1b", ["us-east-1b"]),
        ("fleet", None, "us-east-1d,us-east-1f", ["us-east-1d", "us-east-1f"]),
        ("fleet", None, None, ["us-east-1a", "us-east-1b", "us-east-1c"]),
    ],
)
def test_zones_are_those_that_were_asked_for(variant, one, several, found):
    assert aws_program.zones(AWS.inputs(order(VARIANTS[variant])), one, several) == found


@pytest.mark.parametrize(
    ("weights", "gib"),
    [
        (15.3, 120),  # 75 + 25 + 1.2 x 15.3 = 118.4
        (131.4, 260),  # 75 + 25 + 157.7 = 257.7
        (0.01, 110),  # 75 + 25 + 0.012 = 100.01
        (None, 130),  # the GPU's 22.35 GiB: 75 + 25 + 26.8 = 126.8
    ],
)
def test_the_disk_holds_system_image_and_weights_rounded_up(weights, gib):
    asked: Any = order({"weights_gib": weights}) | {"weights_gib": weights}
    assert aws_provider.disk_gib(asked) == gib


def test_the_program_says_the_same_each_time():
    inputs = AWS.inputs(order({}))
    again = offline.collect(AWS.program.run, inputs, project="deployer", stack="test")
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


def test_the_folder_runs_by_itself_as_a_standalone_project(tmp_path, monkeypatch):
    package = tmp_path / "copied_stack"
    shutil.copytree(FILE.parent / "program", package)
    monkeypatch.syspath_prepend(str(tmp_path))
    alone = importlib.import_module("copied_stack")
    found = offline.collect(alone.program, AWS.inputs(order({})), project="deployer", stack="test")
    assert found == made("plain")
