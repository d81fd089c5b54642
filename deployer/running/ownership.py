"""Whose a deployment is: who works with this home, what was made by somebody else, and which name is free.

What is made says who made it (`deployer.core.owner`). What a home has no record of is its own only where that says so;
where nothing does, it is nobody's that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import StaleError
from deployer.core.owner import owner
from deployer.providers.inventory import Found

UNKNOWN = "unknown"
"""The owner of what does not say who made it."""
LONGEST_SPEC_NAME = 40
TRIES = range(2, 10)


class TakenError(StaleError):
    """Somebody has a deployment of that name."""


def own_names(home: Path, record: Deployment | None = None) -> frozenset[str]:
    """Return the owners that count as this user: the one of this home, and the one that the record names."""
    remembered = {record.owner} if record is not None and record.owner else set()
    return frozenset({owner(home), *remembered})


def owners(found: Sequence[Found]) -> list[str]:
    """Return who made these things, each once; what does not say so goes with the others.

    Returns:
        The names; `UNKNOWN` alone where nothing says whose it is; nothing where there is nothing.
    """
    named = list(dict.fromkeys(one.owner for one in found if one.owner))
    return named or ([UNKNOWN] if found else [])


def taken(name: str, found: Sequence[Found], own: frozenset[str], free: str | None) -> TakenError:
    """Return the error of a name that is taken: whose it is, and another name that is free.

    Args:
        name: the deployment's.
        found: what there is of it, at least one thing.
        own: the owners that count as this user.
        free: a name for the spec that nobody has; None: none was found.
    """
    others = [one for one in owners(found) if one not in own]
    by = f"created by {', '.join(others)}" if others else "created by you"
    where = f" in {found[0].region}" if found[0].region else ""
    count = f"{len(found)} resource{'s' if len(found) > 1 else ''}"
    other_name = (
        f"give the spec another name, such as 'name: {free}', which is free" if free else ""
    )
    here = "work on the machine that has its state"
    mine = "" if others else f"'deployer down {name}' removes it"
    return TakenError(
        f"{name} already exists{where} ({count}, {by}), and this machine has no state for it",
        hint=", or ".join(filter(None, (other_name or "give the spec another name", here, mine))),
    )


def free_name(spec_name: str, target: str, is_taken: Callable[[str], bool]) -> str | None:
    """Return a name for the spec whose deployment nobody has, by asking; None where the usual ones are all taken."""
    for number in TRIES:
        end = f"-{number}"
        name = f"{spec_name[: LONGEST_SPEC_NAME - len(end)]}{end}"
        if not is_taken(f"{name}-{target}"):
            return name
    return None
