"""What a config.json may leave out: the defaults of transformers' own config classes, by model_type.

A config that stands inside another one (the language model of one that sees) is written as the difference from
them, so that the shape itself may be missing. Source: `configuration_*.py` of each model in transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LLAMA: Mapping[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
}
_MISTRAL: Mapping[str, Any] = {
    **_LLAMA,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131_072,
}
_QWEN: Mapping[str, Any] = {
    **_LLAMA,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32_768,
    "use_sliding_window": False,
}
_QWEN_MOE: Mapping[str, Any] = {
    **_QWEN,
    "hidden_size": 2048,
    "num_hidden_layers": 24,
}
_GEMMA: Mapping[str, Any] = {
    "head_dim": 256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
_GEMMA2: Mapping[str, Any] = {
    **_GEMMA,
    "hidden_size": 2304,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "sliding_window": 4096,
}
_MAMBA2: Mapping[str, Any] = {
    "mamba_n_heads": 128,
    "mamba_n_groups": 1,
    "mamba_d_state": 256,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "llama": _LLAMA,
    "granite": _LLAMA,
    "mistral": _MISTRAL,
    "mixtral": {**_MISTRAL, "num_local_experts": 8, "num_experts_per_tok": 2},
    "qwen2": _QWEN,
    "qwen3": {**_QWEN, "head_dim": 128},
    "qwen2_moe": {
        **_QWEN_MOE,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "num_experts": 60,
        "num_experts_per_tok": 4,
    },
    "qwen3_moe": {
        **_QWEN_MOE,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_experts": 128,
        "num_experts_per_tok": 8,
    },
    "qwen3_next": {"head_dim": 256, "full_attention_interval": 4},
    "gemma": {
        **_GEMMA,
        "hidden_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
    },
    "gemma2": {**_GEMMA2, "sliding_window_pattern": 2},
    "gemma3_text": {
        **_GEMMA2,
        "sliding_window_pattern": 6,
        "max_position_embeddings": 131_072,
    },
    "gemma3n_text": {
        **_GEMMA2,
        "hidden_size": 2048,
        "num_hidden_layers": 35,
        "num_key_value_heads": 2,
        "sliding_window": 512,
        "sliding_window_pattern": 5,
        "num_kv_shared_layers": 15,
        "max_position_embeddings": 32_768,
    },
    "gemma4_text": {
        **_GEMMA2,
        "num_hidden_layers": 30,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "global_head_dim": 512,
        "max_position_embeddings": 131_072,
    },
    "gpt_oss": {"head_dim": 64, "sliding_window_pattern": 2},
    "cohere2": {"sliding_window_pattern": 4},
    "llama4_text": {"attention_chunk_size": 8192, "no_rope_layer_interval": 4},
    "jamba": {
        "num_key_value_heads": 8,
        "attn_layer_period": 8,
        "attn_layer_offset": 4,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
    },
    "granitemoehybrid": _MAMBA2,
    "bamba": _MAMBA2,
    "falcon": {"multi_query": True},
}
"""By model_type, and by key. They were read where a model leaves them out; other keys are always written."""

SHAPE = ("num_hidden_layers", "hidden_size", "num_attention_heads")
"""Of which it is said where they are taken from the defaults."""

MULTI_HEAD = (
    "aquila", "baichuan", "bloom", "codegen", "cohere", "deepseek", "exaone", "gpt2", "gpt_neo", "gpt_neox",
    "gptj", "granite", "granitemoe", "granitemoehybrid", "internlm", "llama", "mistral", "mixtral", "mpt",
    "nemotron", "olmo", "olmo2", "olmoe", "opt", "persimmon", "phi", "phi3", "qwen", "qwen2", "qwen2_moe",
    "qwen3", "stablelm", "xverse",
)  # fmt: skip
"""Where a missing (or a null) num_key_value_heads means num_attention_heads."""
