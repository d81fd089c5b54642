"""What vLLM says of its memory when it starts. Pure: it takes the lines of a log.

Its words have changed: blocks of 16 tokens until 0.7 ("# GPU blocks: 715", "# CUDA blocks: 5517"), then
tokens ("GPU KV cache size: 2,042,016 tokens", vllm-project/vllm#13596), since 2026 in one line with the
greatest concurrency. For models with several kinds of attention the tokens alone have been wrong, and
concurrency x length right (vllm-project/vllm#40691), so where the two disagree the product counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

NUMBER = r"(-?[\d,]+(?:\.\d+)?)"
PATTERNS = {
    "kv_tokens": re.compile(rf"GPU KV cache size: {NUMBER} tokens"),
    "kv_blocks": re.compile(rf"# (?:GPU|CUDA|cuda) blocks: {NUMBER}"),
    "kv_gib": re.compile(
        rf"(?:Available KV cache memory: |reserved for KV Cache is ){NUMBER} ?GiB"
    ),
    "weights_gib": re.compile(
        rf"(?:Model loading took |model weights took |[Ll]oading model weights took ){NUMBER} ?Gi?B"
    ),
    "graphs_gib": re.compile(rf"Graph capturing finished in .* took {NUMBER} ?GiB"),
    "non_torch_gib": re.compile(rf"non_torch_memory takes {NUMBER} ?GiB"),
    "activations_gib": re.compile(rf"activation peak memory takes {NUMBER} ?GiB"),
    "load_s": re.compile(rf"Model loading took .* and {NUMBER} seconds"),
}
CONCURRENCY = re.compile(rf"Maximum concurrency for {NUMBER} tokens per request: {NUMBER}x")
STARTS = ("vLLM API server version", "Initializing a V1 LLM engine", "Initializing an LLM engine")
"""What a start begins with: an engine that was restarted has several in its log, and the last counts."""
BLOCK_TOKENS = 16
"""Tokens of a block by default on NVIDIA GPUs (vLLM's `--block-size`)."""
DISAGREE = 0.02


def read_start(lines: Iterable[str]) -> Mapping[str, float]:
    """Return what the last start in a log said; {} where it said nothing.

    `kv_capacity_tokens` is what the KV cache holds. Of several engine processes the smallest figure counts
    for the cache and the greatest for what takes memory. Beside it, as far as they were said: kv_tokens,
    kv_blocks, kv_gib, weights_gib, graphs_gib, non_torch_gib, activations_gib, load_s, max_concurrency and the
    max_context that it is for.
    """
    found: dict[str, float] = {}
    for line in lines:
        if any(start in line for start in STARTS):
            found = {}
        _take(line, found)
    capacity = _capacity(found)
    return {**found, "kv_capacity_tokens": capacity} if capacity else {}


def _take(line: str, found: dict[str, float]) -> None:
    for name, pattern in PATTERNS.items():
        if match := pattern.search(line):
            value = _number(match[1])
            least = name.startswith("kv_")
            found[name] = (min if least else max)(found.get(name, value), value)
    if match := CONCURRENCY.search(line):
        context, times = _number(match[1]), _number(match[2])
        if times <= found.get("max_concurrency", times):
            found["max_context"], found["max_concurrency"] = context, times


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _capacity(found: Mapping[str, float]) -> float | None:
    """Tokens as they were said, or of blocks; the product where that says something else."""
    told = found.get("kv_tokens") or found.get("kv_blocks", 0.0) * BLOCK_TOKENS
    product = found.get("max_concurrency", 0.0) * found.get("max_context", 0.0)
    if not product or (told and abs(told / product - 1) <= DISAGREE):
        return told or None
    return float(round(product))
