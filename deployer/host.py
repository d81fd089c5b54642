"""The machine at hand: cores, memory, GPUs, Docker. An edge: it looks at the system it runs on."""

from __future__ import annotations

import os
from pathlib import Path

from deployer import hardware
from deployer.target import Host

SOCKET = Path("/var/run/docker.sock")


def look() -> Host:
    """Return what the operating system and the drivers report. No daemon is asked."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory,
        gpus=hardware.gpus(),
        docker=has_docker(),
    )


def has_docker() -> bool:
    """Whether Docker is installed: its socket is there, or an address of it is set."""
    return bool(os.environ.get("DOCKER_HOST")) or SOCKET.exists()
