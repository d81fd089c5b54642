"""After an interrupted run: the lock, what the state does not know, and a pending creation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation._cmd import CommandResult
from pulumi.automation.errors import create_command_error

from deployer.core.errors import RemoteError, StaleError
from deployer.providers.inventory import Found, Left
from deployer.running.stack import process, recovery
from deployer.running.stack.recovery import Scene
from stacks._aws.types.compute import INSTANCE
from tests.doubles.fake_pulumi import FakeEngine

NAME = "bot-cloud-gpu"


class Account:
    """An account whose things the test lists; whatever is removed is gone."""

    def __init__(self) -> None:
        self.things: list[Found] = []
        self.stuck = False
        self.taken_up: tuple[str, ...] = ()
        self.region: str | None = None
        self.account: str | None = None

    def named(self, _deployment: str) -> Account:
        return Account()

    def found(self) -> list[Found]:
        return list(self.things)

    def add(self, identity: str, **tags: str) -> None:
        self.things.append(
            Found(
                INSTANCE,
                identity,
                NAME,
                NAME,
                "us-east-1",
                owner="ada",
            )
        )

    def remove(self, found: Any, _say: Any) -> tuple[list[Found], list[Any]]:
        if self.stuck:
            return [], [Left(one, "DependencyViolation") for one in found]
        self.things = [one for one in self.things if one not in found]
        return found, []


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def scene(tmp_path: Path, account: Account) -> SimpleNamespace:
    said: list[str] = []
    engine = FakeEngine()
    locks = tmp_path / "locks"
    locks.mkdir()
    at = Scene(NAME, engine, account, tmp_path, locks, said.append)
    return SimpleNamespace(at=at, engine=engine, said=said, locks=locks, work=tmp_path)


def lock(scene: SimpleNamespace, pid: int, host: str | None = None) -> None:
    told = {"pid": pid, "username": "ada", "hostname": host or socket.gethostname()}
    (scene.locks / "1.json").write_text(json.dumps(told | {"timestamp": "2026-11-23T01:30:54Z"}))


def knows(scene: SimpleNamespace, *identities: str) -> None:
    scene.engine.kept["resources"] = [{"id": one, "outputs": {}} for one in identities]


@pytest.fixture
def dead() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    """A process that works until it is interrupted."""
    code = "import sys, time\ntry: print(1, flush=True); time.sleep(600)\nexcept KeyboardInterrupt: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_nothing_to_put_right_asks_nothing_of_the_engine(scene):
    recovery.tidy(scene.at, ours=False)
    assert scene.engine.asked == []


def test_the_lock_of_a_dead_process_is_removed_and_said(scene, dead):
    lock(scene, dead)
    recovery.tidy(scene.at, ours=True)
    assert scene.engine.asked == ["cancel"]
    assert "was interrupted" in scene.said[0]


@pytest.mark.parametrize("host", [None, "another-machine"])
def test_the_lock_of_a_living_process_or_of_another_machine_is_respected(scene, host):
    lock(scene, os.getpid(), host)
    with pytest.raises(StaleError, match="ada on") as caught:
        recovery.tidy(scene.at, ours=True)
    assert caught.value.exit_code == 5
    assert scene.engine.asked == []


@pytest.fixture
def shared(scene: SimpleNamespace, account: Account) -> SimpleNamespace:
    """A state that others share, with something in the account that it does not know."""
    account.add("i-new")
    scene.at = replace(scene.at, locks=None)
    return scene


def locked_by(scene: SimpleNamespace, host: str, pid: int) -> None:
    """The engine is refused once, for somebody holds the lock."""

    def refuse(_: Any) -> None:
        lock = f"s3://x/1.json: created by ada@{host} (pid {pid}) at 2026-11-23T01:30:54Z"
        said = f"error: the stack is currently locked by 1 lock(s). Either wait ...\n  {lock}"
        raise create_command_error(CommandResult(stdout="", stderr=said, code=255))

    scene.engine.failing["refresh clear=True"] = [refuse]


@pytest.mark.parametrize("host", [socket.gethostname(), "another-machine"])
def test_nothing_is_left_over_while_somebody_else_works_on_a_shared_state(shared, account, host):
    locked_by(shared, host, os.getpid())
    with pytest.raises(StaleError, match="ada on"):
        recovery.tidy(shared.at, ours=True)
    assert len(account.things) == 1


def test_the_lock_of_a_dead_process_of_this_machine_is_removed_from_a_shared_state(
    shared, account, dead
):
    locked_by(shared, socket.gethostname(), dead)
    recovery.tidy(shared.at, ours=True)
    assert shared.engine.asked == ["refresh clear=True", "cancel", "refresh clear=True"]
    assert account.things == []


def test_an_engine_that_outlived_its_deployer_is_told_to_end_and_waited_for(scene, living):
    process.note_process(scene.work, living.pid)
    recovery.tidy(scene.at, ours=True)
    assert "still at work" in scene.said[0]
    assert living.wait(timeout=60) == 0


def test_another_process_that_has_got_the_engines_pid_is_left_alone(scene, living):
    told = {"pid": living.pid, "started": 1.0}
    (scene.work / process.PID_FILE).write_text(json.dumps(told))
    recovery.tidy(scene.at, ours=True)
    assert living.poll() is None


def test_what_the_state_does_not_know_is_removed_and_the_pending_creation_cleared(scene, account):
    account.add("i-known")
    account.add("i-lost")
    knows(scene, "i-known")
    scene.engine.kept["pending_operations"] = [{"type": "creating"}]
    recovery.tidy(scene.at, ours=True)
    assert [one.id for one in account.things] == ["i-known"]
    assert scene.engine.asked == ["refresh clear=True"]
    assert any("i-lost" in line for line in scene.said)


def test_what_is_left_over_and_cannot_be_removed_stops_it(scene, account):
    account.add("i-lost")
    account.stuck = True
    with pytest.raises(RemoteError, match="i-lost is left over"):
        recovery.tidy(scene.at, ours=True)


def test_without_a_record_and_a_state_what_is_found_is_somebody_elses(scene, account):
    account.add("i-theirs")
    with pytest.raises(StaleError, match="created by ada"):
        recovery.tidy(scene.at, ours=False)
    assert [one.id for one in account.things] == ["i-theirs"]


def test_before_all_is_removed_only_a_pending_creation_needs_a_look_at_what_there_is(
    scene, account
):
    account.add("i-known")
    knows(scene, "i-known")
    recovery.tidy(scene.at, ours=True, ending=True)
    assert scene.engine.asked == []
    scene.engine.kept["pending_operations"] = [{"type": "creating"}]
    recovery.tidy(scene.at, ours=True, ending=True)
    assert scene.engine.asked == ["refresh clear=True"]
