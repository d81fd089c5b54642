"""The supervisor and its engine: started, watched, started again, stopped, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.agents.engine_log import Log
from deployer.agents.supervisor import ended
from deployer.engines.launch import SOCKET
from deployer.running.native import logs, process
from tests.kits.processes import free_port, until

FAKE = Path(__file__).parents[2] / "doubles" / "fake_engine.py"


KEY = "k" * 32


class Run:
    """One supervised engine in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def start(self, *command: str, grace_s: float = 5) -> None:
        (self.folder / "key").write_text(KEY)
        supervised = process.Supervised(
            [*command], self.port, self.folder / "key", health="/", grace_s=grace_s
        )
        process.start(self.folder, supervised)

    def serve(self, *options: str, grace_s: float = 5) -> None:
        """Start the fake engine and wait until the supervisor has seen that it is healthy."""
        self.start(sys.executable, str(FAKE), SOCKET, *options, grace_s=grace_s)
        until(lambda: process.report(self.folder).get("healthy"))

    def pids(self) -> list[int]:
        return [p.pid for p in process.find(self.folder)]

    def log(self) -> str:
        return "\n".join(logs.tail(self.folder / "engine.log", None))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    one = Run(tmp_path)
    yield one
    process.stop(tmp_path, limit_s=1)


def test_an_engine_runs_under_a_supervisor_in_a_session_of_its_own(run):
    run.serve()
    watcher, engine = run.pids()
    assert os.getsid(engine) == os.getsid(watcher) == watcher != os.getsid(0)
    assert "ready" in run.log()


def test_stopping_ends_both_and_a_second_time_there_is_nothing_to_stop(run):
    run.serve()
    pids = run.pids()
    assert process.stop(run.folder) == pids
    assert run.pids() == []
    assert process.stop(run.folder) == []


def test_an_engine_that_is_deaf_to_sigterm_is_killed(run):
    run.serve("deaf", grace_s=0.2)
    process.stop(run.folder)
    assert run.pids() == []
    assert "SIGKILL" in run.log()


def test_a_supervisor_that_hangs_is_killed_and_its_engine_with_it(run):
    run.serve("deaf", grace_s=60)
    process.stop(run.folder, limit_s=0.2)
    assert run.pids() == []


def test_an_engine_that_crashes_before_it_was_healthy_is_not_started_again(run):
    run.start(sys.executable, "-c", "import sys; print('no such model', flush=True); sys.exit(3)")
    until(lambda: not run.pids())
    assert "no such model" in run.log()
    assert "exit code 3" in run.log()
    assert process.report(run.folder)["restarts"] == 0
    assert process.report(run.folder)["last_exit"] == 3


def test_an_engine_that_is_killed_after_it_was_healthy_is_started_again(run):
    run.serve()
    watcher, engine = run.pids()
    os.kill(engine, signal.SIGKILL)
    until(lambda: process.report(run.folder)["restarts"] == 1 and len(run.pids()) == 2)
    assert run.pids()[0] == watcher
    assert run.pids()[1] != engine
    assert "SIGKILL; restarting in 1 s" in run.log()


def test_what_was_recorded_as_ready_counts_as_healthy(run):
    (run.folder / "deployment.json").write_text('{"ready_at": "2026-01-02T03:04:05+00:00"}')
    run.start(sys.executable, "-c", "import sys; sys.exit(3)")
    until(lambda: process.report(run.folder).get("restarts") == 1)


def test_stopping_in_the_pause_before_a_restart_ends_it(run):
    run.serve()
    os.kill(run.pids()[1], signal.SIGKILL)
    until(lambda: "restarting in" in run.log())
    process.stop(run.folder)
    assert run.pids() == []


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_an_engine_does_not_outlive_a_killed_supervisor(run):
    run.serve("deaf")
    os.kill(run.pids()[0], signal.SIGKILL)
    until(lambda: not run.pids())


def test_a_command_that_does_not_exist_is_in_the_log(run):
    run.start("/nowhere/engine")
    until(lambda: not run.pids())
    assert "cannot be started" in run.log()


def test_an_engine_is_given_no_credentials_of_the_environment(run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("HF_TOKEN", "x")
    run.serve("env")
    assert "PATH" in run.log()
    assert "AWS_SECRET_ACCESS_KEY" not in run.log()
    assert "HF_TOKEN" not in run.log()


def test_one_deployment_is_not_taken_for_another(run, tmp_path):
    run.serve()
    other = Run(tmp_path / "other")
    assert process.find(other.folder) == []
    assert process.stop(other.folder) == []
    assert len(run.pids()) == 2


def test_a_new_start_begins_a_new_log_and_keeps_the_older_one(run):
    run.serve("env")
    process.stop(run.folder)
    run.serve()
    assert "PATH" not in (run.folder / "engine.log").read_text()
    assert "PATH" in (run.folder / "engine.log.1").read_text()


def test_a_log_is_turned_over_when_it_grows_too_long(tmp_path):
    log = Log(tmp_path / "engine.log", limit=100)
    for number in range(30):
        log.say(f"line {number}")
    sizes = [f.stat().st_size for f in tmp_path.iterdir()]
    assert len(sizes) <= 2
    assert all(size <= 130 for size in sizes)
    assert logs.tail(log.path, 2) == ["supervisor: line 28", "supervisor: line 29"]


def test_a_full_disk_loses_lines_and_not_the_engine():
    Log(Path("/dev/full")).say("lost")


def test_a_followed_log_goes_on_over_a_turn_and_ends_with_its_writer(tmp_path):
    log = Log(tmp_path / "engine.log", limit=40)
    log.say("one")
    steps = iter(["two", "three", "four", None])

    def alive() -> bool:
        step = next(steps)
        if step:
            log.say(step)
        return step is not None

    lines = list(logs.follow(log.path, 1, alive))
    assert lines == [f"supervisor: {n}" for n in ("one", "two", "three", "four")]


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (-9, "SIGKILL"), (-11, "SIGSEGV"), (-99, "signal 99")]
)
def test_how_an_engine_ended_is_said_in_words(code, words):
    assert words in ended(code)
