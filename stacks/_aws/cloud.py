"""An account of AWS as `deployer idle` asks it: one sweep over its regions for machines, endpoints and leftovers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployer.core.errors import DeployerError, PrerequisiteError
from deployer.providers.cloud import Gap, Login, Scopes, Sleeper, Swept
from deployer.providers.inventory import Found
from deployer.running.endpoints.service import Service
from stacks._aws import expiry, session
from stacks._aws.instances import NAME, machine
from stacks._aws.leftovers import leftover
from stacks._aws.machine_control import Instances
from stacks._aws.regions import DEFAULT
from stacks._aws.session import Clients, Session
from stacks._aws.sweep import ClientsOf, regions, sweep
from stacks._aws.types.compute import INSTANCE
from stacks._aws.types.served import SERVED

LOGIN = Login(
    credentials="AWS credentials in this user's ~/.aws",
    workflow_note=(
        "It takes on an AWS role without a stored key: set the repository variable DEPLOYER_ROLE to the ARN of one"
        " that trusts GitHub's OIDC provider."
    ),
    workflow_steps="""\
- uses: aws-actions/configure-aws-credentials@v4
  with:
    role-to-assume: ${{ vars.DEPLOYER_ROLE }}
    aws-region: us-east-1""",
)
NEITHER_MACHINE_NOR_LEFT = frozenset({INSTANCE, *SERVED.values()})


class Clientele:
    """The clients of each region, made once."""

    def __init__(self) -> None:
        self._known: dict[str, Clients] = {}

    def __call__(self, region: str) -> Clients:
        """Return those of a region."""
        return self._known.setdefault(region, Session(region))


@dataclass(frozen=True)
class AwsCloud:
    """Fulfils `deployer.providers.cloud.Cloud` for cloud-gpu/aws, bedrock and sagemaker; scopes are regions."""

    clients_of: ClientsOf = field(default_factory=Clientele)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    name: str = NAME
    providers: tuple[str, ...] = (NAME, *SERVED)
    login: Login = LOGIN

    @property
    def control(self) -> Instances:
        """See `Cloud`."""
        return Instances(self.clients_of)

    @property
    def expiry(self) -> expiry.Schedules:
        """See `Cloud`."""
        return expiry.Schedules(self.clients_of)

    def configured(self) -> bool:
        """See `Cloud`."""
        return session.has_credentials()

    def scopes(self, named: Sequence[str], priced: Sequence[str]) -> Scopes:
        """See `Cloud`: regions. Who may not list them is asked about those that have prices."""
        if named:
            return Scopes(tuple(named), everywhere=False)
        home = self.environ.get("AWS_REGION") or self.environ.get("AWS_DEFAULT_REGION") or DEFAULT
        try:
            return Scopes(tuple(regions(self.clients_of(home))))
        except PrerequisiteError as error:
            if session.code_of(error.__cause__) not in session.DENIED:
                raise
            gap = Gap(home, f"{error.message}; the regions that have prices were asked")
            return Scopes(tuple(priced), gaps=(gap,))

    def sweep(self, scopes: Scopes) -> Swept:
        """See `Cloud`."""
        found, gaps = sweep(self.clients_of, scopes.names, everywhere=scopes.everywhere)
        return Swept(
            machines=[machine(one) for one in found if one.type == INSTANCE],
            leftovers=[leftover(one) for one in found if one.type not in NEITHER_MACHINE_NOR_LEFT],
            sleepers=[self._sleeper(one) for one in found if one.type in SERVED.values()],
            gaps=gaps,
        )

    def _sleeper(self, one: Found) -> Sleeper:
        service = _services()[one.type](self.clients_of(one.region))
        try:
            seen = service.seen(one.deployment)
        except DeployerError:
            return Sleeper(one)
        return Sleeper(one, seen.state, seen.awake) if seen else Sleeper(one)


def _services() -> Mapping[str, Callable[[Clients], Service]]:
    """What knows how a model or an endpoint is, by type."""
    from stacks.serverless.bedrock.service import Bedrock
    from stacks.serverless.sagemaker.service import SageMaker

    return {SERVED["bedrock"]: Bedrock, SERVED["sagemaker"]: SageMaker}
