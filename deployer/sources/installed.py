"""What is installed on this machine: on PATH, and in this Python. An edge: it may run a command to ask."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence

from deployer.engines.launch import Machine

ANSWER_S = 60
"""How long a command may take to say what is installed."""


def here() -> Machine:
    """Look at PATH and at what this interpreter can import, when it is asked."""
    return Machine(shutil.which, _has_module, _said)


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _said(command: Sequence[str]) -> str:
    """Return what a command prints; nothing when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
