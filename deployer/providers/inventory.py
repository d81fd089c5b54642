"""What exists of a deployment where it is served: found without any state, and removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

from deployer.core.records import dataclass
from deployer.providers.managers import Manager, Say


@dataclass(frozen=True)
class Found:
    """One thing that exists.

    `inputs` is what its pricing rule reads, in the words of a plan's resources; `details` is the cloud's own
    description, for who reaches it there. `ours` says whether more than a tag shows that this tool made it: a tag is
    copied along with a disk, an image or a machine, what something hangs on and is called is not. What is not ours is
    named, and never changed. `owner` is who made it, `made_at` when (seconds since 1970), `state` where Pulumi keeps
    what it knows of it if others may share that; None where nothing says so.
    """

    type: str
    id: str
    name: str
    deployment: str
    region: str
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    ours: bool = field(default=True, compare=False)
    owner: str | None = field(default=None, compare=False)
    made_at: float | None = field(default=None, compare=False)
    state: str | None = field(default=None, compare=False)

    @property
    def plain(self) -> dict[str, str]:
        """As the documents have it."""
        return {"type": self.type, "name": self.name, "id": self.id}


@dataclass(frozen=True)
class Left:
    """What could not be removed, and why."""

    found: Found
    why: str


def ours(found: Sequence[Found]) -> list[Found]:
    """Return what this tool made, and not what only carries its tag."""
    return [one for one in found if one.ours]


class Inventory(Protocol):
    """Everything of one deployment."""

    @property
    def taken_up(self) -> Collection[str]:
        """The types that the next `up` goes on with when the state does not know them."""
        ...

    @property
    def account(self) -> str | None:
        """Where it looks, besides the region: the account; None where there is but one place to look.

        Raises:
            DeployerError: that cannot be learnt.
        """
        ...

    @property
    def region(self) -> str | None:
        """The region that it looks in; None: it looks in all of them."""
        ...

    def named(self, deployment: str) -> Inventory:
        """The same of another deployment."""
        ...

    def found(self) -> list[Found]:
        """Look up what has its tag or its name, in the order of its removal, what is not `ours` too.

        Raises:
            PrerequisiteError: credentials, permission or network are missing.
            RemoteError: the cloud failed.
        """
        ...

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """Remove what was found, as far as it is `ours`; return what was removed and what is left.

        Refusals are not raised.
        """
        ...


@runtime_checkable
class KnowsOwners(Protocol):
    """What a manager may know besides: everything that has a deployment's tag or name, and whose it is.

    The `found` and the `stop` of such a manager leave out what is not `ours`.
    """

    def claimed(self, deployment: str) -> Sequence[Found]:
        """Return what carries its tag or its name, whoever made it."""
        ...

    def account_of(self, deployment: str) -> str | None:
        """Return the account in which it looks; None where there is but one."""
        ...


@runtime_checkable
class LooksElsewhere(Protocol):
    """What a manager may do besides: look in another region, or by another state, than the record says."""

    def elsewhere(self, region: str | None = None, state: str | None = None) -> Manager:
        """Return the same manager for there; None: as the record says."""
        ...
