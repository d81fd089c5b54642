"""An instance's tags and times, as the decision takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from deployer.agents.idle import Policy
from deployer.running.inventory import Found
from stacks._aws.inventory import TAG

AFTER, ACTION = "deployer:idle-after", "deployer:idle-action"
EXPIRES_AFTER, EXPIRES_AT = "deployer:expires-after", "deployer:expires-at"
BUDGET, OVER_BUDGET = "deployer:budget", "deployer:over-budget"
GROUP = "aws:autoscaling:groupName"
DEFAULT_AFTER_S = 1800.0
"""What the spec's default is: for a machine whose tags do not say."""
ACTIONS: Mapping[str, Literal["stop", "destroy", "none"]] = {
    "stop": "stop",
    "destroy": "destroy",
    "none": "none",
}
STOPPED_AT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


@dataclass(frozen=True)
class Machine:
    """One instance. Times are seconds since 1970."""

    id: str
    region: str
    deployment: str
    state: str
    started_at: float
    type: str
    spot: bool = False
    address: bool = False  # it has a public address
    group: str | None = None  # the auto-scaling group that it belongs to
    stopped_at: float | None = None
    made_at: float = 0.0  # when its root disk was attached: its first launch
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it runs, so that it can be idle."""
        return self.state in ("pending", "running")


def machine(found: Found) -> Machine:
    """Read an instance that was found."""
    return described(found.details, found.region)


def described(told: Mapping[str, Any], region: str) -> Machine:
    """Read an instance as EC2 describes it."""
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", ())}
    return Machine(
        id=told["InstanceId"],
        region=region,
        deployment=tags.get(TAG, ""),
        state=told["State"]["Name"],
        started_at=told["LaunchTime"].timestamp(),
        type=told["InstanceType"],
        spot=told.get("InstanceLifecycle") == "spot",
        address=bool(told.get("PublicIpAddress")),
        group=tags.get(GROUP),
        stopped_at=_stopped_at(told),
        made_at=_made_at(told),
        tags=tags,
    )


def _made_at(told: Mapping[str, Any]) -> float:
    """When it was first launched: LaunchTime is that of the last start, its disk was attached at the first."""
    attached = [
        d["Ebs"].get("AttachTime") for d in told.get("BlockDeviceMappings", ()) if "Ebs" in d
    ]
    times = [at.timestamp() for at in (*attached, told["LaunchTime"]) if at is not None]
    return float(min(times))


def _stopped_at(told: Mapping[str, Any]) -> float | None:
    """When it was stopped, which EC2 tells only in words: `User initiated (2026-11-23 01:00:00 GMT)`."""
    words = STOPPED_AT.search(told.get("StateTransitionReason") or "")
    if words is None:
        return None
    return datetime.strptime(words[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def policy(of: Machine, idle_for_s: float | None = None) -> Policy:
    """Read its policy from its tags. `idle_for_s` goes before what they say of idleness."""
    limit = idle_for_s or _seconds(of.tags.get(AFTER)) or DEFAULT_AFTER_S
    action = ACTIONS.get(of.tags.get(ACTION, ""), "stop")
    if action == "none" and idle_for_s is not None:
        action = "stop"
    return Policy(limit, action, expires_at=expires_at(of))


def expires_at(of: Machine) -> float | None:
    """When it expires: the time that `idle extend` wrote, else so long after its last start."""
    written = of.tags.get(EXPIRES_AT)
    if written:
        return _time(written)
    after = _seconds(of.tags.get(EXPIRES_AFTER))
    return None if after is None else of.started_at + after


def budget(of: Machine) -> tuple[Decimal | None, Literal["stop", "warn"]]:
    """Its budget in USD a month, None without one, and what happens when it is used up."""
    try:
        most = Decimal(of.tags.get(BUDGET, ""))
    except InvalidOperation:
        return None, "stop"
    known = most if most.is_finite() and most > 0 else None
    return known, "warn" if of.tags.get(OVER_BUDGET) == "warn" else "stop"


def _seconds(text: str | None) -> float | None:
    """Read `1800s`; anything else, `never` among it, is None."""
    found = re.fullmatch(r"(\d{1,12})s?", text or "")
    return float(found[1]) if found else None


def _time(text: str) -> float | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def iso(seconds: float | None) -> str | None:
    """Write a time as the documents have it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
