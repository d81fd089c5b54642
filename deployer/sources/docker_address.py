"""Which Docker daemon is meant, and whether it is on this machine. An edge: it reads the environment and Docker's own files.

In the order of Docker's own command line: `DOCKER_HOST`, `DOCKER_CONTEXT`, the context that `docker context use` has
written to `~/.docker/config.json` (or in `DOCKER_CONFIG`), the socket of this machine.
Source: docs.docker.com/engine/manage-resources/contexts, and the files that Docker 28 writes.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from os.path import expanduser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deployer.core.errors import PrerequisiteError, quoted

SOCKETS = (Path("/var/run/docker.sock"), Path(expanduser("~/.docker/run/docker.sock")))  # noqa: PTH111 - a user may have no home
"""Where Docker Engine and Docker Desktop listen."""
LOCAL = ("unix", "npipe", "fd")
"""Schemes of what only this machine can be reached by."""
PIPE = re.compile(r"npipe:/{2,4}([^/]+)/pipe/")
"""A named pipe of Windows, with the machine that has it."""
DEFAULT = "default"
"""The context that stands for `DOCKER_HOST` or the socket."""


@dataclass(frozen=True)
class DockerAddress:
    """Where a daemon is reached, who says so, and the folder with the certificates of its context, if it has one."""

    url: str
    named_by: str
    certificates: Path | None = None

    @property
    def scheme(self) -> str:
        """`unix`, `tcp`, `ssh`, ..."""
        return self.url.partition("://")[0]

    @property
    def elsewhere(self) -> bool:
        """Whether it is reached over a network: of such a daemon nobody can tell on which machine it runs."""
        return self.scheme not in LOCAL or self._piped_to is not None

    @property
    def host(self) -> str:
        """The name or address of its machine; that of this machine for a socket."""
        there = self._piped_to or urlsplit(self.url).hostname or "127.0.0.1"
        return there if self.elsewhere else "127.0.0.1"

    @property
    def _piped_to(self) -> str | None:
        """The machine that a named pipe of Windows leads to; None for one of this machine (`.`)."""
        found = PIPE.match(self.url)
        return found[1] if found and found[1] != "." else None

    def __str__(self) -> str:
        return f"{self.url} ({self.named_by})"


def find() -> DockerAddress | None:
    """Return the daemon that Docker's own commands would talk to; None where there is none.

    Raises:
        PrerequisiteError: a context is named that is not there.
    """
    address = named()
    if address is not None:
        return _there(address)
    return next(
        (DockerAddress(f"unix://{one}", "its socket") for one in SOCKETS if one.exists()), None
    )


def named() -> DockerAddress | None:
    """Return the daemon that DOCKER_HOST or a context names, whether it is there or not; None where neither does.

    Raises:
        PrerequisiteError: a context is named that is not there.
    """
    given = os.environ.get("DOCKER_HOST")
    if given:
        return DockerAddress(_with_scheme(given), "DOCKER_HOST")
    name, by = _context()
    return _of_context(name, by) if name not in ("", DEFAULT) else None


def _with_scheme(url: str) -> str:
    """Docker takes `host:port` for `tcp://host:port`."""
    return url if "://" in url else f"tcp://{url}"


def _there(address: DockerAddress) -> DockerAddress | None:
    """The address, unless it is a socket that does not exist."""
    missing = address.scheme == "unix" and not Path(address.url.removeprefix("unix://")).exists()
    return None if missing else address


def _folder() -> Path:
    given = os.environ.get("DOCKER_CONFIG")
    return Path(given) if given else Path.home() / ".docker"


def _context() -> tuple[str, str]:
    """The name of the context in use, and what names it."""
    given = os.environ.get("DOCKER_CONTEXT")
    if given:
        return given, "DOCKER_CONTEXT"
    file = _folder() / "config.json"
    said: Any = None
    with suppress(OSError, ValueError):  # Docker itself goes on without a file that it cannot read
        said = json.loads(file.read_text(encoding="utf-8"))
    name = said.get("currentContext") if isinstance(said, dict) else None
    return (name if isinstance(name, str) else ""), str(file)


def _of_context(name: str, by: str) -> DockerAddress:
    """Read `contexts/meta/<sha256 of the name>/meta.json`."""
    digest = sha256(name.encode()).hexdigest()
    file = _folder() / "contexts" / "meta" / digest / "meta.json"
    try:
        url = json.loads(file.read_text(encoding="utf-8"))["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, TypeError):
        url = None
    if not isinstance(url, str) or not url:
        raise PrerequisiteError(
            f"the Docker context {quoted(name)} that {by} names cannot be read",
            hint="'docker context ls' lists the contexts; 'docker context use default' goes back to this machine",
            where=str(file),
        )
    keys = _folder() / "contexts" / "tls" / digest / "docker"
    said = f"docker context {name}"
    return DockerAddress(_with_scheme(url), said, keys if keys.is_dir() else None)
