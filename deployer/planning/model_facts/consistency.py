"""Figures of a model that cannot all be true. Pure.

Each one was plausible by itself; together they would make a plan of nonsense (a negative speed), so they
are refused wherever they come from.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.core.quantization import FORMATS

LEAST_BITS = 1
"""Bits of one parameter in the smallest format there is."""
SLACK = 0.5
"""How far below its format's bits a model may lie: some of its layers may be in a smaller one."""


def check(info: ModelInfo, where: str) -> None:
    """Refuse a model whose figures contradict each other.

    Raises:
        UsageError: it names them, and `where` they were read.
    """
    found = tuple(contradictions(info))
    if found:
        raise UsageError(
            f"the facts of {info.name} contradict each other: {'; '.join(found)}",
            hint="correct model.facts, or fetch or export the model again",
            where=where,
        )


def contradictions(info: ModelInfo) -> Iterator[str]:
    """Say what cannot be, one sentence each."""
    total, active = info.params_total, info.params_active
    if total and active and active > total:
        yield f"{active:,} active parameters of {total:,}"
    if info.kv_heads and info.attn_heads and info.kv_heads > info.attn_heads:
        yield f"{info.kv_heads:,} KV heads of {info.attn_heads:,} attention heads"
    if info.experts and info.experts_per_token and info.experts_per_token > info.experts:
        yield f"{info.experts_per_token:,} experts a token of {info.experts:,}"
    least = min(filter(None, (total, active)), default=None)
    if least and info.embedding_params and info.embedding_params >= least:
        yield f"{info.embedding_params:,} parameters in the embedding and the head, of {least:,}"
    bits = max(LEAST_BITS, _bits(info.native_dtype) * SLACK)
    if total and info.weights_bytes and info.weights_bytes * 8 < total * bits:
        kind = info.native_dtype or "no format"
        yield f"{info.weights_bytes:,} bytes of weights for {total:,} parameters in {kind}"


def _bits(name: str | None) -> float:
    known = FORMATS.get(name or "")
    return known.bits if known else 0.0
