"""What the reaper decides and does, on a cloud that is none of the known ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.cli.views import idle as view
from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError, UsageError
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import Gap, Leftover, Machine, Sleeper, Terms
from deployer.providers.inventory import Found
from deployer.running.reaper import actions, lifetime
from deployer.running.reaper.service import NO_CREDENTIALS, Reaper, Round
from deployer.running.store import Store
from deployer.workflows import idle
from tests.doubles.fake_cloud import SCOPES, FakeCloud, FakeControl, FakeExpiry

HOUR = 3600.0
NOW = 1_800_000_000.0  # 2027-01-15T08:00Z
TYPE = "g5.xlarge"  # the catalog has its price
DISK = "aws:ebs/volume:Volume"
GIB_730 = {"type": "gp3", "size": 730}  # 0.08 USD/h by that type's rule


def machine(key: str, **more: Any) -> Machine:
    """One that has run for ten hours."""
    given = {"scope": "north", "deployment": "bot-cloud-gpu", "provider": "aws", "type": TYPE}
    made = {"state": "running", "started_at": NOW - 10 * HOUR, "made_at": NOW - 10 * HOUR}
    return Machine(id=key, **{**given, **made, **more})


def control(*machines: Machine, used: dict[str, float] | None = None) -> FakeControl:
    """Machines of which each was last used two hours ago, if nothing else is said."""
    told = dict.fromkeys((one.id for one in machines), NOW - 2 * HOUR) | (used or {})
    return FakeControl({one.id: one for one in machines}, told)


def reaper(home: Path, *clouds: FakeCloud) -> Reaper:
    return Reaper(home, lambda: NOW, clouds)


def yes(_: Round) -> bool:
    return True


def ended(done: Round) -> dict[str, str]:
    return {one.machine.id: one.done for one in done.outcomes}


def leftover(key: str, **more: Any) -> Leftover:
    return Leftover(Found("fake:disk", key, key, "gone-cloud-gpu", "north"), **more)


def record(home: Path, name: str, provider: str, **more: Any) -> Deployment:
    """What is remembered of a deployment."""
    told: dict[str, Any] = more | {"spec_name": "bot", "spec_digest": "d", "target": "cloud-gpu"}
    told |= {"engine": "vllm", "model": "bot", "started_at": "2027-01-15T00:00:00+00:00"}
    made = Deployment(name=name, provider=provider, planned=[], **told)
    Store(home).save(made)
    return made


def test_what_is_idle_is_stopped_in_one_call_for_each_scope(home):
    there = control(
        machine("a"),
        machine("b"),
        machine("c", scope="south"),
        machine("busy"),
        used={"busy": NOW - 60},
    )
    done = reaper(home, FakeCloud(there)).round([], "stop", None, yes)
    assert there.ended == [("stop north", ("a", "b")), ("stop south", ("c",))]
    assert ended(done) == {"a": "stop", "b": "stop", "c": "stop"}
    assert done.whole


def test_what_cannot_be_stopped_is_left_to_destroy(home):
    there = control(machine("a", can_stop=False))
    asked = reaper(home, FakeCloud(there))
    assert ended(asked.round([], "stop", None, yes)) == {}
    assert there.ended == []
    assert ended(asked.round([], "destroy", None, yes)) == {"a": "destroy"}


def test_a_group_is_set_to_no_machines_and_never_ended_one_by_one(home):
    there = control(machine("a", group="fleet"), machine("b", group="fleet"))
    done = reaper(home, FakeCloud(there)).round([], "destroy", None, yes)
    assert there.ended == [("empty north", ("fleet",))]
    assert ended(done) == {"a": "destroy", "b": "destroy"}


def test_stop_ends_nothing_of_a_group_which_would_replace_what_is_stopped(home):
    there = control(machine("a", group="fleet"), machine("b"))
    done = reaper(home, FakeCloud(there)).round([], "stop", None, yes)
    assert ended(done) == {"b": "stop"}
    assert there.ended == [("stop north", ("b",))]
    told = {one.machine.id: one.decision.reason for one in done.survey.machines}
    assert "'idle destroy' ends it" in told["a"]


def test_what_another_process_works_on_is_kept(home):
    there = control(machine("a", deployment="busy-cloud-gpu"), machine("b"))
    with Store(home).lock("busy-cloud-gpu"):
        done = reaper(home, FakeCloud(there)).round([], "destroy", None, yes)
    assert ended(done) == {"a": "keep", "b": "destroy"}
    assert "another deployer is working on busy-cloud-gpu" in next(o.why for o in done.outcomes)


def test_what_only_carries_a_tag_is_named_and_nobody_s_to_end(home):
    there = control(machine("a"), machine("copied", ours=False))
    disk = Found("aws:ebs/volume:Volume", "d", "d", "bot-cloud-gpu", "north", ours=False)
    cloud = FakeCloud(there, leftovers=[Leftover(disk, loose=True)])
    for verb in ("stop", "destroy"):
        done = reaper(home, cloud).round([], verb, None, yes)
        assert {one.found.id for one in done.survey.tagged} == {"copied", "d"}
        assert done.survey.orphans == []
        assert set(ended(done)) == {"a"}
    there.machines_there["a"] = replace(there.machines_there["a"], ours=False)
    found = replace(done.survey, machines=done.survey.machines)
    outcomes, _ = actions.act([cloud], found.machines, "destroy", None, lambda: NOW)
    assert [one.done for one in outcomes] == ["keep"], "it is looked at again, too"


def test_one_that_the_cloud_protects_does_not_hold_up_the_others(home):
    there = control(machine("a"), machine("b"), machine("c"))
    there.refused = {"b"}
    done = reaper(home, FakeCloud(there)).round([], "stop", None, yes)
    assert ended(done) == {"a": "stop", "b": "failed", "c": "stop"}
    assert "it is protected" in [one.why for one in done.outcomes]
    assert not done.whole


def test_what_is_destroyed_leaves_what_is_billed_on_and_says_how_to_end_it(home, capsys):
    secret = Found("aws:secretsmanager/secret:Secret", "s", "s", "bot-cloud-gpu", "north")
    free = Found("aws:ec2/vpc:Vpc", "v", "v", "bot-cloud-gpu", "north")
    disk = Leftover(replace(secret, type="aws:ebs/volume:Volume", id="d"), ends=True)
    there = control(machine("a", deployment="bot-cloud-gpu"))
    cloud = FakeCloud(there, leftovers=[Leftover(secret), Leftover(free), disk])
    before = idle.listed(reaper(home, cloud).look([]))
    assert before.left == (), "its machine is there"
    done = idle.ended(reaper(home, cloud).round([], "destroy", None, yes))
    assert [(one.type, one.id) for one in done.left] == [(secret.type, "s")]
    view.show_round(done, (), "destroy")
    text = capsys.readouterr().out
    assert "Still billed" in text
    assert "'deployer down NAME' removes them" in text


def test_what_is_used_between_the_looks_is_kept(home):
    there = control(machine("a"), machine("b"))

    def a_request_comes(_: Round) -> bool:
        there.used["a"] = NOW
        return True

    done = reaper(home, FakeCloud(there)).round([], "stop", None, a_request_comes)
    assert ended(done) == {"a": "keep", "b": "stop"}


def test_what_cannot_be_looked_at_again_is_kept_and_is_a_gap(home):
    there = control(machine("a"))
    there.unreadable = True
    done = reaper(home, FakeCloud(there)).round([], "destroy", None, yes)
    assert ended(done) == {"a": "keep"}
    assert done.gaps == [Gap("north", "the cloud is asleep")]
    assert there.ended == []


def test_nothing_is_ended_whose_use_could_not_be_read(home):
    there = control(machine("a"))
    there.used.clear()
    found = reaper(home, FakeCloud(there)).look([])
    assert [(one.kept, one.basis) for one in found.machines] == [(True, "unknown")]
    assert found.gaps == [Gap("north", "no metrics")]


@pytest.mark.parametrize("expiry", [None, FakeExpiry()], ids=["by nobody", "by the cloud"])
def test_what_has_expired_is_destroyed_whether_or_not_the_cloud_would_do_it_itself(home, expiry):
    terms = Terms(expires_after_s=9 * HOUR)
    there = control(machine("a", terms=terms), used={"a": NOW})
    done = reaper(home, FakeCloud(there, expiry)).round([], "destroy", None, yes)
    assert ended(done) == {"a": "destroy"}
    assert "expired" in done.outcomes[0].why


def test_a_later_time_written_on_a_machine_goes_before_its_age(home):
    terms = Terms(expires_after_s=9 * HOUR, expires_at=NOW + HOUR)
    there = control(machine("a", terms=terms), used={"a": NOW})
    (shown,) = reaper(home, FakeCloud(there)).look([]).machines
    assert shown.kept
    assert idle.instance(shown).expires_at == "2027-01-15T09:00:00+00:00"


def test_extend_moves_the_end_wherever_the_deployment_has_a_machine(home):
    expiry = FakeExpiry({("south", "bot-cloud-gpu"): NOW + HOUR})
    fixed = FakeCloud(control(), name="fixed")
    asked = reaper(home, fixed, FakeCloud(control(), expiry))
    assert asked.extend("bot-cloud-gpu", 7 * HOUR, []) == {"south": "2027-01-15T15:00:00+00:00"}
    assert asked.extend("bot-cloud-gpu", HOUR, []) == {"south": "2027-01-15T15:00:00+00:00"}
    with pytest.raises(UsageError, match="no machine of 'other'"):
        asked.extend("other", HOUR, [])
    with pytest.raises(UsageError, match="no machine of 'bot-cloud-gpu'"):
        reaper(home, fixed).extend("bot-cloud-gpu", HOUR, [])


def test_up_dates_a_record_by_the_policy_and_lifts_the_date_when_it_has_none(home):
    expiry = FakeExpiry({("north", "bot-cloud-gpu"): NOW})
    made = record(home, "bot-cloud-gpu", "aws")
    dated = lifetime.prolonged(expiry, "north", made, HOUR, NOW)
    assert dated.expires_at == "2027-01-15T09:00:00+00:00"
    assert lifetime.prolonged(expiry, "north", dated, None, NOW).expires_at is None
    assert expiry.until == {}


BUDGET = Terms(idle_action="none", budget_usd=Decimal(10))


@pytest.mark.parametrize(
    ("hours", "over", "done", "said"),
    [
        (2, "stop", {}, ""),
        (9, "stop", {}, "nearly"),
        (11, "stop", {"a": "stop"}, "used up"),
        (11, "warn", {}, "only warns"),
    ],
)
def test_a_budget_that_is_used_up_stops_what_runs(home, hours, over, done, said):
    terms = replace(BUDGET, over_budget=over)
    here = machine("a", scope="us-east-1", terms=terms, started_at=NOW - HOUR, made_at=NOW - HOUR)
    there = control(here, used={"a": NOW})
    there.ran["a"] = Decimal(hours)  # at 1.006 USD
    told = reaper(home, FakeCloud(there)).round([], "stop", None, yes)
    assert ended(told) == done
    assert said in told.survey.machines[0].decision.reason
    assert told.survey.machines[0].spent_usd == Decimal("1.006") * hours


def test_hours_are_asked_of_machines_with_a_budget_alone(home):
    there = control(machine("a"), machine("b", terms=BUDGET))
    reaper(home, FakeCloud(there)).look([])
    assert [one for one in there.calls if one[0].startswith("hours")] == [("hours north", ("b",))]


def test_what_is_left_over_is_named_with_its_price(home):
    disk = Found(DISK, "d", "d", "gone-cloud-gpu", "us-east-1", inputs=GIB_730)
    cloud = FakeCloud(control(), leftovers=[Leftover(disk), leftover("unknown")])
    told = {one.found.id: one.monthly_usd for one in reaper(home, cloud).look([]).orphans}
    assert told == {"d": Decimal("58.4"), "unknown": None}


@pytest.mark.parametrize(
    "alive",
    [
        FakeCloud(control(machine("a", deployment="gone-cloud-gpu"))),
        FakeCloud(control(), sleepers=[Sleeper(leftover("e").found)]),
    ],
    ids=["a machine", "an endpoint"],
)
def test_nothing_is_left_over_of_what_is_there_but_what_hangs_on_nothing(home, alive):
    left = [leftover("used"), leftover("loose", loose=True), leftover("role", everywhere=True)]
    found = reaper(home, replace(alive, leftovers=left)).look([])
    assert [one.found.id for one in found.orphans] == ["loose"]


def test_a_group_without_a_machine_keeps_what_belongs_to_it(home):
    left = [leftover("group", lives=True), leftover("disk")]
    assert reaper(home, FakeCloud(control(), leftovers=left)).look([]).orphans == []


def test_where_machines_could_not_be_seen_nothing_is_left_over(home):
    gaps = [Gap("north", "denied", blind=True)]
    left = [leftover("disk"), leftover("role", everywhere=True)]
    found = reaper(home, FakeCloud(control(), leftovers=left, gaps=gaps)).look([])
    assert found.orphans == []
    assert found.gaps == gaps


def test_a_machine_costs_its_disks_too_and_once_it_rests_nothing_else(home):
    thing = Found(DISK, "d", "d", "bot-cloud-gpu", "us-east-1", inputs=GIB_730)
    disk = Leftover(thing, disk_of=("a",))
    here = machine("a", scope="us-east-1", state="stopped", stopped_at=NOW - HOUR)
    (shown,) = reaper(home, FakeCloud(control(here), leftovers=[disk])).look([]).machines
    assert shown.prices == Prices(Decimal("1.086"), Decimal("0.08"))
    assert shown.usd_per_hour == Decimal("0.08")


def test_every_cloud_is_asked_and_one_that_does_not_answer_is_a_gap(home):
    down = FakeCloud(control(), name="down", down=True)
    found = reaper(home, down, FakeCloud(control(machine("a")))).look([])
    assert [one.machine.id for one in found.machines] == ["a"]
    assert found.gaps == [Gap("down", "down cannot be asked")]
    assert not Round(found, ()).whole


def test_when_no_cloud_can_be_asked_the_first_says_why(home):
    lacking = [FakeCloud(control(), name=name, credentials=False) for name in ("one", "two")]
    with pytest.raises(PrerequisiteError, match="one cannot be asked"):
        reaper(home, *lacking).look([])


def test_a_cloud_without_credentials_is_a_gap_only_where_something_of_it_is_known(home):
    lacking = FakeCloud(control(), name="other", providers=("other",), credentials=False)
    asked = reaper(home, FakeCloud(control()), lacking)
    found = asked.look([])
    assert (found.unasked, found.gaps) == (["other"], [])
    assert asked.look(["north"]).gaps == [Gap("other", NO_CREDENTIALS)]
    record(home, "bot-cloud-gpu", "other")
    assert asked.look([]).gaps == [Gap("other", NO_CREDENTIALS)]


def test_without_a_scope_named_all_are_swept_once_and_what_has_none_too(home):
    cloud = FakeCloud(control())
    reaper(home, cloud).look([])
    reaper(home, cloud).look(["north", "north"])
    assert [(one.names, one.everywhere) for one in cloud.swept] == [
        (SCOPES, True),
        (("north",), False),
    ]


def test_what_sleeps_by_itself_is_kept_and_told_of(home):
    asleep = Sleeper(leftover("e").found, "healthy", awake=False)
    (shown,) = idle.listed(reaper(home, FakeCloud(sleepers=[asleep])).look([])).endpoints
    assert (shown.decision, shown.state, shown.awake) == ("keep", "healthy", False)
    assert "asleep" in shown.reason


@pytest.mark.parametrize(
    ("running", "resting", "says"),
    [
        ("6.8675", "0.0059", "it is asleep: it costs 0.0059 USD/hour while it sleeps (as planned)"),
        ("1.8", "0", "it is asleep: it costs nothing while it sleeps"),
        ("1.8", None, "it is asleep: what it costs while it sleeps is unpriced"),
        ("3.6", "3.6", "it never sleeps, as its spec asks: 3.6000 USD/hour"),
    ],
)
def test_what_sleeps_is_told_with_what_it_costs_asleep(running, resting, says, home):
    record(home, "gone-cloud-gpu", "other", usd_per_hour=running, usd_per_hour_idle=resting)
    asleep = Sleeper(leftover("e").found, "healthy", awake=False)
    (shown,) = idle.listed(reaper(home, FakeCloud(sleepers=[asleep])).look([])).endpoints
    assert shown.reason == says
