"""What the layers that keep a state of fixed size keep for each sequence, from a config.json. Pure.

The shapes are those of vLLM (`model_executor/layers/mamba/mamba_utils.py`): a short convolution of the last inputs,
at 16 bits a value, and a state, at 16 bits unless the config says 32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployer.planning.model_facts.strict_json import Keys

BYTES = 2
"""Values are counted at 16 bits."""

MOST = 10**6

_DELTA = (
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
)


def _delta(keys: Keys) -> int | None:
    """A gated delta net: a matrix per value head in fp32, and a short convolution.

    A vLLM boot log of Qwen3.6-27B shows these 3.2 MB a layer and sequence.
    """
    found = [keys.whole(name, most=MOST) for name in _DELTA]
    if not all(found):
        return None
    key_heads, value_heads, key_dim, value_dim, kernel = (n or 0 for n in found)
    channels = 2 * key_heads * key_dim + value_heads * value_dim
    return value_heads * key_dim * value_dim * 4 + channels * (kernel - 1) * BYTES


def _kimi_delta(keys: Keys) -> int | None:
    """Kimi's delta attention: a square matrix per head in fp32, and convolutions of query, key and value."""
    said = keys.inner("linear_attn_config")
    heads = said.whole("num_heads", most=MOST) if said else None
    dim = said.whole("head_dim", most=MOST) if said else None
    if said is None or not heads or not dim:
        return None
    kernel = said.whole("short_conv_kernel_size", most=MOST) or 4
    return heads * dim * dim * 4 + 3 * heads * dim * (kernel - 1) * BYTES


def _mamba(keys: Keys) -> int | None:
    """Mamba-2 where its heads are said, else Mamba-1."""
    heads = keys.whole("mamba_num_heads", "mamba_n_heads", "num_heads", most=MOST)
    state = keys.whole("ssm_state_size", "mamba_d_state", "state_size", most=MOST)
    kernel = keys.whole("conv_kernel", "mamba_d_conv", most=MOST) or 4
    inner = _inner(keys, heads)
    if not state or not inner:
        return None
    groups = keys.whole("n_groups", "mamba_n_groups", most=MOST) or 1
    channels = inner + 2 * groups * state if heads else inner
    wide = 4 if keys.text("mamba_ssm_cache_dtype") == "float32" else BYTES
    return inner * state * wide + channels * (kernel - 1) * BYTES


def _inner(keys: Keys, heads: int | None) -> int | None:
    """Return how wide a Mamba layer is inside."""
    if heads and not isinstance(keys.values.get("mamba_d_head"), str):  # "auto"
        dim = keys.whole("mamba_head_dim", "mamba_d_head", most=MOST)
        dim = dim or (keys.whole("head_dim", most=MOST) if keys.whole("num_heads") else None)
        if dim:
            return heads * dim
    hidden = keys.whole("hidden_size", "d_model", most=10**7)
    expand = keys.whole("mamba_expand", "expand", most=MOST) or 2
    return expand * hidden if hidden else None


def _convolution(keys: Keys) -> int | None:
    """LFM2's short convolution."""
    width = keys.whole("conv_dim", "hidden_size", most=10**7)
    kernel = keys.whole("conv_L_cache", most=MOST)
    return width * (kernel - 1) * BYTES if width and kernel else None


def _lightning(keys: Keys) -> int | None:
    """MiniMax's lightning attention: a square matrix per head."""
    heads = keys.whole("num_attention_heads", most=MOST)
    dim = keys.whole("head_dim", most=MOST)
    return heads * dim * dim * BYTES if heads and dim else None


STATES: Mapping[str, Callable[[Keys], int | None]] = {
    "linear": _delta,
    "kimi": _kimi_delta,
    "mamba": _mamba,
    "conv": _convolution,
    "lightning": _lightning,
}
"""Bytes that one layer of each kind keeps for a sequence, or None where the config does not say its shape."""
