"""How a deployment is called by AWS's own API: what is the same for every service of AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployer.providers.api import NativeApi
from stacks._aws.session import VARIABLES

SHARED = tuple(
    f"_aws/{name}.py" for name in ("__init__", "client", "credentials", "runtime", "session")
)
"""What every one of them is made of besides its own."""


def native_api(name: str, connect: Callable[[Any], Any], *, limit_s: float) -> NativeApi:
    """Return the record of a serverless provider; `limit_s` is how long a call is held while the model wakes."""
    own = (f"serverless/{name}/backend.py", f"serverless/{name}/__init__.py")
    return NativeApi(
        connect=connect,
        limit_s=limit_s,
        sources=(*own, *SHARED),
        requirements=("boto3>=1.38",),  # 2025-05 and later knows all calls that are made
        environment=VARIABLES,
        region_variable="AWS_REGION",
        settings=".aws",
    )
