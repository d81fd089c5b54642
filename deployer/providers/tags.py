"""What is written on everything that is made, so that it is found and judged without any state.

Each value is a plain text under a plain key; a cloud that allows no colon, no upper case or no long value has a codec
of its own. Keys: deployment, spec-digest, owner, and of a rented machine expires-after, idle-after (seconds, such as
`1800s`; `never`), idle-action, budget, over-budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from deployer.core.order import Order
from deployer.core.records import dataclass

Values = Mapping[str, str]


class TagCodec(Protocol):
    """How a cloud's own tags, labels or names hold the values."""

    def write(self, values: Values) -> dict[str, str]:
        """Return the tags that hold the values."""
        ...

    def read(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the values that tags hold; those of others are left out."""
        ...


@dataclass(frozen=True)
class Prefixed:
    """A codec for tags that take any text: `deployer:idle-after`."""

    prefix: str = "deployer:"

    def write(self, values: Values) -> dict[str, str]:
        """See `TagCodec`."""
        return {f"{self.prefix}{key}": value for key, value in values.items()}

    def read(self, tags: Mapping[str, str]) -> dict[str, str]:
        """See `TagCodec`."""
        mine = ((key, value) for key, value in tags.items() if key.startswith(self.prefix))
        return {key.removeprefix(self.prefix): value for key, value in mine}


def of_deployment(order: Order) -> dict[str, str]:
    """Return what everything that an order makes is found by."""
    return {"deployment": order["deployment"], "spec-digest": order["digest"]}


def of_machine(order: Order) -> dict[str, str]:
    """Return what a rented machine is judged by besides: its policy. The clock is asked by whoever removes it."""
    policy = order["policy"]
    expires, budget = policy["expires"], policy.get("budget")
    over = {"budget": str(budget), "over-budget": str(policy.get("over_budget", "stop"))}
    return {
        **of_deployment(order),
        "expires-after": "never" if expires is None else f"{int(expires)}s",
        "idle-after": f"{int(policy['idle']['after'])}s",
        "idle-action": policy["idle"]["action"],
        **({} if budget is None else over),
    }
