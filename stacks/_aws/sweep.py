"""Everything with this tool's tag, over all regions in parallel. What could not be seen is named as a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployer.providers.cloud import Gap
from deployer.providers.inventory import Found
from stacks._aws import inventory, schedule
from stacks._aws.inventory import TAG, Look
from stacks._aws.session import Clients, code_of, understood

ClientsOf = Callable[[str], Clients]
"""Gives the clients of a region."""

EVERYWHERE = "global"
"""Stands for the region of what has none (IAM)."""
THREADS = 24
OFF = frozenset(
    {"AuthFailure", "OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId"}
)
"""How AWS refuses a region that the account has not enabled; credentials that work elsewhere are in order."""
SCHEDULED_CALLS = ("terminateInstances", "deleteAutoScalingGroup")
EXPIRY = schedule.SUFFIX
SERVED = {
    "sagemaker": "aws:sagemaker/endpoint:Endpoint",
    "bedrock": "aws:bedrock/model:ImportedModel",
}
"""What is served without a machine of one's own, by the service that its ARN names."""


def regions(clients: Clients) -> list[str]:
    """Name the regions that the account has enabled.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    with understood("list the regions of your account"):
        told = clients("ec2").describe_regions(AllRegions=False)
    return sorted(one["RegionName"] for one in told["Regions"])


def sweep(
    clients_of: ClientsOf, names: Sequence[str], *, everywhere: bool = True
) -> tuple[list[Found], tuple[Gap, ...]]:
    """Look for everything that is tagged in some regions; `everywhere` adds what has no region. What failed is a gap.

    The machines come first: where even they are refused because the region is off, nothing more is asked. So
    does what types have the tag at all: of a region where nothing is, only that is asked of EC2.
    """
    clients = {name: clients_of(name) for name in names}
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.map(lambda name: _tried(inventory.instances, clients[name], name), names)
        present = dict(zip(names, pool.map(lambda name: _kinds(clients[name]), names), strict=True))
        machines = dict(zip(names, first, strict=True))
        asked = [
            (look, name)
            for name in names
            if not _off(machines[name])
            for look in _looks(present[name])
        ]
        if everywhere and names:
            asked += [(look, EVERYWHERE) for look in inventory.GLOBAL_LOOKS]
        home = clients[names[0]] if names else None
        answers = pool.map(
            lambda ask: _tried(ask[0], clients.get(ask[1], home), ask[1]),  # type: ignore[arg-type]
            asked,
        )
        return _swept([*machines.values(), *answers])


def _kinds(clients: Clients) -> frozenset[str]:
    """The types that have the tag; all of them when that may not be asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return inventory.kinds(clients)
    except (BotoCoreError, ClientError):
        return frozenset(inventory.EC2_LOOKS)


def _looks(present: frozenset[str]) -> list[Look]:
    """What to look for in a region besides machines."""
    absent = [look for kind, look in inventory.EC2_LOOKS.items() if kind not in present]
    every = (*inventory.REGIONAL_LOOKS, *MORE_LOOKS)
    return [look for look in every if look is not inventory.instances and look not in absent]


def _swept(answers: Sequence[list[Found] | Gap]) -> tuple[list[Found], tuple[Gap, ...]]:
    found = [one for each in answers if isinstance(each, list) for one in each]
    gaps = dict.fromkeys(each for each in answers if isinstance(each, Gap))
    return found, tuple(gaps)


def _off(answer: list[Found] | Gap) -> bool:
    return isinstance(answer, Gap) and answer.error.startswith("the region is not enabled")


def _tried(look: Look, clients: Clients, region: str) -> list[Found] | Gap:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return list(look(clients, None))
    except (BotoCoreError, ClientError) as error:
        blind = look is inventory.instances or look is inventory.LOOKS[0]
        return Gap(region, spelled(error), blind)


def spelled(error: Exception) -> str:
    """Say what AWS's client raised, in a line: the operation, the code, AWS's words."""
    code = code_of(error)
    if code is None:
        return f"AWS cannot be reached or asked: {error}"
    operation = getattr(error, "operation_name", "the call")
    said = error.response["Error"].get("Message", "")  # type: ignore[attr-defined]
    if code in OFF:
        return f"the region is not enabled for your account ({operation}: {code})"
    return f"{operation}: {code}: {said}"


def _schedules(clients: Clients, deployment: str | None) -> Iterator[Found]:  # noqa: ARG001 - a look's signature
    """The schedules of `stacks/cloud_gpu/aws/program/expiry.py`, by name and target: they have no tags."""
    for page in clients("scheduler").get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            name, target = one["Name"], one.get("Target", {}).get("Arn", "")
            if name.endswith(EXPIRY) and target.endswith(SCHEDULED_CALLS):
                place = f"{one.get('GroupName', 'default')}/{name}"
                owner = name.removesuffix(EXPIRY)
                yield Found(inventory.SCHEDULE, place, name, owner, clients.region, one)


def _served(clients: Clients, deployment: str | None) -> Iterator[Found]:  # noqa: ARG001
    """Endpoints of SageMaker and models of Bedrock, by the tagging API."""
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    kinds = ["sagemaker:endpoint", "bedrock:imported-model"]
    for page in pages.paginate(TagFilters=[{"Key": TAG}], ResourceTypeFilters=kinds):
        for one in page["ResourceTagMappingList"]:
            yield _by_arn(clients, one)


def _by_arn(clients: Clients, one: Mapping[str, Any]) -> Found:
    arn: str = one["ResourceARN"]
    tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    kind = SERVED[arn.split(":")[2]]
    return Found(kind, arn, arn.rpartition("/")[2], tags[TAG], clients.region, one, tags)


MORE_LOOKS: Sequence[Look] = (_schedules, _served)
