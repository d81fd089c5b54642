"""The proxy as a container: the files that build and run it without this tool. Reads its own sources, no more.

The image holds the modules of the gateway and what they import, and the names of what they call. The API key is
a secret file, the AWS credentials are the caller's own: neither is ever in the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.core.templates import render

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment

BASE = "python:3.12.12-slim-bookworm"
"""The official Python image (Docker Hub); `docker build --build-arg BASE=...` takes another one."""
NEEDS = ("boto3>=1.38", "starlette>=0.40", "uvicorn>=0.30")
"""boto3 of 2025-05 and later knows all calls that are made."""
PORT = 8090
KEY_FILE = "/run/secrets/api_key"
SERVICE = "proxy"
"""What other containers of the same network call it."""
SOURCES = (
    "__init__.py",
    "agents/__init__.py",
    "agents/handler_server/*.py",
    "core/__init__.py",
    "core/errors.py",
    "running/__init__.py",
    "running/gateway/*.py",
)
PASSED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
)
"""Variables that are handed on from the shell that starts it, where they are set there."""
HEALTH = (
    *("python3", "-c"),
    f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/health', timeout=4)",
)


def files(
    record: Deployment, *, published: int, user: str, aws: Path | None, wake_limit: int | None
) -> dict[str, str | Path]:
    """Return the files by path: texts, and sources to copy.

    Args:
        record: a deployment on Bedrock or SageMaker.
        published: the port on 127.0.0.1.
        user: uid:gid that it runs as, which must be able to read the credentials.
        aws: the folder of the user's AWS settings; None where there is none.
        wake_limit: seconds that a call waits for a sleeping model; None is the service's own.
    """
    told = {
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
        region=record.outputs["region"],
        folder=None if aws is None else str(aws),
        passed=PASSED,
    )
    image = render(
        "proxy/Dockerfile.j2", name=record.name, base=BASE, needs=NEEDS, port=PORT, health=HEALTH
    )
    texts = {
        "compose.yaml": compose,
        "Dockerfile": image,
        "config.json": json.dumps(told, indent=1) + "\n",
        ".dockerignore": "secrets\n",
    }
    return {**texts, **dict(_sources())}


def _sources() -> Iterator[tuple[str, Path]]:
    package = Path(__file__).parents[2]
    for pattern in SOURCES:
        for file in sorted(package.glob(pattern)):
            yield f"deployer/{file.relative_to(package)}", file
