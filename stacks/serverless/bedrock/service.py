"""Imported models of Amazon Bedrock. A model is there or not: whether it sleeps AWS does not tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.core.domain import Plan
from deployer.core.errors import PolicyError
from deployer.providers.managers import Say
from deployer.running.endpoints.service import Seen
from stacks._aws import inventory, preflight, quota, types
from stacks._aws.account import Account
from stacks._aws.session import Clients, understood
from stacks._aws.types.bedrock import IMPORT
from stacks._aws.types.record import BEDROCK
from stacks._aws.types.served import IMPORTED
from stacks._aws.weights import weights_are_there

QUOTA = "Imported models per account"


class Bedrock:
    """Fulfils `deployer.running.endpoints.service.Service`."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def check(self, plan: Plan, say: Say) -> str:
        """See `Service`."""
        _, owner = preflight.identity(self.clients)
        with understood("list imported models (bedrock:ListImportedModels)"):
            pages = self.clients("bedrock").get_paginator("list_imported_models").paginate()
            names = [one["modelName"] for page in pages for one in page["modelSummaries"]]
        others = sum(name != plan.deployment for name in names)
        most = quota.allowed(self.clients, "bedrock", QUOTA, say)
        if most is not None and others >= most[0]:
            raise PolicyError(
                f"your account may hold {most[0]} imported models in {self.clients.region}, and has {others} others",
                hint=quota.raised(self.clients.region, "bedrock", most[1], others + 1),
            )
        weights_are_there(self.clients, plan)
        return owner

    def things(self, deployment: str) -> Account:
        """See `Service`. An import that is going on is taken up by the next `up`."""
        return Account(self.clients, deployment, BEDROCK)

    def seen(self, deployment: str) -> Seen | None:
        """See `Service`."""
        among = (types.TRACKED[IMPORTED], types.TRACKED[IMPORT])
        found = inventory.search(self.clients, deployment, BEDROCK, among)
        if any(one.type == IMPORTED for one in found):
            return Seen("healthy")
        return Seen("starting", reason="still being imported") if found else None

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:  # noqa: ARG002 - it ends
        """The imports and how they ended: Bedrock keeps no log of calls unless the account logs them all."""
        with understood("list imports (bedrock:ListModelImportJobs)"):
            asked = {"nameContains": deployment[:40], "sortBy": "CreationTime"}
            pages = (
                self.clients("bedrock").get_paginator("list_model_import_jobs").paginate(**asked)
            )
            jobs = [j for page in pages for j in page["modelImportJobSummaries"]]
            mine = [j for j in jobs if j.get("importedModelName") == deployment]
            told = [self._told(j) for j in sorted(mine, key=lambda j: str(j["creationTime"]))]
        yield from told if tail is None else told[len(told) - min(tail, len(told)) :]

    def _told(self, job: Mapping[str, Any]) -> str:
        line = f"{job['creationTime']:%Y-%m-%dT%H:%M:%SZ} import {job['jobName']}: {job['status']}"
        if job["status"] != "Failed":
            return line
        said = self.clients("bedrock").get_model_import_job(jobIdentifier=job["jobArn"])
        return f"{line}: {said.get('failureMessage') or 'AWS gives no reason'}"

    def rest(self, deployment: str) -> bool:  # noqa: ARG002 - it sleeps by itself
        """See `Service`."""
        return False

    def wake(self, deployment: str, say: Say) -> None:
        """See `Service`: the first call wakes it."""
