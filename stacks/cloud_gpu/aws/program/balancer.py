"""The load balancer in front of a fleet, with a certificate of the domain or of the deployment's own authority."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_aws import acm, lb

from .setting import HTTPS, Places, Setting

TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"
LONGEST_S = 4000
"""The longest silence within an answer; a load balancer allows no more."""


@dataclass(frozen=True)
class Front:
    """The load balancer, where it sends requests, and its listener."""

    balancer: Any
    targets: Any
    listener: Any
    exports: dict[str, Any] = field(default_factory=dict)


def declare(to: Setting, places: Places) -> Front:
    """Declare the load balancer. Health is that of the engine, asked through the machine's own proxy."""
    made = lb.LoadBalancer(
        "balancer",
        load_balancer_type="application",
        internal=to.inputs["expose"] == "private",
        security_groups=[places.balancer.id],
        subnets=[subnet.id for subnet in places.subnets],
        idle_timeout=LONGEST_S,
        drop_invalid_header_fields=True,
        tags=to.tags,
        opts=to.here,
    )
    targets = _targets(to, places)
    certificate, domain = _certificate(to)
    listener = lb.Listener(
        "https",
        load_balancer_arn=made.arn,
        port=HTTPS,
        protocol="HTTPS",
        ssl_policy=TLS,
        certificate_arn=certificate,
        default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
        tags=to.tags,
        opts=to.here,
    )
    if domain:
        _point(to, domain, made)
    host = domain or made.dns_name
    exports = {
        "endpoint": pulumi.Output.concat("https://", host, "/v1"),
        "address": host,
        "ca": "public" if domain else "own",
    }
    return Front(made, targets, listener, exports)


def _targets(to: Setting, places: Places) -> Any:
    return lb.TargetGroup(
        "machines",
        port=HTTPS,
        protocol="HTTPS",
        vpc_id=places.vpc.id,
        deregistration_delay=120,
        load_balancing_algorithm_type="least_outstanding_requests",
        health_check={
            "protocol": "HTTPS",
            "path": "/health",
            "matcher": "200",
            "interval": 15,
            "timeout": 10,
            "healthy_threshold": 2,
            "unhealthy_threshold": 4,
        },
        tags=to.tags,
        opts=to.here,
    )


def _certificate(to: Setting) -> tuple[Any, str | None]:
    """The certificate's ARN, and the domain if it is one of the domain's."""
    domain = to.inputs["domain"]
    if domain:
        return _public(to, domain), domain
    made = acm.Certificate(
        "certificate",
        certificate_body=to.config.get_secret("balancerCertificate") or "",
        private_key=to.config.get_secret("balancerKey") or pulumi.Output.secret(""),
        certificate_chain=to.config.get_secret("caCertificate"),
        tags=to.tags,
        opts=to.here,
    )
    return made.arn, None


def _public(to: Setting, domain: str) -> Any:
    """A public certificate, proven by a record in the domain's zone on Route 53."""
    from pulumi_aws import route53

    made = acm.Certificate(
        "certificate",
        domain_name=domain,
        validation_method="DNS",
        tags=to.tags,
        opts=to.here,
    )
    proof = made.domain_validation_options[0]
    record = route53.Record(
        "proof",
        zone_id=_zone(to, domain),
        name=proof.resource_record_name,
        type=proof.resource_record_type,
        records=[proof.resource_record_value],
        ttl=60,
        allow_overwrite=True,
        opts=to.here,
    )
    valid = acm.CertificateValidation(
        "proven",
        certificate_arn=made.arn,
        validation_record_fqdns=[record.fqdn],
        opts=to.here,
    )
    return valid.certificate_arn


def _zone(to: Setting, domain: str) -> Any:
    from pulumi_aws import route53

    asking = pulumi.InvokeOutputOptions(provider=to.here.provider)
    return route53.get_zone_output(name=domain.partition(".")[2], opts=asking).zone_id


def _point(to: Setting, domain: str, made: Any) -> None:
    """The domain's name leads to the load balancer."""
    from pulumi_aws import route53

    alias: Any = {"name": made.dns_name, "zone_id": made.zone_id, "evaluate_target_health": False}
    route53.Record(
        "address",
        zone_id=_zone(to, domain),
        name=domain,
        type="A",
        aliases=[alias],
        opts=to.here,
    )
