"""Over how many GPUs a model can be split: heads, widths, and blocks and groups of quantized weights."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.planning.model_facts.hf_config import from_config
from deployer.planning.sizing.memory import indivisible, tensor_parallel

LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
QWEN3_235B = LLAMA | {
    "model_type": "qwen3_moe",
    "num_attention_heads": 64,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "intermediate_size": 12288,
    "moe_intermediate_size": 1536,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
    "vocab_size": 151936,
}
FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128}


def of(config: dict[str, Any], **quant: Any) -> Any:
    return from_config("m", config | ({"quantization_config": quant} if quant else {}))


def grouped(size: int, **weights: Any) -> dict[str, Any]:
    said = {"num_bits": 4, "type": "int", "group_size": size, **weights}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": said}}}


@pytest.mark.parametrize(
    ("config", "quant", "there", "used"),
    [
        (QWEN3_235B, FP8, 8, 4),  # 1536 / 8 = 192 is no whole number of 128
        (QWEN3_235B, {}, 8, 8),
        (LLAMA | {"intermediate_size": 29568}, AWQ, 2, 1),  # 128 x 231
        (LLAMA | {"intermediate_size": 29568}, AWQ | {"quant_method": "gptq"}, 2, 1),
        (LLAMA | {"intermediate_size": 29568}, AWQ | {"group_size": 64}, 2, 2),
        (LLAMA | {"intermediate_size": 29568}, AWQ | {"group_size": -1}, 8, 8),
        (LLAMA | {"intermediate_size": 29568}, grouped(128), 2, 1),
        (LLAMA | {"intermediate_size": 29568}, {}, 8, 8),
        (LLAMA | {"intermediate_size": 29696}, {"quant_method": "auto-round", "group_size": 128}, 8, 8),
        (LLAMA, FP8, 8, 8),
        (LLAMA | {"num_attention_heads": 40, "num_key_value_heads": 40, "intermediate_size": 13824}, {}, 5, 4),
        (LLAMA | {"num_attention_heads": 52, "num_key_value_heads": 52}, {}, 8, 4),
        (LLAMA | {"num_attention_heads": 28, "num_key_value_heads": 4}, {}, 8, 4),
        (LLAMA | {"num_attention_heads": 30, "num_key_value_heads": 6, "intermediate_size": 9000}, {}, 3, 3),
        (LLAMA | {"num_attention_heads": 30, "num_key_value_heads": 6, "intermediate_size": 9000,
                  "vocab_size": 32065}, {}, 3, 2),  # padded to 32,128, which 3 does not divide
        (LLAMA | {"num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 64}, FP8, 8, 4),
        (QWEN3_235B | {"moe_intermediate_size": 1408}, AWQ, 4, 4),  # experts' groups are halved to 32
        (QWEN3_235B | {"shared_expert_intermediate_size": 1001}, {}, 8, 1),
        (QWEN3_235B | {"first_k_dense_replace": 1, "intermediate_size": 1000}, FP8, 8, 1),
        (QWEN3_235B | {"linear_num_value_heads": 4}, {}, 8, 4),
    ],
)  # fmt: skip
def test_a_model_is_split_as_far_as_every_width_allows(config, quant, there, used):
    assert tensor_parallel(of(config, **quant), there) == used


def test_what_cannot_be_divided_is_said():
    said = indivisible(of(QWEN3_235B, **FP8), 8)
    assert said == "moe_intermediate_size 1,536 in blocks of 128 (each GPU would get 192)"
    assert indivisible(of(LLAMA | {"intermediate_size": 13824}), 5) == "32 attention heads"
    assert indivisible(of(QWEN3_235B, **FP8), 4) is None


def test_padding_decides_about_the_vocabulary():
    odd = LLAMA | {"num_attention_heads": 30, "num_key_value_heads": 6, "intermediate_size": 9000}
    assert indivisible(of(odd | {"vocab_size": 32001}), 3) is None
    assert indivisible(of(odd | {"vocab_size": 32065}), 3) == "vocab_size 32,128"
