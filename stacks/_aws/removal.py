"""Remove what was found of a deployment, in an order that works, and say what could not be removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from deployer.providers.api import Say
from deployer.providers.inventory import Found, Left
from stacks._aws import inventory
from stacks._aws.session import Clients, code_of

ENDS_S = 600.0
"""The longest that AWS may take to end an instance (a large one takes minutes) or a load balancer."""
LOOK_S = 2.0
GONE = ("NotFound", "NoSuch", "Malformed", "ValidationError")
MISSING = "could not find"
"""What SageMaker says of what is not there, under the code of every other mistake."""

PASSING = (
    "DependencyViolation",
    "InUse",
    "DeleteConflict",
    "ending",
    "inference component",
    "Throttl",
    "RequestLimit",
)
"""What stands against a removal only until something else has ended."""

Remove = Callable[[Clients, Found], None]


def remove(
    clients: Clients,
    found: Sequence[Found],
    say: Say,
    limit_s: float = ENDS_S,
    how: Mapping[str, Remove] | None = None,
) -> tuple[list[Found], list[Left]]:
    """Remove what was found; return what was removed and what is left.

    What something else still needs is tried again until that has ended. Nothing is raised for what AWS
    refuses: it is left, with AWS's words. `how` is by type; None: the types of a rented machine.
    """
    waiting, removed, why = list(found), list[Found](), dict[Found, str]()
    until = time.monotonic() + limit_s
    while waiting:
        for one in list(waiting):
            reason = _tried(clients, one, HOW if how is None else how)
            if reason is None:
                waiting.remove(one)
                removed.append(one)
                say(f"removed {one.type} {one.id}")
            else:
                why[one] = reason
        if not waiting or not _may_yet(why, waiting) or time.monotonic() > until:
            break
        time.sleep(LOOK_S)
    return removed, [Left(one, why[one]) for one in waiting]


def _tried(clients: Clients, one: Found, how: Mapping[str, Remove]) -> str | None:
    """Try once; None when it is gone, else why it is not."""
    from botocore.exceptions import BotoCoreError, ClientError

    if one.type not in how:
        return "it is not known how to remove it"
    try:
        how[one.type](clients, one)
    except ClientError as error:
        return None if _gone(error) else f"{code_of(error)}: {error}"
    except BotoCoreError as error:
        return str(error)
    except NotYetError as error:
        return str(error)
    return None


def _gone(error: Exception) -> bool:
    """Whether AWS says that there is no such thing."""
    code = code_of(error) or ""
    return MISSING in str(error).lower() or any(word in code for word in GONE)


class NotYetError(Exception):
    """It is on its way: look again."""


def _may_yet(why: Mapping[Found, str], waiting: Sequence[Found]) -> bool:
    """Whether waiting may help: something is ending, or needed by what is."""
    return any(word in why[one] for one in waiting for word in PASSING)


def _instance(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    client.terminate_instances(InstanceIds=[one.id])
    told = client.describe_instances(InstanceIds=[one.id])
    states = [i["State"]["Name"] for r in told["Reservations"] for i in r["Instances"]]
    if any(state != "terminated" for state in states):
        raise NotYetError(f"it is ending ({', '.join(states)})")


def _group(clients: Clients, one: Found) -> None:
    client = clients("autoscaling")
    client.delete_auto_scaling_group(AutoScalingGroupName=one.id, ForceDelete=True)
    told = client.describe_auto_scaling_groups(AutoScalingGroupNames=[one.id])
    if told["AutoScalingGroups"]:
        raise NotYetError("it is ending")


def _gateway(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    for attached in one.details.get("Attachments", ()):
        with suppress(
            client.exceptions.ClientError
        ):  # what stands against it is said by the next call
            client.detach_internet_gateway(InternetGatewayId=one.id, VpcId=attached["VpcId"])
    client.delete_internet_gateway(InternetGatewayId=one.id)


def _routes(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    for link in one.details.get("Associations", ()):
        if not link.get("Main"):
            with suppress(client.exceptions.ClientError):
                client.disassociate_route_table(AssociationId=link["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=one.id)


def _endpoint(clients: Clients, one: Found) -> None:
    told = clients("ec2").delete_vpc_endpoints(VpcEndpointIds=[one.id])
    for refused in told.get("Unsuccessful", ()):
        raise NotYetError(f"{refused['Error']['Code']}: {refused['Error']['Message']}")


def _role(clients: Clients, one: Found) -> None:
    client = clients("iam")
    for policy in client.list_attached_role_policies(RoleName=one.id)["AttachedPolicies"]:
        client.detach_role_policy(RoleName=one.id, PolicyArn=policy["PolicyArn"])
    for name in client.list_role_policies(RoleName=one.id)["PolicyNames"]:
        client.delete_role_policy(RoleName=one.id, PolicyName=name)
    for profile in client.list_instance_profiles_for_role(RoleName=one.id)["InstanceProfiles"]:
        client.remove_role_from_instance_profile(
            RoleName=one.id, InstanceProfileName=profile["InstanceProfileName"]
        )
    client.delete_role(RoleName=one.id)


def _profile(clients: Clients, one: Found) -> None:
    client = clients("iam")
    told = client.get_instance_profile(InstanceProfileName=one.id)["InstanceProfile"]
    for role in told["Roles"]:
        client.remove_role_from_instance_profile(
            RoleName=role["RoleName"], InstanceProfileName=one.id
        )
    client.delete_instance_profile(InstanceProfileName=one.id)


def _schedule(clients: Clients, one: Found) -> None:
    group, _, name = one.id.rpartition("/")
    clients("scheduler").delete_schedule(GroupName=group or "default", Name=name)


def _budget(clients: Clients, one: Found) -> None:
    account, _, name = one.id.partition(":")
    clients("budgets").delete_budget(AccountId=account, BudgetName=name)


def one_call(service: str, operation: str, argument: str, **more: Any) -> Remove:
    """A removal by one call that takes the id."""

    def call(clients: Clients, one: Found) -> None:
        getattr(clients(service), operation)(**{argument: one.id}, **more)

    return call


HOW: Mapping[str, Remove] = {
    inventory.INSTANCE: _instance,
    inventory.GROUP: _group,
    inventory.GATEWAY: _gateway,
    inventory.ROUTES: _routes,
    inventory.ENDPOINT: _endpoint,
    inventory.ROLE: _role,
    inventory.PROFILE: _profile,
    inventory.SCHEDULE: _schedule,
    inventory.BUDGET: _budget,
    inventory.CERTIFICATE: one_call("acm", "delete_certificate", "CertificateArn"),
    inventory.VOLUME: one_call("ec2", "delete_volume", "VolumeId"),
    inventory.VPC: one_call("ec2", "delete_vpc", "VpcId"),
    inventory.SUBNET: one_call("ec2", "delete_subnet", "SubnetId"),
    inventory.FIREWALL: one_call("ec2", "delete_security_group", "GroupId"),
    inventory.INTERFACE: one_call("ec2", "delete_network_interface", "NetworkInterfaceId"),
    inventory.ADDRESS: one_call("ec2", "release_address", "AllocationId"),
    inventory.TEMPLATE: one_call("ec2", "delete_launch_template", "LaunchTemplateId"),
    inventory.BALANCER: one_call("elbv2", "delete_load_balancer", "LoadBalancerArn"),
    inventory.RECEIVERS: one_call("elbv2", "delete_target_group", "TargetGroupArn"),
    inventory.LOGS: one_call("logs", "delete_log_group", "logGroupName"),
    inventory.SECRET: one_call(
        "secretsmanager", "delete_secret", "SecretId", ForceDeleteWithoutRecovery=True
    ),
}
