"""Put right what an interrupted run left behind, before anything else is done.

Measured on the real engine: a run that is killed leaves a lock and a creation that is pending; the next one then
makes a SECOND machine, and removing the stack leaves the first one running and billed. So: the lock of a dead
process is removed, what exists and the state does not know is found by its tag and removed, and the state is
renewed from what there is, without the pending creation. A thing that was made only in part is then seen to
differ, and is completed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.cache import UNREADABLE
from deployer.core.domain import Resource
from deployer.core.errors import RemoteError, StaleError
from deployer.core.files import read_own
from deployer.core.units import usd
from deployer.providers.api import Explain
from deployer.providers.inventory import Found, Inventory
from deployer.providers.inventory import ours as made_by_us
from deployer.providers.managers import Say
from deployer.running import ownership
from deployer.running.stack import failures
from deployer.running.stack.failures import Lock
from deployer.running.stack.process import PID_FILE, is_alive

if TYPE_CHECKING:
    from deployer.running.stack.changes import Price
    from deployer.running.stack.engine import Engine

ENDS_S = 180.0
"""The longest that a Pulumi process left behind may take to finish what it was making."""


@dataclass(frozen=True)
class Scene:
    """A deployment's stack and what is needed to put it right."""

    name: str
    engine: Engine
    things: Inventory
    work: Path
    locks: Path | None
    say: Say
    price: Price | None = None
    explain: Explain | None = None
    own: frozenset[str] = frozenset()
    free: Callable[[], str | None] = lambda: None


def tidy(at: Scene, *, ours: bool, ending: bool = False) -> list[Found]:
    """Put everything right, saying what was not.

    Args:
        at: where. `own` are the owners that count as this user, `free` finds another name for the spec.
        ours: whether this home has a record of the deployment. If it has none and its state is empty, what is
            found is somebody else's, or made where the state was, and is left alone. So is what somebody else has made.
        ending: whether all of it is removed next, to which a changed or missing thing is no obstacle.

    Returns:
        What there is that the state knows.

    Raises:
        StaleError: somebody else is at work, or has a deployment of that name.
        RemoteError: something that is left over cannot be removed.
    """
    unlock(at)
    shared = at.locks is None
    if shared:
        _take_turn(at)
    state = at.engine.state()
    known = state.get("resources") or []
    found = made_by_us(at.things.found())
    lost = orphans(found, state)
    there = [one for one in found if one not in lost]
    if lost and _is_taken(at, lost, there, ours=ours or bool(known), ending=ending):
        raise ownership.taken(at.name, lost, at.own, at.free())
    _remove(at, [one for one in lost if one.type not in at.things.taken_up])
    if not shared and ((known and not ending) or state.get("pending_operations")):
        _refresh(at)
    return there


def _is_taken(
    at: Scene, lost: Sequence[Found], there: Sequence[Found], *, ours: bool, ending: bool
) -> bool:
    """Whether what the state does not know belongs to somebody else, and not to those who share the state."""
    if ending:  # whose it is was asked before
        return False
    if not ours or not at.own:
        return not ours
    sharing = at.own.union(one.owner for one in there if one.owner)
    return any(one.owner and one.owner not in sharing for one in lost)


def _take_turn(at: Scene) -> None:
    """Renew a state that others share, which Pulumi does only where nobody is at work.

    What they are making now has their tag, is not in the state yet, and would be taken for left over. A lock
    of a process of this machine that has died is removed.

    Raises:
        StaleError: somebody is at work.
    """
    try:
        _refresh(at)
    except StaleError as error:
        held = failures.locks_in(str(error.__cause__))
        if not held or any(_holds(lock) for lock in held):
            raise
        _cancel(at, held[0])
        _refresh(at)


def unlock(at: Scene) -> None:
    """Remove the lock of a run that has died; end the Pulumi process that outlived its deployer.

    Raises:
        StaleError: its holder lives.
    """
    end_left_behind(at.work, at.say)
    held = list(locks(at.locks))
    for lock in held:
        if _holds(lock):
            raise failures.locked(at.name, lock)
    if held:
        _cancel(at, held[0])


def _holds(lock: Lock) -> bool:
    """Whether its process may live: of one on another machine nobody knows."""
    return lock.host != socket.gethostname() or is_alive(lock.pid)


def _cancel(at: Scene, lock: Lock) -> None:
    at.say(f"a run of {at.name} was interrupted (pid {lock.pid}): going on from there")
    at.engine.cancel()


def locks(folder: Path | None) -> Iterator[Lock]:
    """Read Pulumi's lock files."""
    for file in sorted(folder.glob("*.json")) if folder else ():
        with suppress(*UNREADABLE):
            told = json.loads(read_own(file))
            since = str(told.get("timestamp", ""))
            yield Lock(told["username"], told["hostname"], int(told["pid"]), since)


def end_left_behind(work: Path, say: Say) -> None:
    """Let a Pulumi process whose deployer was killed finish what it is making, then go on.

    Before that a stack must not be opened: it may be writing the state. Who calls has the deployment's lock.

    Raises:
        StaleError: it does not end.
    """
    pid = _left_behind(work / PID_FILE)
    if pid is None:
        return
    say(f"Pulumi from an interrupted run is still at work (pid {pid}): waiting for it to end")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)  # it finishes what is in the making, and writes it down
    until = time.monotonic() + ENDS_S
    while is_alive(pid):
        if time.monotonic() > until:
            raise StaleError(
                f"Pulumi from an interrupted run does not end (pid {pid})",
                hint=f"run 'kill {pid}', then the same command again",
            )
        time.sleep(0.2)


def _left_behind(file: Path) -> int | None:
    """The process that an earlier run started here, if it is still the same one."""
    import psutil

    try:
        told = json.loads(read_own(file))
        process = psutil.Process(int(told["pid"]))
        same = abs(process.create_time() - float(told["started"])) < 1.0
        return process.pid if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (*UNREADABLE, psutil.Error):
        return None


def orphans(found: Sequence[Found], state: Mapping[str, Any]) -> list[Found]:
    """What was found and the state does not know: neither as a resource nor as a part of one."""
    known = set(_texts(state.get("resources") or []))
    return [one for one in found if one.id not in known]


def _texts(value: Any) -> Iterator[str]:
    """Every text in the ids and outputs of a state's resources."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _remove(at: Scene, lost: Sequence[Found]) -> None:
    if not lost:
        return
    at.say("removing what an interrupted run left behind:")
    for one in lost:
        at.say(f"  {one.type} {one.id}{worth(one, at.price)}")
    _, left = at.things.remove(lost, at.say)
    if left:
        raise RemoteError(
            f"{left[0].found.type} {left[0].found.id} is left over from an interrupted run and cannot be removed: {left[0].why}",
            hint="remove it by hand, then run the same command again",
        )


def worth(one: Found, price: Price | None) -> str:
    """What it costs, where that is known: ", 1.0060 USD/h"."""
    bill = price([Resource(one.type, one.name, one.inputs)]) if price else None
    if bill is None or bill.hourly_usd is None:
        return ""
    return f", {usd(bill.hourly_usd, 4)} USD/h"


def _refresh(at: Scene) -> None:
    from deployer.running.stack.changes import Drift

    seen = Drift()
    guarded(at.name, lambda: at.engine.refresh(seen, clear_pending=True), (), at.explain)
    if seen.gone:
        at.say(f"gone since the last run: {', '.join(seen.gone)}")
    if seen.altered:
        at.say(f"changed since the last run: {', '.join(seen.altered)}")


def guarded(
    name: str,
    operation: Callable[[], object],
    errors: Sequence[str],
    explain: Explain | None = None,
) -> None:
    """Run one operation of Pulumi; its failure becomes an error with a hint.

    `errors` is what the operation's own events said by then, `explain` the provider's reading of it.

    Raises:
        StaleError: somebody else holds the lock.
        DeployerError: it failed.
    """
    from pulumi.automation.errors import CommandError, ConcurrentUpdateError

    try:
        operation()
    except ConcurrentUpdateError as error:
        raise failures.locked(name, next(iter(failures.locks_in(str(error))), None)) from error
    except CommandError as error:
        raise failures.explained(str(error), errors, name, explain) from error
