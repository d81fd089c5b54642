"""Who makes a deployment: the name that stands on everything that is made, so that others know whose it is."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from deployer.core.errors import PrerequisiteError
from deployer.core.home import platform_folder

LONGEST = 120
_UNUSUAL = re.compile(r"[^A-Za-z0-9+=._:/@-]+")
"""What the tags of some cloud would refuse."""


def owner(home: Path, environ: Mapping[str, str] | None = None) -> str:
    """Return who works with a home folder: `DEPLOYER_OWNER`, else `user@host`.

    A home folder other than the user's usual one is told apart by its path: `user@host/1f3a9c`. Nothing of it is kept
    in a file, so a home folder that was lost is known again when it is made at the same place.
    """
    given = os.environ if environ is None else environ
    named = given.get("DEPLOYER_OWNER")
    if named:
        return _plain(named)
    place = home.resolve()
    mark = "" if place == _usual() else f"/{hashlib.sha256(os.fsencode(place)).hexdigest()[:6]}"
    return _plain(f"{_user()}@{platform.node().partition('.')[0] or 'unknown'}") + mark


def _usual() -> Path | None:
    try:
        return platform_folder().resolve()
    except PrerequisiteError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "unknown"


def _plain(text: str) -> str:
    return _UNUSUAL.sub("-", text)[:LONGEST]
