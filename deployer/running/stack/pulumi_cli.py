"""The Pulumi CLI, `pulumi`: found on this machine, or installed at the version of its SDK."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from os.path import expanduser
from pathlib import Path

from deployer.core.errors import PrerequisiteError
from deployer.providers.managers import Say

Install = Callable[[], Path]
"""Installs it and returns the program."""


def find(
    say: Say, environ: Mapping[str, str] | None = None, install: Install | None = None
) -> Path:
    """Return the program: on PATH, in Pulumi's own folders, else installed now.

    Raises:
        PrerequisiteError: there is none, and none could be installed.
    """
    here = here_already(environ)
    if here is not None:
        return here
    say(f"the Pulumi CLI is missing: installing {pinned()} into {_versions()} (about 150 MB) ...")
    try:
        return (install or _install)()
    except Exception as error:
        raise PrerequisiteError(
            f"the Pulumi CLI is missing, and installing it failed: {_last_line(error)}",
            hint="install it yourself (https://www.pulumi.com/docs/install/) so that 'pulumi version' "
            "answers, or put its folder on PATH",
        ) from error


def here_already(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the program if this machine has it."""
    given = os.environ if environ is None else environ
    found = shutil.which("pulumi", path=given.get("PATH", ""))
    if found:
        return Path(found).absolute()
    return next((f for f in _places(given) if os.access(f, os.X_OK) and f.is_file()), None)


def pinned() -> str:
    """The version that is installed where there is none: that of the SDK, with which it was tested."""
    return version("pulumi")


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    own = environ.get("PULUMI_HOME")
    if own:
        yield Path(own) / "bin" / "pulumi"
    yield Path(environ.get("HOME") or expanduser("~")) / ".pulumi" / "bin" / "pulumi"  # noqa: PTH111 - a user may have no home
    yield _versions() / pinned() / "bin" / "pulumi"


def _versions() -> Path:
    return Path(expanduser("~")) / ".pulumi" / "versions"  # noqa: PTH111 - a user may have no home


def _install() -> Path:
    from pulumi.automation import PulumiCommand

    PulumiCommand.install()
    return _versions() / pinned() / "bin" / "pulumi"


def _last_line(error: Exception) -> str:
    """What an installer said last, or the error itself."""
    said = getattr(error, "output", None) or str(error) or type(error).__name__
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return (text.strip().splitlines() or [type(error).__name__])[-1]
