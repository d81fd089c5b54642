"""What a test needs besides this package: skipped where it is missing, except in CI, where it must be there."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def need(part: str, why: str) -> None:
    """Skip the test without a Python module or a command-line tool; with CI set, fail instead."""
    if importlib.util.find_spec(part) is None and shutil.which(part) is None:
        missing(f"{part} is not here: {why}")


def missing(why: str) -> None:
    """Skip the test, or with CI set fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}; CI must have it")
    pytest.skip(why)
