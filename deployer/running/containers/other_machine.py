"""A Docker daemon of another machine: what it has, and how files get there, which nothing here is mounted from."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from deployer.core.errors import DeployerError
from deployer.providers.other_docker import OtherDocker
from deployer.running.containers import daemon
from deployer.running.containers.daemon import mended
from deployer.sources.docker_address import DockerAddress

if TYPE_CHECKING:
    from docker import APIClient

SECRETS = "/run/secrets"
ASK_S = 5.0
"""How long a plan waits for it."""


def ask(address: DockerAddress) -> OtherDocker:
    """Ask a daemon what its machine has; one that does not answer says why."""
    known = OtherDocker(address.url, address.named_by, address.host)
    try:
        with closing(daemon.connect(limit_s=ASK_S)) as client, mended():
            return described(known, client.info())
    except DeployerError as error:
        return OtherDocker(known.url, known.named_by, known.host, problem=error.message)


def described(known: OtherDocker, info: Mapping[str, Any]) -> OtherDocker:
    """Read what `GET /info` says: processors, memory, and whether GPUs can be asked for."""
    devices = info.get("DiscoveredDevices") or ()
    by_cdi = any("gpu" in str(one.get("ID", "")) for one in devices if isinstance(one, Mapping))
    return OtherDocker(
        known.url,
        known.named_by,
        known.host,
        cpus=info.get("NCPU") or None,
        memory_bytes=info.get("MemTotal") or None,
        gpus="nvidia" in (info.get("Runtimes") or {}) or by_cdi,
    )


def volume(deployment: str) -> str:
    """Return the name of the volume that holds a deployment's secret files there."""
    return f"deployer-{deployment}-secrets"


def without_binds(config: dict[str, Any], deployment: str) -> dict[str, Any]:
    """Take the secret files from a volume of that machine in place of this one's folder."""
    host = config["HostConfig"]
    mounts = [one for one in host["Mounts"] if not one["Target"].startswith(f"{SECRETS}/")]
    mounts.append({"Type": "volume", "Source": volume(deployment), "Target": SECRETS})
    return {**config, "HostConfig": {**host, "Mounts": mounts}}


def send(client: APIClient, container: str, secrets: Mapping[str, str]) -> None:
    """Put the secret files into a container that is not started yet."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, value in secrets.items():
            entry, text = tarfile.TarInfo(name), value.encode()
            entry.mode, entry.size = 0o444, len(text)
            tar.addfile(entry, io.BytesIO(text))
    with mended():
        client.put_archive(container, SECRETS, archive.getvalue())
