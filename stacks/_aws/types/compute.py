"""Rented machines: alone, in a group, and the template that a group makes them of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types import machine_pricing
from stacks._aws.types.finding import belongs, by_tags, ec2, tag_filter, tags_of
from stacks._aws.types.record import (
    Details,
    Family,
    Free,
    NotYetError,
    PartOf,
    Price,
    ResourceType,
    Stage,
    Untracked,
    rented,
)
from stacks._aws.types.removing import one_call

INSTANCE = "aws:ec2/instance:Instance"
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"

MADE_BY = "aws:autoscaling:groupName"
"""The tag by which AWS says which group made a machine; nobody else may write one that begins so."""
LIVE = ("pending", "running", "stopping", "stopped")


def instances(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The machines that run, rest or are on their way to either."""
    states = {"Name": "instance-state-name", "Values": list(LIVE)}
    pages = clients("ec2").get_paginator("describe_instances")
    for page in pages.paginate(Filters=[tag_filter(deployment), states]):
        for reservation in page["Reservations"]:
            for one in reservation["Instances"]:
                yield by_tags(clients, INSTANCE, one, "InstanceId")


def _terminate(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    client.terminate_instances(InstanceIds=[one.id])
    told = client.describe_instances(InstanceIds=[one.id])
    states = [i["State"]["Name"] for r in told["Reservations"] for i in r["Instances"]]
    if any(state != "terminated" for state in states):
        raise NotYetError(f"it is ending ({', '.join(states)})")


def _instance_inputs(details: Details) -> Mapping[str, Any]:
    spot = details.get("InstanceLifecycle") == "spot"
    market = {"instanceMarketOptions": {"marketType": "spot"}} if spot else {}
    return {"instanceType": details.get("InstanceType"), **market}


def _groups(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("autoscaling").get_paginator("describe_auto_scaling_groups")
    for page in pages.paginate(Filters=[tag_filter(deployment)]):
        for one in page["AutoScalingGroups"]:
            if "Status" not in one:  # only one that is being deleted has it
                yield by_tags(clients, GROUP, one, "AutoScalingGroupName")


def _delete_group(clients: Clients, one: Found) -> None:
    client = clients("autoscaling")
    client.delete_auto_scaling_group(AutoScalingGroupName=one.id, ForceDelete=True)
    told = client.describe_auto_scaling_groups(AutoScalingGroupNames=[one.id])
    if told["AutoScalingGroups"]:
        raise NotYetError("it is ending")


def _group_inputs(details: Details) -> Mapping[str, Any]:  # noqa: ARG001 - one signature for all
    """A group that exists costs nothing by itself: its machines are found, and charged, as such."""
    return {"minSize": 0, "maxSize": 0}


def has_role_of(details: Details, deployment: str) -> bool:
    """Whether an instance was given the role that is made for a deployment: no tag brings that along."""
    profile = str((details.get("IamInstanceProfile") or {}).get("Arn", ""))
    return f":instance-profile/deployer/{deployment}/" in profile


def may_be_of(details: Details, deployment: str) -> bool:
    """Whether an instance alone shows that it is a deployment's: by its group's name, where it has a group, or its role."""
    group = tags_of(details).get(MADE_BY)
    if group is not None:
        return group.startswith(f"{deployment}-")
    return has_role_of(details, deployment)


def is_group_of(details: Details, deployment: str) -> bool:
    """Whether a group is a deployment's own: by its own name and tags, and the template of its machines."""
    named = str(details.get("AutoScalingGroupName", "")).startswith(f"{deployment}-")
    template = str((details.get("LaunchTemplate") or {}).get("LaunchTemplateName", ""))
    return named and template.startswith(f"{deployment}-") and belongs(tags_of(details), deployment)


def _instance_is_ours(found: Found, family: Family) -> bool:
    """By the group that made it, which AWS alone writes down, else by its role."""
    group = found.tags.get(MADE_BY)
    if group is not None:
        return group in family.groups
    return has_role_of(found.details, family.deployment)


def _group_is_ours(found: Found, family: Family) -> bool:
    return is_group_of(found.details, family.deployment)


def _template_is_ours(found: Found, family: Family) -> bool:
    return str(found.details.get("LaunchTemplateName", "")).startswith(f"{family.deployment}-")


TYPES: tuple[ResourceType, ...] = (
    Untracked("pulumi:providers:aws", Free("a setting, not a thing"), reason="a setting of Pulumi"),
    rented(
        GROUP,
        Price(machine_pricing.fleet, _group_inputs),
        _groups,
        _delete_group,
        Stage.SCALING,
        _group_is_ours,
        lives=True,
    ),
    PartOf("aws:autoscaling/policy:Policy", Price(machine_pricing.scaling), owner=GROUP),
    rented(
        INSTANCE,
        Price(machine_pricing.instance, _instance_inputs, machine_pricing.DATA_OUT),
        instances,
        _terminate,
        Stage.SERVING,
        _instance_is_ours,
        lives=True,
    ),
    rented(
        TEMPLATE,
        Free("charged with the machines that are made of it"),
        ec2(TEMPLATE, "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        one_call("ec2", "delete_launch_template", "LaunchTemplateId"),
        Stage.ATTACHED,
        _template_is_ours,
        id_prefix="lt",
    ),
)
