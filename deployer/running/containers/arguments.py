"""What the Docker Engine API is asked to create (API 1.41, `POST /containers/create`). Pure.

`deployer render` writes the same as a compose file; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS = 10**9
"""The API counts time in nanoseconds."""
LABEL, OWNER = "deployer.deployment", "deployer.owner"
LOG = {"max-size": "10m", "max-file": "3"}
STOP_S = 30
"""How long an engine may take to end the answers it is giving."""
HEALTH_INTERVAL_S, HEALTH_TIMEOUT_S, HEALTH_RETRIES = 10, 5, 3
HEALTH_START_S = 900
"""How long a failing check is taken for loading: as long as `deployer up` waits."""
ULIMITS = (
    {"Name": "memlock", "Soft": -1, "Hard": -1},
    {"Name": "stack", "Soft": 64 * 2**20, "Hard": 64 * 2**20},
)
"""With a GPU, NVIDIA's own advice for its containers: unlimited locked memory and 64 MiB of stack."""
RESOLVER = "192.0.2.1"
"""An address for documentation (RFC 5737): nobody answers there."""
TMP = "rw,nosuid,nodev,size=1g"


def health(port: int) -> list[str]:
    """Return the command that says, inside the container, whether the engine is healthy."""
    return ["CMD", "curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{port}/health"]


def create(wanted: Mapping[str, Any], port: int, secrets: Path) -> dict[str, Any]:
    """Return the body of the request that creates a container, published on a port of this machine.

    `secrets` is the folder where the secret files lie, which are mounted and never read here.
    """
    inside = f"{wanted['container_port']}/tcp"
    config = {
        "Image": wanted["image"],
        "Cmd": list(wanted["command"]),
        "Env": [f"{name}={value}" for name, value in wanted["environment"].items()],
        "Labels": dict(wanted["labels"]),
        "ExposedPorts": {inside: {}},
        "Healthcheck": {
            "Test": wanted["health"] or health(wanted["container_port"]),
            "Interval": HEALTH_INTERVAL_S * SECONDS,
            "Timeout": HEALTH_TIMEOUT_S * SECONDS,
            "StartPeriod": HEALTH_START_S * SECONDS,
            "Retries": HEALTH_RETRIES,
        },
        "StopTimeout": STOP_S,
        "HostConfig": _host(wanted, secrets)
        | {"PortBindings": {inside: [{"HostIp": wanted["host"], "HostPort": str(port)}]}},
    }
    if wanted["entrypoint"]:
        config["Entrypoint"] = list(wanted["entrypoint"])
    return config


def _host(wanted: Mapping[str, Any], secrets: Path) -> dict[str, Any]:
    return {
        **_network(wanted),
        **_kernel_devices(wanted.get("devices") or ()),
        "Mounts": [*_mounts(wanted), *_secrets(wanted, secrets)],
        "RestartPolicy": {"Name": "unless-stopped"},
        "LogConfig": {"Type": "json-file", "Config": dict(LOG)},
        "DeviceRequests": _devices(wanted["gpus"]),
        "ShmSize": wanted["shm_bytes"],
        "Ulimits": list(ULIMITS) if wanted["gpus"] else [],
        "ReadonlyRootfs": wanted["read_only"],
        "Tmpfs": {"/tmp": TMP} if wanted["read_only"] else {},  # noqa: S108 - inside the container
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Init": True,
    }


def _network(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Docker's own network, or the one that leads nowhere (`network.py`)."""
    if not wanted.get("network"):
        return {}
    deployment = wanted["labels"][LABEL]
    return {"NetworkMode": f"deployer-{deployment}", "Dns": [RESOLVER]}


def _kernel_devices(paths: Sequence[str]) -> dict[str, Any]:
    given = [
        {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in paths
    ]
    return {"Devices": given} if given else {}


def _devices(gpus: Any) -> list[dict[str, Any]]:
    """All GPUs (a count of -1), a number of them, or those of some ids."""
    if gpus is None:
        return []
    request: dict[str, Any] = {"Driver": "nvidia", "Capabilities": [["gpu"]]}
    if isinstance(gpus, list):
        return [request | {"DeviceIDs": gpus}]
    return [request | {"Count": -1 if gpus == "all" else gpus}]


def _mounts(wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in wanted["mounts"]:
        yield {
            "Type": one["type"],
            "Source": one["source"],
            "Target": one["target"],
            "ReadOnly": one["read_only"],
        }


def _secrets(wanted: Mapping[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    for name in wanted["secrets"]:
        yield {
            "Type": "bind",
            "Source": str(folder / name),
            "Target": f"/run/secrets/{name}",
            "ReadOnly": True,
        }
