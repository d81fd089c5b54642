"""The texts that a rented machine starts from, written once and kept: a later plan needs no template engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from deployer import agents
from deployer.core import templates
from deployer.engines import container
from deployer.planning import cloud_init
from deployer.providers.api import Provider

Order = Mapping[str, Any]


def cached(folder: Path) -> Callable[[Order, Provider], Mapping[str, str]]:
    """Return `deployer.planning.cloud_init.files`, answered from `folder` when the same was asked of the same templates before.

    An unreadable file is written anew; a folder that cannot be written to is done without.
    """

    def write(order: Order, provider: Provider) -> Mapping[str, str]:
        kept = folder / f"{_key(order, provider)}.json"
        known = _read(kept)
        if known is None:
            known = cloud_init.files(order, provider)
            _keep(kept, known)
        return known

    return write


def _key(order: Order, provider: Provider) -> str:
    image = provider.boot.proxy_image if provider.boot else None
    asked = json.dumps([order, provider.name, image], sort_keys=True, default=str).encode()
    return sha256(
        b"\0".join([asked, *(part.read_bytes() for part in _parts(provider))])
    ).hexdigest()


def _parts(provider: Provider) -> Iterator[Path]:
    """Return all that decides about the texts besides the order."""
    yield from sorted(p for p in (templates.folder() / "cloud").rglob("*") if p.is_file())
    here = Path(cloud_init.__file__)
    yield from (
        here,
        Path(templates.__file__),
        *sorted(Path(container.__file__).parent.rglob("*.py")),
    )
    if provider.boot:
        yield provider.boot.script
        yield from (provider.boot.watchdog,) if provider.boot.watchdog else ()
    yield from (Path(agents.__file__).with_name(f"{name}.py") for name in cloud_init.PROGRAMS)


def _read(file: Path) -> dict[str, str] | None:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    good = isinstance(known, dict) and all(isinstance(text, str) for text in known.values())
    return known if good else None


def _keep(file: Path, texts: Mapping[str, str]) -> None:
    half = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        half.write_text(json.dumps(texts), encoding="utf-8")
        half.replace(file)
    except OSError:
        with suppress(OSError):
            half.unlink()
