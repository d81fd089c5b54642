"""The machine at hand: cores, memory, GPUs, Docker. An edge: it looks at the system it runs on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any

from deployer.core.errors import PrerequisiteError
from deployer.providers.api import Host
from deployer.providers.other_docker import OtherDocker
from deployer.sources import docker_address, host_gpus
from deployer.sources.docker_address import DockerAddress

Ask = Callable[[DockerAddress], OtherDocker]
"""Asks the Docker daemon of another machine what it has."""


def look(ask: Ask | None = None) -> Host:
    """Return what the operating system and the drivers report.

    No daemon of this machine is asked. One elsewhere is, by `ask`; without it, only its address is known.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    address = _address()
    other = None
    if address is not None and address.elsewhere:
        known = OtherDocker(address.url, address.named_by, address.host)
        other = ask(address) if ask else known
    return Host(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory,
        gpus=host_gpus.gpus(),
        docker=address is not None,
        other_docker=other,
    )


def same_machine(info: Mapping[str, Any]) -> bool | None:
    """Whether a Docker daemon's own words (`GET /info`) are of this machine; None: it is in a virtual machine.

    A socket may be forwarded from elsewhere. On Linux kernel, name and memory tell; inside a container the name is
    another one, and kernel and memory are the same.
    """
    if sys.platform != "linux" or "Desktop" in str(info.get("OperatingSystem")):
        return None
    if info.get("KernelVersion") != platform.release():
        return False
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return info.get("Name") == platform.node() or info.get("MemTotal") == memory


def has_docker() -> bool:
    """Whether Docker is installed: its socket is there, or an address of it is set."""
    return _address() is not None


def _address() -> DockerAddress | None:
    try:
        return docker_address.find()
    except PrerequisiteError:  # a context that is not there: whoever needs the daemon says so
        return None
