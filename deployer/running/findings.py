"""How what was seen of a deployment is judged, however it runs: addresses, and the engine's environment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from deployer.core.documents.privacy import Finding
from deployer.engines import engine


def listening(addresses: Sequence[str]) -> Finding:
    """Judge where something listens: `127.0.0.1:8080`, `[::1]:8080`."""
    statement = "only this machine can call it"
    if not addresses:
        return Finding("listens", statement, None, "it listens on no port that could be seen")
    hosts = [one.rpartition(":")[0].strip("[]") for one in addresses]
    others = [a for a, at in zip(addresses, hosts, strict=True) if not ip_address(at).is_loopback]
    detail = f"others can call {', '.join(others)}" if others else "it listens on loopback alone"
    return Finding("listens", statement, not others, detail, tuple(addresses))


def told(environment: Mapping[str, str], name: str) -> Iterator[Finding]:
    """Judge what an engine is told in its environment: to report nothing, and to stay offline."""
    served = engine(name)
    for key, statement, wanted in (
        ("usage reporting", "the engine's usage reports are switched off", served.silent),
        ("offline", "the engine is set to stay offline", served.offline),
    ):
        missing = [k for k, value in wanted.items() if environment.get(k) != value]
        seen = tuple(f"{k}={environment[k]}" for k in wanted if k in environment)
        detail = f"not set: {', '.join(missing)}" if missing else f"{len(wanted)} variables are set"
        yield Finding(key, statement, not missing, detail, seen)
