"""What exists of a deployment on AWS, found without any state: by its tag, its path or its name.

Every service is asked by itself, for the tagging API forgets roles, launch templates and groups.
What is about to end (a terminated instance) does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployer.providers.inventory import Found
from stacks._aws.session import Clients, understood

TAG = "deployer:deployment"
INSTANCE = "aws:ec2/instance:Instance"
VOLUME = "aws:ebs/volume:Volume"
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
ROUTES = "aws:ec2/routeTable:RouteTable"
FIREWALL = "aws:ec2/securityGroup:SecurityGroup"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
ADDRESS = "aws:ec2/eip:Eip"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
GROUP = "aws:autoscaling/group:Group"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
RECEIVERS = "aws:lb/targetGroup:TargetGroup"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
LOGS = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
SCHEDULE = "aws:scheduler/schedule:Schedule"
CERTIFICATE = "aws:acm/certificate:Certificate"
BUDGET = "aws:budgets/budget:Budget"

SCHEDULED = re.compile("(-(expiry|start|stop)[a-z0-9-]*)?")
"""What may follow the deployment's name in that of a schedule."""
BUDGETED = "deployer-"
"""What stands before the deployment's name in that of a budget."""
LIVE = ("pending", "running", "stopping", "stopped")


Look = Callable[[Clients, str | None], Iterator[Found]]


def search(
    clients: Clients, deployment: str | None, looks: Sequence[Look] | None = None
) -> list[Found]:
    """Find everything of a deployment (None: of every one) in a region, in the order of its removal.

    `looks`: where; None is wherever a rented machine leaves something.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    asked = LOOKS if looks is None else looks
    with ThreadPoolExecutor(len(asked)) as pool:
        found = pool.map(lambda look: _looked(look, clients, deployment), asked)
        return [one for each in found for one in each]


def _looked(look: Look, clients: Clients, deployment: str | None) -> list[Found]:
    with understood(f"list what belongs to {deployment or 'deployments'}"):
        return list(look(clients, deployment))


def instances(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The machines that run, rest or are on their way to either."""
    states = {"Name": "instance-state-name", "Values": list(LIVE)}
    pages = clients("ec2").get_paginator("describe_instances")
    for page in pages.paginate(Filters=[_tagged(deployment), states]):
        for reservation in page["Reservations"]:
            for one in reservation["Instances"]:
                yield _found(clients, INSTANCE, one, "InstanceId")


def kinds(clients: Clients) -> frozenset[str]:
    """What the ids of all that has the tag in a region begin with (`EC2_LOOKS`): one call tells of every type."""
    asked = {"Filters": [{"Name": "key", "Values": [TAG]}]}
    pages = clients("ec2").get_paginator("describe_tags").paginate(**asked)
    return frozenset(one["ResourceId"].partition("-")[0] for page in pages for one in page["Tags"])


def _volumes(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The disks; of one deployment, those that do not end with their instance by themselves."""
    for one in _described(clients, "describe_volumes", "Volumes", deployment):
        ends = [a.get("DeleteOnTermination") for a in one.get("Attachments", ())]
        if deployment is None or not (ends and all(ends)):
            yield _found(clients, VOLUME, one, "VolumeId")


def _ec2(kind: str, operation: str, key: str, identity: str) -> Look:
    def look(clients: Clients, deployment: str | None) -> Iterator[Found]:
        for one in _described(clients, operation, key, deployment):
            if str(one.get("State", "")).lower() not in ("deleted", "deleting"):
                yield _found(clients, kind, one, identity)

    return look


def _described(
    clients: Clients, operation: str, key: str, deployment: str | None
) -> Iterator[Mapping[str, Any]]:
    client = clients("ec2")
    asked = {"Filters": [_tagged(deployment)]}
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**asked):
            yield from page[key]
    else:
        yield from getattr(client, operation)(**asked)[key]


def _groups(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("autoscaling").get_paginator("describe_auto_scaling_groups")
    for page in pages.paginate(Filters=[_tagged(deployment)]):
        for one in page["AutoScalingGroups"]:
            if "Status" not in one:  # only one that is being deleted has it
                yield _found(clients, GROUP, one, "AutoScalingGroupName")


def _balancers(clients: Clients, deployment: str | None) -> Iterator[Found]:
    yield from _elb(
        clients, deployment, ("describe_load_balancers", "LoadBalancers", "LoadBalancerArn")
    )


def _receivers(clients: Clients, deployment: str | None) -> Iterator[Found]:
    yield from _elb(
        clients, deployment, ("describe_target_groups", "TargetGroups", "TargetGroupArn")
    )


def _elb(clients: Clients, deployment: str | None, names: tuple[str, str, str]) -> Iterator[Found]:
    """Load balancers and their target groups: there is no filter, so the tags of all are read."""
    operation, key, identity = names
    client = clients("elbv2")
    for page in client.get_paginator(operation).paginate():
        arns = [one[identity] for one in page[key]]
        for start in range(0, len(arns), 20):  # the most that may be asked at once
            told = client.describe_tags(ResourceArns=arns[start : start + 20])["TagDescriptions"]
            for one in told:
                tags = tags_of(one)
                if _mine(tags, deployment):
                    kind = BALANCER if key == "LoadBalancers" else RECEIVERS
                    arn = one["ResourceArn"]
                    yield Found(kind, arn, arn.split("/")[-2], tags[TAG], clients.region, one, tags)


def _secrets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("secretsmanager").get_paginator("list_secrets")
    for page in pages.paginate(Filters=[{"Key": "tag-key", "Values": [TAG]}]):
        for one in page["SecretList"]:
            if _mine(tags_of(one), deployment) and "DeletedDate" not in one:
                yield _found(clients, SECRET, one, "ARN", one["Name"])


def _logs(clients: Clients, deployment: str | None) -> Iterator[Found]:
    pages = clients("logs").get_paginator("describe_log_groups")
    for page in pages.paginate(logGroupNamePrefix=f"/deployer/{deployment or ''}"):
        for one in page["logGroups"]:
            name = one["logGroupName"]
            owner = name.removeprefix("/deployer/")
            if owner == deployment or deployment is None:
                yield Found(LOGS, name, name, owner, clients.region, one)


def roles(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The roles under the deployment's path."""
    yield from _iam(clients, deployment, ("list_roles", "Roles", "RoleName", ROLE))


def _profiles(clients: Clients, deployment: str | None) -> Iterator[Found]:
    names = ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName", PROFILE)
    yield from _iam(clients, deployment, names)


def _iam(
    clients: Clients, deployment: str | None, names: tuple[str, str, str, str]
) -> Iterator[Found]:
    """IAM has no search by tag; what belongs to a deployment lies under a path of its own."""
    operation, key, identity, kind = names
    below = f"/deployer/{deployment}/" if deployment else "/deployer/"
    for page in clients("iam").get_paginator(operation).paginate(PathPrefix=below):
        for one in page[key]:
            if one["Path"].startswith(below):  # an emulator may not look at the prefix
                owner = one["Path"].split("/")[2]
                yield Found(kind, one[identity], one[identity], owner, clients.region, one)


def _schedules(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Schedules have no tags: theirs is the deployment's name. Without a deployment none is found."""
    pages = clients("scheduler").get_paginator("list_schedules")
    for page in pages.paginate(NamePrefix=deployment) if deployment else ():
        for one in page["Schedules"]:
            if deployment and SCHEDULED.fullmatch(one["Name"].removeprefix(deployment)):
                place = f"{one.get('GroupName', 'default')}/{one['Name']}"
                yield Found(SCHEDULE, place, one["Name"], deployment, clients.region, one)


def _certificates(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """By the one service that searches by tag: Certificate Manager itself tells the tags of one at a time."""
    wanted = {"Key": TAG, "Values": [deployment]} if deployment else {"Key": TAG}
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[wanted], ResourceTypeFilters=["acm:certificate"]):
        for one in page["ResourceTagMappingList"]:
            if _mine(tags_of(one), deployment):
                yield _found(clients, CERTIFICATE, one, "ResourceARN")


def _budgets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """Budgets have no search by tag either: theirs is the deployment's name."""
    account = clients("sts").get_caller_identity()["Account"]
    for page in clients("budgets").get_paginator("describe_budgets").paginate(AccountId=account):
        for one in page.get("Budgets", ()):
            name = one["BudgetName"]
            owner = name.removeprefix(BUDGETED)
            if owner != name and deployment in (owner, None):
                yield Found(BUDGET, f"{account}:{name}", name, owner, clients.region, one)


def _tagged(deployment: str | None) -> dict[str, Any]:
    if deployment is None:
        return {"Name": "tag-key", "Values": [TAG]}
    return {"Name": f"tag:{TAG}", "Values": [deployment]}


def _mine(tags: Mapping[str, str], deployment: str | None) -> bool:
    return tags.get(TAG) == deployment if deployment else TAG in tags


def tags_of(one: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a description, by key."""
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags") or ()}


def _found(
    clients: Clients, kind: str, one: Mapping[str, Any], identity: str, name: str | None = None
) -> Found:
    tags, key = tags_of(one), one[identity]
    named = name or tags.get("Name") or key
    return Found(kind, key, named, tags.get(TAG, ""), clients.region, one, tags)


EC2_LOOKS: Mapping[str, Look] = {
    "lt": _ec2(TEMPLATE, "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "vpce": _ec2(ENDPOINT, "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "eipalloc": _ec2(ADDRESS, "describe_addresses", "Addresses", "AllocationId"),
    "vol": _volumes,
    "eni": _ec2(
        INTERFACE, "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"
    ),
    "sg": _ec2(FIREWALL, "describe_security_groups", "SecurityGroups", "GroupId"),
    "subnet": _ec2(SUBNET, "describe_subnets", "Subnets", "SubnetId"),
    "rtb": _ec2(ROUTES, "describe_route_tables", "RouteTables", "RouteTableId"),
    "igw": _ec2(GATEWAY, "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "vpc": _ec2(VPC, "describe_vpcs", "Vpcs", "VpcId"),
}
"""By what the ids of the type begin with, in the order in which they can be removed."""
LOOKS: Sequence[Look] = (
    _groups,
    instances,
    _balancers,
    _receivers,
    _certificates,
    *EC2_LOOKS.values(),
    _profiles,
    roles,
    _secrets,
    _logs,
    _schedules,
    _budgets,
)
"""In the order in which they can be removed."""
GLOBAL_LOOKS: Sequence[Look] = (_profiles, roles, _budgets)
"""Of services that are the same in every region."""
REGIONAL_LOOKS: Sequence[Look] = tuple(look for look in LOOKS if look not in GLOBAL_LOOKS)
