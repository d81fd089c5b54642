"""A planned container as files that run without this tool: `compose.yaml` and `Dockerfile`. Pure.

Both are written from what the Docker Engine API would be asked (`arguments.create`), so they cannot differ from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.core.domain import CONTAINER, Resource
from deployer.core.templates import render
from deployer.running.containers import arguments, network
from deployer.running.containers.build_context import Source, context

IMAGE = "local:index:Image"
PORT = 8080
"""The port in the files when the spec leaves it to `up` to find a free one."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what the user may have asked for


def files(resources: Sequence[Resource]) -> dict[str, Source]:
    """Return each file by its path: its text, or the file that it is a copy of."""
    container = next(r for r in resources if r.type == CONTAINER)
    built = next((r.inputs for r in resources if r.type == IMAGE), None)
    values = _values(container.name, container.inputs) | {"built": built is not None}
    return {
        "compose.yaml": render("compose.yaml.j2", **values),
        ".gitignore": "secrets/\n",
        **(_built(built) if built else {"Dockerfile": render("Dockerfile.j2", **values)}),
    }


def _built(wanted: Mapping[str, Any]) -> dict[str, Source]:
    """What the image is built from; the secrets beside it must not get into the build."""
    return {".dockerignore": "secrets/\ncompose.yaml\n"} | context(wanted)


def secret_files(resources: Sequence[Resource]) -> tuple[str, ...]:
    """Name the secret files that compose.yaml mounts from `secrets/`."""
    return tuple(next(r for r in resources if r.type == CONTAINER).inputs["secrets"])


def _values(deployment: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    port = PORT if wanted["port"] == "auto" else wanted["port"]
    return {
        "deployment": deployment,
        "reached": "127.0.0.1" if wanted["host"] in EVERYWHERE else wanted["host"],
        "config": arguments.create(wanted, port, Path("secrets")),
        "environment": wanted["environment"],
        "network": network.create(deployment) if wanted.get("network") else None,
        "host_ip": wanted["host"],
        "port": port,
        "container_port": wanted["container_port"],
        "mounts": wanted["mounts"],
        "secrets": wanted["secrets"],
        "volumes": [m["source"] for m in wanted["mounts"] if m["type"] == "volume"],
        "second": arguments.SECONDS,
    }
