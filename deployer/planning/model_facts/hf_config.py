"""What a Hugging Face config.json says of a model. Pure.

Only what is written there, or is the default of that model's own config class, is taken: head_dim is read
and not derived where it is given, and a cache that no formula describes stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deployer.core.domain import ModelInfo
from deployer.planning.model_facts import kv_cache, layers, partition
from deployer.planning.model_facts.context_length import longest
from deployer.planning.model_facts.hf_defaults import DEFAULTS, MULTI_HEAD, SHAPE
from deployer.planning.model_facts.kv_cache import Cache
from deployer.planning.model_facts.layers import Layers
from deployer.planning.model_facts.published_format import published
from deployer.planning.model_facts.recurrent import STATES
from deployer.planning.model_facts.strict_json import Keys

_INNER = ("thinker_config", "text_config", "language_config", "llm_config", "lm_config", "llm_cfg")
"""Under which a config holds that of its language model, one in the other if need be."""

_ONE_KIND = {
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "llama4": "llama4_text",
}
_HIDDEN = ("hidden_size", "n_embd", "d_model", "model_dim")
_EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts")
_PER_TOKEN = (
    "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_k", "moe_topk", "moe_top_k",
)  # fmt: skip


def from_config(
    name: str,
    config: Mapping[str, Any],
    where: str = "config.json",
    beside: Mapping[str, Any] | None = None,
) -> ModelInfo:
    """Read a model's shape from its config.json. Parameters and weights are not there: they stay unknown.

    `beside` is what hf_quant_config.json says, where there is one.

    Raises:
        UsageError: a figure is negative, absurd or not a number; it names `where` and the key.
    """
    top = Keys(config, where)
    text, taken = _text(top)
    info = replace(_shape(name, text), architecture=_architecture(top), notes=taken)
    info, cost = _with_cache(info, text)
    quant = Keys(beside, "hf_quant_config.json") if beside is not None else None
    form = published(top, text, quant)
    share = kv_cache.eight_bit_share(text, cost) if form.kv_8bit else None
    info = replace(info, parts=partition.parts(top, text, info.attn_heads, info.head_dim))
    return replace(
        info,
        native_dtype=form.dtype,
        kv_share=share,
        embedding_params=_embedding(top, text),
        notes=(*info.notes, *form.notes),
    )


def _text(top: Keys) -> tuple[Keys, tuple[str, ...]]:
    """Return the language model's part of the config, with the defaults of its model type, and what to say of them."""
    said, own = dict(top.values), top.text("model_type") or ""
    inner = _inner(top)
    while inner is not None:
        said |= inner.values
        own = inner.text("model_type") or own
        inner = _inner(inner)
    own = _ONE_KIND.get(own, own)
    elsewhere = top.text("text_model_id", "language_model_id")  # Ultravox
    defaults = {} if elsewhere else DEFAULTS.get(own, {})
    taken = [key for key in SHAPE if key in defaults and said.get(key) is None]
    notes = (f"config.json leaves out {', '.join(taken)}: the defaults of {own} are taken",)
    keys = Keys({**defaults, **_no_nulls(said, defaults), "model_type": own}, top.where)
    if elsewhere:
        return keys, (
            f"its language model is {elsewhere[:120]}, which is not read: give its figures in model.facts",
        )
    return keys, notes if taken else ()


def _inner(keys: Keys) -> Keys | None:
    return next((found for key in _INNER if (found := keys.inner(key))), None)


def _no_nulls(said: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out a null that a default stands for; a null window means: no window, null KV heads: all of them."""
    kept = ("sliding_window", "attention_chunk_size", "num_key_value_heads")
    return {k: v for k, v in said.items() if v is not None or k not in defaults or k in kept}


def _architecture(top: Keys) -> str | None:
    named = top.items("architectures") or [top.text("model_type", "_class_name", "architecture")]
    first = named[0]
    return first[:120] if first and isinstance(first, str) else None


def _shape(name: str, keys: Keys) -> ModelInfo:
    heads = keys.largest(
        "num_attention_heads", "n_head", "n_heads", "num_query_heads", most=100_000
    )
    hidden = keys.whole(*_HIDDEN, most=10**7)
    experts, each = _experts(keys)
    return ModelInfo(
        name,
        file_format="safetensors",
        layers=layers.number(keys),
        hidden=hidden or None,
        attn_heads=heads or None,
        kv_heads=_most(_kv_heads(keys, heads)),
        head_dim=kv_cache.head_dim(keys, hidden, heads),
        max_context=longest(keys),
        experts=experts or None,
        experts_per_token=(each or None) if experts else None,
    )


def _experts(keys: Keys) -> tuple[int | None, int | None]:
    """Return how many routed experts there are, and how many of them a token is sent to.

    Some of LongCat's experts do nothing and have no weights: a token is sent to its share of the others.
    """
    experts = keys.largest(*_EXPERTS, most=10**6)
    each = keys.largest(*_PER_TOKEN, most=10**6)
    if not experts and (inner := keys.inner("ffn_config")):  # DBRX
        experts, each = inner.whole("moe_num_experts"), inner.whole("moe_top_k")
    idle = keys.whole("zero_expert_num", most=10**6)
    if experts and each and idle:
        each = max(1, round(each * experts / (experts + idle)))
    return experts, each


def _kv_heads(keys: Keys, heads: int | None) -> Any:
    return kv_cache.kv_heads(keys, heads, keys.text("model_type") in MULTI_HEAD)


def _most(heads: Any) -> int | None:
    return (max(heads, default=0) if isinstance(heads, list) else heads) or None


def _with_cache(info: ModelInfo, keys: Keys) -> tuple[ModelInfo, Cache]:
    if info.layers is None:
        note = "config.json does not say how many layers it has: KV cache unknown"
        return replace(info, notes=(*info.notes, note)), Cache()
    found = layers.sort(keys, info.layers, info.max_context)
    if isinstance(found, str):
        note = f"its attention is not of a known kind ({found}): KV cache unknown"
        return replace(info, attention="other", notes=(*info.notes, note)), Cache()
    cost = kv_cache.cache(keys, found, _kv_heads(keys, info.attn_heads), info.head_dim)
    info = replace(
        info,
        attention=_attention(keys, found),
        kv_heads=1 if kv_cache.is_latent(keys) and _recurs(found) else info.kv_heads,
        full_attn_layers=found.full,
        window=found.window,
        kv_bytes_per_token=cost.per_token,
        kv_window_bytes=cost.window_bytes,
        state_bytes_per_seq=cost.state,
    )
    return replace(info, notes=(*info.notes, *_unknowns(found, cost))), cost


def _unknowns(found: Layers, cost: Cache) -> tuple[str, ...]:
    missing = []
    if cost.per_token is None:
        missing.append("config.json does not say the KV heads or their size: KV cache unknown")
    if _recurs(found) and cost.state is None:
        missing.append("the fixed state of its recurrent layers is unknown and not counted")
    return tuple(missing)


def _recurs(found: Layers) -> bool:
    return any(kind in STATES for kind in found.kinds)


def _attention(keys: Keys, found: Layers) -> Any:
    """Name the kind of attention. Recurrent layers beside latents are hybrid, with one latent head for all."""
    if _recurs(found):
        return "hybrid"
    if kv_cache.is_latent(keys):
        return "mla"
    return "sliding" if "sliding" in found.kinds else "full"


def _embedding(top: Keys, text: Keys) -> int | None:
    """Return the parameters of the embedding and the head, where it is said whether they are one."""
    vocab = text.whole("vocab_size", "padded_vocab_size", most=10**8)
    hidden = text.whole(*_HIDDEN, most=10**7)
    tied = top.flag("tie_word_embeddings")
    tied = text.flag("tie_word_embeddings") if tied is None else tied
    if not vocab or not hidden or tied is None:
        return None
    return vocab * hidden * (1 if tied else 2)
