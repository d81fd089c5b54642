"""Imported models of Amazon Bedrock, and the imports that make them.

Bedrock bills custom model units by the minute, in windows of five; how many one copy takes is known after the
import (`model_units`), before it from a range (`units`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from deployer.core.domain import Item, Rate, Resource
from deployer.planning.cost.rule import Quantity, Setting, decimal, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.finding import TAG, by_name
from stacks._aws.types.record import (
    BEDROCK,
    Free,
    NotYetError,
    Price,
    ResourceType,
    Stage,
    Tracked,
    by_its_name,
    has_its_name,
)
from stacks._aws.types.removing import one_call
from stacks._aws.types.served import IMPORTED, served

MODEL = "pulumi-python:dynamic/deployer:BedrockModel"
IMPORT = "aws:bedrock/job:ModelImportJob"

MINUTES_PER_HOUR = 60
ONE = Decimal(1)
FIVE = "billed in windows of 5 minutes from the first call; nothing while it sleeps"


def _imports(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The import jobs that are going on: AWS cannot stop them, and forgets ended ones by itself."""
    asked = {"statusEquals": "InProgress", "nameContains": (deployment or "")[:40]}
    pages = clients("bedrock").get_paginator("list_model_import_jobs").paginate(**asked)
    for one in (job for page in pages for job in page["modelImportJobSummaries"]):
        mine = one.get("importedModelName") == deployment
        if mine and one["status"] == "InProgress":
            yield by_name(clients, IMPORT, one["jobArn"], deployment, one)


def _await_import(clients: Clients, one: Found) -> None:
    """An import cannot be stopped: its end is waited for, and what it made removed."""
    client = clients("bedrock")
    job = client.get_model_import_job(jobIdentifier=one.id)
    if job["status"] == "InProgress":
        raise NotYetError("AWS cannot stop an import: it is ending by itself, in minutes")
    if made := job.get("importedModelArn"):
        client.delete_imported_model(modelIdentifier=made)


def _models(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The model that is called as the deployment is and has its tag."""
    client = clients("bedrock")
    pages = client.get_paginator("list_imported_models").paginate(nameContains=deployment or "")
    for one in (model for page in pages for model in page["modelSummaries"]):
        if one["modelName"] == deployment:
            told = client.list_tags_for_resource(resourceARN=one["modelArn"])["tags"]
            tags = {tag["key"]: tag["value"] for tag in told}
            if tags.get(TAG) == deployment:
                yield by_name(clients, IMPORTED, one["modelArn"], deployment, one, tags)


def _model(resource: Resource, at: Setting) -> Iterator[Item]:
    low, high = _units(resource)
    minute, month = at.rate("bedrock-cmi-active"), at.rate("bedrock-cmi-storage")
    yield _awake(resource, at, minute, (low, high))
    counted = (
        Quantity.between(low, high, "CMU-month") if low != high else Quantity(low, "CMU-month")
    )
    yield line(resource, "model storage", counted, month, "exists")


def _units(resource: Resource) -> tuple[Decimal, Decimal]:
    counted = decimal(resource.inputs.get("model_units"))
    if counted is not None:
        return counted, counted
    low, high = resource.inputs.get("units") or (1, 1)  # one at least
    return decimal(low) or ONE, decimal(high) or ONE


def _awake(resource: Resource, at: Setting, minute: Rate, units: tuple[Decimal, Decimal]) -> Item:
    """The hours awake, at the price of so many units: both are estimates, so the range is that of both."""
    each = None if minute.usd is None else (minute.usd * MINUTES_PER_HOUR).normalize()
    middle = None if each is None else each * (units[0] + units[1]) / 2
    counted = f"{units[0]}" if units[0] == units[1] else f"{units[0]} to {units[1]}"
    source = f"{minute.source}; {counted} units of {minute.usd} USD a minute, {FIVE}"
    rate = Rate("endpoint", "hour", middle, source, minute.as_of)
    low, high = at.usage.active_hours
    item = line(resource, "endpoint", Quantity.between(low, high, "hour"), rate, "running")
    if each is None:
        return item
    return replace(item, monthly_range=(low * each * units[0], high * each * units[1]))


TYPES: tuple[ResourceType, ...] = (
    Tracked(
        IMPORT,
        Free("imports are free; the model is charged"),
        {BEDROCK: _imports},
        _await_import,
        Stage.SERVING,
        by_its_name,
        is_resumed=True,
    ),
    Tracked(
        MODEL,
        Price(_model),
        {BEDROCK: _models},
        one_call("bedrock", "delete_imported_model", "modelIdentifier"),
        Stage.SERVING,
        has_its_name,
        sweep=served,
        found_as=IMPORTED,
        lives=True,
    ),
)
