"""The documents of `status`, `down` and of every error as JSON Schema. Pure."""

from __future__ import annotations

from deployer.core.errors import Exit
from deployer.planning.schemas.derive import (
    NOTHING,
    NUMBER,
    TEXT,
    WHOLE,
    Schema,
    either,
    listed,
    strict,
)
from deployer.planning.schemas.plan import TARGET, TIME

STATES = ("starting", "healthy", "unhealthy", "stopped", "failed")


def _or_null(schema: Schema) -> Schema:
    return either(schema, NOTHING)


def _document(**keys: Schema) -> Schema:
    return strict({"schema": {"const": 1}, **keys})


def error() -> Schema:
    """What is printed instead of any document when a command fails."""
    codes = [int(code) for code in Exit if code is not Exit.DONE]
    told = {"message": TEXT, "hint": _or_null(TEXT), "where": _or_null(TEXT)}
    return _document(error=strict({**told, "exit_code": {"enum": codes}}))


def status() -> Schema:
    """What `deployer status` shows, and `up` once it is done."""
    deployment = {
        "name": TEXT,
        "target": TARGET,
        "provider": TEXT,
        "state": {"enum": list(STATES)},
        "endpoint": _or_null(TEXT),
        "started_at": TIME,
        "idle_since": _or_null(TIME),
        "requests": _or_null(WHOLE),
        "output_tokens": _or_null(WHOLE),
        "usd_per_hour": _or_null(NUMBER),
        "cost_so_far_usd": _or_null(NUMBER),
        "expires_at": _or_null(TIME),
        "resources": listed(strict({"type": TEXT, "name": TEXT, "id": TEXT})),
    }
    return _document(deployments=listed(strict(deployment)))


def down() -> Schema:
    """What `deployer down` removed, what it could not, and whom it could not ask."""
    removed, left = {"type": TEXT, "id": TEXT}, {"type": TEXT, "id": TEXT, "why": TEXT}
    return _document(
        deployment=TEXT,
        removed=listed(strict(removed)),
        remaining=listed(strict(left)),
        not_asked=listed(strict({"provider": TEXT, "why": TEXT})),
    )
