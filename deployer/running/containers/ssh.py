"""Reach a Docker daemon over ssh: its socket appears here as a file, for as long as this process runs.

The user's own `ssh` does it, with the user's own keys and settings, and asks for nothing.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from deployer.core.errors import PrerequisiteError
from deployer.sources.docker_address import DockerAddress

REMOTE = "/var/run/docker.sock"
LIMIT_S = 20.0
LOOK_S = 0.05
OPTIONS = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ConnectTimeout=10")


def command(address: DockerAddress, local: Path) -> list[str]:
    """Return what brings the daemon's socket to a file here."""
    parts = urlsplit(address.url)
    there = parts.path if parts.path not in ("", "/") else REMOTE
    user = f"{parts.username}@" if parts.username else ""
    port = ("-p", str(parts.port)) if parts.port else ()
    options = [word for one in OPTIONS for word in ("-o", one)]
    return [
        "ssh",
        "-N",
        "-T",
        *options,
        *port,
        "-L",
        f"{local}:{there}",
        "--",
        f"{user}{parts.hostname}",
    ]


def socket_to(address: DockerAddress) -> str:
    """Return the URL of a socket here that leads to the daemon.

    Raises:
        PrerequisiteError: ssh is not installed, or does not get there.
    """
    if shutil.which("ssh") is None:
        raise PrerequisiteError(f"{address.url} is reached by ssh, which is not installed")
    folder = Path(tempfile.mkdtemp(prefix="deployer-ssh-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    local, said = folder / "docker.sock", folder / "said"
    with said.open("wb") as errors:
        tunnel = subprocess.Popen(
            command(address, local), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    atexit.register(tunnel.terminate)
    until = time.monotonic() + LIMIT_S
    while not local.exists():
        if tunnel.poll() is not None or time.monotonic() > until:
            tunnel.terminate()
            why = said.read_text(errors="replace").strip()[-200:] or "no answer"
            raise PrerequisiteError(
                f"the Docker daemon at {address} is not reached: {why}",
                hint=f"see that 'ssh {urlsplit(address.url).netloc} docker version' works without a password",
                where=address.url,
            )
        time.sleep(LOOK_S)
    return f"unix://{local}"
