"""The decision about a rented machine, as a table and as properties."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.agents import idle
from deployer.agents.idle import Observation, Policy, decide

MINUTE, HOUR = 60.0, 3600.0
NOW = 10 * HOUR
STOP = Policy(30 * MINUTE, "stop")
DESTROY = Policy(30 * MINUTE, "destroy")
NONE = Policy(30 * MINUTE, "none")
EXPIRED = Policy(30 * MINUTE, "stop", expires_at=NOW - HOUR)
EXPIRES = Policy(30 * MINUTE, "stop", expires_at=NOW + HOUR)


def at(minutes: float) -> float:
    """So many minutes ago."""
    return NOW - minutes * MINUTE


def seen(used: float | None = None, read: float | None = 0, **more: object) -> Observation:
    """A machine that was started 5 h ago; `used`, `read`: minutes ago."""
    times = {"used_at": used, "seen_at": read}
    ago = {k: None if v is None else at(v) for k, v in times.items()}
    return Observation(**{"started_at": at(300), **ago, **more})  # type: ignore[arg-type]


TABLE = {
    "used a minute ago": (seen(1), STOP, "keep", "idle for 60 s, of 30 min allowed"),
    "a second before the limit": (seen(30 - 1 / 60), STOP, "keep", "of 30 min allowed"),
    "at the limit": (seen(30), STOP, "stop", "idle for 30 min, longer than the 30 min allowed"),
    "long idle, to be destroyed": (seen(200), DESTROY, "destroy", "idle for 3.3 h"),
    "long idle, but the policy has no limit": (seen(200), NONE, "keep", "never stops it"),
    "never used since it started": (seen(None), STOP, "stop", "idle for 5.0 h"),
    "never used, but just started": (
        seen(None, started_at=at(2)),
        STOP,
        "keep",
        "idle for 2 min",
    ),
    "use before this start does not count, the start does": (
        seen(200, started_at=at(5)),
        STOP,
        "keep",
        "idle for 5 min",
    ),
    "a request that runs for five hours": (seen(300, running=1), STOP, "keep", "are running"),
    "a hanging engine, a request running when last heard of": (
        seen(40, 31, running=1),
        STOP,
        "stop",
        "not answered for 31 min",
    ),
    "an engine too busy to answer just now": (
        seen(35, 1),
        STOP,
        "keep",
        "not answered for 60 s",
    ),
    "an engine that has gone": (seen(120, 31), DESTROY, "destroy", "not answered for 31 min"),
    "never healthy": (seen(None, None), STOP, "stop", "not answered since it started, 5.0 h"),
    "still loading, for longer than the policy's patience": (
        seen(None, None, started_at=at(20)),
        Policy(5 * MINUTE, "stop"),
        "keep",
        "of 30 min allowed",
    ),
    "loading is over": (
        seen(None, None, started_at=at(31)),
        Policy(5 * MINUTE, "stop"),
        "stop",
        "since it started",
    ),
    "a patient policy waits for a load as long": (
        seen(None, None, started_at=at(59)),
        Policy(60 * MINUTE, "stop"),
        "keep",
        "of 60 min allowed",
    ),
    "estimated": (
        seen(40, estimated=True),
        STOP,
        "stop",
        "idle (estimated from network and CPU) for 40 min",
    ),
    "expired while idle": (seen(1), EXPIRED, "destroy", "expired 60 min ago"),
    "expired while a request runs": (seen(0, running=3), EXPIRED, "destroy", "expired"),
    "expired while stopped": (seen(1, state="stopped"), EXPIRED, "destroy", "expired"),
    "expired without an idle limit": (
        seen(1),
        replace(EXPIRED, action="none"),
        "destroy",
        "expired",
    ),
    "not yet expired": (seen(1), EXPIRES, "keep", "idle for"),
    "stopped already": (seen(200, state="stopped"), STOP, "keep", "only its disk"),
    "on its way to a stop": (seen(200, state="stopping"), DESTROY, "keep", "only its disk"),
    "gone already": (seen(200, state="terminated"), EXPIRED, "keep", "already gone"),
    "going": (seen(200, state="shutting-down"), STOP, "keep", "already gone"),
    "a clock that went back": (seen(-90, -90), STOP, "keep", "idle for 0 s"),
    "a start in the future": (
        seen(None, None, started_at=at(-90)),
        STOP,
        "keep",
        "since it started, 0 s",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_decision_is(case):
    observed, policy, action, reason = TABLE[case]
    decision = decide(observed, policy, NOW)
    assert (decision.action, reason in decision.reason) == (action, True), decision


TIMES = st.floats(-1e6, 1e6)
MAYBE = st.none() | TIMES
OBSERVATIONS = st.builds(
    Observation,
    TIMES,
    MAYBE,
    MAYBE,
    st.integers(0, 9),
    st.sampled_from(["pending", "running", "stopping", "stopped", "terminated"]),
    st.booleans(),
)
POLICIES = st.builds(
    Policy,
    st.floats(1, 1e6),
    st.sampled_from(["stop", "destroy", "none"]),
    st.floats(0, 1e5),
    MAYBE,
)


@given(OBSERVATIONS, POLICIES, TIMES)
def test_idleness_is_never_negative_and_every_decision_has_a_reason(observed, policy, now):
    decision = decide(observed, policy, now)
    assert decision.idle_s >= 0
    assert decision.reason


@given(OBSERVATIONS, POLICIES, TIMES)
def test_without_expiry_only_what_the_policy_asks_for_is_done(observed, policy, now):
    decision = decide(observed, replace(policy, expires_at=None), now)
    assert decision.action in ("keep", policy.action)


@given(OBSERVATIONS, POLICIES, TIMES)
def test_a_request_that_runs_keeps_a_machine_that_has_not_expired(observed, policy, now):
    busy = replace(observed, running=1, seen_at=now)
    assert decide(busy, replace(policy, expires_at=None), now).action == "keep"


@given(OBSERVATIONS, POLICIES, TIMES, st.floats(0, 1e6))
def test_what_is_ended_now_is_ended_later_too_when_nothing_was_heard_since(
    observed, policy, now, later
):
    before = decide(observed, policy, now)
    after = decide(observed, policy, now + later)
    if before.action != "keep" and (observed.seen_at is None or observed.seen_at < now):
        assert after.action != "keep"


@given(OBSERVATIONS, POLICIES, TIMES)
def test_only_differences_of_time_count(observed, policy, now):
    by = 2.0**20  # a power of two keeps the differences of small numbers as they are

    def moved(time: float | None) -> float | None:
        return None if time is None else round(time) + by

    whole = replace(
        observed,
        started_at=round(observed.started_at),
        used_at=None if observed.used_at is None else round(observed.used_at),
        seen_at=None if observed.seen_at is None else round(observed.seen_at),
    )
    plain = replace(policy, expires_at=None)
    there = replace(
        whole,
        started_at=whole.started_at + by,
        used_at=moved(observed.used_at),
        seen_at=moved(observed.seen_at),
    )
    assert decide(whole, plain, round(now)) == decide(there, plain, round(now) + by)


def test_the_file_needs_the_standard_library_alone():
    tree = ast.parse(Path(idle.__file__).read_text(), feature_version=(3, 10))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {
        name.partition(".")[0]
        for node in imports
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    assert names
    assert names <= set(sys.stdlib_module_names)
