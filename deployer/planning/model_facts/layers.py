"""Which layers of a Hugging Face model keep what, from its config.json. Pure.

Every family writes it in its own way: a list for each layer, a period, a pattern. All of them become one list of
kinds here; what each kind costs is in `kv_cache`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.planning.model_facts.strict_json import MOST_LAYERS, Keys, bad

ODD = (
    "block_types", "compress_ratios", "cross_attention_layers", "encoder_layers", "hybrid_layer_ids",
    "is_encoder_decoder", "layer_group_size", "loop_num", "mamba_step", "mb_per_layer", "mean_recurrence", "num_loops",
    "ssm_cfg", "total_ut_steps",
)  # fmt: skip
"""Keys of models whose cache no formula here describes: theirs is unknown, not guessed."""

RECURRENT = (
    "conv_L_cache", "linear_attn_config", "linear_num_key_heads", "mamba_d_state", "mamba_state_dim",
    "ssm_state_size", "state_size",
)  # fmt: skip
"""Keys of models with recurrent layers: where nothing says which ones these are, the cache is unknown."""

NOTHING = "none"
"""A layer that keeps nothing: no attention, or the cache of another layer."""

_KINDS = {
    **dict.fromkeys(("full_attention", "attention", "global_attention", "global", "*"), "full"),
    **dict.fromkeys(("sliding_attention", "chunked_attention", "local_attention", "local"), "sliding"),
    **dict.fromkeys(("mamba", "mamba1", "mamba2", "M"), "mamba"),
    **dict.fromkeys(("mlp", "moe", "ffn", "-", "E"), NOTHING),
    "linear_attention": "linear",
    "conv": "conv",
}  # fmt: skip
"""What files call a layer, and what it is here."""

_LISTS: Mapping[str, Mapping[Any, str]] = {
    "layer_types": _KINDS,
    "layers_block_type": _KINDS,
    "hybrid_override_pattern": _KINDS,
    "attn_type_list": {0: "lightning", 1: "full"},
    "hybrid_layer_pattern": {0: "full", 1: "sliding"},
    "sliding_window_layout": {0: "full", 1: "sliding"},
}
"""Keys under which each layer has an entry, and what the entries mean."""

_LAYOUT = re.compile(
    r"(sliding|swa|window|local|global|recurrent).*(layer|every|pattern|layout|interval|indices|idx|heads|ratio)"
    r"|(layer|attn|attention).*(layout|pattern)|^attention_(types|layers)$|attn_idx|kv_reuse|local_attention|local_window"
    r"|^(attention|attn)_window"
)
_READ = (
    "max_window_layers", "sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers",
    "swa_num_key_value_heads", "swa_num_attention_heads", "num_global_key_value_heads",
)  # fmt: skip
"""Keys of that kind that are read, or say nothing of the cache."""

_ALL_MAMBA = ("mamba", "mamba2", "falcon_mamba")


@dataclass(frozen=True)
class Layers:
    """What keeps something in each layer, and the windows of those that slide, in tokens.

    `kinds` has a full, sliding, none, or a kind of `recurrent.STATES`; a layer with two of them stands there twice.
    """

    kinds: Sequence[str]
    windows: Sequence[int] = ()  # of each layer; 0: none

    @property
    def full(self) -> int:
        """How many see everything."""
        return self.kinds.count("full")

    @property
    def window(self) -> int | None:
        """The longest window."""
        return max(self.windows, default=0) or None


def number(keys: Keys) -> int | None:
    """Return how many layers a model has, from its own count or from a list of them."""
    said = keys.whole(
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "num_transformer_layers",
        most=MOST_LAYERS,
    )
    if said:
        return said
    lists = (keys.values.get(name) for name in (*_LISTS, "block_configs"))
    found = next((len(one) for one in lists if isinstance(one, list | str) and one), 0)
    if found > MOST_LAYERS:
        raise bad(keys.where, f"lists {found:,} layers, above {MOST_LAYERS:,}")
    return found or None


def sort(keys: Keys, total: int, context: int | None) -> Layers | str:
    """Sort a model's layers by kind, or return the key that no formula here describes.

    A window as long as the model's `context`, or longer, is none.

    Raises:
        UsageError: a list is shorter than the number of layers.
    """
    odd = next((name for name in ODD if _set(keys.values.get(name))), None)
    if odd is None and keys.whole("index_topk") and not keys.whole("kv_lora_rank"):
        odd = "index_topk"
    if odd:
        return odd
    found = next((kinds for way in _WAYS if (kinds := way(keys, total)) is not None), None)
    if isinstance(found, str):
        return found
    if found is None:
        recurrent = next((name for name in RECURRENT if keys.values.get(name)), None)
        return recurrent or _plain(keys, total, context)
    return _with_windows(keys, found, context)


def _set(value: object) -> bool:
    """Whether a key says something: a layer group of one layer does not."""
    return value is True or bool(value and value != 1)


def _with_windows(keys: Keys, kinds: Sequence[str], context: int | None) -> Layers | str:
    if "sliding" not in kinds:
        return Layers(kinds)
    window = _window(keys)
    if not window:
        return "layers that slide without a window"
    if context and window >= context:
        return Layers(["full" if kind == "sliding" else kind for kind in kinds])
    return Layers(kinds, [window if kind == "sliding" else 0 for kind in kinds])


def _plain(keys: Keys, total: int, context: int | None) -> Layers | str:
    """Sort the layers of a model that is all attention, some of which may slide."""
    if windows := _each_window(keys, total):
        kinds = ["sliding" if n and not (context and n >= context) else "full" for n in windows]
        return Layers(
            kinds, [n if k == "sliding" else 0 for n, k in zip(windows, kinds, strict=True)]
        )
    if odd := _layout(keys):
        return odd
    if not _window(keys):
        return Layers(["full"] * total)
    return _with_windows(keys, _pattern(keys, total), context)


def _layout(keys: Keys) -> str | None:
    """Return a key that seems to say which layers see what, in a way that is not read here."""
    told = (name for name, value in keys.values.items() if _LAYOUT.search(name) and _set(value))
    return next((name for name in sorted(told) if name not in _READ), None)


def _each_window(keys: Keys, total: int) -> list[int]:
    """Return the window of each layer where they are listed; the list repeats itself."""
    for name in ("interleaved_sliding_window", "sliding_window"):
        said = keys.values.get(name)
        if isinstance(said, list) and said:
            one = [Keys({name: n}, keys.where).whole(name, least=-1) or 0 for n in said]
            return [max(one[i % len(one)], 0) for i in range(total)]
    return []


def _window(keys: Keys) -> int | None:
    """Return the window in tokens; 0, -1 and null switch it off."""
    if keys.flag("use_sliding_window") is False:
        return None
    for name in ("sliding_window", "sliding_window_size", "attention_chunk_size"):
        said = keys.whole(name, least=-1) if not isinstance(keys.values.get(name), list) else None
        if said is not None:
            return max(said, 0) or None
    return None


def _pattern(keys: Keys, total: int) -> list[str]:
    """Say which layers see everything although the model has a window."""
    if keys.flag("use_sliding_window"):  # Qwen: the layers from max_window_layers on slide
        full = min(total, keys.whole("max_window_layers", most=10_000) or total)
        return ["full"] * full + ["sliding"] * (total - full)
    if listed := keys.items("no_rope_layers"):  # Llama 4: 1 slides, 0 sees everything
        return ["full" if n == 0 else "sliding" for n in listed[:total]]
    names = ("sliding_window_pattern", "_sliding_window_pattern", "layer_switch")
    letters = keys.values.get(names[0])
    if isinstance(letters, str) and letters:  # "LLLG": local and global
        return ["full" if letters[i % len(letters)] in "gG" else "sliding" for i in range(total)]
    every = keys.whole(*names, "no_rope_layer_interval", "global_attn_every_n_layers", most=10_000)
    return _every(total, every, "sliding") if every else ["sliding"] * total


def _every(total: int, every: int, other: str) -> list[str]:
    return ["full" if (i + 1) % every == 0 else other for i in range(total)]


def _listed(keys: Keys, total: int) -> list[str] | str | None:
    for name, meaning in _LISTS.items():
        said = keys.values.get(name)
        if said is None:
            continue
        if not (isinstance(said, str) and name == "hybrid_override_pattern"):
            said = keys.items(name) or ()
        if len(said) < total:
            raise bad(keys.where, f"has {len(said)} {name} for {total} layers")
        kinds = [meaning.get(one) if isinstance(one, str | int) else None for one in said[:total]]
        known = [kind for kind in kinds if kind is not None]
        return known if len(known) == len(kinds) else name
    return None


def _blocks(keys: Keys, total: int) -> list[str] | str | None:
    """Nemotron-NAS: what is left of the attention of each layer."""
    blocks = keys.items("block_configs")
    if blocks is None:
        return None
    if len(blocks) < total:
        raise bad(keys.where, f"has {len(blocks)} block_configs for {total} layers")
    said = [attention_of(keys, block) for block in blocks[:total]]
    if any(one is None or one.whole("window_length") for one in said):
        return "block_configs"
    return [NOTHING if _gone(one) else "full" for one in said if one is not None]


def attention_of(keys: Keys, block: object) -> Keys | None:
    """Return what an entry of block_configs says of its attention."""
    return Keys(block, keys.where).inner("attention") if isinstance(block, Mapping) else None


def _gone(attention: Keys) -> bool:
    return bool(attention.flag("no_op") or attention.flag("replace_with_linear"))


def _indices(keys: Keys, total: int) -> list[str] | None:
    """Bamba and LFM2 name the layers that are attention."""
    for name, other in (("attn_layer_indices", "mamba"), ("full_attn_idxs", "conv")):
        if (said := keys.items(name)) is not None:
            return ["full" if i in said else other for i in range(total)]
    return None


def _kimi(keys: Keys, total: int) -> list[str] | None:
    said = keys.inner("linear_attn_config")
    full = said.items("full_attn_layers") if said else None
    if full is None:
        return None
    return ["full" if i + 1 in full else "kimi" for i in range(total)]  # counted from 1


def _period(keys: Keys, total: int) -> list[str] | None:
    if every := keys.whole("full_attention_interval", most=10_000):
        return _every(total, every, "linear")
    if every := keys.whole("attn_layer_period", most=10_000):
        offset = keys.whole("attn_layer_offset", most=10_000) or 0
        return ["full" if i % every == offset else "mamba" for i in range(total)]
    return None


def _whole_model(keys: Keys, total: int) -> list[str] | None:
    kind = keys.text("model_type")
    if kind in _ALL_MAMBA:
        return ["mamba"] * total
    if kind == "falcon_h1":  # both in every layer
        return ["full", "mamba"] * total
    if (kind or "").startswith("longcat"):  # two attentions in each layer
        return ["full"] * (2 * total)
    return None


_WAYS: Sequence[Callable[[Keys, int], list[str] | str | None]] = (
    _whole_model,
    _blocks,
    _kimi,
    _listed,
    _indices,
    _period,
)
"""In this order: the first that a config uses decides."""
