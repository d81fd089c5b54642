"""The network of a container that may be asked from its machine and can ask nobody.

A network of its own, whose containers have for their default gateway an address that nobody has: what they send
anywhere else than to their own machine ends there. Their answers to their machine need no gateway, so the published
port works as on any other network (on an internal network of Docker's no port is published). They resolve no names
either: their resolver is an address of RFC 5737 that nobody has, which they ask from inside; Docker's own would
answer by the machine's. Without capabilities they can change none of it. Nothing is masqueraded besides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from deployer.core.errors import PrerequisiteError
from deployer.running.containers import arguments
from deployer.running.containers.daemon import mended

if TYPE_CHECKING:
    from docker import APIClient

TYPE = "local:index:Network"
RANGE = IPv4Network("198.19.0.0/17")
"""Addresses that are routed nowhere (RFC 2544, for the test of devices); Docker need not find free ones."""
SIZE = 29
TRIES = 64
"""How many pieces of `RANGE` are tried when others use some."""


def name(deployment: str) -> str:
    """Return the name of a deployment's network."""
    return f"deployer-{deployment}"


def create(deployment: str, attempt: int = 0) -> dict[str, Any]:
    """Return what the daemon is asked to create (API 1.41, `POST /networks/create`). Pure."""
    piece = _pieces(deployment)[attempt]
    return {
        "Name": name(deployment),
        "Driver": "bridge",
        "EnableIPv6": False,
        "Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
        "Labels": {arguments.LABEL: deployment},
        "IPAM": {
            "Driver": "default",
            "Config": [
                {
                    "Subnet": str(piece),
                    "Gateway": str(piece[1]),
                    "AuxiliaryAddresses": {"DefaultGatewayIPv4": str(piece[-2])},
                }
            ],
        },
    }


def _pieces(deployment: str) -> list[IPv4Network]:
    """Pieces of `RANGE` for a deployment: always the same first one, and those after it."""
    count = 2 ** (SIZE - RANGE.prefixlen)
    first = int.from_bytes(hashlib.sha256(deployment.encode()).digest()[:4]) % count
    base, step = int(RANGE.network_address), 2 ** (32 - SIZE)
    return [IPv4Network((base + (first + i) % count * step, SIZE)) for i in range(TRIES)]


def ensure(client: APIClient, deployment: str) -> None:
    """Make the network, unless it is there.

    Raises:
        PrerequisiteError: all addresses that were tried are in use.
    """
    if found(client, deployment):
        return
    from docker.errors import APIError

    for attempt in range(TRIES):
        body = create(deployment, attempt)
        try:
            with mended(except_for=APIError):
                client.create_network(
                    body["Name"],
                    driver=body["Driver"],
                    options=body["Options"],
                    ipam=body["IPAM"],
                    labels=body["Labels"],
                    enable_ipv6=body["EnableIPv6"],
                )
        except APIError as error:
            if "overlap" not in str(error.explanation).lower():
                with mended():
                    raise
        else:
            return
    raise PrerequisiteError(
        f"no network could be made for {deployment}: others use all of {RANGE} that was tried",
        hint="'docker network ls' lists them; 'docker network prune' removes those that nobody uses",
    )


def found(client: APIClient, deployment: str) -> list[Mapping[str, Any]]:
    """Return the network, if it is there."""
    with mended():
        listed = client.networks(filters={"label": f"{arguments.LABEL}={deployment}"})
    return [one for one in listed if one["Name"] == name(deployment)]


def forget(client: APIClient, deployment: str) -> Iterator[str]:
    """Remove the network, unless a container is still in it; yield its short id when it is gone."""
    from docker.errors import APIError

    for one in found(client, deployment):
        with suppress(APIError):
            client.remove_network(one["Id"])
            yield str(one["Id"])[:12]
