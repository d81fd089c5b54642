"""What an attempt to get out is made to: an address that surely can be reached, and one of the internet.

A container that is not cut off reaches this machine's own address in its network by way of its gateway, whether there
is an internet or not. So a listener waits there, and that this machine reaches it is looked at first: only then
does a failure from inside prove anything.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from deployer.agents import egress_probe

INTERNET = "1.1.1.1:443"
"""A public resolver, by number: no name needs to be found first."""
HUB = "huggingface.co:443"
"""Where weights and usage reports go; its name must be found first."""
OURS = ("docker", "br-", "veth", "lo", "virbr", "cni")
"""How the interfaces begin that lead to containers and machines of this machine."""


@dataclass(frozen=True)
class Targets:
    """What is tried. `controls` are those that this machine reached itself."""

    here: str | None
    controls: frozenset[str]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return (*((self.here,) if self.here else ()), INTERNET, HUB)


@contextmanager
def targets() -> Iterator[Targets]:
    """Open a listener on this machine's address, and see what this machine reaches."""
    with socket.socket() as listener:
        here = None
        address = own_address()
        if address:
            with suppress(OSError):
                listener.bind((address, 0))
                listener.listen(8)
                here = f"{address}:{listener.getsockname()[1]}"
        tried = [*([here] if here else []), INTERNET]
        yield Targets(here, frozenset(a for a in tried if egress_probe.attempt(a) is None))


def own_address() -> str | None:
    """Return an IPv4 address of this machine in a network of its own; None where it has none."""
    import psutil

    for name, addresses in sorted(psutil.net_if_addrs().items()):
        if not name.startswith(OURS):
            found = (a.address for a in addresses if a.family == socket.AF_INET)
            if address := next(found, None):
                return address
    return None
