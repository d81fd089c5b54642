"""What AWS charges for: the rules and the reasons of every type's record. Pure.

Figures of what is included come from the price pages behind `cloud_gpu/aws/catalog/components.json`: gp3 includes
3000 IOPS and 125 MB/s; a public IPv4 address is charged whether attached or idle; the first 100 GB out to the
internet are free, once for the whole account.
"""

from __future__ import annotations

from deployer.providers.api import Pricing
from stacks._aws.types import TYPES
from stacks._aws.types.record import Free, Price

PRICING = Pricing(
    rules={t.pulumi_type: t.bill.rule for t in TYPES if isinstance(t.bill, Price)},
    free={t.pulumi_type: t.bill.reason for t in TYPES if isinstance(t.bill, Free)},
)
"""The same for all providers on AWS."""
