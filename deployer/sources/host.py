"""The machine at hand: cores, memory, GPUs, Docker. An edge: it looks at the system it runs on."""

from __future__ import annotations

import os
from os.path import expanduser
from pathlib import Path

from deployer.providers.api import Host
from deployer.sources import host_gpus

SOCKETS = (Path("/var/run/docker.sock"), Path(expanduser("~/.docker/run/docker.sock")))  # noqa: PTH111 - a user may have no home
"""Where Docker Engine and Docker Desktop listen."""


def look() -> Host:
    """Return what the operating system and the drivers report. No daemon is asked."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory,
        gpus=host_gpus.gpus(),
        docker=has_docker(),
    )


def has_docker() -> bool:
    """Whether Docker is installed: its socket is there, or an address of it is set."""
    return docker_address() is not None


def docker_address() -> str | None:
    """Return where the Docker daemon is reached; None where there is nothing to be reached."""
    given = os.environ.get("DOCKER_HOST")
    if given and not given.startswith("unix://"):
        return given
    sockets = (Path(given.removeprefix("unix://")),) if given else SOCKETS
    return next((f"unix://{one}" for one in sockets if one.exists()), None)
