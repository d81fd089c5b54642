"""Lambda's machines as `deployer idle` sees and ends them, and how their end is moved."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from deployer.core.errors import DeployerError
from deployer.providers.cloud import Scopes, Terms
from tests.doubles.lambda_cloud import KEY
from tests.kits.lambda_api import Still, part

NAME = "try-cloud-gpu"
RULES = [{"protocol": "tcp", "port_range": [443, 443], "source_network": "198.51.100.7/32"}]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Still:
    monkeypatch.setenv("LAMBDA_API_KEY", KEY)
    made = Still()
    launched(made, NAME)
    ask(made, "POST", "ssh-keys", {"name": "my-own", "public_key": "ssh-ed25519 A"})
    return made


def ask(account: Still, method: str, path: str, body: Any) -> Any:
    answer = account.answer(method, path, body, KEY)
    assert answer is not None
    assert answer[0] == 200, answer
    return answer[1]["data"]


def launched(account: Still, deployment: str, region: str = "us-east-1", **tags: str) -> str:
    """Launch a machine with its key and its ruleset; return its id."""
    name = f"deployer-{deployment}"
    ask(account, "POST", "ssh-keys", {"name": name, "public_key": "ssh-ed25519 A"})
    rules = [{**rule, "description": "deployer"} for rule in RULES]
    body = {"name": name, "region": region, "rules": rules}
    rules_id = ask(account, "POST", "firewall-rulesets", body)["id"]
    told = {"deployer:deployment": deployment, "deployer:launched-at": "1700000000"}
    told |= {"deployer:expires-after": "never", "deployer:authority": "0" * 64} | tags
    made = {
        "region_name": region,
        "instance_type_name": "gpu_1x_a10",
        "ssh_key_names": [name],
        "name": deployment,
        "image": {"id": "any"},
        "user_data": "",
        "tags": [{"key": k, "value": v} for k, v in told.items()],
        "firewall_rulesets": [{"id": rules_id}],
    }
    found = ask(account, "POST", "instance-operations/launch", made)["instance_ids"][0]
    account.instances[found]["ip"] = "127.0.0.1"
    return str(found)


def cloud(account: Still) -> Any:
    return part("cloud").LambdaCloud(part("account").Account(account.api()))


def test_one_look_is_three_calls_and_finds_everything_of_ours_alone(account):
    for number in range(5):
        launched(account, f"m{number}-cloud-gpu", "europe-central-1")
    account.calls.clear()
    swept = cloud(account).sweep(Scopes())
    assert len(swept.machines) == 6
    assert {one.found.deployment for one in swept.leftovers} == {
        one.deployment for one in swept.machines
    }
    assert len(account.calls) == 3
    assert not [one for one in swept.leftovers if "my-own" in one.found.name]


def test_only_the_regions_that_were_named_are_looked_at(account):
    launched(account, "m-cloud-gpu", "europe-central-1")
    here = cloud(account)
    assert here.scopes((), ()).names == ("europe-central-1", "us-east-1")
    assert here.scopes(("us-east-1", "eu-west-1"), ()).names == ("us-east-1",)
    (found,) = here.sweep(here.scopes(("europe-central-1",), ())).machines
    assert found.deployment == "m-cloud-gpu"


def test_a_machine_is_told_in_neutral_words(account):
    (found,) = cloud(account).sweep(Scopes()).machines
    assert (found.state, found.scope, found.type) == ("running", "us-east-1", "gpu_1x_a10")
    assert found.started_at == 1_700_000_000
    assert not found.can_stop
    assert found.expires_at is None


def test_there_is_no_stop_and_an_end_for_several_at_once(account):
    launched(account, "m-cloud-gpu")
    control, ids = cloud(account).control, [one["id"] for one in account.living]
    with pytest.raises(DeployerError, match="Lambda has no stop"):
        control.stop("us-east-1", ids)
    control.destroy("us-east-1", ids)
    assert {one["status"] for one in account.living} == {"terminating"}
    assert control.machines("us-east-1", ids) == []


def test_a_machine_that_boots_is_given_its_time_and_an_older_one_is_a_gap(account, monkeypatch):
    telling = part("telling")
    monkeypatch.setattr(telling, "PORT", 1)  # nobody listens there
    control = cloud(account).control
    (machine,) = cloud(account).sweep(Scopes()).machines
    seen, gaps = control.observe([machine], machine.started_at + 60)
    assert (seen[machine.id].seen_at, gaps) == (None, [])
    seen, gaps = control.observe([machine], machine.started_at + 7200)
    assert seen == {}
    assert "look from an address that `expose` lets in" in gaps[0].error


def test_its_hours_are_counted_from_its_launch_and_of_what_ended_nothing_is_known(account):
    (id_,) = account.instances
    hours, gaps = cloud(account).control.hours("us-east-1", [id_, "gone"], 0, 1_700_007_200)
    assert hours == {id_: Decimal(2)}
    assert "how long gone ran" in gaps[0].error
    later, _ = cloud(account).control.hours("us-east-1", [id_], 1_700_003_600, 1_700_007_200)
    assert later == {id_: Decimal(1)}


def test_its_end_is_moved_by_its_name_and_never_to_an_earlier_time(account):
    expiry, until = cloud(account).expiry, time.time() + 3600
    held = expiry.extend("us-east-1", NAME, until)
    (one,) = account.living
    assert one["name"] == f"{NAME} @{int(until)}"
    assert expiry.extend("us-east-1", NAME, until - 600) == held
    assert expiry.extend("europe-central-1", NAME, until) is None
    (found,) = cloud(account).sweep(Scopes()).machines
    assert found.expires_at == int(until)
    expiry.lift("us-east-1", NAME)
    (found,) = cloud(account).sweep(Scopes()).machines
    assert (found.expires_at, one["name"]) == (None, f"{NAME} @never")


def test_what_was_lifted_or_moved_goes_before_the_tag(account):
    id_ = launched(account, "m-cloud-gpu", **{"deployer:expires-after": "60s"})
    found = {one.id: one for one in cloud(account).sweep(Scopes()).machines}[id_]
    assert found.expires_at == 1_700_000_060
    cloud(account).expiry.lift("us-east-1", "m-cloud-gpu")
    found = {one.id: one for one in cloud(account).sweep(Scopes()).machines}[id_]
    assert found.expires_at is None


def test_terms_are_read_as_they_are_written_and_a_stop_is_an_end():
    tags = part("terms").LambdaTags()
    terms = Terms(600.0, "none", 3600.0, None, Decimal("9.5"), "warn")
    assert tags.read(tags.write(terms)) == terms
    assert tags.read(tags.write(Terms(None, "stop"))).idle_action == "destroy"
    odd = {"deployer:budget": "NaN", "deployer:idle-after": "soon", "deployer:expires-after": "-1s"}
    assert tags.read(odd) == Terms(idle_action="destroy")


def test_everything_of_one_deployment_is_found_and_removed_and_nothing_else(account):
    launched(account, "m-cloud-gpu")
    account_part = part("account")
    things = account_part.Things(NAME, account_part.Account(account.api()))
    found = things.found()
    assert [one.type.rpartition(":")[2] for one in found] == [
        "LambdaMachine",
        "LambdaRuleset",
        "LambdaKey",
    ]
    removed, left = things.remove(found[::-1], lambda _: None)
    assert ([one.id for one in removed], left) == ([one.id for one in found], [])
    assert {one["name"] for one in account.keys.values()} == {"my-own", "deployer-m-cloud-gpu"}


@pytest.mark.parametrize("name", ["laptop", "deployer-laptop", "cloud-gpu", "x-cloud-gpu"])
def test_a_key_of_somebody_elses_is_left_alone(name):
    assert part("account").deployment_in(name) is None


@pytest.mark.parametrize(
    "told", [[], {"idle_s": 1}, {"idle_s": -1, "age_s": 0}, {"idle_s": 1, "age_s": 1e99}]
)
def test_what_a_machine_says_is_not_believed_when_it_is_nonsense(told):
    with pytest.raises((ValueError, KeyError)):
        part("telling")._read(told)
