"""Where AWS's public price lists hold the price of something, and in which units. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from deployer.core.records import dataclass

EC2, VPC, CLOUDWATCH = "AmazonEC2", "AmazonVPC", "AmazonCloudWatch"
"""Price list files."""

HOURS = {"hrs": "1", "hours": "1", "hour": "1"}
GB = {"gb": "1", "gigabytes": "1"}
GB_MONTH = {"gb-mo": "1", "gb-month": "1"}
GIB_PER_S = {"gibps-mo": "1024", "mibps-mo": "1"}


@dataclass(frozen=True)
class Component:
    """One price besides instances: where it stands and how it is read.

    `units` divides the price: gp3 throughput is listed by the GiB/s and billed here by the MiB/s.
    """

    name: str
    offer: str
    usage: str
    units: Mapping[str, str]
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    essential: bool = False
