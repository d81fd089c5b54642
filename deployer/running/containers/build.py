"""Build the image of a handler, and say how far it is."""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from deployer.core.errors import RemoteError
from deployer.engines.recipe import BUILT
from deployer.providers.managers import Say
from deployer.running.containers import pull
from deployer.running.containers.build_context import Source, context
from deployer.running.containers.daemon import mended, refusal

if TYPE_CHECKING:
    from docker import APIClient

SILENCE_S = 1800
"""The longest that a step may say nothing: pip is silent while it fetches gigabytes."""
LAST_WORDS = 12
"""How many lines are shown of a build that fails."""
COLOUR = re.compile(r"\x1b\[[\d;]*m")
"""The daemon writes what a step complains about in red."""
STEP = re.compile(r"Step (\d+/\d+) : (.{0,70})")


def ensure(client: APIClient, wanted: Mapping[str, Any], say: Say) -> None:
    """Build an image (`deployer.engines.fastapi.container.image`) unless the daemon has it.

    Raises:
        PrerequisiteError: its base cannot be had.
        RemoteError: a step of it fails.
    """
    name = wanted["image"]
    if pull.seen(client, name) is not None:
        return
    pull.ensure(client, wanted["base"], say)
    say(f"building {name}")
    with tempfile.TemporaryFile() as archive, mended():
        write(archive, context(wanted))
        archive.seek(0)
        options = {"custom_context": True, "rm": True, "forcerm": True, "decode": True}
        events = client.build(fileobj=archive, tag=name, timeout=SILENCE_S, **options)
        for line in progress(events):
            say(f"  {line}")


def write(archive: IO[bytes], files: Mapping[str, Source]) -> None:
    """Write the files as a tar archive, all of them readable by everybody and owned by root."""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in sorted({str(f) for path in files for f in PurePosixPath(path).parents[:-1]}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, source in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o644
            if isinstance(source, Path):
                entry.size = source.stat().st_size
                with source.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                text = source.encode()
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))


def progress(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each step of a build.

    Raises:
        DeployerError: it fails.
    """
    said: deque[str] = deque(maxlen=LAST_WORDS)
    for event in events:
        if "error" in event:
            raise _failure(str(event["error"]), said)
        for line in COLOUR.sub("", str(event.get("stream", ""))).splitlines():
            if line.strip():
                said.append(line.rstrip())
            if step := STEP.match(line):
                yield f"{step[1]} {step[2]}"


def _failure(error: str, said: Iterable[str]) -> Exception:
    """A refusal that has a hint of its own, or what the step that failed said."""
    known = refusal(error)
    if known.hint:
        return known
    words = "".join(f"\n    {line}" for line in said)
    return RemoteError(
        f"the image of the handler cannot be built: {error.strip()}; its last output:{words}",
        hint="correct requirements.txt, or set targets.local.image to a base image that has everything",
    )


def forget(client: APIClient, deployment: str, keep: str | None = None) -> list[str]:
    """Remove the images that were built for a deployment, but one that is kept; return their short ids.

    What another container still uses stays.
    """
    from docker.errors import APIError

    removed = []
    for one in client.images(name=f"{BUILT}{deployment}"):
        for tag in one.get("RepoTags") or ():
            if tag != keep:
                with suppress(APIError):
                    client.remove_image(tag)
                    removed.append(str(one["Id"]).removeprefix("sha256:")[:12])
    return removed
