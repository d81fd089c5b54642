"""A quota of an AWS service, looked up by its name: codes differ, names are what AWS's pages show."""

from __future__ import annotations

from deployer.core.errors import DeployerError
from deployer.providers.managers import Say
from stacks._aws.session import Clients, understood


def allowed(clients: Clients, service: str, name: str, say: Say) -> tuple[int, str] | None:
    """Return how much a quota allows, and its code; None where it is not known or may not be read."""
    try:
        with understood("read quotas (servicequotas:ListServiceQuotas)"):
            pages = clients("service-quotas").get_paginator("list_service_quotas")
            for page in pages.paginate(ServiceCode=service):
                for one in page["Quotas"]:
                    if one["QuotaName"] == name:
                        return int(one["Value"]), str(one["QuotaCode"])
    except DeployerError as error:
        say(
            f"the quota '{name}' was not read ({error.message}): AWS says so if it does not suffice"
        )
    return None


def raised(region: str, service: str, code: str, to: int) -> str:
    """The command that asks for more."""
    return (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {service} "
        f"--quota-code {code} --desired-value {to} (AWS answers within minutes to days)"
    )
