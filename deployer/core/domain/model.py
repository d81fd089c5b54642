"""What is known about a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from deployer.core.records import dataclass


@dataclass(frozen=True)
class Part:
    """A width of a model that tensor parallelism divides: `size` of `name`, only in pieces of whole `unit`s.

    `unit` is 1, or a block or group of quantized weights that no cut may go through.
    """

    name: str  # as the message says it, such as moe_intermediate_size
    size: int
    unit: int = 1


@dataclass(frozen=True)
class ModelInfo:
    """What is known about one model. Every field but `name` may be unknown (`None`).

    `kv_bytes_per_token` is what each further token adds at 16 bits a value (sliding-window layers
    past their window add nothing); `state_bytes_per_seq` is the fixed state of hybrid models.
    `weights_bytes` is the size of the tensors in the format `native_dtype`.
    `kv_share` is the size of the growing KV cache beside 16 bits that the checkpoint asks the engine for.
    `embedding_params` counts the embedding and the head, which AWQ and GPTQ leave at 16 bits.
    `origins` names, for each field that is known, where the figure was read. `attention` "none" is an encoder's, which
    keeps no cache.
    """

    name: str
    architecture: str | None = None  # "Qwen3ForCausalLM", or the GGUF architecture "llama"
    file_format: Literal["safetensors", "gguf", "handler"] | None = None
    params_total: int | None = None
    params_active: int | None = None
    layers: int | None = None
    hidden: int | None = None
    attn_heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    max_context: int | None = None
    attention: Literal["full", "sliding", "mla", "hybrid", "other", "none"] | None = None
    full_attn_layers: int | None = None
    window: int | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    kv_bytes_per_token: int | None = None
    kv_window_bytes: int | None = None  # one sequence's full sliding window at 16 bits
    state_bytes_per_seq: int | None = None
    kv_share: float | None = None
    native_dtype: str | None = (
        None  # a name of `deployer.core.quantization`: bf16, fp8, awq, q4_k_m; or another method's own
    )
    weights_bytes: int | None = None
    embedding_params: int | None = None
    gated: bool | None = (
        None  # whether its terms must be accepted at the model hub before it can be fetched
    )
    other_use: str | None = None  # what it is, where it does not generate text: "an encoder (bert)"
    parts: tuple[Part, ...] = ()  # what tensor parallelism divides, besides heads
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
