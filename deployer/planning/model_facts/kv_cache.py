"""What each layer of a model keeps of a token, from its config.json. Pure.

Formulas (fact sheet, "Sizing, in formulas", and vLLM's cache specs): a full-attention layer keeps
kv_heads x (key size + value size) values a token; a sliding-window layer keeps as many, for the last `window`
tokens only; an MLA layer keeps kv_lora_rank + qk_rope_head_dim, and one with a sparse-attention indexer its 8-bit
keys beside them; a recurrent layer keeps a fixed state per sequence (`recurrent`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployer.planning.model_facts.layers import NOTHING, Layers, attention_of
from deployer.planning.model_facts.recurrent import BYTES, STATES
from deployer.planning.model_facts.strict_json import Keys

MOST_HEADS = 100_000
WHOLE_MLA = ("minicpm3",)
"""Models with a latent of which vLLM caches whole keys and values (`models/minicpm3.py`), padded to one size."""

FALCON = ("falcon", "RefinedWeb", "RefinedWebModel")
INDEX_BLOCK = 128
"""An indexer keeps one 32-bit scale for so many 8-bit values (vLLM, `DeepseekV32IndexerCache`)."""

SPARSE_8BIT = 656
"""Bytes of a token in the 8-bit cache of sparse MLA (vLLM, `fp8_ds_mla`): 512 values, 4 scales, 64 of 16 bits."""


@dataclass(frozen=True)
class Heads:
    """The KV heads of each layer and the sizes of a key and a value, of full and of sliding layers."""

    full: tuple[Sequence[int], int, int]
    sliding: tuple[Sequence[int], int, int]


@dataclass(frozen=True)
class Cache:
    """What one sequence costs: bytes each token adds, bytes of a full window, bytes of fixed state.

    `indexer` are those of the bytes per token that have 8 bits already.
    """

    per_token: int | None = None
    window_bytes: int | None = None
    state: int | None = None
    indexer: int = 0


def is_latent(keys: Keys) -> bool:
    """Whether the model's attention keeps latents (MLA) in place of keys and values."""
    return bool(keys.whole("kv_lora_rank")) and keys.text("model_type") not in WHOLE_MLA


def kv_heads(keys: Keys, heads: int | None, multi_head: bool) -> int | Sequence[int] | None:
    """Return the KV heads of the model, or of each layer.

    `multi_head`: where it says none, every head has its own.

    Raises:
        UsageError: it is no number, nor a list of them.
    """
    kind = keys.text("model_type")
    if kind in WHOLE_MLA:
        return heads
    if kind in FALCON and not keys.flag("new_decoder_architecture"):
        return 1 if keys.flag("multi_query") is not False else heads
    if (blocks := keys.items("block_configs")) is not None:
        return _of_blocks(keys, blocks, heads)
    found = _said_heads(keys)
    if found == 0:  # which no attention can have
        return None
    return found or (heads if multi_head or _has_one_each(keys) else None)


def _has_one_each(keys: Keys) -> bool:
    return keys.flag("multi_query_attention") is False


def _said_heads(keys: Keys) -> int | Sequence[int] | None:
    names = (
        "num_key_value_heads",
        "num_kv_heads",
        "n_kv_heads",
        "num_query_groups",
        "n_head_kv",
        "kv_n_heads",
        "num_attention_groups",
    )
    said = keys.each(*names, most=MOST_HEADS)
    if said == 0:
        return 0
    said = said or keys.largest("num_key_value_heads_per_layer", most=MOST_HEADS)  # as vLLM pads
    if not said and not _has_one_each(keys):  # ChatGLM
        said = keys.whole("multi_query_group_num", most=MOST_HEADS)
    inner = keys.inner("attn_config")  # MPT, DBRX
    if inner and not said:
        said = inner.whole("kv_n_heads", most=MOST_HEADS)
        said = said or (1 if inner.text("attn_type") == "multiquery_attention" else None)
    return said or (1 if keys.flag("multi_query") else None)


def _of_blocks(keys: Keys, blocks: Sequence[object], heads: int | None) -> Sequence[int]:
    """Nemotron-NAS says the query heads of one KV head, or the KV heads, of each layer that has any."""
    found = []
    for block in blocks:
        said = attention_of(keys, block)
        group = said.whole("n_heads_in_group", most=MOST_HEADS) if said else None
        own = said.whole("num_key_value_heads", most=MOST_HEADS) if said else None
        found.append(own or ((heads or 0) // group if group else 0))
    return found


def head_dim(keys: Keys, hidden: int | None, heads: int | None) -> int | None:
    """Return the size of one key: as it is written, else hidden size / heads."""
    if keys.text("model_type") in WHOLE_MLA:
        parts = [keys.whole(f"qk_{part}_head_dim", most=MOST_HEADS) for part in ("nope", "rope")]
        return sum(n or 0 for n in parts) or None
    names = ("head_dim", "attention_head_dim", "kv_channels", "hidden_size_per_head")
    if said := keys.whole(*names, most=MOST_HEADS):
        return said
    return hidden // heads if hidden and heads and hidden % heads == 0 else None


def cache(keys: Keys, layers: Layers, heads: int | Sequence[int] | None, dim: int | None) -> Cache:
    """Return the cache of a model whose layers are known, at 16 bits a value.

    Raises:
        UsageError: a figure is absurd, or a list is shorter than the layers.
    """
    state = _state(keys, layers)
    caching = [kind for kind in layers.kinds if kind in ("full", "sliding")]
    if not caching:
        return Cache(0, state=state)
    if is_latent(keys):
        return _latents(keys, layers, state)
    if heads is None or dim is None:
        return Cache(state=state)
    shape = _shape(keys, len(layers.kinds), heads, dim)
    shared = _shared(keys, layers)
    full = window = 0
    for i, kind in enumerate(layers.kinds):
        if i in shared or kind not in ("full", "sliding"):
            continue
        each, key, value = shape.full if kind == "full" else shape.sliding
        one = each[i] * (key + value) * BYTES
        full += one if kind == "full" else 0
        window += one * layers.windows[i] if kind == "sliding" else 0
    return Cache(full, window if layers.window else None, state)


def _latents(keys: Keys, layers: Layers, state: int | None) -> Cache:
    if "sliding" in layers.kinds:
        return Cache(state=state)
    latent = (keys.whole("kv_lora_rank") or 0) + (keys.whole("qk_rope_head_dim") or 0)
    indexer = _indexers(keys, layers.full) * _indexed(keys)
    return Cache(layers.full * latent * BYTES + indexer, state=state, indexer=indexer)


def _indexed(keys: Keys) -> int:
    """Return what one indexer keeps of a token, in bytes."""
    if not keys.whole("index_topk"):
        return 0
    dim = keys.whole("index_head_dim", most=MOST_HEADS) or INDEX_BLOCK
    return dim + dim // INDEX_BLOCK * 4


def _indexers(keys: Keys, layers: int) -> int:
    """Return how many layers have an indexer of their own: others take what an earlier one has chosen."""
    said = keys.text("index_topk_pattern") or keys.items("indexer_types")
    if said:
        return sum(one in ("F", "full") for one in said[:layers])
    every = keys.whole("index_topk_freq", most=MOST_HEADS) or 1
    offset = keys.whole("index_skip_topk_offset", most=MOST_HEADS)
    first = 2 if offset is None else offset
    return sum(max(i - first + 1, 0) % every == 0 for i in range(layers))


def _shape(keys: Keys, layers: int, heads: int | Sequence[int], dim: int) -> Heads:
    own = keys.whole("v_head_dim", most=MOST_HEADS)
    value = dim if keys.text("model_type") in WHOLE_MLA else own or dim
    each = _spread(keys, heads, layers)
    swa_heads, swa_dim, swa_value = each, dim, value
    if (said := keys.whole("swa_num_key_value_heads", most=MOST_HEADS)) is not None:
        swa_heads = [said] * layers
    if inner := keys.inner("attention_other_setting"):  # Step 3.5: the sliding layers' own
        said = inner.whole("num_attention_groups", most=MOST_HEADS)
        swa_heads = [said] * layers if said else swa_heads
        swa_dim = swa_value = inner.whole("head_dim", most=MOST_HEADS) or dim
    if said := keys.whole("swa_head_dim", most=MOST_HEADS):
        swa_dim, swa_value = said, said
    swa_value = keys.whole("swa_v_head_dim", most=MOST_HEADS) or swa_value
    if said := keys.whole("global_head_dim", most=MOST_HEADS):  # Gemma 4: the full layers' own
        dim = value = said
    if keys.flag("attention_k_eq_v"):  # the engine keeps both all the same
        said = keys.whole("num_global_key_value_heads", most=MOST_HEADS)
        each = [said] * layers if said else each
    return Heads((each, dim, value), (swa_heads, swa_dim, swa_value))


def _spread(keys: Keys, heads: int | Sequence[int], layers: int) -> Sequence[int]:
    if isinstance(heads, int):
        return [heads] * layers
    if len(heads) < layers:
        raise keys.wrong(
            "num_key_value_heads", list(heads), f"an entry for each of {layers} layers"
        )
    return heads


def _shared(keys: Keys, layers: Layers) -> set[int]:
    """Return the layers that keep nothing because they read the cache of an earlier one."""
    total = len(layers.kinds)
    if last := keys.whole("num_kv_shared_layers", "num_kv_reuse_layers", most=10_000):
        return set(range(max(total - last, 0), total))  # Gemma 3n, Gemma 4
    factor = keys.whole("cla_share_factor", most=10_000) if keys.flag("use_cla") else None
    return {i for i in range(total) if factor and i % factor}  # Hunyuan


def _state(keys: Keys, layers: Layers) -> int | None:
    kinds = [kind for kind in layers.kinds if kind in STATES]
    each = {kind: STATES[kind](keys) for kind in set(kinds)}
    if not kinds or None in each.values():
        return None
    return sum(each[kind] or 0 for kind in kinds)


def eight_bit_share(keys: Keys, found: Cache) -> float:
    """Return the size of the growing cache at 8 bits beside 16. An indexer's keys have 8 already."""
    if not found.indexer or not found.per_token:
        return 0.5
    latents = found.per_token - found.indexer
    one = ((keys.whole("kv_lora_rank") or 0) + (keys.whole("qk_rope_head_dim") or 0)) * BYTES
    return (latents * SPARSE_8BIT / one + found.indexer) / found.per_token


__all__ = ["NOTHING", "Cache", "cache", "eight_bit_share", "head_dim", "is_latent", "kv_heads"]
