"""JSON Schemas (draft 2020-12) of the documents that commands print with `--json`. Pure.

They are derived from the dataclasses of `deployer.core.domain`, with what `deployer.planning.document` changes on the way
written here; a test holds every document against them. Strict: no key more, none less, null only where a
figure may be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployer.planning.schemas import bench, compare, others, plan

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

DOCUMENTS: Mapping[str, Callable[[], Schema]] = {
    "plan": plan.schema,
    "compare": compare.schema,
    "status": others.status,
    "down": others.down,
    "bench": bench.schema,
    "error": others.error,
}
"""The documents that have a schema, by the command that prints them; `error` is printed by every one."""


def schema_of(name: str) -> Schema:
    """Return the schema of a document named in `DOCUMENTS`."""
    return {"$schema": DIALECT, "title": f"deployer {name} document", **DOCUMENTS[name]()}
