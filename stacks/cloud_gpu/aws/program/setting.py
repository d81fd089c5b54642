"""What every part of the stack is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

HTTPS = 443
ANYONE = "0.0.0.0/0"


@dataclass(frozen=True)
class Setting:
    """The inputs, the tags of everything, the provider, the configuration, who may call, and from which zones it runs.

    A zone that is None is AWS's choice.
    """

    inputs: Mapping[str, Any]
    tags: dict[str, str]
    here: pulumi.ResourceOptions
    config: pulumi.Config
    callers: Sequence[str]
    zones: Sequence[str | None]

    def also(self, **options: Any) -> pulumi.ResourceOptions:
        """The options of every resource, and some more."""
        return pulumi.ResourceOptions.merge(self.here, pulumi.ResourceOptions(**options))


@dataclass(frozen=True)
class Places:
    """The network, its subnets (one a zone), and who lets whom in: to the machines and, with one, to the balancer."""

    vpc: Any
    subnets: Sequence[Any]
    machines: Any
    balancer: Any = None


def rule(port: int, **who: Any) -> Any:
    """One rule of a security group, over TCP."""
    return {"protocol": "tcp", "from_port": port, "to_port": port, **who}
