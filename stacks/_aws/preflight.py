"""What AWS must grant before anything is made: credentials, quota, a zone that has the type, the image.

Each check fails with the exact hint. A check that the credentials do not allow is left out, and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.core.errors import NothingFitsError, PolicyError, PrerequisiteError
from deployer.providers.managers import Say
from stacks._aws.session import DENIED, Clients, code_of, understood
from stacks._aws.types.finding import TAG

QUOTAS: Mapping[str, tuple[str, str]] = {
    "G": ("L-DB2E81BA", "L-3819A6DF"),
    "VT": ("L-DB2E81BA", "L-3819A6DF"),
    "P": ("L-417A185B", "L-7212CCBC"),
}
"""By family letters: the quota of vCPUs in use at once, on demand and spot. Source: the EC2 user guide's page
"Amazon EC2 instance type quotas" (Running On-Demand G and VT, P; All G and VT, P Spot), recalled 2025."""


@dataclass(frozen=True)
class Needed:
    """What a plan asks of AWS."""

    deployment: str
    instance_type: str
    spot: bool
    machines: int
    vcpus: int | None  # of one machine; None: AWS is asked
    image_parameter: str | None


@dataclass(frozen=True)
class Cleared:
    """What was learnt on the way."""

    account: str
    owner: str
    zones: tuple[str, ...]


def check(clients: Clients, needed: Needed, say: Say) -> Cleared:
    """Check everything, the cheapest first.

    Raises:
        PrerequisiteError: credentials, permission, network or the image are missing.
        NothingFitsError: no zone of the region offers the type.
        PolicyError: the quota does not allow it.
    """
    account, owner = identity(clients)
    zones = zones_of(clients, needed.instance_type)
    _quota(clients, needed, say)
    if needed.image_parameter:
        _image(clients, needed.image_parameter)
    return Cleared(account, owner, zones)


def identity(clients: Clients) -> tuple[str, str]:
    """Return the account and the caller's own name in it."""
    with understood("say who you are"):
        told = clients("sts").get_caller_identity()
    return told["Account"], told["Arn"].rpartition("/")[2].rpartition(":")[2]


def zones_of(clients: Clients, instance_type: str) -> tuple[str, ...]:
    """Return the zones that offer the type.

    Raises:
        NothingFitsError: none does.
    """
    with understood("list the zones that offer an instance type"):
        told = clients("ec2").describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )
    zones = tuple(sorted(one["Location"] for one in told["InstanceTypeOfferings"]))
    if not zones:
        raise NothingFitsError(
            f"no zone of {clients.region} offers {instance_type}",
            hint="set targets.cloud-gpu.region or .instance; 'deployer prices list' shows who has it",
        )
    return zones


def _quota(clients: Clients, needed: Needed, say: Say) -> None:
    codes = QUOTAS.get(family(needed.instance_type))
    if codes is None:
        return
    code = codes[1 if needed.spot else 0]
    allowed = _allowed(clients, code, say)
    vcpus = needed.vcpus or _vcpus(clients, needed.instance_type)
    if allowed is None or vcpus is None:
        return
    used = _used(clients, needed)
    wanted = vcpus * needed.machines
    if used + wanted > allowed:
        raise _over(clients.region, code, needed, (used, wanted, allowed))


def _over(region: str, code: str, needed: Needed, sums: tuple[int, int, int]) -> PolicyError:
    used, wanted, allowed = sums
    return PolicyError(
        f"{needed.machines} x {needed.instance_type} takes {wanted} vCPUs, and your account may use {allowed} "
        f"of its family in {region}, of which {used} are in use",
        hint=f"aws service-quotas request-service-quota-increase --region {region} --service-code ec2 "
        f"--quota-code {code} --desired-value {used + wanted} (AWS answers within minutes to days)",
    )


def family(instance_type: str) -> str:
    """The letters before the first digit, as the quotas count: g5.xlarge is G."""
    head = instance_type.partition(".")[0]
    digit = next((i for i, c in enumerate(head) if c.isdigit()), len(head))
    return head[:digit].upper()


def _allowed(clients: Clients, code: str, say: Say) -> int | None:
    from botocore.exceptions import ClientError

    try:
        with understood("read a quota"):
            told = clients("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)
    except PrerequisiteError as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError) or code_of(cause) not in DENIED:
            raise
        say(
            f"the quota of {code} may not be read: whether it allows this is seen when AWS is asked"
        )
        return None
    return int(told["Quota"]["Value"])


def _vcpus(clients: Clients, instance_type: str) -> int | None:
    with understood("describe an instance type"):
        told = clients("ec2").describe_instance_types(InstanceTypes=[instance_type])
    return next((int(t["VCpuInfo"]["DefaultVCpus"]) for t in told["InstanceTypes"]), None)


def _used(clients: Clients, needed: Needed) -> int:
    """The vCPUs that other machines of the family use, on demand or spot as asked; the deployment's own go."""
    live = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    used = 0
    with understood("list the instances that count against the quota"):
        for page in clients("ec2").get_paginator("describe_instances").paginate(Filters=[live]):
            for one in (i for r in page["Reservations"] for i in r["Instances"]):
                if _counts(one, needed):
                    cpus: Mapping[str, int] = one.get("CpuOptions", {})
                    used += cpus.get("CoreCount", 0) * cpus.get("ThreadsPerCore", 1)
    return used


def _counts(one: Mapping[str, Any], needed: Needed) -> bool:
    tags: Sequence[Mapping[str, str]] = one.get("Tags") or ()
    mine = any(t["Key"] == TAG and t["Value"] == needed.deployment for t in tags)
    spot = one.get("InstanceLifecycle") == "spot"
    same = QUOTAS.get(family(one["InstanceType"])) == QUOTAS.get(family(needed.instance_type))
    return same and spot == needed.spot and not mine


def _image(clients: Clients, parameter: str) -> None:
    with understood("read the machine image's public parameter (ssm:GetParameter)"):
        client = clients("ssm")
        try:
            client.get_parameter(Name=parameter)
        except client.exceptions.ParameterNotFound:
            raise NothingFitsError(
                f"AWS publishes no GPU machine image in {clients.region}",
                hint="set targets.cloud-gpu.region to one that has it",
                where=parameter,
            ) from None
