"""Removal by one call, which most types need."""

from __future__ import annotations

from typing import Any

from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.record import Remove


def one_call(service: str, operation: str, argument: str, **more: Any) -> Remove:
    """Return a removal by one call that takes the id."""

    def call(clients: Clients, one: Found) -> None:
        getattr(clients(service), operation)(**{argument: one.id}, **more)

    return call
