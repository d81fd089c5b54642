"""The proxy as a container: the files that build and run it without this tool. Reads its own sources, no more.

The image holds the modules of the gateway and what they import, and the names of what they call. The API key is
a secret file, the credentials are the caller's own: neither is ever in the image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.templates import render
from deployer.providers import registry

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment
    from deployer.providers.api import NativeApi

BASE = "python:3.12.12-slim-bookworm"
"""The official Python image (Docker Hub); `docker build --build-arg BASE=...` takes another one."""
NEEDS = ("starlette>=0.40", "uvicorn>=0.30")
PORT = 8090
KEY_FILE = "/run/secrets/api_key"
SERVICE = "proxy"
"""What other containers of the same network call it."""
SOURCES = (
    "__init__.py",
    "agents/__init__.py",
    "agents/guard/__init__.py",
    "agents/guard/keys.py",
    "agents/guard/limits.py",
    "agents/handler_server/*.py",
    "core/__init__.py",
    "core/errors.py",
    "running/__init__.py",
    "running/gateway/*.py",
)
HEALTH = (
    *("python3", "-c"),
    f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)",
)


def files(
    record: Deployment, api: NativeApi, *, published: int, user: str, wake_limit: int | None
) -> dict[str, str | Path]:
    """Return the files by path: texts, and sources to copy.

    Args:
        record: a deployment without an OpenAI route.
        api: how it is called.
        published: the port on 127.0.0.1.
        user: uid:gid that it runs as, which must be able to read the credentials.
        wake_limit: seconds that a call waits for a sleeping model; None is the service's own.
    """
    settings = Path.home() / api.settings if api.settings else None
    needs = (*api.requirements, *NEEDS)
    told = {
        "backend": api.target,
        "name": record.name,
        "model": record.model,
        "outputs": dict(record.outputs),
        "key_file": KEY_FILE,
        "port": PORT,
        "hosts": [SERVICE, record.name],
        "wake_limit": wake_limit,
    }
    compose = render(
        "proxy/compose.yaml.j2",
        deployment=record.name,
        published=published,
        port=PORT,
        user=user,
        region=_region(record, api),
        folder=str(settings) if settings and settings.is_dir() else None,
        settings=api.settings or "",
        passed=api.environment,
    )
    image = render(
        "proxy/Dockerfile.j2",
        name=record.name,
        base=BASE,
        needs=needs,
        modules=[_module(one) for one in needs],
        port=PORT,
        health=HEALTH,
    )
    texts = {
        "compose.yaml": compose,
        "Dockerfile": image,
        "config.json": json.dumps(told, indent=1) + "\n",
        ".dockerignore": "secrets\n",
    }
    return {**texts, **dict(_sources(api))}


def _region(record: Deployment, api: NativeApi) -> str | None:
    """The variable that names the region to the service's SDK, where it reads one."""
    variable = api.region_variable
    return f"{variable}={record.outputs['region']}" if variable else None


def _sources(api: NativeApi) -> Iterator[tuple[str, Path]]:
    package = Path(__file__).parents[2]
    for pattern in SOURCES:
        for file in sorted(package.glob(pattern)):
            yield f"deployer/{file.relative_to(package)}", file
    root = registry.folders()[0]
    for path in api.sources:
        yield f"stacks/{path}", root / path


def _module(requirement: str) -> str:
    """The module that a requirement brings, by which the image tells whether its base has it."""
    return re.split(r"[<>=!~\[]", requirement)[0].replace("-", "_")
