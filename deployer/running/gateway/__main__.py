"""`python -m deployer.running.gateway CONFIG.json`: the proxy in its container, from the file that `container.files` writes."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.agents.guard.keys import checked
from deployer.agents.guard.limits import raise_open_files
from deployer.core.errors import DeployerError, Exit


@dataclass(frozen=True)
class Remote:
    """What is called, as the container's file has it."""

    name: str
    model: str
    outputs: Mapping[str, str]
    endpoint: None = None


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM."""
    import uvicorn

    from deployer.running.gateway.app import HOSTS, application

    told: Mapping[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        module, _, name = told["backend"].partition(":")
        connect = getattr(importlib.import_module(module), name)
        backend = connect(Remote(told["name"], told["model"], told["outputs"]))
    except DeployerError as error:
        sys.stderr.write(f"error: {error.message}\n  hint: {error.hint}\n")
        return int(error.exit_code)
    try:
        key = checked(Path(told["key_file"]).read_text(encoding="utf-8"))
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n  hint: write another one to {told['key_file']}\n")
        return int(Exit.PREREQUISITE)
    raise_open_files()
    app = application(backend, key, told["wake_limit"], hosts=[*HOSTS, *told["hosts"]])
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104 - inside the container
        port=told["port"],
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
