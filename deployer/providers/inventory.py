"""What exists of a deployment where it is served: found without any state, and removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from deployer.core.records import dataclass
from deployer.providers.managers import Say


@dataclass(frozen=True)
class Found:
    """One thing that exists.

    `inputs` is what its pricing rule reads, in the words of a plan's resources; `details` is the cloud's own
    description, for who reaches it there.
    """

    type: str
    id: str
    name: str
    deployment: str
    region: str
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def plain(self) -> dict[str, str]:
        """As the documents have it."""
        return {"type": self.type, "name": self.name, "id": self.id}


@dataclass(frozen=True)
class Left:
    """What could not be removed, and why."""

    found: Found
    why: str


class Inventory(Protocol):
    """Everything of one deployment."""

    @property
    def taken_up(self) -> Collection[str]:
        """The types that the next `up` goes on with when the state does not know them."""
        ...

    def found(self) -> list[Found]:
        """Look it up, in the order of its removal.

        Raises:
            PrerequisiteError: credentials, permission or network are missing.
            RemoteError: the cloud failed.
        """
        ...

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """Remove what was found; return what was removed and what is left. Refusals are not raised."""
        ...
