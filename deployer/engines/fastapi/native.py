"""The user's own handler: `deployer.agents.handler_server` in this very interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

from deployer.core import installation
from deployer.core.errors import PrerequisiteError
from deployer.engines.launch import SOCKET, Job, Launch, Machine

REQUIREMENTS = "requirements.txt"
NEEDS = ("fastapi", "uvicorn", "prometheus_client")


def launch(job: Job, machine: Machine) -> Launch:
    """Say how the handler is served.

    Raises:
        PrerequisiteError: the server's libraries are not installed.
    """
    installed(machine)
    wanted, handler = job.wanted, job.wanted["handler"]
    config = {
        "handler": str(Path(wanted["model"]) / "handler.py"),
        "name": wanted["model_name"],
        "route": handler["route"],
        "socket": SOCKET,
        "concurrency": wanted["concurrency"],
        "timeout_s": handler["timeout"],
        "max_request_bytes": handler["max_request_mb"] * 2**20,
        "key_file": str(job.key_file),
    }
    command = (sys.executable, "-P", "-m", "deployer.agents.handler_server", str(job.config_file))
    needed = Path(wanted["model"]) / REQUIREMENTS
    return Launch(
        command,
        f"{wanted['source']}/handler.py",
        config=config,
        by_socket=True,
        requirements=needed if needed.is_file() else None,
    )


def installed(machine: Machine) -> str:
    """Name the libraries of the server, which are all there.

    Raises:
        PrerequisiteError: one is not.
    """
    if not all(map(machine.has_module, NEEDS)):
        raise PrerequisiteError(
            "what serves a handler is not installed", hint=installation.add_extra("handler")
        )
    return ", ".join(NEEDS)
