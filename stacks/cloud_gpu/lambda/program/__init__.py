"""One GPU machine on Lambda, behind one HTTPS port, with a firewall ruleset and an SSH key of its own.

This package imports nothing from `deployer`: `program` is a complete Pulumi program over Lambda's REST API, which it
asks with the key in LAMBDA_API_KEY. Configuration it reads besides, because a plan cannot know it:

    deployer:callerCidr     who may connect when `expose` is `my-ip`, such as 198.51.100.7/32
    deployer:owner          the value of the tag `deployer:owner`
    deployer:state          that of `deployer:state`: where Pulumi's state lies, if others may share it
    deployer:region         where there is room, in place of the region in the inputs
    deployer:apiKey, hubToken, caCertificate, caKey       (secrets) what the machine reads at boot

Nothing is public by default: two ports for the addresses that `expose` names (443: the model, 8443: what the machine
says of its boot and its use), no SSH. Lambda keeps no secrets: they are handed over in the machine's user data, which
its API never shows again, and lie in a file that only root can read.
"""  # noqa: N999 - the cloud is called so

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

NOWHERE = "deployer_resource"
"""Must not be importable: that is what makes Pulumi write the code itself into the state, and not its place."""
NOBODY = "192.0.2.1/32"
"""TEST-NET-1 (RFC 5737) routes nowhere: without a caller's address the ports are open to nobody."""
ANYONE = "0.0.0.0/0"
PORTS = (443, 8443)
KEY, RULESET, MACHINE = "LambdaKey", "LambdaRuleset", "LambdaMachine"
PARTS = {KEY: ("access", "Key"), RULESET: ("access", "Ruleset"), MACHINE: ("machine", "Machine")}
OUTPUTS = {
    KEY: ("key_id",),
    RULESET: ("ruleset_id",),
    MACHINE: ("ip", "status", "instance_id"),
}
"""What each says besides its inputs."""
SECRETS = {
    "api_key": "apiKey",
    "hub_token": "hubToken",
    "ca_certificate": "caCertificate",
    "ca_key": "caKey",
}
"""What the machine's secret holds, and under which key of the configuration it is given."""


def program(inputs: Mapping[str, Any]) -> None:
    """Declare everything that the machine needs, and export `endpoint` and the ids."""
    import pulumi

    config = pulumi.Config("deployer")
    region = config.get("region") or inputs["region"]
    name = f"deployer-{inputs['deployment']}"
    sources = callers(inputs["expose"], config.get("callerCidr"))
    key = _declare(KEY, "key", {"name": name})
    access = {"name": name, "region": region, "sources": sources, "ports": list(PORTS)}
    firewall = _declare(RULESET, "firewall", access)
    tags = {**inputs["tags"], "deployer:owner": config.get("owner") or "unknown"}
    if state := config.get("state"):
        tags["deployer:state"] = state
    secret = {part: config.get_secret(known) or "" for part, known in SECRETS.items()}
    told = {
        "deployment": inputs["deployment"],
        "region": region,
        "instance_type": inputs["instance_type"],
        "architecture": inputs["architecture"],
        "image_family": inputs["image_family"],
        "user_data": inputs["user_data"],
        "secret": _hidden(pulumi.Output.json_dumps(secret)),
        "tags": tags,
        "key_name": name,
        "ruleset_id": firewall.id,
    }
    machine = _declare(MACHINE, "machine", told, pulumi.ResourceOptions(depends_on=[key]))
    made = {
        "endpoint": pulumi.Output.concat("https://", machine.ip, "/v1"),
        "address": machine.ip,
        "instance_id": machine.id,
        "region": region,
        "ca": "own",
    }
    for output, value in made.items():
        pulumi.export(output, value)


def callers(expose: str | Sequence[str], caller: str | None) -> list[str]:
    """Return the CIDR blocks that may connect."""
    if not isinstance(expose, str):
        return list(expose)
    return {"my-ip": [caller or NOBODY], "public": [ANYONE]}[expose]


def _hidden(value: Any) -> Any:
    """Mark a value as a secret: no state and no preview shows it."""
    import pulumi

    return pulumi.Output.secret(value)


def _declare(kind: str, name: str, props: Mapping[str, Any], opts: Any = None) -> Any:
    import pulumi

    part, provider = PARTS[kind]
    module = _by_value(part)
    made = type(kind, (pulumi.dynamic.Resource,), {}, module="deployer", name=kind)
    given = {**props, **dict.fromkeys(OUTPUTS[kind])}
    return made(getattr(module, provider)(module.Api()), name, given, opts)


def _by_value(part: str) -> ModuleType:
    """Load a module of `dynamic` under a name that nobody can import later."""
    package = sys.modules[NOWHERE] = ModuleType(NOWHERE)
    package.__path__ = [str(Path(__file__).parent / "dynamic")]
    try:
        return importlib.import_module(f"{NOWHERE}.{part}")
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == NOWHERE]:
            del sys.modules[name]
