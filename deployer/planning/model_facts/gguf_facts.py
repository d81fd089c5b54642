"""What a GGUF header says of a model. Pure.

The KV cache is llama.cpp's: (key_length + value_length) values a token for each KV head of each layer, where layers
with a sliding window may have heads and lengths of their own. A file whose attention is of another kind (windows in an
unknown pattern, MLA without its rank) stays unknown; an encoder keeps none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from deployer.core.domain import ModelInfo
from deployer.core.errors import quoted
from deployer.core.quantization import FORMATS, GGML_TYPES, GGUF_FILE_TYPES
from deployer.planning.model_facts.gguf_header import GgufHeader
from deployer.planning.model_facts.purpose import is_encoder
from deployer.planning.model_facts.seen_layers import LEAST, refuse_missing
from deployer.planning.model_facts.strict_json import MOST_LAYERS, bad

_PERIOD = {
    "afmoe": 4, "cohere2": 4, "exaone-moe": 4, "exaone4": 4, "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2,
    "laguna": 4, "llama4": 4, "olmo2": 4, "plamo3": 8, "smallthinker": 4,
}  # fmt: skip
"""Every how many layers one sees everything, where llama.cpp fixes it by architecture (`set_swa_pattern`)."""

_FULL_FIRST = ("laguna", "smallthinker", "cohere2moe")
"""Architectures where it is the first layer of each period; it is the last of all others'."""

_ENCODER_DECODERS = ("t5",)
_DIFFUSION = ("dream", "llada", "rnd1")
"""Architectures that fill in a whole text at once, which only llama.cpp's own example runs."""

FAR = 1.6
"""So many times the bits of a weight, or so many times fewer, is another format: mixtures of types differ by less."""

_NO_WINDOW = ("llama", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "mistral", "phi3")
"""Architectures whose sliding_window key llama.cpp passes over: it caches all tokens."""


def to_info(header: GgufHeader, name: str, where: str = "the GGUF header") -> ModelInfo:
    """Describe the model of a GGUF file. `where` names the file in errors.

    Raises:
        UsageError: a figure is absurd or not a number.
    """
    keys = _Keys(header.metadata, _architecture(header.metadata), where)
    if not keys.architecture:
        raise bad(where, "does not say its architecture (general.architecture)")
    hidden, heads = keys.whole("embedding_length"), keys.most("attention.head_count")
    experts = keys.whole("expert_count") or None
    form, notes = _dtype(header)
    info = ModelInfo(
        name,
        architecture=keys.architecture or None,
        file_format="gguf",
        params_total=header.params or None,
        layers=_layers(keys),
        hidden=hidden,
        attn_heads=heads,
        kv_heads=keys.most("attention.head_count_kv") or heads,
        head_dim=keys.whole("attention.key_length")
        or (hidden // heads if hidden and heads else None),
        max_context=keys.whole("context_length"),
        experts=experts,
        experts_per_token=keys.whole("expert_used_count") if experts else None,
        native_dtype=form,
        notes=notes,
        weights_bytes=header.tensor_bytes or None,
        embedding_params=header.embedding_params or None,
    )
    info = replace(info, params_active=_active(info, header))
    if what := _other_use(keys):
        return replace(
            info, other_use=what, attention="none", full_attn_layers=0, kv_bytes_per_token=0
        )
    refuse_missing(header.layers, info.layers, where)
    if len(header.layers) >= LEAST and not header.embedding_params:
        raise bad(where, "has layers and no token embedding: it is a part of a model")
    return _with_cache(info, keys)


def _other_use(keys: _Keys) -> str | None:
    """Say what a model is that does not generate text, by how llama.cpp would use it."""
    if keys.architecture.startswith(_DIFFUSION):
        return f"a diffusion model, which llama-server does not serve ({keys.architecture})"
    if is_encoder(keys.architecture) or keys.get("attention.causal") is False:
        return f"an encoder ({keys.architecture})"
    if keys.whole("pooling_type"):  # 0 is none
        return f"a model that embeds or ranks ({keys.architecture}, with pooling)"
    return None


def _layers(keys: _Keys) -> int | None:
    """Return the layers of the model itself, without those that guess further tokens."""
    blocks = keys.whole("block_count", most=MOST_LAYERS)
    more = keys.whole("nextn_predict_layers", most=MOST_LAYERS) or 0
    if blocks is None:
        return None
    if more >= blocks:
        raise bad(keys.where, f"has {blocks} blocks, {more} of them for speculative decoding")
    return blocks - more


@dataclass(frozen=True)
class _Keys:
    """The metadata of the file's own architecture."""

    metadata: Mapping[str, Any]
    architecture: str
    where: str

    def get(self, key: str) -> Any:
        return self.metadata.get(f"{self.architecture}.{key}")

    def whole(self, key: str, most: int = 10**9) -> int | None:
        value = self.get(key)
        if value is None or isinstance(value, list):
            return None
        return self._natural(key, value, most) or None

    def each(self, key: str, layers: int) -> Sequence[int] | None:
        """Return a figure for each layer: one for all, or a list as the file has it."""
        value = self.get(key)
        if value is None:
            return None
        listed = value if isinstance(value, list) else [value] * layers
        if len(listed) < layers:
            raise bad(self.where, f"has {len(listed)} entries of {key} for {layers} layers")
        return [self._natural(key, n) for n in listed[:layers]]

    def most(self, key: str) -> int | None:
        value = self.get(key)
        listed = value if isinstance(value, list) else [value]
        found = [self._natural(key, n) for n in listed if n is not None]
        return max(found, default=0) or None

    def _natural(self, key: str, value: object, most: int = 10**9) -> int:
        if type(value) is not int or not 0 <= value <= most:
            name = f"{self.architecture}.{key}"
            raise bad(self.where, f"has {name} = {quoted(value)}, where a count is expected")
        return value


def _architecture(metadata: Mapping[str, Any]) -> str:
    said = metadata.get("general.architecture")
    return said[:120] if isinstance(said, str) else ""


def _dtype(header: GgufHeader) -> tuple[str | None, tuple[str, ...]]:
    """Return the format of the weights, and a note where the file's own word for it cannot be true."""
    sizes = header.bytes_by_type
    most = GGML_TYPES[max(sizes, key=lambda kind: sizes[kind])][0] if sizes else ""
    held = most if most in FORMATS else None
    said = header.metadata.get("general.file_type")
    if type(said) is not int or said not in GGUF_FILE_TYPES:
        return held, ()
    named = GGUF_FILE_TYPES[said]
    bits = header.tensor_bytes * 8 / header.params if header.params else FORMATS[named].bits
    if held is None or 1 / FAR < bits / FORMATS[named].bits < FAR:
        return named, ()
    return held, (
        f"its file says that the weights are {named}, and its tensors are {held}: the tensors are taken",
    )


def _active(info: ModelInfo, header: GgufHeader) -> int | None:
    if not info.experts or not info.experts_per_token:
        return None
    return round(header.params - header.expert_params * (1 - info.experts_per_token / info.experts))


def _with_cache(info: ModelInfo, keys: _Keys) -> ModelInfo:
    if not info.layers or not info.attn_heads or keys.architecture in _ENCODER_DECODERS:
        why = f"its file does not say how many {'attention heads' if info.layers else 'layers'} it has"
        if keys.architecture in _ENCODER_DECODERS:
            why = "it is an encoder with a decoder, and what it keeps for both is not known"
        return replace(info, notes=(*info.notes, f"{why}: KV cache unknown"))
    if keys.whole("attention.kv_lora_rank"):
        return _latent(info, keys, info.layers)
    if any(key.startswith(f"{keys.architecture}.ssm.") for key in keys.metadata):
        return _hybrid(info, keys, info.layers)
    cost = _per_layer(info, keys, info.layers)
    windowed = _windowed(keys, info.layers)
    if windowed is None:
        note = "its file does not say which layers have a sliding window: KV cache unknown"
        return replace(info, attention="other", notes=(*info.notes, note))
    own = _layers_with_a_cache(keys, info.layers)
    full = [n for n, short in zip(cost[:own], windowed, strict=False) if not short]
    if not any(windowed):
        return _cached(info, "full", full)
    within, window = _per_layer(info, keys, info.layers, "_swa"), _window(keys)
    sliding = sum(n for n, short in zip(within[:own], windowed, strict=False) if short)
    return _cached(info, "sliding", full, window, sliding * window)


def _cached(
    info: ModelInfo,
    kind: Literal["full", "sliding", "hybrid"],
    full: Sequence[int],
    window: int | None = None,
    window_bytes: int | None = None,
) -> ModelInfo:
    return replace(
        info,
        attention=kind,
        full_attn_layers=len([n for n in full if n]),
        kv_bytes_per_token=sum(full),
        window=window,
        kv_window_bytes=window_bytes,
    )


def _per_layer(info: ModelInfo, keys: _Keys, layers: int, kind: str = "") -> Sequence[int]:
    """Return the bytes each layer keeps of a token, at 16 bits a value. `kind` "_swa": with the lengths of windows."""
    key_dim = keys.whole(f"attention.key_length{kind}") or info.head_dim or 0
    value_dim = keys.whole(f"attention.value_length{kind}") or keys.whole("attention.value_length")
    value_dim = value_dim or key_dim
    heads = keys.each("attention.head_count_kv", layers) or [info.kv_heads or 0] * layers
    return [n * (key_dim + value_dim) * 2 for n in heads]


def _layers_with_a_cache(keys: _Keys, layers: int) -> int:
    """Return how many layers keep a cache: the last ones of some models read that of layers before them."""
    return max(0, layers - (keys.whole("attention.shared_kv_layers", most=MOST_LAYERS) or 0))


def _window(keys: _Keys) -> int:
    """Return the tokens of a window; 0 without one. That of Llama 4 is not in the file but in llama.cpp."""
    if keys.architecture == "llama4" and keys.get("attention.sliding_window") is None:
        return 8192
    return keys.whole("attention.sliding_window") or 0


def _windowed(keys: _Keys, layers: int) -> Sequence[bool] | None:
    """Return of each layer whether it caches a window alone; None where the file does not say."""
    if not _window(keys) or keys.architecture in _NO_WINDOW:
        return [False] * layers
    said = keys.get("attention.sliding_window_pattern")
    if isinstance(said, list):
        if len(said) < layers:
            raise bad(
                keys.where, f"has {len(said)} entries of sliding_window_pattern for {layers} layers"
            )
        return [bool(one) for one in said[:layers]]
    period = keys.whole("attention.sliding_window_pattern", most=MOST_LAYERS)
    period = period or _PERIOD.get(keys.architecture)
    if period is None:
        return None
    full = 0 if keys.architecture in _FULL_FIRST else period - 1
    return [layer % period != full for layer in range(layers)]


def _latent(info: ModelInfo, keys: _Keys, layers: int) -> ModelInfo:
    """Return an MLA model. llama.cpp keeps the latent only where the file was made for it."""
    rank, rope = keys.whole("attention.kv_lora_rank"), keys.whole("rope.dimension_count")
    if rank is None or rope is None or not keys.whole("attention.key_length_mla"):
        note = "its file was made before llama.cpp cached MLA latents: KV cache unknown"
        return replace(info, attention="mla", notes=(*info.notes, note))
    heads = keys.each("attention.head_count_kv", layers) or [1] * layers
    if not all(heads):  # the others are recurrent
        return _cached(_with_state(info), "hybrid", [(rank + rope) * 2 if n else 0 for n in heads])
    return replace(
        info,
        attention="mla",
        full_attn_layers=layers,
        kv_bytes_per_token=layers * (rank + rope) * 2,
    )


def _with_state(info: ModelInfo) -> ModelInfo:
    note = "the fixed state of its recurrent layers is unknown and not counted"
    return replace(info, notes=(*info.notes, note))


def _hybrid(info: ModelInfo, keys: _Keys, layers: int) -> ModelInfo:
    """Return a model that mixes attention with recurrent layers, whose state is not worked out here."""
    info = _with_state(info)
    every = keys.whole("full_attention_interval")
    if every is None and not isinstance(keys.get("attention.head_count_kv"), list):
        return replace(info, attention="hybrid")
    cost = _per_layer(info, keys, layers)
    return _cached(info, "hybrid", [n for i, n in enumerate(cost) if (i + 1) % (every or 1) == 0])
