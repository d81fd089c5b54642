"""Remove what was found of a deployment, in an order that works, and say what could not be removed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from deployer.core.errors import without_secrets
from deployer.providers.inventory import Found, Left, ours
from deployer.providers.managers import Say
from stacks._aws.session import Clients, code_of
from stacks._aws.types import TRACKED
from stacks._aws.types.record import NotYetError

ENDS_S = 600.0
"""The longest that AWS may take to end an instance (a large one takes minutes) or a load balancer."""
LOOK_S = 2.0
GONE = ("NotFound", "NoSuch", "Malformed", "ValidationError")
MISSING = "could not find"
"""What SageMaker says of what is not there, under the code of every other mistake."""

PASSING = (
    "DependencyViolation",
    "InUse",
    "DeleteConflict",
    "ending",
    "inference component",
    "Throttl",
    "RequestLimit",
)
"""What stands against a removal only until something else has ended."""


def remove(
    clients: Clients, found: Sequence[Found], say: Say, limit_s: float = ENDS_S
) -> tuple[list[Found], list[Left]]:
    """Remove what was found, but for what is not `ours`; return what was removed and what is left.

    What something else still needs is tried again until that has ended. Nothing is raised for what AWS
    refuses: it is left, with AWS's words.
    """
    waiting, removed, why = ours(found), list[Found](), dict[Found, str]()
    until = time.monotonic() + limit_s
    while waiting:
        for one in list(waiting):
            reason = _tried(clients, one)
            if reason is None:
                waiting.remove(one)
                removed.append(one)
                say(f"removed {one.type} {one.id}")
            else:
                why[one] = reason
        if not waiting or not _may_yet(why, waiting) or time.monotonic() > until:
            break
        time.sleep(LOOK_S)
    return removed, [Left(one, why[one]) for one in waiting]


def _tried(clients: Clients, one: Found) -> str | None:
    """Try once; None when it is gone, else why it is not."""
    from botocore.exceptions import BotoCoreError, ClientError

    known = TRACKED.get(one.type)
    if known is None:
        return "it is not known how to remove it"
    try:
        known.remove(clients, one)
    except ClientError as error:
        return None if _gone(error) else without_secrets(f"{code_of(error)}: {error}")
    except BotoCoreError as error:
        return without_secrets(str(error))
    except NotYetError as error:
        return str(error)
    return None


def _gone(error: Exception) -> bool:
    """Whether AWS says that there is no such thing."""
    code = code_of(error) or ""
    return MISSING in str(error).lower() or any(word in code for word in GONE)


def _may_yet(why: Mapping[Found, str], waiting: Sequence[Found]) -> bool:
    """Whether waiting may help: something is ending, or needed by what is."""
    return any(word in why[one] for one in waiting for word in PASSING)
