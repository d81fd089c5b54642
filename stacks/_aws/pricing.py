"""What AWS charges for, by Pulumi type. Pure.

Figures of what is included come from the price pages behind `cloud_gpu/aws/catalog/components.json`: gp3 includes
3000 IOPS and 125 MB/s; a public IPv4 address is charged whether attached or idle; the first 100 GB out to the
internet are free, once for the whole account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from deployer.core.domain import Item, Resource
from deployer.planning.cost.rule import MONTH, Quantity, Rule, Setting, When, decimal, line
from stacks._aws import machine_pricing

DAYS_PER_MONTH = MONTH / 24
ONE = Decimal(1)


def _secret(resource: Resource, at: Setting) -> Iterator[Item]:
    yield line(resource, "secret", Quantity(ONE, "secret-month"), at.rate("secret"), "exists")


def _log_group(resource: Resource, at: Setting) -> Iterator[Item]:
    """Ingestion follows the traffic; what is kept is paid on, for as long as it is retained.

    How much is logged is a rough estimate: half to twice of it is likely.
    """
    size = at.usage.log_gb
    made = Quantity(size, "GB", size / 2, size * 2, "estimated")
    yield line(resource, "log ingestion", made, at.rate("logs-ingestion"), "used")
    days = decimal(resource.inputs.get("retentionInDays")) or None
    kept = size * (days / DAYS_PER_MONTH) if days else None  # without end: it grows
    stored = Quantity(kept, "GB-month", basis="estimated")
    yield line(resource, "log storage", stored, at.rate("logs-storage"), "exists")


def _hours(component: str, rate: str, when: When = "exists") -> Rule:
    def rule(resource: Resource, at: Setting) -> Iterator[Item]:
        yield line(resource, component, Quantity(MONTH, "hour"), at.rate(rate), when)

    return rule


def _nat(resource: Resource, at: Setting) -> Iterator[Item]:
    yield from _hours("NAT gateway", "nat-hour")(resource, at)
    yield line(resource, "NAT data", Quantity(None, "GB"), at.rate("nat-data"), "used")


def _balancer(resource: Resource, at: Setting) -> Iterator[Item]:
    """Hours, one capacity unit at most at this traffic, and a public address in each subnet."""
    kind = "nlb" if resource.inputs.get("loadBalancerType") == "network" else "alb"
    yield from _hours("load balancer", f"{kind}-hour")(resource, at)
    units = Quantity.between(Decimal(0), MONTH, "LCU-hour")
    yield line(resource, "load balancer capacity", units, at.rate(f"{kind}-lcu"), "used")
    subnets = resource.inputs.get("subnets")
    if not resource.inputs.get("internal"):
        count = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
        yield line(
            resource, "public IPv4", Quantity(count, "hour"), at.rate("public-ipv4"), "exists"
        )


def _endpoint(resource: Resource, at: Setting) -> Iterator[Item]:
    """A gateway endpoint is free; an interface endpoint is paid in each of its zones."""
    if resource.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
        return
    subnets = resource.inputs.get("subnetIds")
    hours = Decimal(len(subnets)) * MONTH if isinstance(subnets, list) else None
    rate = at.rate("vpc-interface-endpoint")
    yield line(resource, "interface endpoint", Quantity(hours, "hour"), rate, "exists")


def _alarm(resource: Resource, at: Setting) -> Iterator[Item]:
    yield line(resource, "alarm", Quantity(ONE, "alarm-month"), at.rate("alarm"), "exists")


TRACKING = "TargetTrackingScaling"


def _policy(resource: Resource, at: Setting) -> Iterator[Item]:
    """Scaling itself is free; to track a target it makes two alarms, one for each direction."""
    if resource.inputs.get("policyType", TRACKING) == TRACKING:
        two = Quantity(Decimal(2), "alarm-month")
        yield line(resource, "alarms of scaling", two, at.rate("alarm"), "exists")


RULES: Mapping[str, Rule] = {
    "aws:ec2/instance:Instance": machine_pricing.instance,
    "aws:ebs/volume:Volume": machine_pricing.volume,
    "aws:ec2/eip:Eip": _hours("public IPv4", "public-ipv4"),
    "aws:ec2/natGateway:NatGateway": _nat,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:autoscaling/group:Group": machine_pricing.fleet,
    "aws:autoscaling/policy:Policy": _policy,
}

NETWORK, IDENTITY = "networks are free; data and addresses are not", "IAM is free"
FREE: Mapping[str, str] = {
    "pulumi:providers:aws": "a setting, not a thing",
    "aws:ec2/vpc:Vpc": NETWORK,
    "aws:ec2/subnet:Subnet": NETWORK,
    "aws:ec2/internetGateway:InternetGateway": NETWORK,
    "aws:ec2/routeTable:RouteTable": NETWORK,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": NETWORK,
    "aws:ec2/securityGroup:SecurityGroup": NETWORK,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": NETWORK,
    "aws:ec2/launchTemplate:LaunchTemplate": "charged with the machines that are made of it",
    "aws:acm/certificate:Certificate": "certificates for load balancers are free",
    "aws:acm/certificateValidation:CertificateValidation": "a check, not a thing",
    "aws:route53/record:Record": "charged with its zone, which is there already",
    "aws:ec2/eipAssociation:EipAssociation": "the address is charged, not its use",
    "aws:iam/role:Role": IDENTITY,
    "aws:iam/rolePolicy:RolePolicy": IDENTITY,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": IDENTITY,
    "aws:iam/instanceProfile:InstanceProfile": IDENTITY,
    "aws:secretsmanager/secretVersion:SecretVersion": "charged with its secret",
    "aws:lb/listener:Listener": "charged with its load balancer",
    "aws:lb/targetGroup:TargetGroup": "charged with its load balancer",
    "aws:scheduler/schedule:Schedule": "one call: the first 14 million a month are free",
    "aws:budgets/budget:Budget": "budgets without actions are free",
}
