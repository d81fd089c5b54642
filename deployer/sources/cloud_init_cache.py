"""The texts that a rented machine starts from, written once and kept: a later plan needs no template engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deployer import agents, engines
from deployer.core import templates
from deployer.core.cache import Cache, digest
from deployer.core.order import Order
from deployer.planning import cloud_init
from deployer.providers.api import Provider


def cached(folder: Path) -> Callable[[Order, Provider], Mapping[str, str]]:
    """Return `deployer.planning.cloud_init.files`, answered from `folder` when the same was asked of the same templates before.

    An unreadable file is written anew; a folder that cannot be written to is done without.
    """

    kept = Cache(folder, _texts)

    def write(order: Order, provider: Provider) -> Mapping[str, str]:
        image = provider.boot.proxy_image if provider.boot else None
        key = digest([order, provider.name, image], _parts(order, provider))
        known = kept.get(key)
        if known is None:
            known = cloud_init.files(order, provider)
            kept.put(key, known)
        return known

    return write


def _parts(order: Order, provider: Provider) -> Iterator[Path]:
    """Return all that decides about the texts besides the order."""
    yield from sorted(p for p in (templates.folder() / "cloud").rglob("*") if p.is_file())
    here = Path(cloud_init.__file__)
    yield from (
        here,
        Path(templates.__file__),
        *sorted(Path(engines.__file__).parent.glob("*.py")),
        *sorted((engines.folder(order["engine"]) or here).rglob("*.py")),
    )
    if provider.boot:
        yield provider.boot.script
        yield from (provider.boot.watchdog,) if provider.boot.watchdog else ()
    yield from (Path(agents.__file__).with_name(f"{name}.py") for name in cloud_init.PROGRAMS)


def _texts(found: Any) -> Mapping[str, str]:
    if not all(isinstance(text, str) for text in found.values()):
        raise TypeError("a text was expected")
    return dict(found)
