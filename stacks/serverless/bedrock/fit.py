"""Which models Bedrock's Custom Model Import takes, and what it takes to run one. Pure.

The table (architectures, regions, sizes, context, known counts of units) is handed in with its sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.providers.api import Refusal

REGION, SOURCE = "targets.serverless.region", "model.source"
GB = 10**9
NEAR = 0.1
"""A model within a tenth of a known one's size is taken to need as many units."""


def refusals(model: Any, region: str | None, rules: Mapping[str, Any]) -> Iterator[Refusal]:
    """Say why a model cannot be imported in a region; nothing when it can."""
    regions = rules["regions"]["names"]
    if region is not None and region not in regions:
        yield Refusal(
            f"Custom Model Import is not offered in {region}, only in {', '.join(regions)}", REGION
        )
    if model.file_format not in (None, "safetensors"):
        yield Refusal(f"Bedrock imports safetensors, not {model.file_format}", SOURCE)
        return
    if model.architecture is None:
        yield Refusal(
            "the model's architecture is unknown, and Bedrock imports only those on its list",
            SOURCE,
        )
        return
    row = next((r for r in _rows(rules["architectures"]) if r["class"] == model.architecture), None)
    if row is None:
        families = ", ".join(r["family"] for r in _rows(rules["architectures"]))
        yield Refusal(f"Bedrock does not import {model.architecture}, only {families}", SOURCE)
        return
    yield from _within(model, region, row, rules)


def _within(
    model: Any, region: str | None, row: Mapping[str, Any], rules: Mapping[str, Any]
) -> Iterator[Refusal]:
    if row["regions"] and region in rules["regions"]["names"] and region not in row["regions"]:
        yield Refusal(
            f"Bedrock imports {row['family']} only in {', '.join(row['regions'])}", REGION
        )
    form, formats = model.native_dtype, rules["formats"]["names"]
    if form is not None and form not in formats:
        named = ", ".join(name.upper() for name in formats)
        yield Refusal(
            f"Bedrock imports {named} weights, not {form}: name a 16-bit version of the model",
            SOURCE,
        )
    most = rules["below_gb"][row["kind"]]
    if model.weights_bytes is not None and model.weights_bytes >= most * GB:
        size = f"{model.weights_bytes / GB:.0f} GB"
        yield Refusal(
            f"its weights have {size}; Bedrock imports less than {most} GB of a {row['kind']} model",
            SOURCE,
        )
    tokens = rules["most_context"]["tokens"]
    if model.max_context is not None and model.max_context > tokens:
        yield Refusal(
            f"its context of {model.max_context} tokens is beyond Bedrock's {tokens}", SOURCE
        )


def units(weights_bytes: int | None, rules: Mapping[str, Any]) -> tuple[int, int]:
    """Estimate how many custom model units one copy takes, lowest and highest likely.

    AWS counts them at the import and publishes two figures. A model between two known ones takes at least
    as many as the smaller and at most as many as the larger; beyond the largest, up to twice as many.
    """
    known = [(gb, count) for gb, count in rules["units"]["rows"]]
    most = known[-1][1]
    if weights_bytes is None:
        return 1, 2 * most
    size = weights_bytes / GB
    for gb, count in known:
        if abs(size - gb) <= NEAR * gb:
            return count, count
    low = max((count for gb, count in known if gb < size), default=1)
    high = min((count for gb, count in known if gb > size), default=2 * most)
    return low, high


def _rows(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in table["rows"]:
        yield dict(zip(table["columns"], row, strict=True))
