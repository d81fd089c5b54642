"""A Lambda account as `deployer idle` asks it: three listings, whatever the number of machines and regions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from deployer.providers.cloud import Leftover, Login, Scopes, Swept

from .account import Account
from .control import Control, NamedExpiry
from .pricing import KEY, MACHINE
from .program.dynamic.rest import has_key
from .regions import REGIONS
from .terms import machine

LOGIN = Login(
    credentials="a Lambda API key in LAMBDA_API_KEY",
    workflow_note="It needs the secret LAMBDA_API_KEY, and a machine that `expose` lets in to be asked for its use.",
    workflow_steps="""\
- run: echo "LAMBDA_API_KEY=$LAMBDA_API_KEY" >> "$GITHUB_ENV"
  env:
    LAMBDA_API_KEY: ${{ secrets.LAMBDA_API_KEY }}""",
)


@dataclass(frozen=True)
class LambdaCloud:
    """Fulfils `deployer.providers.cloud.Cloud`. All regions are one list."""

    account: Account = field(default_factory=Account)
    name: str = "lambda"
    providers: tuple[str, ...] = ("lambda",)
    login: Login = LOGIN

    @property
    def control(self) -> Control:
        """See `Cloud`."""
        return Control(self.account)

    @property
    def expiry(self) -> NamedExpiry:
        """See `Cloud`."""
        return NamedExpiry(self.account)

    def configured(self) -> bool:
        """See `Cloud`."""
        return has_key()

    def scopes(self, named: Sequence[str], priced: Sequence[str]) -> Scopes:  # noqa: ARG002 - one price everywhere
        """See `Cloud`: those that were named and are Lambda's, or those with a machine of ours."""
        if named:
            return Scopes(tuple(n for n in named if n in REGIONS.countries), everywhere=False)
        used = {one["region"]["name"] for one in self.account.machines()}
        return Scopes(tuple(sorted(used)))

    def sweep(self, scopes: Scopes) -> Swept:
        """See `Cloud`: what lies in no region that was asked for is left out."""
        now = time.time()
        found = [
            one for one in self.account.things() if scopes.everywhere or one.region in scopes.names
        ]
        machines = [machine(one.details, now) for one in found if one.type == MACHINE]
        left = [Leftover(one, everywhere=one.type == KEY) for one in found if one.type != MACHINE]
        return Swept(machines, left)
