"""What is read of a container, of the daemon's answers, and of the files that it is given."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.errors import PrerequisiteError
from deployer.providers.inventory import Found as Owned
from deployer.running.containers import arguments
from deployer.running.native.ports import Reservation, reserved
from deployer.sources.docker_address import DockerAddress

if TYPE_CHECKING:
    from docker import APIClient

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what the user may have asked for
Found = Mapping[str, Any]
EARLY_S = 0.09
"""How long before its noted start a container's first words may be: Docker waits 0.1 s or more before it starts it again."""


def pids_of(listed: Mapping[str, Any]) -> set[int]:
    """Read the process ids, as this machine has them, of what the daemon says of a container's processes."""
    column = listed["Titles"].index("PID")
    return {int(row[column]) for row in listed["Processes"] or ()}


def reached_at(host: str) -> str:
    """Return the address by which this machine itself reaches what listens on `host`."""
    if host in EVERYWHERE:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def sick(state: Mapping[str, Any]) -> bool:
    """Whether Docker's own health check says that it is unhealthy, by its `State`."""
    return (state.get("Health") or {}).get("Status") == "unhealthy"


def name(container: Found) -> str:
    """The name of a container in the daemon's list."""
    return str(container["Names"][0]).lstrip("/")


def owned(kind: str, container: Found, deployment: str) -> Owned:
    """Return a container of the daemon's list with who made it, and when."""
    made_by = (container.get("Labels") or {}).get(arguments.OWNER)
    ident, made_at = str(container["Id"])[:12], container.get("Created")
    return Owned(kind, ident, name(container), deployment, "", owner=made_by, made_at=made_at)


def lines(client: APIClient, ident: str, *, follow: bool, tail: int | None) -> Iterator[str]:
    """The container's output line by line, however it was cut on the way.

    The last lines of one that has ended, or that waits to be started again, are those of its last start.
    """
    rest = b""
    last = "all" if tail is None else tail
    since = None if tail is None else _last_start(client.inspect_container(ident)["State"])
    said = client.logs(ident, stream=follow, follow=follow, tail=last, since=since)
    for piece in said if follow else (said,):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


def _last_start(state: Mapping[str, Any]) -> float | None:
    """When a container that has ended was started last, in seconds since 1970; None: it runs, or never has."""
    if state["Running"] and not state["Restarting"]:
        return None
    whole, _, part = state["StartedAt"].rstrip("Z").partition(".")
    started = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return started + float(f"0.{part or 0}") - EARLY_S if started > 0 else None


def endpoint_there(client: APIClient, ident: str, wanted: Mapping[str, Any], url: str) -> str:
    """Return the base URL of a container on another machine: its address, and the port that its daemon gave it."""
    bound = client.inspect_container(ident)["NetworkSettings"]["Ports"]
    given = bound.get(f"{wanted['container_port']}/tcp") or [{}]
    listens = wanted["host"] if wanted["host"] not in EVERYWHERE else DockerAddress(url, "").host
    return f"http://{reached_at(listens)}:{given[0].get('HostPort')}/v1"


def forget_volume(client: APIClient, name: str) -> None:
    """Remove a volume of ours, if it is there."""
    from docker.errors import APIError

    with suppress(APIError):
        client.remove_volume(name)


@contextmanager
def port(
    client: APIClient, wanted: Mapping[str, Any], before: Found | None
) -> Iterator[Reservation]:
    """Hold the port that it had, if that will do; else the wanted one, or a free one; 0: another machine's daemon chooses."""
    if before is not None:
        bound = client.inspect_container(before["Id"])["HostConfig"]["PortBindings"] or {}
        had = next((int(b[0]["HostPort"]) for b in bound.values() if b), None)
        if had is not None and wanted["port"] in ("auto", had):
            yield Reservation(had)
            return
    if wanted.get("docker"):
        yield Reservation(0 if wanted["port"] == "auto" else int(wanted["port"]))
        return
    with reserved(wanted["port"], set()) as held:
        yield held


def readable(wanted: Mapping[str, Any]) -> None:
    """Refuse model files that are not there, or that a container without capabilities may not read."""
    for mount in wanted["mounts"]:
        path = Path(mount["source"])
        if mount["type"] != "bind":
            continue
        if not path.exists():
            raise PrerequisiteError(
                f"{path} does not exist", hint="correct model.source in the spec"
            )
        if not path.stat().st_mode & 0o004:
            raise PrerequisiteError(
                f"the container cannot read {path}: only its owner can",
                hint=f"chmod -R a+rX {shlex.quote(str(path))}",
                where=str(path),
            )


def hub_token() -> str:
    """The user's token for gated models, or nothing."""
    from huggingface_hub import get_token

    return get_token() or ""


def cached_bytes(client: APIClient, ident: str) -> int | None:
    """How much the container's model cache holds, as `du` inside counts it; None where there is neither."""
    from docker.errors import APIError

    seen = client.inspect_container(ident)
    volume = next((m["Destination"] for m in seen["Mounts"] if m["Type"] == "volume"), None)
    if volume is None or not seen["State"]["Running"]:
        return None
    try:
        asked = client.exec_create(ident, ["du", "-sk", volume], stderr=False)
        said = client.exec_start(asked["Id"]).split()
    except APIError:  # it has ended meanwhile
        return None
    return int(said[0]) * 1024 if said and said[0].isdigit() else None
