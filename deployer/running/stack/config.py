"""What a stack's program is told besides its inputs, because no plan can know it. Nothing of it reaches a disk
but as the state's encrypted secrets: it is set in the program's own process.

    deployer:owner, state                         who makes it, and where its state lies if others may share that
    deployer:callerCidr, zone, zones              from where it is asked, and where there is room
    deployer:expiresAt                            when what is made now is removed, if its policy says so
    deployer:apiKey, hubToken, caCertificate, caKey, balancerCertificate, balancerKey       secrets
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from deployer.core.errors import PrerequisiteError
from deployer.core.files import read_own, unreadable, write_private
from deployer.running import certificates
from deployer.running.certificates import Pair
from deployer.running.store import AUTHORITY, Store

if TYPE_CHECKING:
    from deployer.running.stack.request import ApplyRequest

AUTHORITY_KEY = "ca-key.pem"
BALANCER, BALANCER_KEY = "balancer.pem", "balancer-key.pem"


@dataclass
class Config:
    """Values by key, without the namespace. The secret ones are not shown when this is printed.

    `account` is where all is made, where a provider has several; the program is not told.
    """

    plain: dict[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    account: str | None = None


def config_of(request: ApplyRequest, caller: Callable[[Mapping[str, str]], str]) -> Config:
    """Gather the values; the certificates are made at the first `up` and kept.

    `caller` tells the caller's own address as a block, by the environment.

    Raises:
        PrerequisiteError: the caller's own address is needed and cannot be learnt.
    """
    plain: dict[str, str] = {}
    if request.plan.options.get("expose", "my-ip") == "my-ip":
        plain["callerCidr"] = caller(os.environ)
    return Config(plain, _secrets(request))


def _secrets(request: ApplyRequest) -> dict[str, str]:
    name, store, program = request.name, request.store, request.provider.program
    from huggingface_hub import get_token  # late: only what is applied needs it

    host = program.balancer(request.plan.inputs) if program else None
    ca = _kept(
        store,
        name,
        (AUTHORITY, AUTHORITY_KEY),
        lambda: certificates.authority(name, host),
        lambda pair: host is None or certificates.may_sign(pair, host),
    )
    balancer = (
        _kept(
            store,
            name,
            (BALANCER, BALANCER_KEY),
            lambda: certificates.leaf(ca, [host]),
            lambda pair: certificates.is_signed_by(pair, ca),
        )
        if host
        else Pair("", "")
    )
    return {
        "apiKey": store.key(name),
        "hubToken": get_token() or "",
        "caCertificate": ca.certificate,
        "caKey": ca.key,
        "balancerCertificate": balancer.certificate,
        "balancerKey": balancer.key,
    }


def _kept(
    store: Store,
    name: str,
    files: tuple[str, str],
    make: Callable[[], Pair],
    serves: Callable[[Pair], bool],
) -> Pair:
    """A pair that is made once, and anew where it no longer serves; the key is written last: with it both are there."""
    certificate, key = (store.folder(name) / file for file in files)
    if key.exists() and certificate.exists():
        with unreadable(certificate.parent):
            found = Pair(read_own(certificate), read_own(key))
        with suppress(ValueError):  # what is damaged serves nobody
            if serves(found):
                return found
    made = make()
    key.unlink(missing_ok=True)
    write_private(certificate, made.certificate)
    write_private(key, made.key)
    return made


def caller_cidr(environ: Mapping[str, str], asked: str | None) -> str:
    """Return the caller's own public address as a block of one: DEPLOYER_CALLER_CIDR, or what a service sees.

    `asked` is the address of a service that answers with it; None: the caller is on the same machine.

    Raises:
        PrerequisiteError: it cannot be learnt.
    """
    given = environ.get("DEPLOYER_CALLER_CIDR")
    if given:
        return given
    if asked is None:
        return "127.0.0.1/32"
    from deployer.sources import web

    try:
        with web.client(timeout=10) as client:
            address = ip_address(client.get(asked).raise_for_status().text.strip())
    except web.failures() as error:
        raise PrerequisiteError(
            f"cannot determine your public address, the only one to be let in: {web.said(error)}",
            hint="set DEPLOYER_CALLER_CIDR=203.0.113.7/32, or targets.cloud-gpu.expose to a list of blocks",
            where=asked,
        ) from None
    return f"{address}/{address.max_prefixlen}"


def program_of(provider: Any, inputs: Mapping[str, Any], config: Config) -> Callable[[], None]:
    """Return the provider's program with its inputs and configuration, as Pulumi calls it."""

    def program() -> None:
        from pulumi.runtime.config import set_all_config

        named = {
            f"deployer:{key}": value for key, value in {**config.plain, **config.secret}.items()
        }
        set_all_config(named, [f"deployer:{key}" for key in config.secret])
        provider.program.run(inputs)

    return program
