"""Networks and what hangs on them: addresses, gateways, endpoints, routes, security groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Setting, line
from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types import listing
from stacks._aws.types.charging import hourly
from stacks._aws.types.compute import INSTANCE
from stacks._aws.types.finding import ec2
from stacks._aws.types.listing import EC2, GB, HOURS, Component
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
    in_its_network,
    nothing_made,
    rented,
)
from stacks._aws.types.removing import one_call

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
ROUTES = "aws:ec2/routeTable:RouteTable"
FIREWALL = "aws:ec2/securityGroup:SecurityGroup"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
ADDRESS = "aws:ec2/eip:Eip"

NETWORK = "10.42.0.0/20"
"""The addresses of every network that `stacks/cloud_gpu/aws/program/network.py` makes."""
BY_NAT = {"operation": ("NatGateway",)}
FREE = Free("networks are free; data and addresses are not")


def _endpoint(resource: Resource, at: Setting) -> Iterator[Item]:
    """A gateway endpoint is free; an interface endpoint is paid in each of its zones."""
    if resource.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    subnets = resource.inputs.get("subnetIds")
    hours = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
    rate = at.rate("vpc-interface-endpoint")
    yield line(resource, "interface endpoint", Quantity(hours, "hour"), rate, "exists")


def _endpoint_inputs(details: Details) -> Mapping[str, Any]:
    return {
        "vpcEndpointType": details.get("VpcEndpointType", "Gateway"),
        "subnetIds": list(details.get("SubnetIds", ())),
    }


def _delete_endpoint(clients: Clients, one: Found) -> None:
    told = clients("ec2").delete_vpc_endpoints(VpcEndpointIds=[one.id])
    for refused in told.get("Unsuccessful", ()):
        raise NotYetError(f"{refused['Error']['Code']}: {refused['Error']['Message']}")


def _nat(resource: Resource, at: Setting) -> Iterator[Item]:
    yield from hourly("NAT gateway", "nat-hour")(resource, at)
    yield line(resource, "NAT data", Quantity(None, "GB"), at.rate("nat-data"), "used")


def _address_is_loose(details: Details) -> bool:
    return not (details.get("AssociationId") or details.get("InstanceId"))


def _delete_gateway(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    for attached in one.details.get("Attachments", ()):
        with suppress(
            client.exceptions.ClientError
        ):  # what stands against it is said by the next call
            client.detach_internet_gateway(InternetGatewayId=one.id, VpcId=attached["VpcId"])
    client.delete_internet_gateway(InternetGatewayId=one.id)


def _delete_routes(clients: Clients, one: Found) -> None:
    client = clients("ec2")
    for link in one.details.get("Associations", ()):
        if not link.get("Main"):
            with suppress(client.exceptions.ClientError):
                client.disassociate_route_table(AssociationId=link["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=one.id)


def _vpc_is_ours(found: Found, family: Family) -> bool:  # noqa: ARG001 - one signature for all
    """By its addresses, which are given when it is made: those of the program's networks."""
    return bool(found.details.get("CidrBlock") == NETWORK)


def _gateway_is_ours(found: Found, family: Family) -> bool:
    """One that is attached to a network of the program, or that was to be when its making was cut short."""
    attached = {one.get("VpcId") for one in found.details.get("Attachments", ())}
    return bool(family.networks) and attached <= family.networks


TYPES: tuple[ResourceType, ...] = (
    rented(
        ENDPOINT,
        Price(
            _endpoint,
            _endpoint_inputs,
            [Component("vpc-interface-endpoint", listing.VPC, "VpcEndpoint-Hours", HOURS)],
        ),
        ec2(ENDPOINT, "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        _delete_endpoint,
        Stage.ATTACHED,
        in_its_network,
        id_prefix="vpce",
    ),
    rented(
        ADDRESS,
        Price(
            hourly("public IPv4", "public-ipv4"),
            listed=[Component("public-ipv4", listing.VPC, "PublicIPv4:InUseAddress", HOURS)],
        ),
        ec2(ADDRESS, "describe_addresses", "Addresses", "AllocationId"),
        one_call("ec2", "release_address", "AllocationId"),
        Stage.ATTACHED,
        nothing_made,
        id_prefix="eipalloc",
        is_loose=_address_is_loose,
    ),
    PartOf(
        "aws:ec2/eipAssociation:EipAssociation",
        Free("the address is charged, not its use"),
        owner=INSTANCE,
    ),
    Untracked(
        "aws:ec2/natGateway:NatGateway",
        Price(
            _nat,
            listed=[
                Component("nat-hour", EC2, "NatGateway-Hours", HOURS, BY_NAT),
                Component("nat-data", EC2, "NatGateway-Bytes", GB, BY_NAT),
            ],
        ),
        reason="no program makes one",
    ),
    rented(
        INTERFACE,
        Free("charged with the address or the machine that it is for"),
        ec2(INTERFACE, "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        one_call("ec2", "delete_network_interface", "NetworkInterfaceId"),
        Stage.NETWORK,
        in_its_network,
        id_prefix="eni",
    ),
    rented(
        FIREWALL,
        FREE,
        ec2(FIREWALL, "describe_security_groups", "SecurityGroups", "GroupId"),
        one_call("ec2", "delete_security_group", "GroupId"),
        Stage.NETWORK,
        in_its_network,
        id_prefix="sg",
    ),
    PartOf("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", FREE, owner=VPC),
    rented(
        SUBNET,
        FREE,
        ec2(SUBNET, "describe_subnets", "Subnets", "SubnetId"),
        one_call("ec2", "delete_subnet", "SubnetId"),
        Stage.NETWORK,
        in_its_network,
        id_prefix="subnet",
    ),
    rented(
        ROUTES,
        FREE,
        ec2(ROUTES, "describe_route_tables", "RouteTables", "RouteTableId"),
        _delete_routes,
        Stage.NETWORK,
        in_its_network,
        id_prefix="rtb",
    ),
    PartOf("aws:ec2/routeTableAssociation:RouteTableAssociation", FREE, owner=ROUTES),
    rented(
        GATEWAY,
        FREE,
        ec2(GATEWAY, "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        _delete_gateway,
        Stage.NETWORK,
        _gateway_is_ours,
        id_prefix="igw",
    ),
    rented(
        VPC,
        FREE,
        ec2(VPC, "describe_vpcs", "Vpcs", "VpcId"),
        one_call("ec2", "delete_vpc", "VpcId"),
        Stage.NETWORK,
        _vpc_is_ours,
        id_prefix="vpc",
    ),
)
