"""What a provider's runner may tell of privacy: a capability, as in `deployer.providers.api`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from deployer.core.documents.privacy import Finding


@runtime_checkable
class ShowsPrivacy(Protocol):
    """What a `Runner` may do besides: look at what runs, and say what that proves."""

    def evidence(self, deployment: str) -> Iterable[Finding]:
        """Look at where it listens, what it reaches, what it is told, and where its weights came from."""
        ...

    def way_out(self, deployment: str) -> str | None:
        """Return what could be reached from inside of what was made to reach nothing; None: nothing could."""
        ...
