"""The Inference Endpoints of a Hugging Face token as `deployer idle` asks for them: they sleep by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployer.providers.cloud import Scopes, Sleeper, Swept
from deployer.providers.inventory import Found
from stacks.serverless.huggingface import NAME, service


@dataclass(frozen=True)
class HuggingFaceCloud:
    """Fulfils `deployer.providers.cloud.Cloud`. All endpoints of a token are one list, whatever their region."""

    name: str = NAME
    providers: tuple[str, ...] = (NAME,)
    control: None = None
    expiry: None = None
    login: None = None

    def configured(self) -> bool:
        """See `Cloud`: whether there is a token."""
        return service.token() is not None

    def scopes(self, named: Sequence[str], priced: Sequence[str]) -> Scopes:  # noqa: ARG002 - one signature for all
        """See `Cloud`: there is but one."""
        return Scopes()

    def sweep(self, scopes: Scopes) -> Swept:  # noqa: ARG002 - one signature for all
        """See `Cloud`."""
        return Swept(sleepers=[_sleeper(one) for one in service.listed()])


def _sleeper(one: Found) -> Sleeper:
    seen = service.seen(one)
    return Sleeper(one, seen.state, seen.awake)
