"""What a program is told of whose it is: who made it first, and where its state lies if others may share that."""

from __future__ import annotations

import os

from deployer.core.deployment import Deployment
from deployer.core.owner import owner
from deployer.providers import state_tag
from deployer.running.stack import settings
from deployer.running.stack.settings import Settings
from deployer.running.store import Store


def at(store: Store, deployment: str, named: str | None, before: Deployment | None) -> Settings:
    """Return the settings of a deployment's stack.

    Its state lies where the spec (`named`) or else DEPLOYER_STATE says, else where the record says that it was.
    """
    asked = named or os.environ.get("DEPLOYER_STATE") or (before.state if before else None)
    return settings.settings(store.home, deployment, asked)


def stamps(at: Settings, store: Store, first: str | None) -> dict[str, str]:
    """Return the program's configuration; `first` is who made it first, None: whoever works with this home."""
    shared = state_tag.write(at.backend) if at.is_shared else None
    return {
        "owner": first or owner(store.home),
        **({} if shared is None else {"state": shared}),
    }
