"""The machine at hand: cores and memory. An edge: it looks at the system it runs on."""

from __future__ import annotations

import os

from deployer.target import Host


def look() -> Host:
    """Return this machine's cores and memory, as the operating system reports them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(cpus=os.cpu_count() or 1, memory_bytes=memory)
