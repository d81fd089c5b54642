"""What ends a deployment by its own clock or its own sum: schedules and budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployer.providers.inventory import Found
from stacks._aws import schedule
from stacks._aws.session import Clients
from stacks._aws.types.record import (
    AWS,
    Family,
    Free,
    ResourceType,
    Stage,
    Tracked,
    by_its_name,
    rented,
)

SCHEDULE = "aws:scheduler/schedule:Schedule"
BUDGET = "aws:budgets/budget:Budget"

SCHEDULED = "(-(expiry|start|stop)[a-z0-9-]*)?"
"""What may follow the deployment's name in that of a schedule."""
SCHEDULED_CALLS = ("terminateInstances", "deleteAutoScalingGroup")
BUDGETED = "deployer-"
"""What stands before the deployment's name in that of a budget."""


def _schedules(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Schedules have no tags: theirs is the deployment's name."""
    pages = clients("scheduler").get_paginator("list_schedules")
    for page in pages.paginate(NamePrefix=deployment):
        for one in page["Schedules"]:
            if re.fullmatch(SCHEDULED, one["Name"].removeprefix(str(deployment))):
                group = one.get("GroupName", "default")
                told = clients("scheduler").get_schedule(GroupName=group, Name=one["Name"])
                yield _schedule(clients, str(deployment), told)


def _every_schedule(clients: Clients, deployment: str | None) -> Iterator[Found]:  # noqa: ARG001 - a search's signature
    """The schedules of `stacks/cloud_gpu/aws/program/expiry.py`, by name and target."""
    for page in clients("scheduler").get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            name, target = one["Name"], one.get("Target", {}).get("Arn", "")
            if name.endswith(schedule.SUFFIX) and target.endswith(SCHEDULED_CALLS):
                yield _schedule(clients, name.removesuffix(schedule.SUFFIX), one)


def _schedule(clients: Clients, deployment: str, one: Mapping[str, Any]) -> Found:
    place = f"{one.get('GroupName', 'default')}/{one['Name']}"
    return Found(SCHEDULE, place, one["Name"], deployment, clients.region, one)


def _schedule_is_ours(found: Found, family: Family) -> bool:
    """By the role that it acts with, which is made for the deployment; a list of many does not tell that."""
    role = found.details.get("Target", {}).get("RoleArn")
    return role is None or f":role/deployer/{family.deployment}/" in role


def _delete_schedule(clients: Clients, one: Found) -> None:
    group, _, name = one.id.rpartition("/")
    clients("scheduler").delete_schedule(GroupName=group or "default", Name=name)


def _budgets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Budgets have no search by tag either: theirs is the deployment's name."""
    account = clients("sts").get_caller_identity()["Account"]
    for page in clients("budgets").get_paginator("describe_budgets").paginate(AccountId=account):
        for one in page.get("Budgets", ()):
            name = one["BudgetName"]
            owner = name.removeprefix(BUDGETED)
            if owner != name and deployment in (owner, None):
                yield Found(BUDGET, f"{account}:{name}", name, owner, clients.region, one)


def _delete_budget(clients: Clients, one: Found) -> None:
    account, _, name = one.id.partition(":")
    clients("budgets").delete_budget(AccountId=account, BudgetName=name)


TYPES: tuple[ResourceType, ...] = (
    Tracked(
        SCHEDULE,
        Free("one call: the first 14 million a month are free"),
        {AWS: _schedules},
        _delete_schedule,
        Stage.RECORDS,
        _schedule_is_ours,
        sweep=_every_schedule,
    ),
    rented(
        BUDGET,
        Free("budgets without actions are free"),
        _budgets,
        _delete_budget,
        Stage.RECORDS,
        by_its_name,
        is_global=True,
    ),
)
