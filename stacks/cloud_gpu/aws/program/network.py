"""A network of its own: a public subnet in each zone, a free way to S3, and HTTPS for those who may call."""

from __future__ import annotations

from typing import Any

from pulumi_aws import ec2

from .setting import ANYONE, HTTPS, Places, Setting, rule

NETWORK = "10.42.0.0/20"


def declare(to: Setting) -> Places:
    """Declare the network and its security groups."""
    vpc = ec2.Vpc(
        "network", cidr_block=NETWORK, enable_dns_hostnames=True, tags=to.tags, opts=to.here
    )
    # the network's own default group, which nothing uses, lets nothing through
    ec2.DefaultSecurityGroup("default", vpc_id=vpc.id, tags=to.tags, opts=to.here)
    subnets = _subnets(to, vpc)
    _ways(to, vpc, subnets)
    if not to.inputs["fleet"]:
        return Places(vpc, subnets, _group(to, vpc, "access", _from_callers(to)))
    balancer = _group(to, vpc, "balancer-access", _from_callers(to))
    machines = _group(to, vpc, "access", [rule(HTTPS, security_groups=[balancer.id])])
    return Places(vpc, subnets, machines, balancer)


def _subnets(to: Setting, vpc: Any) -> list[Any]:
    """A fleet's in every zone, a machine's where it is told to be, or where AWS likes.

    The first has one name in both, for its addresses are taken: one becomes several, and several one.
    """
    return [
        ec2.Subnet(
            f"public-{number}" if number else "public",
            vpc_id=vpc.id,
            cidr_block=f"10.42.{number}.0/24",
            availability_zone=zone,
            tags=to.tags,
            opts=to.also(delete_before_replace=True),  # another zone's has the same addresses
        )
        for number, zone in enumerate(to.zones)
    ]


def _ways(to: Setting, vpc: Any, subnets: list[Any]) -> None:
    """Out to the internet, and to S3 without paying for it."""
    gateway = ec2.InternetGateway("gateway", vpc_id=vpc.id, tags=to.tags, opts=to.here)
    routes = ec2.RouteTable(
        "routes",
        vpc_id=vpc.id,
        routes=[{"cidr_block": ANYONE, "gateway_id": gateway.id}],
        tags=to.tags,
        opts=to.here,
    )
    for number, subnet in enumerate(subnets):
        name = f"route-{number}" if number else "route"
        ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=routes.id, opts=to.here)
    ec2.VpcEndpoint(
        "s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{to.inputs['region']}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[routes.id],
        tags=to.tags,
        opts=to.here,
    )


def _group(to: Setting, vpc: Any, name: str, ingress: Any) -> Any:
    """HTTPS in from some; HTTPS out, for images, weights and AWS itself."""
    return ec2.SecurityGroup(
        name,
        description=f"{to.inputs['deployment']}: HTTPS from its callers",
        vpc_id=vpc.id,
        ingress=ingress,
        egress=[rule(HTTPS, cidr_blocks=[ANYONE])],
        tags=to.tags,
        opts=to.here,
    )


def _from_callers(to: Setting) -> list[Any]:
    return [rule(HTTPS, cidr_blocks=list(to.callers))] if to.callers else []
