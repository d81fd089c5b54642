"""Bring a model of the hub into the cache before its container is cut off from the network.

A container of the same image does it and is gone when it has ended; it is told no prompt. First it looks, without any
network, whether all is there: then nothing is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.agents import fetch_weights
from deployer.core.errors import RemoteError
from deployer.providers.managers import Say
from deployer.running.containers import arguments, inspection
from deployer.running.containers.daemon import mended

if TYPE_CHECKING:
    from docker import APIClient

LABEL = "deployer.fetch"
LOOK_S = 0.5
WORDS_S = 5.0
LAST_WORDS = 12
LOOKING = "LOOK=1"


def ensure(
    client: APIClient, deployment: str, wanted: Mapping[str, Any], secrets: Path, say: Say
) -> None:
    """Fetch what the container will need of the hub, unless it is there.

    Raises:
        RemoteError: it could not be fetched; with what was said last.
    """
    if not wanted.get("fetch"):
        return
    forget(client, deployment)
    if not _run(client, deployment, config(wanted, secrets, look=True), lambda _: None):
        return
    say(f"fetching {', '.join(wanted['fetch']['sources'])}, before the container is cut off")
    made = config(wanted, secrets, look=False)
    if code := _run(client, deployment, made, say):
        raise RemoteError(
            f"the weights were not fetched (exit code {code})",
            hint="'deployer doctor' checks the access to the model hub; 'deployer up' goes on from what came",
        )


def config(wanted: Mapping[str, Any], secrets: Path, *, look: bool) -> dict[str, Any]:
    """Return the body of the request that creates the container that fetches, or looks without a network. Pure."""
    made = arguments.create({**wanted, "network": None}, 0, secrets)
    given = wanted["fetch"]
    host = {k: v for k, v in made["HostConfig"].items() if k != "PortBindings"}
    told = [one for one in made["Env"] if "OFFLINE" not in one]
    start = ["/bin/sh", "-c", given["script"], "fetch"]
    if given["script"] is None:
        start = ["python3", "-c", Path(fetch_weights.__file__).read_text(encoding="utf-8")]
    return {
        "Image": made["Image"],
        "Entrypoint": start,
        "Cmd": given["arguments"] if given["script"] else given["sources"],
        "Env": [*told, *([LOOKING] if look else [])],
        "Labels": {LABEL: wanted["labels"][arguments.LABEL]},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **host,
            "RestartPolicy": {"Name": "no"},
            **({"NetworkMode": "none"} if look else {}),
        },
    }


def _run(client: APIClient, deployment: str, made: dict[str, Any], say: Say) -> int:
    """Run a container to its end; return its exit code."""
    with mended():
        ident = client.create_container_from_config(made, f"{deployment}-fetch")["Id"]
        try:
            client.start(ident)
            return _followed(client, ident, say)
        finally:
            client.remove_container(ident, v=False, force=True)


def _followed(client: APIClient, ident: str, say: Say) -> int:
    shown = time.monotonic()
    while (state := client.inspect_container(ident)["State"])["Running"]:
        if time.monotonic() - shown > WORDS_S:
            shown = time.monotonic()
            for line in inspection.lines(client, ident, follow=False, tail=1):
                say(f"  {line.rpartition(chr(13))[2].strip()}")
        time.sleep(LOOK_S)
    code = int(state["ExitCode"])
    for line in inspection.lines(client, ident, follow=False, tail=LAST_WORDS if code else 1):
        say(f"  {line}")
    return code


def forget(client: APIClient, deployment: str) -> None:
    """Remove what a killed `up` has left."""
    with mended():
        for one in client.containers(all=True, filters={"label": f"{LABEL}={deployment}"}):
            client.remove_container(one["Id"], force=True)
