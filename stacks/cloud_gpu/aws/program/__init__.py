"""One GPU machine on AWS, or several behind a load balancer, in a network of their own, behind one HTTPS port.

This package imports nothing from `deployer`: `program` is a complete Pulumi program (pulumi-aws 7) that takes one
plain mapping. Configuration it reads besides, because a plan cannot know it:

    deployer:callerCidr     who may connect when `expose` is `my-ip`, such as 198.51.100.7/32
    deployer:owner          the value of the tag `deployer:owner`
    deployer:state          that of `deployer:state`: where Pulumi's state lies, if others may share it
    deployer:zone           the availability zone of a single machine
    deployer:zones          those of a fleet, separated by commas
    deployer:expiresAt      when `expires` ends it, in UTC without an offset, such as 2026-11-30T12:00:00
    deployer:budgetEmail    who is told when AWS has billed 80 % and 100 % of the budget
    deployer:apiKey, hubToken, caCertificate, caKey                     (secrets) what the machine reads at boot
    deployer:balancerCertificate, balancerKey                           (secrets) what the load balancer answers with

Nothing is public by default: one port (443) for the addresses that `expose` names, no SSH (a shell is had
through AWS Systems Manager), encrypted disks, IMDSv2 out of the reach of containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WRITTEN_BY_HAND = "deployer:expires-at"
"""The tag that `deployer idle extend` writes."""
NOBODY = "192.0.2.1/32"
"""TEST-NET-1 (RFC 5737) routes nowhere: without a caller's address the port is open to nobody."""
ANYONE = "0.0.0.0/0"
ZONES = "abc"
"""The zones that a plan takes a region to have, where it was not asked: nearly every region has three."""


def callers(expose: str | Sequence[str], caller: str | None) -> list[str]:
    """The CIDR blocks that may connect. `private` is nobody: Systems Manager forwards a port then."""
    if not isinstance(expose, str):
        return list(expose)
    return {"my-ip": [caller or NOBODY], "public": [ANYONE], "private": []}[expose]


def program(inputs: Mapping[str, Any]) -> None:
    """Declare everything that the machine needs, and export `endpoint` and the ids."""
    import pulumi
    import pulumi_aws as aws

    from . import fleet, identity, machine, network
    from .setting import Setting

    config = pulumi.Config("deployer")
    region = aws.Provider("aws", region=inputs["region"], ignore_tags={"keys": [WRITTEN_BY_HAND]})
    here = pulumi.ResourceOptions(provider=region)
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}
    if state := config.get("state"):
        tags["deployer:state"] = state
    cidrs = callers(inputs["expose"], config.get("callerCidr"))
    setting = Setting(
        inputs, tags, here, config, cidrs, zones(inputs, config.get("zone"), config.get("zones"))
    )

    places = network.declare(setting)
    kept = identity.keep(setting)
    profile = identity.profile(setting, kept)
    made = (fleet if inputs["fleet"] else machine).declare(setting, places, profile, kept)
    for name, value in {**kept.exports(), **made, "region": inputs["region"]}.items():
        pulumi.export(name, value)


def zones(inputs: Mapping[str, Any], one: str | None, several: str | None) -> list[str | None]:
    """The zones to be in: those told for a fleet, the one told for a machine; a plan has not asked."""
    if not inputs["fleet"]:
        return [one]
    return [*several.split(",")] if several else [f"{inputs['region']}{z}" for z in ZONES]
