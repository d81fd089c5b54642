"""Bring an image to this machine and say how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from deployer.providers.managers import Say
from deployer.running.containers.daemon import mended, refusal
from deployer.running.download_progress import STEP, bar

if TYPE_CHECKING:
    from docker import APIClient


def ensure(client: APIClient, image: str, say: Say) -> str:
    """Pull an image unless the daemon has it; return its digest (its id, if it was built here).

    Raises:
        PrerequisiteError: it cannot be had.
    """
    found = seen(client, image)
    if found is None:
        say(f"pulling {image}")
        with mended():
            name, tag = split(image)
            for line in progress(client.pull(name, tag=tag, stream=True, decode=True)):
                say(f"  {line}")
            found = client.inspect_image(image)
    digests = found.get("RepoDigests") or [found["Id"]]
    digest = str(digests[0]).rpartition("@")[2]
    say(f"image {image} is {digest}")
    return digest


def seen(client: APIClient, image: str) -> Mapping[str, Any] | None:
    """What the daemon says of an image; None when it does not have it."""
    from docker.errors import ImageNotFound

    try:
        with mended(except_for=ImageNotFound):
            found: Mapping[str, Any] = client.inspect_image(image)
    except ImageNotFound:
        return None
    return found


def split(image: str) -> tuple[str, str | None]:
    """Split `host:5000/name:tag` into the name and the tag; one with a digest stays whole."""
    name, colon, tag = image.rpartition(":")
    if "@" in image or not colon:
        return image, None if "@" in image else "latest"
    return (image, "latest") if "/" in tag else (name, tag)


def progress(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Turn the daemon's events into a bar for each `STEP` percent of the bytes that are known of.

    Raises:
        DeployerError: the daemon reports an error.
    """
    layers: dict[str, tuple[int, int]] = {}
    shown = 0
    for event in events:
        if "error" in event:
            raise refusal(str(event["error"]))
        detail = event.get("progressDetail") or {}
        if event.get("status") != "Downloading" or not detail.get("total"):
            continue
        layers[str(event.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))
        done, total = (sum(part) for part in zip(*layers.values(), strict=True))
        if 100 * done // total >= shown + STEP:
            shown = 100 * done // total // STEP * STEP
            yield bar(done, total)
