"""What a provider may be able to do, as `deployer doctor --providers` shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deployer.providers.api import Provider


@dataclass(frozen=True)
class Part:
    """Something that a provider may be able to do: how that is seen, and what it means where it is not.

    `on_own_machines` False: it does not matter on a machine of one's own.
    """

    has: Callable[[Provider], bool]
    without: str
    on_own_machines: bool = False


PARTS: Mapping[str, Part] = {
    "apply": Part(
        lambda one: bool(one.driver or one.runner),
        "it can be planned and compared, not applied",
        on_own_machines=True,
    ),
    "manage": Part(
        lambda one: bool(one.manager or one.runner),
        "'status', 'logs' and 'down' cannot look at it",
        on_own_machines=True,
    ),
    "render": Part(
        lambda one: bool(one.program or one.files),
        "'render' writes no files that run without this",
        on_own_machines=True,
    ),
    "sleep": Part(lambda one: bool(one.sleep), "it is paid for while nobody asks, unless stopped"),
    "idle": Part(
        lambda one: bool(one.cloud or one.sleep), "'idle' finds nothing there that nobody uses"
    ),
    "refresh": Part(lambda one: bool(one.prices), "its prices come with a new version of deployer"),
    "regions": Part(lambda one: bool(one.regions), "there is no region to choose"),
    "buckets": Part(lambda one: bool(one.reads), "it reads no model from a bucket"),
    "explain": Part(
        lambda one: bool(one.explain or not one.program), "its errors are shown in its own words"
    ),
}
"""By name."""


def can(one: Provider) -> tuple[str, ...]:
    """Return what a provider can."""
    return tuple(name for name, part in PARTS.items() if part.has(one))


def lacks(one: Provider) -> Mapping[str, str]:
    """Return what it cannot and what that means, as far as it matters where it serves."""
    return {
        name: part.without
        for name, part in PARTS.items()
        if not part.has(one) and (part.on_own_machines or one.target != "local")
    }
