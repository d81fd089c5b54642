"""The hours of a month that copies are paid for, as far as they are known before the speed is: to rank by. Pure."""

from __future__ import annotations

from decimal import Decimal

from deployer.core.domain import HOURS_PER_MONTH
from deployer.planning.traffic.profile import usage
from deployer.providers.api import Provider
from deployer.spec import Spec

SECONDS_PER_REQUEST = (2.0, 30.0)
"""Taken before the speed is known, to rank what sleeps by the hours it is awake: its idle time outweighs it."""


def paid_hours(spec: Spec, target: str, where: Provider) -> tuple[Decimal, Decimal]:
    """Return the hours of all copies together: likely, and where as many run as may."""
    replicas, month = spec.serve.replicas, Decimal(HOURS_PER_MONTH)
    if target == "local":
        return month, month
    if where.sleep is None:
        return month * (replicas.min + replicas.max) / 2, month * replicas.max
    if replicas.min > 1:
        return month * replicas.min, month * replicas.min
    used = usage(
        spec.traffic,
        scale_to_zero_minutes=where.sleep.minutes_of(spec.policy.idle.after),
        seconds_per_request=SECONDS_PER_REQUEST,
        cold_start_minutes=where.sleep.cold_start_minutes,
    )
    likely = sum(used.active_hours, Decimal(0)) / 2
    return likely, likely
