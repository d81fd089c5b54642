"""What the image of a handler is built from: the files by their paths. The same for `up` and `render`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployer.core.templates import render
from deployer.engines.fastapi import container
from deployer.running.containers import arguments

Source = str | Path
"""A text, or the file that is copied."""


def context(wanted: Mapping[str, Any]) -> dict[str, Source]:
    """Return the files that an image (`deployer.engines.fastapi.container.image`) is built from."""
    made: dict[str, Source] = {
        "Dockerfile": dockerfile(wanted),
        "config.json": json.dumps(wanted["config"], indent=2) + "\n",
    }
    return (
        made
        | dict(container.server_files())
        | dict(container.handler_files(Path(wanted["folder"])))
    )


def dockerfile(wanted: Mapping[str, Any]) -> str:
    """Return the Dockerfile. Of what the user writes only the base's name is in it."""
    return render(
        container.TEMPLATE,
        base=wanted["base"],
        requirements=wanted["requirements"],
        port=container.PORT,
        cache=container.CACHE,
        key_file=wanted["config"]["key_file"],
        health=container.HEALTH,
        check={
            "interval": arguments.HEALTH_INTERVAL_S,
            "timeout": arguments.HEALTH_TIMEOUT_S,
            "start": arguments.HEALTH_START_S,
            "retries": arguments.HEALTH_RETRIES,
        },
    )
