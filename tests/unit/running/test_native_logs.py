"""The log of a process: the last lines are those of the last try to start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployer.running.native import logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with an older one beside it."""
    path = tmp_path / "engine.log"
    logs.older(path).write_text("old cause\nold end\n")
    (tmp_path / logs.RUN).write_text("{}")
    path.write_text("new cause\n")
    return path


def _written_after_the_start(path: Path, seconds: int) -> None:
    started = path.with_name(logs.RUN).stat().st_mtime
    os.utime(logs.older(path), (started + seconds, started + seconds))


def test_the_last_lines_of_a_failed_start_are_not_those_of_the_try_before(log):
    _written_after_the_start(log, -5)
    assert logs.tail(log, 12) == ["new cause"]
    assert logs.tail(log, None) == ["old cause", "old end", "new cause"]


def test_the_last_lines_go_on_into_the_log_that_was_turned_over(log):
    _written_after_the_start(log, 5)
    assert logs.tail(log, 2) == ["old end", "new cause"]
