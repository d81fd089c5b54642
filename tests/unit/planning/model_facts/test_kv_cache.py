"""The KV cache of families that write their layers, heads and states in ways of their own.

The figures are those of vLLM's own cache specs, worked out by hand from the shapes below, which are cut down from
published configs.
"""

from __future__ import annotations

from typing import Any

import pytest

from deployer.core.errors import UsageError
from deployer.planning.model_facts.hf_config import from_config

SHAPE: dict[str, Any] = {
    "num_hidden_layers": 4,
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 8192,
}
ONE = 2 * 2 * 64 * 2
"""Bytes that one such layer keeps of a token: keys and values of two heads of 64 values of 16 bits."""

MLA = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
LATENT = (512 + 64) * 2


def read(**said: Any):
    return from_config("m", {**SHAPE, **said})


@pytest.mark.parametrize(
    ("said", "per_token", "full"),
    [
        # every layer is attention, in the words of several families
        ({"attn_type_list": [1, 1, 1, 1]}, 4 * ONE, 4),
        ({"layer_types": ["full_attention"] * 4}, 4 * ONE, 4),
        # no window: switched off, or as long as the context
        ({"sliding_window": -1}, 4 * ONE, 4),
        ({"sliding_window": 0}, 4 * ONE, 4),
        ({"sliding_window": 8192}, 4 * ONE, 4),
        ({"sliding_window": 262144, "sliding_window_pattern": 2}, 4 * ONE, 4),
        ({"sliding_window": [-1, None, 0, 8192]}, 4 * ONE, 4),
        # a value that is narrower than a key
        ({"v_head_dim": 32}, 4 * 2 * (64 + 32) * 2, 4),
        # KV heads: one for all, one list for all layers, in other words, of the groups that were left
        ({"num_key_value_heads": [2, 2, 1, 3]}, 4 * ONE, 4),
        ({"num_key_value_heads": None, "num_attention_groups": 4}, 2 * 4 * ONE, 4),
        ({"num_key_value_heads": None, "num_key_value_heads_per_layer": [1, 2, 1, 1]}, 4 * ONE, 4),
        ({"num_key_value_heads": None, "n_kv_heads": 4}, 2 * 4 * ONE, 4),
        ({"num_key_value_heads": None, "num_query_groups": 4}, 2 * 4 * ONE, 4),
        ({"num_key_value_heads": None, "multi_query": True}, 2 * ONE, 4),
        ({"num_key_value_heads": None, "attn_config": {"kv_n_heads": 1}}, 2 * ONE, 4),
        ({"num_key_value_heads": None, "model_type": "mistral"}, 4 * 4 * ONE, 4),
        (
            {"num_key_value_heads": None, "attn_config": {"attn_type": "multiquery_attention"}},
            2 * ONE,
            4,
        ),
        # layers that read the cache of an earlier one
        ({"num_kv_shared_layers": 2}, 2 * ONE, 4),
        ({"use_cla": True, "cla_share_factor": 2}, 2 * ONE, 4),
        ({"use_cla": False, "cla_share_factor": 2}, 4 * ONE, 4),
        # two attentions in each layer
        ({"model_type": "longcat_flash", **MLA}, 8 * LATENT, 8),
        # a latent that vLLM caches as whole keys and values of all heads, of 128 + 64 values each
        ({"model_type": "minicpm3", **MLA}, 4 * 2 * 8 * 192 * 2, 4),
        ({"model_type": "deepseek_v3", **MLA}, 4 * LATENT, 4),
        # the keys of a sparse-attention indexer: 128 of 8 bits and a scale of 32
        ({**MLA, "index_topk": 2048, "index_head_dim": 128}, 4 * (LATENT + 132), 4),
        ({**MLA, "index_topk": 2048, "index_topk_freq": 4}, 4 * LATENT + 2 * 132, 4),
        ({**MLA, "index_topk": 2048, "index_topk_pattern": "FSSF"}, 4 * LATENT + 2 * 132, 4),
    ],
)
def test_what_each_token_adds(said, per_token, full):
    info = read(**said)
    assert (info.kv_bytes_per_token, info.full_attn_layers) == (per_token, full)
    assert (info.window, info.kv_window_bytes, info.state_bytes_per_seq) == (None, None, None)


def test_falcon_has_one_kv_head_whatever_num_kv_heads_says():
    falcon = {"model_type": "falcon", "num_attention_heads": 71, "num_kv_heads": 71, "head_dim": 64}
    said = {**SHAPE, **falcon, "multi_query": True}
    del said["num_key_value_heads"]
    assert from_config("m", said).kv_heads == 1
    assert from_config("m", {**said, "new_decoder_architecture": True}).kv_heads == 71
    assert from_config("m", {**said, "multi_query": False}).kv_heads == 71


def test_old_glm_names_its_heads_in_groups():
    said = {
        "model_type": "chatglm",
        "num_layers": 40,
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "kv_channels": 128,
        "seq_length": 131072,
    }
    grouped = {**said, "multi_query_attention": True, "multi_query_group_num": 2}
    info = from_config("m", grouped)
    assert (info.kv_bytes_per_token, info.max_context) == (40 * 2 * 2 * 128 * 2, 131072)
    alone = {**said, "multi_query_attention": False, "multi_query_group_num": 2}
    assert from_config("m", alone).kv_heads == 32


def test_sliding_layers_have_heads_and_sizes_of_their_own():
    info = read(
        hybrid_layer_pattern=[0, 1, 1, 0],
        v_head_dim=32,
        sliding_window=128,
        swa_num_key_value_heads=4,
        swa_head_dim=64,
        swa_v_head_dim=32,
    )
    assert (info.attention, info.full_attn_layers, info.window) == ("sliding", 2, 128)
    assert info.kv_bytes_per_token == 2 * 2 * (64 + 32) * 2
    assert info.kv_window_bytes == 128 * 2 * 4 * (64 + 32) * 2


def test_the_other_setting_of_step_is_that_of_its_sliding_layers():
    info = read(
        layer_types=["full_attention", "sliding_attention"] * 2,
        sliding_window=100,
        attention_other_setting={"num_attention_groups": 1, "head_dim": 32},
    )
    assert (info.kv_bytes_per_token, info.kv_window_bytes) == (2 * ONE, 100 * 2 * 2 * 32 * 2)


def test_the_full_layers_of_gemma_4_have_heads_and_sizes_of_their_own():
    info = read(
        model_type="gemma4_text",
        layer_types=["sliding_attention", "full_attention"] * 2,
        sliding_window=512,
        attention_k_eq_v=True,
        num_global_key_value_heads=1,
        global_head_dim=128,
    )
    assert (info.kv_bytes_per_token, info.kv_window_bytes) == (2 * 2 * 128 * 2, 512 * 2 * ONE)


def test_shared_layers_at_the_end_keep_no_window_either():
    info = read(
        model_type="gemma3n_text",
        layer_types=["sliding_attention", "full_attention"] * 2,
        sliding_window=512,
        num_kv_shared_layers=2,
    )
    assert (info.kv_bytes_per_token, info.kv_window_bytes) == (ONE, 512 * ONE)


def test_each_layer_may_have_a_window_of_its_own():
    info = read(interleaved_sliding_window=[100, None])
    assert (info.full_attn_layers, info.window, info.kv_window_bytes) == (2, 100, 2 * 100 * ONE)


@pytest.mark.parametrize(("letters", "full"), [("LLLG", 1), ("LG", 2)])
def test_a_pattern_of_letters_says_which_layers_are_local(letters, full):
    info = read(sliding_window=128, sliding_window_pattern=letters)
    assert (info.full_attn_layers, info.kv_bytes_per_token) == (full, full * ONE)


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ({"sliding_window_size": 64, "sliding_window_layout": [0, 1, 1, 1]}, 1),  # SmallThinker
        ({"sliding_window": 64, "global_attn_every_n_layers": 2}, 2),  # AFMoE
    ],
)
def test_a_layout_says_which_layers_slide(said, full):
    info = read(**said)
    assert (info.full_attn_layers, info.kv_bytes_per_token) == (full, full * ONE)
    assert info.kv_window_bytes == (4 - full) * ONE * 64


def test_no_kv_heads_at_all_are_unknown_and_not_those_of_the_queries():
    info = read(num_key_value_heads=0, model_type="llama")
    assert (info.kv_heads, info.kv_bytes_per_token) == (None, None)


def test_a_language_model_that_lies_elsewhere_is_not_guessed():
    info = from_config("m", {"text_model_id": "a/b", "text_config": {"model_type": "llama"}})
    assert (info.layers, info.kv_bytes_per_token) == (None, None)
    assert "its language model is a/b, which is not read" in info.notes[0]


def test_layers_without_attention_keep_nothing():
    blocks = [
        {"attention": {"n_heads_in_group": 4, "no_op": False}},
        {"attention": {"n_heads_in_group": None, "no_op": True}},
        {"attention": {"num_key_value_heads": 1, "no_op": False}},
        {"attention": {"n_heads_in_group": None, "replace_with_linear": True}},
    ]
    said = {k: v for k, v in SHAPE.items() if k != "num_key_value_heads"}
    info = from_config("m", {**said, "model_type": "nemotron-nas", "block_configs": blocks})
    assert (info.full_attn_layers, info.kv_bytes_per_token) == (2, ONE + ONE // 2)


MAMBA2 = {"mamba_num_heads": 16, "mamba_head_dim": 64, "n_groups": 2, "ssm_state_size": 128}
CONVOLUTION = (16 * 64 + 2 * 2 * 128) * 3 * 2


@pytest.mark.parametrize(
    ("said", "full", "state"),
    [
        (
            {"hybrid_override_pattern": "M*-E", **MAMBA2, "mamba_ssm_cache_dtype": "float32"},
            1,
            16 * 64 * 128 * 4 + CONVOLUTION,
        ),
        (
            {"layers_block_type": ["mamba", "attention", "moe", "mamba"], **MAMBA2},
            1,
            2 * (16 * 64 * 128 * 2 + CONVOLUTION),
        ),
        (
            {"model_type": "granitemoehybrid", "layer_types": ["mamba", "attention"] * 2, "mamba_n_heads": 16,
             "mamba_d_state": 128, "mamba_d_head": "auto"},
            2,
            2 * (1024 * 128 * 2 + (1024 + 2 * 128) * 3 * 2),
        ),
        ({"model_type": "jamba", "attn_layer_period": 4, "attn_layer_offset": 1}, 1, 3 * (1024 * 16 + 1024 * 3) * 2),
        ({"model_type": "bamba", "attn_layer_indices": [3], "mamba_n_heads": 16, "mamba_d_state": 128}, 1,
         3 * (1024 * 128 + (1024 + 2 * 128) * 3) * 2),
        ({"model_type": "falcon_h1", "mamba_n_heads": 16, "mamba_d_head": 64, "mamba_d_state": 128}, 4,
         4 * (1024 * 128 + (1024 + 2 * 128) * 3) * 2),
        ({"layer_types": ["conv", "conv", "full_attention", "conv"], "conv_L_cache": 3}, 1, 3 * 512 * 2 * 2),
        ({"full_attn_idxs": [0, 3], "conv_L_cache": 3}, 2, 2 * 512 * 2 * 2),
        ({"attn_type_list": [0, 0, 0, 1]}, 1, 3 * 8 * 64 * 64 * 2),
    ],
)  # fmt: skip
def test_recurrent_layers_keep_a_state_of_fixed_size(said, full, state):
    info = read(**said)
    assert (info.attention, info.full_attn_layers) == ("hybrid", full)
    assert (info.kv_bytes_per_token, info.state_bytes_per_seq) == (full * ONE, state)
    assert info.notes == ()


def test_latents_beside_recurrent_layers_have_one_head_for_all():
    info = read(
        model_type="kimi_linear",
        linear_attn_config={"full_attn_layers": [4], "num_heads": 8, "head_dim": 64},
        **MLA,
    )
    assert (info.attention, info.kv_heads, info.kv_bytes_per_token) == ("hybrid", 1, LATENT)
    assert info.state_bytes_per_seq == 3 * (8 * 64 * 64 * 4 + 3 * 8 * 64 * 3 * 2)


def test_a_model_without_attention_keeps_its_state_alone():
    info = from_config(
        "m", {"model_type": "mamba", "num_hidden_layers": 2, "hidden_size": 64, "state_size": 16}
    )
    assert (info.kv_bytes_per_token, info.state_bytes_per_seq) == (0, 2 * (128 * 16 + 128 * 3) * 2)


def test_a_state_whose_shape_is_not_said_is_unknown_and_said_to_be():
    info = read(hybrid_override_pattern="M*-E")
    assert (info.kv_bytes_per_token, info.state_bytes_per_seq) == (ONE, None)
    assert info.notes == ("the fixed state of its recurrent layers is unknown and not counted",)


@pytest.mark.parametrize("key", ["layers_block_type", "layer_types", "attn_type_list"])
def test_the_number_of_layers_may_be_that_of_a_list(key):
    listed = [1, 1, 1] if key == "attn_type_list" else ["full_attention"] * 3
    said = {k: v for k, v in SHAPE.items() if k != "num_hidden_layers"}
    info = from_config("m", {**said, key: listed})
    assert (info.layers, info.kv_bytes_per_token) == (3, 3 * ONE)


def test_a_model_that_does_not_say_its_layers_says_why_its_cache_is_unknown():
    said = {k: v for k, v in SHAPE.items() if k != "num_hidden_layers"}
    info = from_config("m", said)
    assert info.kv_bytes_per_token is None
    assert info.notes == ("config.json does not say how many layers it has: KV cache unknown",)


@pytest.mark.parametrize(
    ("said", "layers", "per_token"),
    [
        ({"model_type": "llama"}, 32, 524_288),
        ({"model_type": "mistral", "head_dim": 128, "num_hidden_layers": 40}, 40, 163_840),
        ({"model_type": "qwen2", "num_key_value_heads": 4}, 32, 65_536),
    ],
)
@pytest.mark.parametrize(
    "nest", [("text_config",), ("thinker_config", "text_config"), ("llm_config",)]
)
def test_what_a_nested_config_leaves_out_is_the_default_of_its_class(nest, said, layers, per_token):
    config: dict[str, Any] = said
    for key in reversed(nest):
        config = {"model_type": "outer", key: config}
    info = from_config("m", config)
    assert (info.layers, info.kv_bytes_per_token) == (layers, per_token)
    assert f"the defaults of {said['model_type']} are taken" in info.notes[0]


@pytest.mark.parametrize(
    ("said", "experts", "each"),
    [
        ({"moe_num_experts": [64, 64], "moe_k": 6}, 64, 6),
        ({"num_experts": [1, 16, 16], "moe_topk": [1, 2, 2]}, 16, 2),
        ({"ffn_config": {"moe_num_experts": 16, "moe_top_k": 4}}, 16, 4),
        ({"n_routed_experts": 512, "zero_expert_num": 256, "moe_topk": 12}, 512, 8),
    ],
)
def test_experts_are_counted_in_lists_and_without_those_that_do_nothing(said, experts, each):
    info = read(**said)
    assert (info.experts, info.experts_per_token) == (experts, each)


@pytest.mark.parametrize(
    "said",
    [
        {"num_key_value_heads": []},
        {"num_key_value_heads": [2, "two", 2, 2]},
        {"num_key_value_heads": [2]},
        {"num_experts": [True]},
        {"sliding_window": -2},
        {"sliding_window": [-2]},
        {"hybrid_layer_pattern": [0]},
        {"hybrid_override_pattern": "M*"},
        {"block_configs": [{}]},
        {"layers_block_type": 4},
    ],
)
def test_lists_of_nonsense_are_refused(said):
    with pytest.raises(UsageError):
        read(**said)
