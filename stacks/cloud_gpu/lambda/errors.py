"""What Lambda refused, as an error with a hint. Pure."""

from __future__ import annotations

import re

from deployer.core.errors import DeployerError, NoCapacityError, PolicyError, PrerequisiteError

CODE = r"\((?P<code>[a-z][a-z-]*(?:/[a-z-]+)+)\)"
"""How the code of Lambda's own word stands in an error's text (`program.dynamic.rest.ApiError`)."""
CAPACITY = "insufficient-capacity"
QUOTA = "global/quota-exceeded"
ACCOUNT = ("global/invalid-api-key", "global/account-inactive", "global/invalid-address")
FORBIDDEN = "global/forbidden"


def explain(said: str, deployment: str) -> DeployerError | None:
    """Fulfils `Provider.explain`; None where the text holds no code of Lambda's that means more than a failure."""
    found = re.search(CODE, said)
    if found is None:
        return None
    code = found["code"]
    if code.endswith(CAPACITY):
        return NoCapacityError(
            said,
            hint="try again later, another targets.cloud-gpu.instance, or leave out the region;"
            f" 'deployer down {deployment}' removes what was made so far",
        )
    if code == QUOTA:
        return PolicyError(said)
    if code in ACCOUNT or code == FORBIDDEN:
        return PrerequisiteError(said)
    return None
