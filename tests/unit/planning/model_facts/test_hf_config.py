"""Reading a Hugging Face config.json: shape, KV cache, formats, and nonsense refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployer.core.errors import UsageError
from deployer.planning.catalog import models
from deployer.planning.model_facts import strict_json
from deployer.planning.model_facts.hf_config import from_config


def full(
    layers: Any, hidden: Any, heads: Any, kv: Any, head_dim: Any = None, **more: Any
) -> dict[str, Any]:
    named = {"head_dim": head_dim} if head_dim else {}
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        **named,
        **more,
    }


def gdn(value_heads: int) -> dict[str, Any]:
    return {
        "linear_num_key_heads": 16,
        "linear_num_value_heads": value_heads,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    }


QWEN2 = {"model_type": "qwen2", "sliding_window": 131072, "use_sliding_window": False}
MLA = {
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "n_routed_experts": 256,
}
GDN_LIST = (["linear_attention"] * 3 + ["full_attention"]) * 16

# The shapes of public config.json files, written as those files write them.
CONFIGS = {
    "meta-llama/Llama-3.1-8B-Instruct": full(32, 4096, 32, 8, model_type="llama"),
    "meta-llama/Llama-3.3-70B-Instruct": full(80, 8192, 64, 8, model_type="llama"),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": {
        "model_type": "llama4",
        "text_config": full(
            48, 5120, 40, 8, 128, model_type="llama4_text", attention_chunk_size=8192, no_rope_layers=[],
            num_local_experts=16, num_experts_per_tok=1,
        ),
    },
    "mistralai/Mistral-Small-24B-Instruct-2501": full(
        40, 5120, 32, 8, 128, model_type="mistral", sliding_window=None
    ),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": full(
        32, 4096, 32, 8, model_type="mixtral", sliding_window=None, num_local_experts=8,
        num_experts_per_tok=2,
    ),
    "Qwen/Qwen2.5-7B-Instruct": full(28, 3584, 28, 4, **QWEN2),
    "Qwen/Qwen3-8B": full(36, 4096, 32, 8, 128, model_type="qwen3", sliding_window=None),
    "Qwen/Qwen3-30B-A3B": full(
        48, 2048, 32, 4, 128, model_type="qwen3_moe", num_experts=128, num_experts_per_tok=8
    ),
    "openai/gpt-oss-20b": full(
        24, 2880, 64, 8, 64, model_type="gpt_oss", sliding_window=128, num_local_experts=32,
        experts_per_token=4, num_experts_per_tok=4,
        layer_types=["sliding_attention", "full_attention"] * 12,
        quantization_config={"quant_method": "mxfp4"},
    ),
    "openai/gpt-oss-120b": full(36, 2880, 64, 8, 64, model_type="gpt_oss", sliding_window=128),
    "google/gemma-2-9b-it": full(42, 3584, 16, 8, 256, model_type="gemma2", sliding_window=4096),
    "google/gemma-2-27b-it": full(46, 4608, 32, 16, 128, model_type="gemma2", sliding_window=4096),
    "google/gemma-3-12b-it": {
        "model_type": "gemma3",
        "text_config": full(48, 3840, 16, 8, model_type="gemma3_text", sliding_window=1024),
    },
    "google/gemma-3-27b-it": {
        "model_type": "gemma3",
        "text_config": full(62, 5376, 32, 16, 128, model_type="gemma3_text", sliding_window=1024),
    },
    "microsoft/phi-4": full(40, 5120, 40, 10, model_type="phi3", sliding_window=None),
    "deepseek-ai/DeepSeek-V3": full(61, 7168, 128, 128, model_type="deepseek_v3", **MLA),
    "Qwen/Qwen3-Next-80B-A3B-Instruct": full(
        48, 2048, 16, 2, 256, model_type="qwen3_next", full_attention_interval=4, **gdn(32)
    ),
    "zai-org/GLM-5": full(
        78, 6144, 64, 64, 64, model_type="glm_moe_dsa", index_topk=2048, index_head_dim=128, **MLA
    ),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": full(
        52, 2688, 32, 2, 128, model_type="nemotron_h", mamba_num_heads=64, mamba_head_dim=64, n_groups=8,
        ssm_state_size=128, conv_kernel=4, mamba_ssm_cache_dtype="float32",
        hybrid_override_pattern="MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
    ),
    "Qwen/Qwen3.5-27B": {
        "text_config": full(64, 5120, 24, 4, 256, layer_types=GDN_LIST, **gdn(48)),
    },
    "Qwen/Qwen3.6-35B-A3B": {
        "text_config": full(40, 2048, 16, 2, 256, layer_types=GDN_LIST[:40], **gdn(32)),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_the_kv_cache_of_a_public_model_is_that_of_the_catalog(name):
    read, known = from_config(name, CONFIGS[name]), models.model(name)
    assert known is not None
    fields = ["attention", "full_attn_layers", "kv_bytes_per_token", "kv_window_bytes"]
    fields += ["window", "state_bytes_per_seq"]
    assert [getattr(read, f) for f in fields] == [getattr(known, f) for f in fields]


def test_head_dim_is_read_and_not_derived_where_it_is_given():
    assert from_config("m", full(40, 5120, 32, 8, 128)).head_dim == 128
    assert from_config("m", full(32, 4096, 32, 8)).head_dim == 128


@pytest.mark.parametrize("key", ["num_experts", "n_routed_experts", "num_local_experts"])
def test_experts_are_counted_in_every_spelling(key):
    info = from_config("m", {key: 128, "num_experts_per_tok": 8})
    assert (info.experts, info.experts_per_token) == (128, 8)


def test_the_layers_from_max_window_layers_on_slide():
    said = {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 4096}
    info = from_config("m", full(28, 3584, 28, 4, **said, max_window_layers=20))
    assert (info.attention, info.full_attn_layers, info.window) == ("sliding", 20, 4096)


def test_a_model_whose_every_layer_slides_adds_nothing_past_its_window():
    info = from_config("m", full(32, 4096, 32, 8, model_type="mistral", sliding_window=4096))
    assert info.kv_bytes_per_token == 0
    assert info.kv_window_bytes == 4096 * 131072


@pytest.mark.parametrize(
    "odd",
    [
        {"compress_ratios": [0, 4, 128]},
        {"index_topk": 2048},
        {"is_encoder_decoder": True},
        {"mamba_d_state": 16},
        {"layer_group_size": 8},
        {"total_ut_steps": 4},
        {"loop_num": 2},
        {"sliding_window": 4096, "sliding_window_layers": [0, 2]},
        {"sliding_window": 4096, "local_layers": [0, 2]},
        {"attention_layers": ["global", "local"] * 16},
        {"local_attention": 128},
        {"layer_types": ["full_attention", "no_such_attention"] * 16},
        {"layer_types": ["sliding_attention", "full_attention"] * 16},
    ],
)
def test_an_attention_that_no_formula_describes_is_unknown_and_said_to_be(odd):
    info = from_config("m", full(32, 4096, 32, 8, **odd))
    assert info.kv_bytes_per_token is None
    assert info.attention == "other"
    assert "KV cache unknown" in info.notes[0]


def test_kv_heads_that_are_not_said_are_not_guessed():
    config = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4}
    assert from_config("m", {**config, "model_type": "new"}).kv_bytes_per_token is None
    assert from_config("m", {**config, "model_type": "llama"}).kv_heads == 4


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"torch_dtype": "bfloat16"}, "bf16"),
        ({"dtype": "float16"}, "fp16"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}, "torch_dtype": "float16"}, "awq"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 8}}, "int8"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "nvfp4"),
        (
            {"quantization_config": {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            }},
            "fp8",
        ),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "bnb_4bit"),
        ({"quantization_config": {"group_size": 64, "bits": 4}}, "mlx_4bit"),
        ({"quantization": {"group_size": 32, "bits": 8, "mode": "affine"}}, "mlx_8bit"),
        ({"quantization_config": {"group_size": 64, "bits": 7}}, "unknown"),
        ({"quantization_config": {"bits": 4}}, "unknown"),
        ({"quantization_config": {}, "torch_dtype": "bfloat16"}, "unknown"),
        ({"quantization": "odd", "torch_dtype": "float16"}, "fp16"),
        ({}, None),
    ],
)  # fmt: skip
def test_the_published_format_is_read_from_the_config(said, name):
    assert from_config("m", said).native_dtype == name


def test_the_embedding_is_counted_once_when_it_is_tied():
    config = {"vocab_size": 1000, "hidden_size": 64}
    assert from_config("m", {**config, "tie_word_embeddings": True}).embedding_params == 64_000
    assert from_config("m", {**config, "tie_word_embeddings": False}).embedding_params == 128_000
    assert from_config("m", config).embedding_params is None


@pytest.mark.parametrize("value", [-1, True, 1.5, float("nan"), float("inf"), "32", 10**12, [], {}])
@pytest.mark.parametrize(
    "key", ["num_hidden_layers", "num_key_value_heads", "head_dim", "hidden_size"]
)
def test_nonsense_is_refused_naming_file_and_key(key, value):
    with pytest.raises(UsageError) as refused:
        from_config("m", full(2, 64, 4, 2) | {key: value}, "x/config.json")
    assert key in refused.value.message
    assert refused.value.where == "x/config.json"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layer_types", 3),
        ("layer_types", ["full_attention"]),
        ("text_config", []),
        ("model_type", 7),
        ("tie_word_embeddings", "yes"),
        ("quantization_config", "awq"),
        ("architectures", "Llama"),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused(key, value):
    with pytest.raises(UsageError):
        from_config("m", full(2, 64, 4, 2) | {key: value})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "b": 2, "a": 3}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": [' + b"[]," * 3_000_000 + b"[]]}",
    ],
    ids=["empty", "list", "open", "utf-16", "nan", "infinity", "twice", "digits", "deep", "many"],
)
def test_hostile_json_is_refused(raw):
    with pytest.raises(UsageError) as refused:
        strict_json.parse(raw, "x/config.json")
    assert refused.value.where == "x/config.json"


def test_a_config_longer_than_the_cap_is_not_read(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"a": "x" * 100}))
    with pytest.raises(UsageError, match="longer than 50 bytes"):
        strict_json.read(path, cap=50)


PLAIN = [
    name
    for name in models.names()
    if (known := models.model(name)) and known.attention == "full" and known.kv_bytes_per_token
]


@pytest.mark.parametrize("name", PLAIN)
def test_every_catalog_row_of_full_attention_follows_from_its_shape(name):
    known = models.model(name)
    assert known is not None
    shape = (known.layers, known.hidden, known.attn_heads, known.kv_heads, known.head_dim)
    assert from_config(name, full(*shape)).kv_bytes_per_token == known.kv_bytes_per_token
