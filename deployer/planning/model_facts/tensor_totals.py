"""What a model's tensors add up to: bytes, parameters, experts, embedding. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deployer.core.domain import ModelInfo

BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F16": 16,
    "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits of one element, by dtype."""

_DTYPES = {
    "BF16": "bf16",
    "F16": "fp16",
    "F32": "fp32",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "I8": "int8",
}
_PACKED = {
    **dict.fromkeys(("awq", "gptq", "nvfp4", "mxfp4"), 4),
    "int8": 8,
    **{f"mlx_{bits}bit": bits for bits in (2, 3, 4, 5, 6, 8)},
}
"""Bits of a weight in an integer."""
_AUXILIARY = re.compile(r"(scales?|biases|scale_inv|scale_2|zeros|zero_point|g_idx|weight_shape)$")
_EMBEDDING = re.compile(r"(embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)\.weight$")
_EXPERT = re.compile(r"\.(experts|switch_mlp)\.")


@dataclass(frozen=True)
class Tensor:
    """One tensor of a header: `elements` of `dtype`, in the form of `shape` where that was read."""

    name: str
    dtype: str
    elements: int
    shape: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.elements * BITS[self.dtype] // 8


@dataclass(frozen=True)
class Sums:
    """What the tensors of a model add up to.

    `params` is None where elements are packed and it is not known how. `expert_params` are those of
    routed experts; `embedding_params` those of the embedding and the head.
    """

    nbytes: int
    params: int | None
    expert_params: int
    embedding_params: int
    by_dtype: Mapping[str, int]  # bytes


def add_up(tensors: Iterable[Tensor], native_dtype: str | None) -> Sums:
    """Add up a model's tensors. `native_dtype` says how integers are packed: 4 bits for AWQ and GPTQ."""
    packed = _PACKED.get(native_dtype) if native_dtype else None
    nbytes: Counter[str] = Counter()
    params: int | None = 0
    experts = embedding = 0
    for tensor in tensors:
        nbytes[tensor.dtype] += tensor.nbytes
        count = _params(tensor, packed)
        params = None if params is None or count is None else params + count
        experts += (count or 0) if _EXPERT.search(tensor.name) else 0
        embedding += (count or 0) if _EMBEDDING.search(tensor.name) else 0
    return Sums(nbytes.total(), params, experts, embedding, dict(nbytes))


def _params(tensor: Tensor, packed: int | None) -> int | None:
    """Return the parameters in a tensor: none in scales, several in each integer of packed weights."""
    if tensor.dtype in ("BOOL", "I64", "U64") or _AUXILIARY.search(tensor.name):
        return 0
    if tensor.dtype in ("U8", "I32", "U32"):
        return None if packed is None else tensor.elements * BITS[tensor.dtype] // packed
    return tensor.elements


def with_sums(info: ModelInfo, sums: Sums) -> ModelInfo:
    """Add to what the config says what the tensors say. They are the model, so they win."""
    most = max(sums.by_dtype, key=lambda name: sums.by_dtype[name], default="")
    return replace(
        info,
        params_total=sums.params or None,
        params_active=_active(info, sums),
        weights_bytes=sums.nbytes or None,
        native_dtype=info.native_dtype or _DTYPES.get(most),
        embedding_params=sums.embedding_params or info.embedding_params,
    )


def _active(info: ModelInfo, sums: Sums) -> int | None:
    """Return the parameters one token uses: all but the experts that are not asked."""
    if not sums.params or not info.experts or not info.experts_per_token:
        return None
    idle = 1 - info.experts_per_token / info.experts
    return round(sums.params - sums.expert_params * idle)
