"""Fixtures that several kinds of test share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("plain", deadline=None)  # a busy machine is no failure
settings.load_profile("plain")

ROOT = Path(__file__).parents[1]
TINY = ROOT / "examples" / "tiny" / "tiny.gguf"


SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1)
"""Those that the programs under test are sent, or read the disposition of."""


def pytest_configure() -> None:
    """Let no program under test inherit an ignored signal, as under nohup or behind `&`.

    What ignores a signal here goes on to, by a handler: that is not inherited.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@pytest.fixture(scope="session")
def tiny_gguf() -> Path:
    """The tiny model, generated once if it is not there."""
    if not TINY.exists():
        half = TINY.with_suffix(f".{os.getpid()}")  # several workers may come here at once
        command = [sys.executable, str(TINY.with_name("generate.py")), str(half)]
        subprocess.run(command, check=True, capture_output=True)
        half.replace(TINY)
    return TINY


@pytest.fixture(autouse=True)
def docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Docker daemon, whether this machine runs one or not; the tests of `e2e` have the machine's own."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DEPLOYER_HOME of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DEPLOYER_HOME", str(folder))
    return folder
