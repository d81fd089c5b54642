"""What a model's tensors add up to: bytes, parameters, experts, embedding. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deployer.core.domain import ModelInfo
from deployer.core.quantization import FORMATS, UNKNOWN

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
    "bnb_4bit": 4,
    "torchao_int4": 4,
    **{f"{name}_{bits}bit": bits for name in ("gptq", "awq") for bits in (2, 3, 5, 6)},
    **{f"mlx_{bits}bit": bits for bits in (2, 3, 4, 5, 6, 8)},
}
"""Bits of a weight in an integer."""
_AUXILIARY = re.compile(
    r"(scales?|biases|scale_inv|scale_2|zeros|zero_point|g_idx|weight_shape|absmax|quant_map|SCB)$|\.quant_state\."
)
_EMBEDDING = re.compile(r"(embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)\.weight$")
_EXPERT = re.compile(r"\.(experts|switch_mlp)\.|\.moe\.(gate_up|gate|up|down)_proj|\.moe\.w[123]\b")
_PLAIN = ("BF16", "F16", "F32", "F64")
_SCALES = ("BOOL", "I64", "U64", "F8_E8M0")  # positions and scales, never weights


_ONE_EACH = (None, "int8", "bnb_8bit", "eetq", "fp8", "nvfp4", "mxfp4")
"""Formats (None: not said) whose 8-bit integers are weights, one each; in others they may be codes of several."""
_CODES = ("I16", "U16")

WIDE = 16
"""Bits of a weight that is not quantized."""

HALVES = ("bf16", "fp16")
"""The two formats of 16 bits. An engine loads one as the other, whichever config.json names (vLLM and SGLang, dtype
auto): it decides what hardware serves the model, and the files only take as much."""

TRACES = 0.01
"""Share of the bytes below which quantized tensors are not the weights."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a header: `elements` of `dtype`, in the form of `shape` where that was read."""

    name: str
    dtype: str
    elements: int
    shape: tuple[int, ...] = ()

    @property
    def stack(self) -> int:
        """The first of three dimensions, else 0."""
        return self.shape[0] if len(self.shape) == 3 else 0

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


def add_up(tensors: Iterable[Tensor], native_dtype: str | None, experts: int | None = None) -> Sums:
    """Add up a model's tensors. `native_dtype` says how integers are packed: 4 bits for AWQ and GPTQ.

    Routed experts are known by their names, or by standing in one tensor, as many as there are `experts`.
    """
    packed = _PACKED.get(native_dtype) if native_dtype else None
    nbytes: Counter[str] = Counter()
    params: int | None = 0
    routed = embedding = 0
    for tensor in tensors:
        nbytes[tensor.dtype] += tensor.nbytes
        count = _params(tensor, packed)
        if tensor.dtype in _CODES or (tensor.dtype == "I8" and not _one_each(native_dtype)):
            count = None if count else count
        params = None if params is None or count is None else params + count
        routed += (count or 0) if _is_routed(tensor, experts) else 0
        embedding += (count or 0) if _EMBEDDING.search(tensor.name) else 0
    return Sums(nbytes.total(), params, routed, embedding, dict(nbytes))


def _is_routed(tensor: Tensor, experts: int | None) -> bool:
    stacked = (experts or 0) > 1 and tensor.stack == experts and "shared" not in tensor.name
    return stacked or _EXPERT.search(tensor.name) is not None


def _one_each(native_dtype: str | None) -> bool:
    known = FORMATS.get(native_dtype or "")
    return native_dtype in _ONE_EACH or (known is not None and known.bits >= WIDE)


def _params(tensor: Tensor, packed: int | None) -> int | None:
    """Return the parameters in a tensor: none in scales, several in each integer of packed weights."""
    if tensor.dtype in ("BOOL", "I64", "U64") or _AUXILIARY.search(tensor.name):
        return 0
    if tensor.dtype in ("U8", "I32", "U32"):
        return None if packed is None else tensor.elements * BITS[tensor.dtype] // packed
    return tensor.elements


def with_sums(info: ModelInfo, sums: Sums) -> ModelInfo:
    """Add to what the config says what the tensors say. They are the model, so they win, and that is said."""
    native = _format(info.native_dtype, sums)
    notes = info.notes
    if info.native_dtype not in (None, UNKNOWN, native):
        said = f"config.json says that the weights are {info.native_dtype}, and their headers say {native}"
        notes = (*notes, f"{said}: the headers are taken")
    elif _other_half(native, sums):
        said = f"config.json says that the weights are {native}, and their files hold the other 16-bit format"
        notes = (*notes, f"{said}: engines serve them as config.json says")
    return replace(
        info,
        params_total=sums.params or None,
        params_active=_active(info, sums),
        weights_bytes=sums.nbytes or None,
        native_dtype=native,
        embedding_params=sums.embedding_params or info.embedding_params,
        notes=notes,
    )


def _format(said: str | None, sums: Sums) -> str | None:
    """Return the format of the weights: what the config says, as far as the tensors can be that.

    A quantized model has quantized tensors, and one in 16 bits has none that are most of it.
    """
    weights = {name: size for name, size in sums.by_dtype.items() if name not in _SCALES}
    total = sum(weights.values())
    if not total:
        return said
    plain = {name: size for name, size in weights.items() if name in _PLAIN}
    packed = {name: size for name, size in weights.items() if name not in _PLAIN}
    share = sum(packed.values()) / total
    known = FORMATS.get(said) if said else None
    wide = known is not None and known.bits >= WIDE
    if share < TRACES and plain:
        held = _DTYPES.get(_most(plain), UNKNOWN)
        return said if said in HALVES and held in HALVES else held
    if share > 1 / 2 and (said is None or wide):
        return _DTYPES.get(_most(packed), UNKNOWN)
    return said or _DTYPES.get(_most(weights), UNKNOWN)


def _other_half(native: str | None, sums: Sums) -> bool:
    held = _DTYPES.get(_most(sums.by_dtype)) if sums.by_dtype else None
    return native in HALVES and held in HALVES and native != held


def _most(sizes: Mapping[str, int]) -> str:
    return max(sizes, key=lambda name: sizes[name])


def _active(info: ModelInfo, sums: Sums) -> int | None:
    """Return the parameters one token uses: all but the experts that are not asked.

    Unknown where there are experts and no tensor is known to be one of them.
    """
    if not (sums.params and sums.expert_params and info.experts and info.experts_per_token):
        return None
    idle = 1 - info.experts_per_token / info.experts
    return round(sums.params - sums.expert_params * idle)
