"""What each layer of a Hugging Face model keeps per token, from its config.json. Pure.

Formulas (fact sheet, "Sizing, in formulas"): a full-attention layer keeps 2 x kv_heads x head_dim values a
token; a sliding-window layer keeps as many, for the last `window` tokens only; an MLA layer keeps
kv_lora_rank + qk_rope_head_dim; a gated-delta-net layer keeps a fixed state per sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.planning.model_facts.strict_json import Keys, bad

BYTES = 2
"""KV values are counted at 16 bits."""

ODD = (
    "attention_k_eq_v", "attn_layer_period", "attn_type_list", "block_types", "compress_ratios",
    "conv_L_cache", "cross_attention_layers", "encoder_layers", "global_head_dim",
    "hybrid_override_pattern", "index_topk", "is_encoder_decoder", "layers_block_type",
    "linear_attn_config", "mamba_d_state", "mamba_state_dim", "num_global_key_value_heads",
    "num_kv_shared_layers", "ssm_cfg", "ssm_state_size", "state_size",
)  # fmt: skip
"""Keys of models whose cache these formulas do not describe: theirs is unknown, not guessed."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gemma": {"head_dim": 256, "tie_word_embeddings": True},
    "gemma2": {
        "head_dim": 256,
        "sliding_window": 4096,
        "sliding_window_pattern": 2,
        "tie_word_embeddings": True,
    },
    "gemma3_text": {
        "head_dim": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "sliding_window": 4096,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
    },
    "gpt_oss": {"head_dim": 64, "sliding_window_pattern": 2},
    "cohere2": {"sliding_window_pattern": 4},
    "mistral": {"num_key_value_heads": 8},
    "mixtral": {"num_key_value_heads": 8},
    "qwen2": {"use_sliding_window": False},
    "qwen2_moe": {"use_sliding_window": False},
    "qwen3": {"head_dim": 128, "use_sliding_window": False},
    "qwen3_moe": {"use_sliding_window": False},
    "qwen3_next": {"head_dim": 256, "full_attention_interval": 4},
    "llama4_text": {"attention_chunk_size": 8192, "no_rope_layer_interval": 4},
}
"""What a config.json may leave out, by model_type: the defaults of transformers' own config classes."""

_KINDS = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "sliding",
    "linear_attention": "linear",
}

_DELTA = (
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
)


@dataclass(frozen=True)
class Layers:
    """How many layers of each kind a model has, and the window of the sliding ones in tokens."""

    full: int
    sliding: int = 0
    linear: int = 0
    window: int | None = None


def count(keys: Keys, total: int) -> Layers | None:
    """Sort a model's layers by kind, or return None where the formulas do not describe them.

    Raises:
        UsageError: `layer_types` is shorter than the number of layers.
    """
    if any(keys.values.get(name) for name in ODD):
        return None
    if (listed := keys.items("layer_types")) is not None:
        return _listed(listed, keys, total)
    if every := keys.whole("full_attention_interval", most=10_000):
        return Layers(total // every, linear=total - total // every)
    window = _window(keys)
    if not window:
        return Layers(total)
    full = _full_among_sliding(keys, total)
    return None if full is None else Layers(full, total - full, window=window)


def _listed(listed: Sequence[Any], keys: Keys, total: int) -> Layers | None:
    if len(listed) < total:
        raise bad(keys.where, f"has {len(listed)} layer_types for {total} layers")
    kinds = [_KINDS.get(name) if isinstance(name, str) else None for name in listed[:total]]
    window = _window(keys)
    if None in kinds or ("sliding" in kinds and not window):
        return None
    sliding = kinds.count("sliding")
    return Layers(kinds.count("full"), sliding, kinds.count("linear"), window if sliding else None)


def _window(keys: Keys) -> int | None:
    if keys.flag("use_sliding_window") is False:
        return None
    return keys.whole("sliding_window", "attention_chunk_size")


def _full_among_sliding(keys: Keys, total: int) -> int | None:
    """Return how many layers see everything although the model has a window."""
    if keys.flag("use_sliding_window"):  # Qwen: the layers from max_window_layers on slide
        return min(total, keys.whole("max_window_layers", most=10_000) or total)
    if listed := keys.items("no_rope_layers"):  # Llama 4: 1 slides, 0 sees everything
        return listed[:total].count(0)
    names = ("sliding_window_pattern", "_sliding_window_pattern", "no_rope_layer_interval")
    if isinstance(keys.values.get(names[0]), str):  # "LLLG": newer files list layer_types too
        return None
    every = keys.whole(*names, most=10_000)
    return total // every if every else 0


@dataclass(frozen=True)
class Cache:
    """What one sequence costs: bytes each token adds, bytes of a full window, bytes of fixed state."""

    per_token: int | None = None
    window_bytes: int | None = None
    state: int | None = None


def cache(keys: Keys, layers: Layers, kv_heads: int | None, head_dim: int | None) -> Cache:
    """Return the cache of a model whose layers are known, at 16 bits a value."""
    state = _state(keys, layers.linear)
    if (rank := keys.whole("kv_lora_rank")) and layers.full:
        latent = rank + (keys.whole("qk_rope_head_dim") or 0)
        return Cache(layers.full * latent * BYTES, state=state)
    if kv_heads is None or head_dim is None:
        return Cache(state=state)
    one = 2 * kv_heads * head_dim * BYTES
    window = layers.window * layers.sliding * one if layers.window else None
    return Cache(layers.full * one, window, state)


def _state(keys: Keys, layers: int) -> int | None:
    """Return the state of gated-delta-net layers: a matrix per value head in fp32, and a short convolution.

    A vLLM boot log of Qwen3.6-27B shows these 3.2 MB a layer and sequence.
    """
    found = [keys.whole(name, most=10**6) for name in _DELTA]
    if not layers or not all(found):
        return None
    key_heads, value_heads, key_dim, value_dim, kernel = (n or 0 for n in found)
    matrix = value_heads * key_dim * value_dim * 4
    channels = 2 * key_heads * key_dim + value_heads * value_dim
    return layers * (matrix + channels * (kernel - 1) * BYTES)
