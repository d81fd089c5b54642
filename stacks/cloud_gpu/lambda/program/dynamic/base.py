"""What all resources of Lambda have in common."""

from __future__ import annotations

import sys
import time
from typing import Any

from pulumi.dynamic import DiffResult, ResourceProvider

from .rest import Api, ApiError

LOOK_S = 5.0
ENDS_S = 600.0
"""How long the end of something is waited for."""


class LambdaResource(ResourceProvider):
    """What all have in common. `api` asks Lambda; `sleep` is where a test puts its own."""

    serialize_as_secret_always = False
    same: tuple[str, ...] = ()
    """What it keeps for its life."""
    loose: tuple[str, ...] = ()
    """What may differ from what was asked."""

    def __init__(self, api: Api, sleep: Any = time.sleep) -> None:
        super().__init__()
        self.api, self.sleep = api, sleep

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """What differs, and whether that needs another one: the old one goes first."""
        known = [k for k in _news if not k.startswith("__") and k not in self.loose]
        changed = [k for k in known if self.differs(k, _olds.get(k), _news[k])]
        replaces = [k for k in changed if k in self.same]
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=True)

    def differs(self, _key: str, old: Any, new: Any) -> bool:
        """Whether a value differs in a way that matters."""
        return bool(old != new)

    def gone(self, path: str) -> bool:
        """Delete something; whether it was there."""
        try:
            self.api.call("DELETE", path)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True


def say(text: str) -> None:
    """One line of progress: Pulumi shows what a resource's code writes here."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
