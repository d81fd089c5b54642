"""The JSON Schema (draft 2020-12) of every document, derived from its dataclass. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployer.core.documents import (
    bench,
    chat,
    compare,
    doctor,
    down,
    env,
    error,
    idle,
    logs,
    plan,
    prices,
    privacy,
    render,
    status,
)
from deployer.core.documents.base import Document
from deployer.core.documents.derive import Derivation, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: Mapping[str, tuple[type[Document], ...]] = {
    "plan": (plan.PlanDocument,),
    "compare": (compare.CompareDocument,),
    "status": (status.StatusDocument,),
    "down": (down.DownDocument,),
    "idle": (
        idle.IdleDocument,
        idle.EndedDocument,
        idle.PausedDocument,
        idle.ExtendedDocument,
    ),
    "prices": (prices.OffersDocument, prices.RefreshedDocument),
    "bench": (bench.BenchDocument,),
    "doctor": (doctor.DoctorDocument, doctor.ProvidersDocument, privacy.PrivacyDocument),
    "env": (env.EnvDocument,),
    "chat": (chat.ChatDocument,),
    "logs": (logs.LogsDocument,),
    "render": (render.RenderDocument,),
    "error": (error.ErrorDocument,),
}
"""What each command prints with `--json` (one of several, where it has commands below it); `up` prints that of
`status`, and every one `error` when it fails."""


def schema_of(name: str) -> Schema:
    """Return the schema of a document named in `DOCUMENTS`."""
    derived = Derivation()
    first, *others = DOCUMENTS[name]
    body = {"anyOf": [derived.of(kind) for kind in DOCUMENTS[name]]}
    if not others:
        body = derived.object_of(first)
    head = {"$schema": DIALECT, "title": f"deployer {name} document"}
    return head | body | {"$defs": dict(sorted(derived.definitions.items()))}
