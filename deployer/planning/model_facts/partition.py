"""What tensor parallelism divides of a model besides its heads, from its config.json. Pure.

The rules are those of vLLM and SGLang, which share the code that they come from: a width must be divisible by the number
of GPUs, and each GPU's part of it by the block (FP8) or the group (AWQ, GPTQ, NVFP4) that shares one scale. The
vocabulary is first filled up to a multiple of 64. Sources: `validate_fp8_block_shape` of vLLM's and SGLang's fp8_utils,
`create_weights` of their awq.py, gptq.py and modelopt, `pad_vocab_size` of vocab_parallel_embedding.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm

from deployer.core.domain import Part
from deployer.planning.model_facts.strict_json import Keys

VOCABULARY_STEP = 64
SMALLEST_EXPERT_GROUP = 32
"""The kernel that takes experts of any group (moe_wna16) halves groups down to this."""
NVFP4_GROUP = 16
_WIDEST = 10**8


def parts(top: Keys, text: Keys, heads: int | None, head_dim: int | None) -> tuple[Part, ...]:
    """Return what must be divisible. `top` is the whole config, `text` that of the language model in it."""
    unit, experts_unit = _units(
        top.inner("quantization_config") or text.inner("quantization_config")
    )
    return tuple(_parts(text, (unit, experts_unit), heads, head_dim))


def _parts(
    text: Keys, units: tuple[int, int], heads: int | None, head_dim: int | None
) -> Iterator[Part]:
    yield from _feed_forward(text, *units)
    value_dim = text.whole("v_head_dim", most=100_000) or head_dim
    if units[0] > 1 and heads and value_dim:
        yield Part("heads x head_dim", heads * value_dim, units[0])
    for name in ("linear_num_key_heads", "linear_num_value_heads"):
        if count := text.whole(name, most=100_000):
            yield Part(name, count)
    if vocabulary := text.whole("vocab_size", "padded_vocab_size", most=_WIDEST):
        padded = -(-vocabulary // VOCABULARY_STEP) * VOCABULARY_STEP
        yield Part("vocab_size", padded)


def _feed_forward(text: Keys, unit: int, experts_unit: int) -> Iterator[Part]:
    names = ("moe_intermediate_size", "expert_ffn_hidden_size")
    experts = sorted({size for name in names for size in _each(text, name)})
    if not experts or _has_dense_layers(text):
        own = experts_unit if not experts and _has_experts(text) else unit
        for size in _each(text, "intermediate_size", "ffn_hidden_size"):
            yield Part("intermediate_size", size, own)
    for size in experts:
        yield Part("moe_intermediate_size", size, experts_unit)
    for size in _shared(text, experts):
        yield Part("the shared expert's size", size, unit)


def _each(text: Keys, *names: str) -> list[int]:
    """Return a width that is one number, or one for each part of the model (text and pictures)."""
    for name in names:
        value = text.values.get(name)
        if isinstance(value, list):
            return [n for n in value if type(n) is int and 0 < n <= _WIDEST]
        if size := text.whole(name, most=_WIDEST):
            return [size]
    return []


def _has_experts(text: Keys) -> bool:
    return any(
        text.values.get(name) for name in ("num_local_experts", "num_experts", "n_routed_experts")
    )


def _has_dense_layers(text: Keys) -> bool:
    """Whether some layers of a mixture of experts have none; not said: that is what intermediate_size is for."""
    said = (
        "first_k_dense_replace",
        "mlp_only_layers",
        "decoder_sparse_step",
        "moe_layer_start_index",
    )
    if not any(name in text.values for name in said):
        return False
    step = text.values.get("decoder_sparse_step")
    return any(text.values.get(name) for name in said if name != "decoder_sparse_step") or (
        type(step) is int and step > 1
    )


def _shared(text: Keys, experts: list[int]) -> Iterator[int]:
    if size := text.whole("shared_expert_intermediate_size", most=_WIDEST):
        yield size
    elif (count := text.whole("n_shared_experts", "moe_num_shared_experts", most=1000)) and experts:
        yield count * min(experts)


def _units(quant: Keys | None) -> tuple[int, int]:
    """Return what one scale covers along a width that is cut, for layers and for experts."""
    if quant is None:
        return 1, 1
    method = (quant.text("quant_method") or "").lower()
    if method in ("awq", "gptq", "auto-round", "auto_round"):
        group = quant.values.get("group_size")
        size = group if type(group) is int and 1 < group <= 4096 else 1
        return size, min(size, SMALLEST_EXPERT_GROUP)
    if method == "compressed-tensors":
        return _compressed(quant)
    if "fp4" in f"{method} {quant.text('quant_algo') or ''}".lower() and method != "mxfp4":
        return NVFP4_GROUP, NVFP4_GROUP
    block = quant.values.get("weight_block_size")
    return (_blocks(block),) * 2 if method == "fp8" else (1, 1)


def _compressed(quant: Keys) -> tuple[int, int]:
    """Return the largest group or block among those of a checkpoint of llm-compressor."""
    groups = quant.inner("config_groups")
    size = 1
    for name in groups.values if groups else ():
        group = groups.inner(name) if groups else None
        weights = group.inner("weights") if group else None
        if weights is None:
            continue
        own = weights.values.get("group_size")
        if type(own) is int and 1 < own <= 4096:
            size = max(size, own)
        size = max(size, _blocks(weights.values.get("block_structure")))
    return size, size


def _blocks(value: object) -> int:
    fine = (
        isinstance(value, list) and value and all(type(n) is int and 0 < n <= 4096 for n in value)
    )
    return lcm(*value) if fine and isinstance(value, list) else 1
