"""What processes without a container show of privacy: what can be seen is said, and what cannot is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import psutil

from deployer.core.documents.privacy import Finding
from deployer.running.findings import listening, told

LISTEN = psutil.CONN_LISTEN


def findings(processes: Iterable[psutil.Process], wanted: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at everything that this user may see of the processes."""
    known = list(processes)
    pids = tuple(f"process {one.pid}" for one in known)
    yield Finding(
        "machine",
        "it runs on this machine",
        bool(pids) or None,
        "as processes of this machine",
        pids,
    )
    lines = _connections(known)
    if lines is None:
        for name, statement in (
            ("listens", "only this machine can call it"),
            ("egress", "it reaches nothing outside this machine"),
        ):
            yield Finding(name, statement, None, "this user may not see its connections")
    else:
        yield listening(sorted({_text(c.laddr) for c in lines if c.status == LISTEN}))
        yield _egress(lines)
    yield from told(_environment(known), str(wanted["engine"]))
    source = str(wanted["source"])
    here = wanted["model"] is not None
    where = "files of this machine" if here else "the model hub, by this machine's cache"
    seen = (str(wanted["model"]),) if here else ()
    yield Finding(
        "weights", "where the weights came from is known", True, f"{where}: {source}", seen
    )


def _egress(lines: Iterable[Any]) -> Finding:
    statement = "it reaches nothing outside this machine"
    outside = sorted(
        {_text(c.raddr) for c in lines if c.raddr and not ip_address(c.raddr.ip).is_loopback}
    )
    if outside:
        return Finding(
            "egress", statement, False, f"connected now: {', '.join(outside)}", tuple(outside)
        )
    detail = (
        "a process without a container is not cut off from the network: it has no connection to the outside now,"
        " and nothing keeps it from opening one (provider docker does)"
    )
    return Finding("egress", statement, None, detail)


def _connections(processes: Iterable[psutil.Process]) -> list[Any] | None:
    try:
        return [line for one in processes for line in one.net_connections("inet")]
    except psutil.Error:
        return None


def _environment(processes: Iterable[psutil.Process]) -> dict[str, str]:
    """What the last of the processes, which is the engine or what it started, has in its environment."""
    found: dict[str, str] = {}
    for one in processes:
        try:
            found = one.environ()
        except (psutil.Error, OSError):
            continue
    return found


def _text(address: Any) -> str:
    return f"[{address.ip}]:{address.port}" if ":" in address.ip else f"{address.ip}:{address.port}"
