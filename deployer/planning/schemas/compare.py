"""The document of `deployer compare --json` as JSON Schema. Pure."""

from __future__ import annotations

from deployer.core.domain import TARGETS, Basis
from deployer.planning.schemas.derive import (
    NOTHING,
    NUMBER,
    TEXT,
    Schema,
    either,
    listed,
    of,
    pair,
    strict,
)
from deployer.planning.schemas.plan import SHA256, TARGET, TIME, item_schema, offer_schema

VERDICTS = ("applies", "does not apply", "left out", "nothing left")
MONEY = ("monthly_usd", "idle_hourly_usd", "upfront_usd", "usd_per_1m_tokens")
COUNTS = ("capacity_users", "copies", "cold_start_share")
WORDS = ("latency", "privacy", "setup", "complexity")


def schema() -> Schema:
    """Return the schema of the whole document."""
    keys = {
        "schema": {"const": 1},
        "spec": strict({"name": TEXT, "digest": SHA256}),
        "generated_at": TIME,
        "traffic": _traffic(),
        "targets": listed(_row()) | {"minItems": 1, "maxItems": len(TARGETS)},
        "alternatives": listed(_row()),
        "break_even": listed(_break_even()),
        "recommendation": _recommendation(),
        "curve": listed(_point()),
        "spent_usd": strict({target: listed(pair(NUMBER)) for target in TARGETS}),
        "wall": strict({target: _or_null(_wall()) for target in TARGETS}),
        "notes": listed(TEXT),
    }
    return strict(keys, "The targets side by side, where they meet, and which to take.")


def _or_null(schema: Schema) -> Schema:
    return either(schema, NOTHING)


def _traffic() -> Schema:
    names = ("requests_per_month", "tokens_per_month", "input_tokens", "output_tokens")
    more = ("peak_per_hour", "burstiness")
    return strict(dict.fromkeys((*names, *more), NUMBER) | {"source": TEXT})


def _row() -> Schema:
    figures = {name: _or_null(NUMBER) for name in (*MONEY, *COUNTS)}
    words = {name: _or_null(TEXT) for name in WORDS}
    keys = {
        "target": TARGET,
        "provider": TEXT,
        "variant": _or_null(TEXT),
        "feasible": {"type": "boolean"},
        "reasons": listed(TEXT),
        "offer": _or_null(offer_schema()),
        **figures,
        **words,
        "cells": {"type": "object", "additionalProperties": _cell()},
        "items": listed(item_schema()),
        "unpriced": listed(TEXT),
        "week": listed(_hour()),
    }
    return strict(keys, "One way to serve the model at this traffic.")


def _cell() -> Schema:
    keys = {
        "value": either(TEXT, NUMBER, NOTHING),
        "range": _or_null(pair(NUMBER)),
        "unit": _or_null(TEXT),
        "basis": of(Basis),
        "source": TEXT,
    }
    return strict(keys, "A figure with its basis, its source and its likely range.")


def _hour() -> Schema:
    figures = ("requests", "running_hours", "cold_starts", "met_cold")
    keys = dict.fromkeys(figures, NUMBER)
    waits = {"enum": ["none", "seconds", "minutes", "overloaded", "unknown"]}
    return strict(keys | {"utilisation": _or_null(NUMBER), "wait": waits})


def _break_even() -> Schema:
    keys = {
        "what": TEXT,
        "between": pair(TARGET),
        "range": _or_null(pair(_or_null(NUMBER))),
        "verdict": TEXT,
    }
    return strict(keys, "Where two targets cost the same, as a range.")


def _recommendation() -> Schema:
    rule = strict(
        {
            "rule": TEXT,
            "verdict": {"enum": list(VERDICTS)},
            "detail": TEXT,
            "keeps": listed(TARGET),
        }
    )
    keys = {
        "target": _or_null(TARGET),
        "close": listed(TARGET),
        "why": listed(strict({"rule": TEXT, "detail": TEXT})),
        "rules": listed(rule),
        "development": _or_null(TARGET),
        "hybrid": _or_null(TEXT),
    }
    return strict(keys)


def _wall() -> Schema:
    crowd = strict({"users": NUMBER, "answer_seconds": pair(NUMBER)})
    keys = {
        "users_at_once": NUMBER,
        "basis": of(Basis),
        "source": TEXT,
        "points": listed(crowd),
    }
    return strict(keys, "How long an answer takes when so many ask at the same time.")


def _point() -> Schema:
    usd = strict({target: _or_null(pair(NUMBER)) for target in TARGETS})
    return strict({"tokens_per_month": NUMBER, "requests_per_day": NUMBER, "usd": usd})
