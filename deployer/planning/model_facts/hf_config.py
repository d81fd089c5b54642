"""What a Hugging Face config.json says of a model. Pure.

Only what is written there, or is the default of that model's own config class, is taken: head_dim is read
and not derived where it is given, and a cache that no formula describes stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deployer.core.domain import ModelInfo
from deployer.core.quantization import FORMATS, normal
from deployer.planning.model_facts import layers as kinds
from deployer.planning.model_facts import partition
from deployer.planning.model_facts.layers import Cache, Layers
from deployer.planning.model_facts.strict_json import MOST_LAYERS, Keys

_MULTI_HEAD = (
    "bloom", "cohere", "gpt2", "gpt_neo", "gpt_neox", "gptj", "llama", "mpt", "olmo", "olmo2", "opt",
    "phi", "phi3", "stablelm",
)  # fmt: skip # a missing num_key_value_heads means num_attention_heads here

_QUANT = {
    "awq": "awq",
    "fp8": "fp8",
    "fbgemm_fp8": "fp8",
    "mxfp4": "mxfp4",
    "modelopt_fp4": "nvfp4",
}
_WEIGHTS = {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "gptq", ("float", 4): "nvfp4"}


def from_config(name: str, config: Mapping[str, Any], where: str = "config.json") -> ModelInfo:
    """Read a model's shape from its config.json. Parameters and weights are not there: they stay unknown.

    Raises:
        UsageError: a figure is negative, absurd or not a number; it names `where` and the key.
    """
    top = Keys(config, where)
    text = _text(top)
    info = replace(_shape(name, text), architecture=_architecture(top))
    info = _with_cache(info, text)
    dtype, note = native_dtype(top, text)
    notes = info.notes if note is None else (*info.notes, note)
    info = replace(info, parts=partition.parts(top, text, info.attn_heads, info.head_dim))
    return replace(info, native_dtype=dtype, embedding_params=_embedding(top, text), notes=notes)


def _text(top: Keys) -> Keys:
    """Return the language model's part of the config, with the defaults of its model type."""
    inner = top.inner("text_config") or top.inner("language_config") or top.inner("llm_config")
    said = {**top.values, **(inner.values if inner else {})}
    own = (inner and inner.text("model_type")) or top.text("model_type") or ""
    own = {"gemma3": "gemma3_text", "llama4": "llama4_text"}.get(own, own)
    defaults = kinds.DEFAULTS.get(own, {})
    return Keys({**defaults, **_no_nulls(said, defaults), "model_type": own}, top.where)


def _no_nulls(said: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out a null pattern or head_dim that a default stands for; a null window means: no window."""
    windows = ("sliding_window", "attention_chunk_size")
    return {k: v for k, v in said.items() if v is not None or k not in defaults or k in windows}


def _architecture(top: Keys) -> str | None:
    named = top.items("architectures") or [top.text("model_type")]
    first = named[0]
    return first[:120] if first and isinstance(first, str) else None


def _shape(name: str, keys: Keys) -> ModelInfo:
    heads = keys.whole("num_attention_heads", "n_head", "n_heads", most=100_000)
    hidden = keys.whole("hidden_size", "n_embd", "d_model", most=10**7)
    experts = keys.whole(
        "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", most=10**6
    )
    each = keys.whole(
        "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_k", most=10**6
    )
    return ModelInfo(
        name,
        file_format="safetensors",
        layers=keys.whole(
            "num_hidden_layers", "n_layer", "n_layers", "num_layers", most=MOST_LAYERS
        )
        or None,
        hidden=hidden or None,
        attn_heads=heads or None,
        kv_heads=_kv_heads(keys, heads),
        head_dim=_head_dim(keys, hidden, heads),
        max_context=keys.whole("max_position_embeddings", "n_positions", "max_seq_len") or None,
        experts=experts or None,
        experts_per_token=(each or None) if experts else None,
    )


def _kv_heads(keys: Keys, heads: int | None) -> int | None:
    said = keys.whole("num_key_value_heads", "num_kv_heads", "n_head_kv", most=100_000)
    if said:
        return said
    if keys.flag("multi_query"):
        return 1
    return heads or None if keys.text("model_type") in _MULTI_HEAD else None


def _head_dim(keys: Keys, hidden: int | None, heads: int | None) -> int | None:
    said = keys.whole("head_dim", "attention_head_dim", most=100_000)
    if said:
        return said
    return hidden // heads if hidden and heads and hidden % heads == 0 else None


def _with_cache(info: ModelInfo, keys: Keys) -> ModelInfo:
    if info.layers is None:
        return info
    found = kinds.count(keys, info.layers)
    if found is None:
        note = "its attention is not of a known kind: KV cache unknown"
        return replace(info, attention="other", notes=(*info.notes, note))
    cost = kinds.cache(keys, found, info.kv_heads, info.head_dim)
    info = replace(
        info,
        attention=_attention(keys, found),
        full_attn_layers=found.full,
        window=found.window,
        kv_bytes_per_token=cost.per_token,
        kv_window_bytes=cost.window_bytes,
        state_bytes_per_seq=cost.state,
    )
    return replace(info, notes=(*info.notes, *_unknowns(found, cost)))


def _unknowns(found: Layers, cost: Cache) -> tuple[str, ...]:
    missing = []
    if cost.per_token is None:
        missing.append("config.json does not say the KV heads or their size: KV cache unknown")
    if found.linear and cost.state is None:
        missing.append("the fixed state of its linear-attention layers is unknown and not counted")
    return tuple(missing)


def _attention(keys: Keys, found: Layers) -> Any:
    if found.linear:
        return "hybrid"
    if keys.whole("kv_lora_rank"):
        return "mla"
    return "sliding" if found.sliding else "full"


def native_dtype(top: Keys, text: Keys) -> tuple[str | None, str | None]:
    """Return the format that the weights are published in, and a note where it is not a known one."""
    quant = top.inner("quantization_config") or text.inner("quantization_config")
    if quant is None and isinstance(top.values.get("quantization"), Mapping):
        quant = top.inner("quantization")  # where older versions of MLX write it
    if quant is not None:
        name = _quantized(quant)
        return name, None if name else "its quantization_config is not of a known kind"
    said = normal(text.text("dtype", "torch_dtype") or "")
    return (said if said in FORMATS else None), None


def _quantized(quant: Keys) -> str | None:
    method = (quant.text("quant_method") or "").lower()
    algorithm = (quant.text("quant_algo") or "").lower()
    if algorithm in FORMATS:
        return algorithm
    if method == "gptq":
        return {4: "gptq", 8: "int8"}.get(quant.whole("bits", most=64) or 4)
    if method == "compressed-tensors":
        return _compressed(quant)
    return _QUANT.get(method) if method else _mlx(quant)


def _mlx(quant: Keys) -> str | None:
    """Return the format of `mlx_lm.convert`, which names no method: bits of a group of weights."""
    bits = quant.whole("bits", most=64) if quant.whole("group_size", most=4096) else None
    name = f"mlx_{bits}bit"
    return name if name in FORMATS else None


def _compressed(quant: Keys) -> str | None:
    groups = quant.inner("config_groups")
    names = sorted(groups.values) if groups else []
    first = groups.inner(names[0]) if groups and names else None
    weights = first.inner("weights") if first else None
    if weights is None:
        return None
    if "mxfp4" in (quant.text("format") or ""):
        return "mxfp4"
    return _WEIGHTS.get((weights.text("type") or "int", weights.whole("num_bits", most=64) or 0))


def _embedding(top: Keys, text: Keys) -> int | None:
    """Return the parameters of the embedding and the head, where it is said whether they are one."""
    vocab = text.whole("vocab_size", "padded_vocab_size", most=10**8)
    hidden = text.whole("hidden_size", "n_embd", "d_model", most=10**7)
    tied = top.flag("tie_word_embeddings")
    tied = text.flag("tie_word_embeddings") if tied is None else tied
    if not vocab or not hidden or tied is None:
        return None
    return vocab * hidden * (1 if tied else 2)
