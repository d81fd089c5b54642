"""Logs and alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Setting, decimal, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.finding import by_name
from stacks._aws.types.listing import CLOUDWATCH, GB, GB_MONTH, Component
from stacks._aws.types.record import (
    AWS,
    SAGEMAKER,
    Details,
    Price,
    ResourceType,
    Stage,
    Tracked,
    by_its_name,
)
from stacks._aws.types.removing import one_call

LOGS = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"

WAKING = "wake-"
"""How the names of the stacks' alarms begin: Pulumi makes them of the resource's own name."""
ALARM_MONTH = Component(
    "alarm", CLOUDWATCH, "CW:AlarmMonitorUsage", {"alarms": "1", "alarm-months": "1"}
)
LOGGING = (
    Component(
        "logs-ingestion", CLOUDWATCH, "DataProcessing-Bytes", GB, {"operation": ("PutLogEvents",)}
    ),
    Component(
        "logs-storage",
        CLOUDWATCH,
        "TimedStorage-ByteHrs",
        GB_MONTH,
        {"operation": ("HourlyStorageMetering",)},
    ),
)
DAYS_PER_MONTH = MONTH / 24
GIB = Decimal(2**30)


def _log_group(resource: Resource, at: Setting) -> Iterator[Item]:
    """Ingestion follows the traffic; what is kept is paid on, for as long as it is retained.

    How much is logged is a rough estimate: half to twice of it is likely. One that exists tells what it keeps.
    """
    size = at.usage.log_gb
    made = Quantity(size, "GB", size / 2, size * 2, "estimated")
    yield line(resource, "log ingestion", made, at.rate("logs-ingestion"), "used")
    yield line(
        resource, "log storage", _kept(resource.inputs, size), at.rate("logs-storage"), "exists"
    )


def _kept(inputs: Mapping[str, Any], size: Decimal) -> Quantity:
    stored = decimal(inputs.get("storedBytes"))
    if stored is not None:
        return Quantity(stored / GIB, "GB-month")
    days = decimal(inputs.get("retentionInDays")) or None
    kept = size * (days / DAYS_PER_MONTH) if days else None  # without end: it grows
    return Quantity(kept, "GB-month", basis="estimated")


def _log_inputs(details: Details) -> Mapping[str, Any]:
    return {"storedBytes": details.get("storedBytes", 0)}


def _machine_logs(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("logs").get_paginator("describe_log_groups")
    for page in pages.paginate(logGroupNamePrefix=f"/deployer/{deployment or ''}"):
        for one in page["logGroups"]:
            name = one["logGroupName"]
            owner = name.removeprefix("/deployer/")
            if owner == deployment or deployment is None:
                yield Found(LOGS, name, name, owner, clients.region, one)


def component_logs(deployment: str) -> str:
    """Where an inference component writes its log."""
    return f"/aws/sagemaker/InferenceComponents/{deployment}"


def _component_logs(clients: Clients, deployment: str | None) -> Iterator[Found]:
    group = component_logs(str(deployment))
    told = clients("logs").describe_log_groups(logGroupNamePrefix=group)
    for one in told["logGroups"]:
        if one["logGroupName"] == group:
            yield by_name(clients, LOGS, group, deployment, one)


def _alarm(resource: Resource, at: Setting) -> Iterator[Item]:
    month = Quantity(Decimal(1), "alarm-month")
    yield line(resource, "alarm", month, at.rate("alarm"), "exists")


def _alarms(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The alarm that wakes an inference component."""
    pages = clients("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmNamePrefix=WAKING):
        for one in page["MetricAlarms"]:
            watched = {d["Name"]: d["Value"] for d in one.get("Dimensions", ())}
            if watched.get("InferenceComponentName") == deployment:
                yield by_name(clients, ALARM, one["AlarmName"], deployment, one)


def _delete_alarm(clients: Clients, one: Found) -> None:
    clients("cloudwatch").delete_alarms(AlarmNames=[one.id])


TYPES: tuple[ResourceType, ...] = (
    Tracked(
        ALARM,
        Price(_alarm, listed=[ALARM_MONTH]),
        {SAGEMAKER: _alarms},
        _delete_alarm,
        Stage.SCALING,
        by_its_name,
    ),
    Tracked(
        LOGS,
        Price(_log_group, _log_inputs, LOGGING),
        {AWS: _machine_logs, SAGEMAKER: _component_logs},
        one_call("logs", "delete_log_group", "logGroupName"),
        Stage.RECORDS,
        by_its_name,
        sweep=_machine_logs,
    ),
)
