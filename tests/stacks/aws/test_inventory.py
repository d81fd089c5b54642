"""Finding and removing what carries a deployment's tag, on moto's AWS in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.planning import catalog
from deployer.providers.inventory import Found
from deployer.running.reaper.costs import prices
from deployer.running.stack.recovery import orphans
from stacks._aws import instances, inventory, removal, sweep, types
from stacks._aws.leftovers import leftover
from stacks._aws.session import Session
from stacks._aws.types import balancing, compute, identity, network, observing, scheduling, storage
from stacks._aws.types.finding import TAG
from stacks._aws.types.record import AWS

NAME, OTHER = "bot-cloud-gpu", "bot-cloud-gpu-2"
ACCOUNT = "123456789012"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


def tags(name: str) -> list[dict[str, str]]:
    return [{"Key": TAG, "Value": name}]


def marked(kind: str, name: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags(name)}]}


def make(aws: Session, name: str) -> None:
    """One of each thing, for one deployment."""
    ec2, iam, path = aws("ec2"), aws("iam"), f"/deployer/{name}/"
    vpc = ec2.create_vpc(CidrBlock=network.NETWORK, **marked("vpc", name))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.0.0/25", **marked("subnet", name))
    gateway = ec2.create_internet_gateway(**marked("internet-gateway", name))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    routes = ec2.create_route_table(VpcId=vpc, **marked("route-table", name))["RouteTable"]
    place = subnet["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=routes["RouteTableId"], SubnetId=place)
    group = ec2.create_security_group(
        GroupName="access", Description="x", VpcId=vpc, **marked("security-group", name)
    )
    image = ec2.describe_images()["Images"][0]["ImageId"]
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=name, Path=path)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        SubnetId=place,
        SecurityGroupIds=[group["GroupId"]],
        IamInstanceProfile={"Name": name},
        **marked("instance", name),
    )
    copied(aws, name, image)
    aws("secretsmanager").create_secret(Name=f"deployer/{name}", SecretString="x", Tags=tags(name))
    aws("logs").create_log_group(logGroupName=f"/deployer/{name}")
    acm = aws("acm")
    arn = acm.request_certificate(DomainName=f"{name}.example.com")["CertificateArn"]
    acm.add_tags_to_certificate(CertificateArn=arn, Tags=tags(name))
    limit = {"Amount": "100", "Unit": "USD"}
    budget = {"TimeUnit": "MONTHLY", "BudgetType": "COST", "BudgetLimit": limit}
    aws("budgets").create_budget(
        AccountId=ACCOUNT, Budget={**budget, "BudgetName": f"deployer-{name}"}
    )


def copied(aws: Session, name: str, image: str) -> None:
    """What nobody made by this tool, with the tag of a deployment."""
    ec2 = aws("ec2")
    disk = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, **marked("volume", name))
    ec2.create_snapshot(VolumeId=disk["VolumeId"], **marked("snapshot", name))
    ec2.allocate_address(Domain="vpc", **marked("elastic-ip", name))
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.create_image(InstanceId=made, Name=name, **marked("image", name))


STRANGE = {
    storage.VOLUME,
    storage.SNAPSHOT,
    storage.IMAGE,
    network.ADDRESS,
    balancing.CERTIFICATE,  # one that nothing of the deployment answers with
}
KINDS = {
    compute.INSTANCE, network.VPC, network.SUBNET, network.GATEWAY, network.ROUTES, network.FIREWALL,
    storage.VOLUME, storage.SNAPSHOT, storage.IMAGE, network.ADDRESS, identity.SECRET, observing.LOGS, identity.ROLE, identity.PROFILE,
    balancing.CERTIFICATE, scheduling.BUDGET,
}  # fmt: skip


def test_everything_of_a_deployment_is_found_and_nothing_of_another(aws):
    make(aws, NAME)
    make(aws, OTHER)
    found = inventory.search(aws, NAME)
    assert {one.type for one in found} == KINDS
    assert {one.deployment for one in found} == {NAME}


def test_without_a_name_those_of_every_deployment_are_found(aws):
    make(aws, NAME)
    make(aws, OTHER)
    found, gaps = sweep.sweep(Session, ["us-east-1"])
    assert gaps == ()
    assert {one.type for one in found} == KINDS
    assert {one.deployment for one in found} == {NAME, OTHER}


def test_what_is_found_can_be_removed_and_the_others_stay(aws, monkeypatch):
    monkeypatch.setattr(removal, "LOOK_S", 0.0)
    make(aws, NAME)
    make(aws, OTHER)
    removed, left = removal.remove(aws, inventory.search(aws, NAME), lambda _: None)
    assert left == []
    assert {one.type for one in removed} == KINDS - STRANGE
    kept = inventory.search(aws, NAME)
    assert {one.type for one in kept} == STRANGE, "what only carries the tag stays"
    assert not any(one.ours for one in kept)
    assert {one.type for one in inventory.search(aws, OTHER)} == KINDS


def test_what_cannot_be_removed_is_left_with_the_reason(aws, monkeypatch):
    monkeypatch.setattr(removal, "LOOK_S", 0.0)
    make(aws, NAME)
    vpc = [one for one in inventory.search(aws, NAME) if one.type == network.VPC]
    removed, left = removal.remove(aws, vpc, lambda _: None, limit_s=0.0)
    assert removed == []
    assert "DependencyViolation" in left[0].why


def test_a_stopped_machine_pays_for_the_address_that_it_keeps(aws):
    make(aws, NAME)
    (one,) = inventory.instances(aws, NAME)
    ec2, rates = aws("ec2"), catalog.load()
    assert not instances.machine(one).address_stays
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(InstanceId=one.id, AllocationId=address)
    ec2.stop_instances(InstanceIds=[one.id])
    (one,) = inventory.instances(aws, NAME)
    read = replace(instances.machine(one), type="g5.xlarge")
    assert (read.running, read.address_stays) == (False, True)
    disk = leftover(
        Found(storage.VOLUME, "v", "v", NAME, "us-east-1", {}, inputs={"type": "gp3", "size": 120})
    )
    told = prices(read, [disk], rates)
    assert told is not None
    # 120 GB x 0.08 + 730 h x 0.005 = 9.60 + 3.65 a month
    assert round(told.resting * 730, 2) == Decimal("13.25")
    assert told.running - told.resting == Decimal("1.006"), "the address is not counted twice"


def test_a_terminated_instance_does_not_exist(aws):
    make(aws, NAME)
    (machine,) = [one for one in inventory.search(aws, NAME) if one.type == compute.INSTANCE]
    aws("ec2").terminate_instances(InstanceIds=[machine.id])
    assert compute.INSTANCE not in {one.type for one in inventory.search(aws, NAME)}


def test_what_the_state_knows_in_any_way_is_no_orphan(aws):
    make(aws, NAME)
    found = inventory.search(aws, NAME)
    machine = next(one for one in found if one.type == compute.INSTANCE)
    disk = next(one for one in found if one.type == storage.VOLUME)
    known = {"id": machine.id, "outputs": {"rootBlockDevice": {"volumeId": disk.id}}}
    lost = {one.type for one in orphans(found, {"resources": [known]})}
    assert lost == KINDS - {compute.INSTANCE, storage.VOLUME}


def test_a_missing_permission_is_named(aws):
    from botocore.exceptions import ClientError

    def refuse(*_: object) -> Any:
        told = {"Error": {"Code": "UnauthorizedOperation", "Message": "ec2:DescribeInstances"}}
        raise ClientError(told, "DescribeInstances")

    refused = replace(types.TRACKED[compute.INSTANCE], find={AWS: refuse})
    with pytest.raises(PrerequisiteError, match="may not list what belongs to bot-cloud-gpu"):
        inventory.search(aws, NAME, AWS, [refused])


def test_a_region_s_types_are_told_by_one_call(aws):
    assert inventory.id_prefixes(aws) == frozenset()
    make(aws, NAME)
    told = inventory.id_prefixes(aws)
    looked = {
        one.id_prefix
        for one in types.of(AWS)
        if one.id_prefix and list(types.find(one.find[AWS], aws, None))
    }
    assert len(looked) >= 7
    assert looked <= told, "what is looked for is found by looking only where its type is told"


def test_what_is_found_has_the_inputs_that_its_price_depends_on(aws):
    make(aws, NAME)
    found = {one.type: one.inputs for one in inventory.search(aws, NAME)}
    assert found[compute.INSTANCE] == {"instanceType": "m1.small"}
    assert found[storage.VOLUME]["size"] == 8
    assert found[observing.LOGS] == {"storedBytes": 0}
    assert found[network.VPC] == {}
