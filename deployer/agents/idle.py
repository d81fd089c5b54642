"""Whether a rented machine goes on running: one pure function of what was seen, the policy and the time.

The watchdog on the machine and `deployer idle` outside of it decide with this very file. It imports nothing of
deployer and runs with Python 3.10, for it is copied to the machine. Times are seconds on one clock that only goes
forward; any origin will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["keep", "stop", "destroy"]
LOADING_S = 1800.0
"""What a machine is given to pull its image and load its model, where the policy is less patient than that."""
GONE = ("shutting-down", "terminated")
RESTING = ("stopping", "stopped")


@dataclass(frozen=True)
class Observation:
    """What is known of one machine. `state` is its cloud's word; `estimated`: told by its network and processor alone."""

    started_at: float
    used_at: float | None = None  # when a request last ran or had just ended; None: never
    seen_at: float | None = None  # when its engine could last be asked; None: never
    running: float = 0  # requests that ran or waited then
    state: str = "running"
    estimated: bool = False


@dataclass(frozen=True)
class Policy:
    """What the spec says of idle machines (`policy.idle`), and when this one expires, if ever."""

    after_s: float
    action: Literal["stop", "destroy", "none"]
    loading_s: float = LOADING_S
    expires_at: float | None = None


@dataclass(frozen=True)
class Decision:
    """What becomes of the machine, why, in words, and for how long nobody can have used it."""

    action: Action
    reason: str
    idle_s: float = 0.0


def decide(seen: Observation, policy: Policy, time: float) -> Decision:
    """Keep it, stop it or destroy it.

    A request that runs keeps it, however long, as long as the engine answers. While the engine does not answer
    it may be at work: idleness counts from its last answer. What has expired is destroyed, in use or not.
    """
    if seen.state in GONE:
        return Decision("keep", "already gone")
    quiet, limit, why = _quiet(seen, policy, time)
    if policy.expires_at is not None and time >= policy.expires_at:
        return Decision("destroy", f"expired {spell(time - policy.expires_at)} ago", quiet)
    if seen.state in RESTING:
        return Decision("keep", "stopped: only its disk is billed", quiet)
    if policy.action == "none":
        return Decision("keep", f"the policy never stops it; {why} {spell(quiet)}", quiet)
    if quiet < limit:
        return Decision("keep", f"{why} {spell(quiet)}, of {spell(limit)} allowed", quiet)
    return Decision(
        policy.action, f"{why} {spell(quiet)}, longer than the {spell(limit)} allowed", quiet
    )


def _quiet(seen: Observation, policy: Policy, time: float) -> tuple[float, float, str]:
    """How long nothing was heard (never below 0), how long is allowed, and of what."""
    if seen.seen_at is None:
        patience = max(policy.after_s, policy.loading_s)
        since, why = seen.started_at, "the engine has not answered since it started,"
        return max(0.0, time - since), patience, why
    if seen.seen_at < time:
        return time - seen.seen_at, policy.after_s, "the engine has not answered for"
    if seen.running > 0:
        return 0.0, policy.after_s, "requests are running: idle for"
    last = seen.started_at if seen.used_at is None else max(seen.used_at, seen.started_at)
    why = "idle (estimated from network and CPU) for" if seen.estimated else "idle for"
    return max(0.0, time - last), policy.after_s, why


def spell(seconds: float) -> str:
    """Write a span as a person reads it."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole / 3600:.1f} h"
