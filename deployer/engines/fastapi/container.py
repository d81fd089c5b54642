"""The image of a handler of the user's own: what it is built from, and its name. Pure: it reads files, and no more.

The name ends in a digest of all that the image is made of, so that a changed file is another image. It begins
with `localhost/`, which no registry has: such an image is only ever built here, never pulled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployer.agents import handler_server
from deployer.core import templates
from deployer.core.order import HandlerOrder, Order
from deployer.engines.recipe import BUILT, KEY_FILE, Recipe

BASE = "python:3.12.12-slim-bookworm"
"""The official Python image (Docker Hub), where the spec names no other base."""
TEMPLATE = "Dockerfile.handler.j2"
PORT = 8080
"""SageMaker's port for /ping and /invocations, and so everybody's."""
CACHE = "/cache"
"""The only folder besides /tmp that a handler may write to: what it downloads is kept there."""
REQUIREMENTS = "requirements.txt"
LARGE_BYTES = 16 * 2**20
"""Of a larger file its size and time count, not its content: a plan must not read gigabytes."""
HEALTH = (
    *("CMD", "python3", "-c"),
    f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/ping', timeout=4)",
)
"""The base need not have curl; it has Python."""


def image(order: Order) -> dict[str, Any]:
    """Describe the image, in plain data: its name, what it is built on, the handler's folder and settings."""
    folder, handler = Path(order["model"]["path"] or ""), _handler(order)
    told = {
        "base": order["options"].get("image") or BASE,
        "folder": str(folder),
        "handler": dict(handler),
        "config": config(order),
        "requirements": (folder / REQUIREMENTS).is_file(),
    }
    name = f"{BUILT}{order['deployment']}:{_digest(told)}"
    return {"image": name, **told}


def config(order: Order) -> dict[str, Any]:
    """Return the settings of the server in the image (`deployer.agents.handler_server.settings`)."""
    handler = _handler(order)
    return {
        "handler": "/srv/handler/handler.py",
        "name": order["spec_name"],
        "route": handler["route"],
        "host": "0.0.0.0",  # noqa: S104 - inside the container
        "port": PORT,
        "concurrency": order["concurrency"],
        "timeout_s": handler["timeout"],
        "max_request_bytes": handler["max_request_mb"] * 2**20,
        "key_file": KEY_FILE,
    }


def _handler(order: Order) -> HandlerOrder:
    handler = order["handler"]
    if handler is None:
        raise AssertionError("an engine that runs handlers is ordered with one")
    return handler


def server_files() -> Iterator[tuple[str, Path]]:
    """Yield the files of the server by their paths in the image's folder."""
    for file in sorted(Path(handler_server.__file__).parent.glob("*.py")):
        yield f"handler_server/{file.name}", file


def handler_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the handler's files by their paths in the image's folder; hidden ones and caches stay outside."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and not any(map(_left_out, inside.parts)):
            yield f"handler/{inside.as_posix()}", file


def _left_out(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"


def _digest(told: Mapping[str, Any]) -> str:
    """Return a short digest of all that decides about the image."""
    plain = {key: told[key] for key in ("base", "config", "requirements")}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    digest.update((templates.folder() / TEMPLATE).read_bytes())
    for name, file in (*server_files(), *handler_files(Path(told["folder"]))):
        digest.update(f"{name}\0".encode(errors="surrogateescape"))
        digest.update(_of_file(file))
    return digest.hexdigest()[:12]


def _of_file(file: Path) -> bytes:
    seen = file.stat()
    if seen.st_size > LARGE_BYTES:
        return f"{seen.st_size} {seen.st_mtime_ns}".encode()
    return hashlib.sha256(file.read_bytes()).digest()


RECIPE = Recipe(
    image=BASE,
    build=image,
    port=PORT,
    cache=CACHE,
    arguments=lambda _order, _model: [],
    read_only=True,
    health=HEALTH,
    volume="deployer-handlers",
)
