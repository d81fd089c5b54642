"""The SSH key, the firewall ruleset and the machine as Pulumi makes, looks at and removes them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from tests.doubles.lambda_cloud import KEY
from tests.kits.lambda_api import Still, part

SECRET = json.dumps({"api_key": "k" * 20, "hub_token": "", "ca_certificate": "C", "ca_key": "K"})
TAGS = {"deployer:deployment": "try-cloud-gpu", "deployer:spec-digest": "0" * 64}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Still:
    monkeypatch.setenv("LAMBDA_API_KEY", KEY)
    monkeypatch.delenv("LAMBDA_API_URL", raising=False)
    return Still()


@pytest.fixture(autouse=True)
def as_published(account: Still):
    yield
    assert account.broken == [], "every request and every answer is as the description says"


def make(account: Still, name: str, kind: str) -> Any:
    return getattr(part(f"program.dynamic.{name}"), kind)(account.api(), account.slept.append)


def key(account: Still) -> Any:
    return make(account, "access", "Key")


def ruleset(account: Still) -> Any:
    return make(account, "access", "Ruleset")


def machine(account: Still) -> Any:
    return make(account, "machine", "Machine")


def rules(**more: Any) -> dict[str, Any]:
    made = {"name": "deployer-try-cloud-gpu", "region": "us-east-1", "ports": [443, 8443]}
    return made | {"sources": ["198.51.100.7/32"], "ruleset_id": None} | more


def wanted(account: Still, **more: Any) -> dict[str, Any]:
    """What a machine is made with, its key and its ruleset made before."""
    key(account).create({"name": "deployer-try-cloud-gpu"})
    id_ = ruleset(account).create(rules()).id
    made = {
        "deployment": "try-cloud-gpu",
        "region": "us-east-1",
        "instance_type": "gpu_1x_a10",
        "architecture": "x86_64",
        "image_family": "lambda-stack-24-04",
        "user_data": "#cloud-config\nwrite_files:\n  - path: /a\n    content: b\nruncmd: []\n",
        "secret": SECRET,
        "tags": TAGS,
        "key_name": "deployer-try-cloud-gpu",
        "ruleset_id": id_,
    }
    return made | more


def launches(account: Still) -> int:
    return account.calls.count("POST instance-operations/launch")


def test_a_key_is_made_once_and_nobody_has_its_other_half(account):
    first = key(account).create({"name": "deployer-try-cloud-gpu"})
    again = key(account).create({"name": "deployer-try-cloud-gpu"})
    assert first.id == again.id
    (kept,) = account.keys.values()
    assert kept["public_key"].startswith("ssh-ed25519 ")
    assert "private_key" not in json.dumps([first.outs, kept])


def test_a_ruleset_lets_in_who_is_named_to_two_ports_and_can_be_changed(account):
    made = ruleset(account).create(rules())
    (kept,) = account.rulesets.values()
    assert [r["port_range"] for r in kept["rules"]] == [[443, 443], [8443, 8443]]
    assert {r["source_network"] for r in kept["rules"]} == {"198.51.100.7/32"}
    other = rules(sources=["203.0.113.0/24"])
    differs = ruleset(account).diff(made.id, made.outs, other)
    assert (differs.changes, differs.replaces) == (True, [])
    ruleset(account).update(made.id, made.outs, other)
    assert {r["source_network"] for r in kept["rules"]} == {"203.0.113.0/24"}


def test_a_ruleset_that_somebody_changed_is_seen_to_differ(account):
    made = ruleset(account).create(rules())
    account.rulesets[made.id]["rules"][0]["source_network"] = "0.0.0.0/0"
    seen = ruleset(account).read(made.id, made.outs)
    assert ruleset(account).diff(made.id, seen.outs, rules()).changes


def test_a_ruleset_in_another_region_is_another_one(account):
    made = ruleset(account).create(rules())
    other = rules(region="europe-central-1")
    assert ruleset(account).diff(made.id, made.outs, other).replaces == ["region"]
    assert ruleset(account).create(other).id != made.id


def test_a_machine_is_launched_whole_with_the_newest_image_of_its_processor(account):
    made = machine(account).create(wanted(account))
    (one,) = account.living
    assert made.id == one["id"]
    assert made.outs["ip"] == one["ip"]
    tags = {tag["key"]: tag["value"] for tag in one["tags"]}
    assert tags["deployer:deployment"] == "try-cloud-gpu"
    assert {"deployer:attempt", "deployer:launched-at", "deployer:authority"} <= set(tags)
    assert one["firewall_rulesets"] == [{"id": next(iter(account.rulesets))}]
    assert account.images[made.id] == "us-east-1-x86_64-2"


def test_a_gh200_gets_an_arm64_image(account):
    asked = wanted(account, instance_type="gpu_1x_gh200", architecture="arm64")
    made = machine(account).create(asked)
    assert account.images[made.id] == "us-east-1-arm64-2"


def test_its_secret_is_in_a_file_that_root_alone_reads_and_in_no_tag(account):
    made = machine(account).create(wanted(account))
    told = yaml.safe_load(account.user_data[made.id])
    first = told["write_files"][0]
    assert first["path"] == "/etc/deployer/secret.json"
    assert (first["owner"], first["permissions"]) == ("root:root", "0600")
    assert base64.b64decode(first["content"]).decode() == SECRET
    assert told["write_files"][1] == {"path": "/a", "content": "b"}
    assert "k" * 20 not in json.dumps(account.instances)


def test_what_an_interrupted_run_launched_is_taken_over(account):
    first = machine(account).create(wanted(account))
    again = machine(account).create(wanted(account))
    assert again.id == first.id
    assert launches(account) == 1


def test_an_interrupted_run_of_another_spec_leaves_no_second_machine(account):
    first = machine(account).create(wanted(account))
    again = machine(account).create(wanted(account, instance_type="gpu_1x_a6000"))
    assert again.id != first.id
    assert [one["id"] for one in account.living if one["status"] == "active"] == [again.id]


def test_a_launch_that_was_done_and_not_heard_of_is_found_and_not_repeated(account):
    account.fail("POST instance-operations/launch", late=True)
    made = machine(account).create(wanted(account))
    assert [one["id"] for one in account.living] == [made.id]
    assert launches(account) == 1


def test_a_launch_that_was_not_done_and_not_heard_of_fails_and_leaves_none(account):
    account.fail("POST instance-operations/launch")
    with pytest.raises(Exception, match=r"cannot be reached.*Mend: check the network"):
        machine(account).create(wanted(account))
    assert account.living == []


def test_too_many_requests_are_asked_again_later(account):
    asked = wanted(account)
    account.fail("POST instance-operations/launch", status=429, code="global/rate", times=3)
    machine(account).create(asked)
    assert launches(account) == 4
    assert account.slept[:3] == [1.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"user_data": "#cloud-config\nwrite_files:\n"}, ["user_data"]),
        ({"instance_type": "gpu_4x_a10"}, ["instance_type"]),
        ({"region": "europe-central-1"}, ["region"]),
        ({"tags": TAGS | {"deployer:budget": "9"}}, ["tags"]),
        ({"tags": TAGS | {"deployer:spec-digest": "1", "deployer:owner": "eve"}}, None),
        ({"secret": SECRET.replace('"hub_token": ""', '"hub_token": "hf"')}, None),
        ({"secret": SECRET.replace("kkk", "zzz")}, ["secret"]),
        ({"image_family": "lambda-stack-26-04"}, None),
        ({"ruleset_id": "another"}, ["ruleset_id"]),
    ],
)
def test_what_differs_needs_another_machine_or_none(account, change, replaced):
    asked = wanted(account)
    made = machine(account).create(asked)
    found = machine(account).diff(made.id, made.outs, asked | change)
    assert (found.replaces or None) == replaced
    assert found.changes == bool(replaced)
    assert found.delete_before_replace


def test_a_machine_that_somebody_ended_is_gone_and_another_is_launched(account):
    asked = wanted(account)
    made = machine(account).create(asked)
    account.answer("POST", "instance-operations/terminate", {"instance_ids": [made.id]}, KEY)
    assert machine(account).read(made.id, made.outs).id == ""
    assert machine(account).create(asked).id != made.id
    machine(account).delete(made.id, made.outs)


def test_everything_is_removed_in_an_order_that_lambda_takes(account):
    asked = wanted(account)
    made = machine(account).create(asked)
    machine(account).delete(made.id, made.outs)
    account.ended[made.id] -= 1  # it has ended by now
    ruleset(account).delete(asked["ruleset_id"], {})
    key(account).delete(next(iter(account.keys)), {})
    assert account.left() == {}
    machine(account).delete(made.id, made.outs)
    ruleset(account).delete(asked["ruleset_id"], {})


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("global/quota-exceeded", 400, "NotGrantedError"),
        ("global/invalid-api-key", 401, "NotAllowedError"),
        ("global/account-inactive", 403, "NotAllowedError"),
        ("instance-operations/launch/insufficient-capacity", 400, "ApiError"),
    ],
)
def test_what_lambda_refuses_is_said_in_its_words_with_what_to_do(account, code, status, kind):
    asked = wanted(account)
    account.fail("POST instance-operations/launch", status=status, code=code)
    with pytest.raises(Exception, match=rf"made by the test \({code}\)") as raised:
        machine(account).create(asked)
    assert type(raised.value).__name__ == kind
    assert " Mend: " in str(raised.value)
    assert account.living == []


def test_a_key_that_expires_midway_names_what_to_do_and_nothing_is_launched_twice(account):
    asked = wanted(account)
    account.boots_s = 1e6
    code = "global/invalid-api-key"
    account.fail(r"GET instances/\w+", status=401, code=code)
    with pytest.raises(Exception, match=r"set LAMBDA_API_KEY .*what was made is still there"):
        machine(account).create(asked)
    account.boots_s = 0.0
    machine(account).create(asked)
    assert launches(account) == 1


def test_no_image_for_the_processor_is_said(account):
    with pytest.raises(Exception, match=r"no image lambda-stack-1 for x86_64 in us-east-1"):
        machine(account).create(wanted(account, image_family="lambda-stack-1"))


def test_their_code_can_be_kept_in_a_state_and_holds_no_key(account):
    from pulumi.dynamic.dynamic import serialize_provider

    program = part("program")
    for kind, (name, provider) in program.PARTS.items():
        module = program._by_value(name)
        kept = serialize_provider(getattr(module, provider)(module.Api()))
        assert KEY not in kept, kind
        assert "cloud_gpu" not in kept, "it names no module of this checkout"
