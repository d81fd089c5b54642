"""The document of `deployer plan --json` (and `plan --out`) as JSON Schema. Pure."""

from __future__ import annotations

from deployer.core.domain import (
    HOURS_PER_MONTH,
    TARGETS,
    Estimate,
    Fit,
    Item,
    MeasuredFigure,
    ModelInfo,
    Offer,
    Plan,
    Resource,
    Sizing,
    Verdict,
)
from deployer.planning.schemas.derive import (
    NOTHING,
    NUMBER,
    TEXT,
    Schema,
    either,
    listed,
    of,
    pair,
    properties,
    strict,
    summary,
)

INTERNAL = ("spec_name", "spec_digest", "inputs", "usage", "options")
"""What `apply` needs of a plan and its document says elsewhere or not at all."""

SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
DATE: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}(-\d{2})?$"}
"""ISO 8601; some sources say the month only."""
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$"}
PRICE: Schema = {"type": "number", "exclusiveMinimum": 0}
"""What is rented has a price above 0: a missing one is null."""
TARGET: Schema = {"enum": list(TARGETS)}

_NAMES = ("model", "sizing", "offer", "alternative", "resource", "cost", "item", "verdict")


def schema() -> Schema:
    """Return the schema of the whole document."""
    spec = strict({"name": TEXT, "digest": SHA256}, "The spec, and the SHA-256 of what it means.")
    plans = listed(_plan()) | {"minItems": 1, "maxItems": len(TARGETS)}
    keys = {"schema": {"const": 1}, "spec": spec, "generated_at": TIME, "plans": plans}
    return strict(keys, "One plan for each target that was asked for.") | {"$defs": _definitions()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(schema: Schema) -> Schema:
    return either(schema, NOTHING)


def _definitions() -> dict[str, Schema]:
    made = (
        of(ModelInfo),
        _sizing(),
        offer_schema(),
        _alternative(),
        of(Resource),
        _cost(),
        item_schema(),
        of(Verdict),
    )
    return dict(zip(_NAMES, made, strict=True))


def _plan() -> Schema:
    told = properties(Plan, drop=INTERNAL) | {
        "target": TARGET,
        "model": _ref("model"),
        "sizing": _or_null(_ref("sizing")),
        "offer": _or_null(_ref("offer")),
        "alternatives": listed(_ref("alternative")),
        "resources": listed(_ref("resource")),
        "deployed": _or_null(SHA256),
        "files": listed(strict({"path": TEXT, "sha256": SHA256})),
        "cost": _or_null(_ref("cost")),
        "policy": listed(_ref("verdict")),
    }
    return strict(told, "What will exist for one target and what it costs.")


def _sizing() -> Schema:
    error: Schema = {"type": "number", "description": "Estimate divided by measurement, less one."}
    figure = strict(
        properties(MeasuredFigure) | {"error": _or_null(error)}, summary(MeasuredFigure)
    )
    return strict(properties(Sizing) | {"measured": listed(figure)}, summary(Sizing))


def _offer() -> dict[str, Schema]:
    return properties(Offer) | {"usd_per_hour": _or_null(PRICE), "as_of": _or_null(DATE)}


def offer_schema() -> Schema:
    """Return the schema of an offer."""
    return strict(_offer(), summary(Offer))


def _alternative() -> Schema:
    more = {"fit": of(Fit), "quantization": TEXT, "monthly_usd": _or_null(NUMBER)}
    return strict(_offer() | more, "Another offer that holds the model, in its best format there.")


def _cost() -> Schema:
    told: dict[str, Schema] = {
        "currency": {"const": "USD"},
        "hours_per_month": {"const": HOURS_PER_MONTH},
        **properties(Estimate, drop=("monthly_range",)),
        "monthly_usd_range": _or_null(pair(NUMBER)),
        "items": listed(_ref("item")),
    }
    return strict(told, summary(Estimate))


def item_schema() -> Schema:
    """Return the schema of one line of a bill."""
    told = {
        **properties(Item, drop=("monthly_range",)),
        "monthly_usd_range": _or_null(pair(NUMBER)),
        "kind": {"enum": ["fixed", "usage"]},
        "as_of": _or_null(DATE),
    }
    return strict(told, summary(Item))
