"""Which processes belong to a deployment: the mark in the environment, and the user, executable and parent besides."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deployer.agents import supervisor
from deployer.engines.launch import HOST
from deployer.running.native import process
from tests.kits.processes import free_port, until

SLEEP = shutil.which("sleep") or "/bin/sleep"
STARTS_ONE = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bot-local"
    made.mkdir()
    return made


@pytest.fixture
def marked(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program that carries the mark of the folder; all of them are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        environ = os.environ | {process.MARK: str(folder)}
        started.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True))
        until(lambda: str(folder) in str(mark_of(started[-1].pid)), 10)
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def mark_of(pid: int) -> str | None:
    with suppress(psutil.Error):
        return psutil.Process(pid).environ().get(process.MARK)
    return None


def test_a_process_that_only_carries_the_mark_is_not_ended(folder, marked):
    """As a shell's, which somebody started from inside of an engine, or a tool's that was given the environment."""
    bystander = marked(SLEEP, "60")
    interpreter = marked(sys.executable, "-c", "import time; time.sleep(60)")
    assert process.find(folder) == []
    assert process.stop(folder, limit_s=0.2) == []
    assert bystander.poll() is None
    assert interpreter.poll() is None


def test_a_program_that_only_names_the_supervisor_is_not_taken_for_one(folder, marked):
    reader = marked("tail", "-f", supervisor.__file__)
    assert process.find(folder) == []
    assert reader.poll() is None


def test_a_supervisor_and_what_it_started_are_found_and_ended(folder):
    (folder / "key").write_text("dk-a-key-of-a-test")
    wanted = process.Supervised([SLEEP, "60"], free_port(), folder / "key")
    with socket.create_server((HOST, wanted.port)) as listener:
        process.start(folder, wanted, [listener])
    until(lambda: len(process.find(folder)) == 2, 10)
    first, engine = process.find(folder)
    assert process.is_supervisor(first)
    assert engine.ppid() == first.pid
    assert set(process.stop(folder)) == {first.pid, engine.pid}
    assert process.find(folder) == []


def test_an_engine_whose_supervisor_was_killed_is_found_by_its_executable(folder, marked):
    (folder / "run.json").write_text(json.dumps({"command": [SLEEP, "60"]}))
    parent = marked(sys.executable, "-c", STARTS_ONE, SLEEP, "60")
    orphan = int(str(parent.stdout and parent.stdout.readline()))
    parent.wait()
    adopted = psutil.Process(orphan).parent()
    if adopted is not None and adopted.pid != 1 and adopted.name() not in process.ADOPTERS:
        os.kill(orphan, 9)
        pytest.skip(f"{adopted.name()} adopts orphans here")
    assert [one.pid for one in process.find(folder)] == [orphan]
    (folder / "run.json").write_text(json.dumps({"command": ["/bin/true"]}))
    assert process.find(folder) == [], "another program is none of it"
    os.kill(orphan, 9)


@pytest.mark.skipif(os.getuid() != 0, reason="only root sees the environment of others")
def test_another_user_s_process_is_never_ended_by_root(folder, marked):
    nobody = "import os, sys; os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])"
    (folder / "run.json").write_text(json.dumps({"command": [SLEEP, "60"]}))
    theirs = marked(sys.executable, "-c", nobody, SLEEP, "60")
    until(lambda: psutil.Process(theirs.pid).uids().real == 65534, 10)
    assert process.stop(folder, limit_s=0.2) == []
    time.sleep(0.1)
    assert theirs.poll() is None
