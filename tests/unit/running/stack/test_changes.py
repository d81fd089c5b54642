"""An engine's preview as priced changes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployer.cli.views import changes as changes_view
from deployer.planning import catalog, cost
from deployer.planning.traffic.profile import usage
from deployer.running.stack.changes import KNOWN_LATER, UNKNOWN, Collector, Drift, plain
from deployer.spec import Traffic
from tests.doubles.fake_pulumi import MACHINE, MACHINE_INPUTS, event, told

LARGER = MACHINE_INPUTS | {"instanceType": "g5.2xlarge"}


def price(resources):
    used = usage(
        Traffic(requests_per_day=Decimal(0)), scale_to_zero_minutes=0, seconds_per_request=None
    )
    return cost.estimate(resources, rates=catalog.load(), usage=used, region="us-east-1")


def changes(*events):
    seen = Collector()
    for one in events:
        seen(one)
    return seen.changes(price)


def hourly(kind: str) -> Decimal:
    (found,) = [
        o.usd_per_hour
        for o in catalog.load().offers("aws", "us-east-1")
        if o.instance_type == kind and o.billing == "on-demand"
    ]
    assert found is not None
    return found


def machine_cost(kind: str) -> Decimal:
    """An instance with AWS's default disk of unknown size: the instance's hours alone are priced."""
    return hourly(kind) * 730


def test_a_first_up_costs_what_is_made():
    made = changes(*told("create", MACHINE, "machine", new=MACHINE_INPUTS))
    (change,) = made.real
    assert change.action == "create"
    assert change.after_usd == machine_cost("g5.xlarge")
    assert change.before_usd is None


@pytest.mark.parametrize("op", ["update", "replace"])
def test_a_change_costs_the_difference(op):
    made = changes(
        *told(op, MACHINE, "machine", old=MACHINE_INPUTS, new=LARGER, diffs=["instanceType"])
    )
    (change,) = made.real
    assert change.action == op
    assert change.differs == ("instanceType",)
    assert change.before_usd is not None
    assert change.after_usd is not None
    assert (
        change.after_usd - change.before_usd == (hourly("g5.2xlarge") - hourly("g5.xlarge")) * 730
    )
    assert "+150.38" in changes_view.render(made)


def test_the_parts_of_a_replacement_are_one_change():
    steps = ("create-replacement", "replace", "delete-replaced")
    events = [
        e for op in steps for e in told(op, MACHINE, "machine", old=MACHINE_INPUTS, new=LARGER)
    ]
    assert [c.action for c in changes(*events).real] == ["replace"]


def test_what_is_deleted_costs_nothing_any_more():
    made = changes(*told("delete", MACHINE, "machine", old=MACHINE_INPUTS))
    (change,) = made.real
    assert change.before_usd == machine_cost("g5.xlarge")
    assert change.after_usd is None


def test_what_stays_the_same_is_no_change():
    made = changes(*told("same", MACHINE, "machine", old=MACHINE_INPUTS, new=MACHINE_INPUTS))
    assert made.real == ()
    assert [c.action for c in made.every] == ["same"]


def test_a_type_without_a_price_is_said_to_be_unpriced():
    unheard = MACHINE_INPUTS | {"instanceType": "x99.huge"}
    made = changes(*told("create", MACHINE, "machine", new=unheard))
    assert not made.real[0].priced
    assert made.monthly_usd is None
    text = changes_view.render(made)
    assert "unpriced" in text
    assert "unknown" in text


def test_the_stack_itself_and_its_providers_are_no_resources():
    assert changes(*told("create", "pulumi:providers:aws", "aws", new={})).every == ()


def test_a_child_resource_is_known_by_its_own_type():
    parented = f"pulumi:index:Group${MACHINE}"
    (change,) = changes(*told("create", parented, "machine", new=MACHINE_INPUTS)).every
    assert change.type == MACHINE


def test_unknown_values_are_named_and_a_providers_notes_left_out():
    given = {"a": UNKNOWN, "__defaults": ["b"], "c": [{"d": UNKNOWN, "__meta": 1}]}
    assert plain(given) == {"a": KNOWN_LATER, "c": [{"d": KNOWN_LATER}]}


def test_a_refresh_tells_what_is_gone_and_what_was_altered():
    seen = Drift()
    seen(event("res_outputs_event", "delete", MACHINE, "machine", old={}))
    seen(
        event(
            "res_outputs_event", "update", "aws:ec2/securityGroup:SecurityGroup", "access", new={}
        )
    )
    seen(event("res_outputs_event", "same", "aws:ec2/vpc:Vpc", "network", new={}))
    assert (seen.gone, seen.altered) == (["machine"], ["access"])
