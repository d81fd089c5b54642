"""In which format weights are published: named, kept under the name of its method, or unknown; never taken for another."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import describe
from deployer.planning.model_facts.hf_config import from_config
from deployer.planning.model_facts.tensor_totals import Sums, Tensor, add_up, with_sums

SHAPE = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "torch_dtype": "bfloat16",
}


def groups(*weights: tuple[str, int]) -> dict[str, Any]:
    each = enumerate(weights)
    return {f"group_{n}": {"weights": {"type": kind, "num_bits": bits}} for n, (kind, bits) in each}


@pytest.mark.parametrize(
    ("quant", "name"),
    [
        ({"quant_method": "gptq", "bits": 3}, "gptq_3bit"),
        ({"quant_method": "awq", "bits": 8}, "awq_8bit"),
        ({"quant_method": "auto-round", "bits": 4, "packing_format": "auto_round:auto_gptq"}, "gptq"),
        ({"quant_method": "auto-round", "bits": 4, "packing_format": "auto_round:auto_awq"}, "awq"),
        ({"quant_method": "auto-round", "bits": 2}, "gptq_2bit"),
        ({"quant_method": "auto-round", "bits": 4, "packing_format": "auto_round:fp8"}, "auto_round_4bit"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bnb_4bit"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bnb_8bit"),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig"}}}, "torchao_int4"),
        ({"quant_method": "torchao", "quant_type": "int8_weight_only"}, "int8"),
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Float8WeightOnlyConfig"}}}, "fp8"),
        ({"quant_method": "torchao"}, "torchao"),
        ({"quant_method": "aqlm", "nbits_per_codebook": 16}, "aqlm"),
        ({"quant_method": "hqq", "bits": 4}, "hqq_4bit"),
        ({"quant_method": "modelopt", "quant_algo": "FP8_PB_WO"}, "fp8"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_MXFP4_FP8"}, "w4a8_mxfp4_fp8"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION",
          "config_groups": groups(("float", 8), ("float", 4))}, "nvfp4"),
        ({"quant_method": "compressed-tensors", "config_groups": groups(("int", 3))}, "compressed_int3"),
        ({"quant_method": "compressed-tensors"}, "unknown"),
        ({"quant_method": "exl2", "bits": 4.5}, "exl2"),
        ({"quant_method": "exl3", "bits": 4.0}, "exl3"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "bnb_4bit"),
        ({"quant_method": "AWQ", "w_bit": 4}, "awq"),
    ],
)  # fmt: skip
def test_a_method_is_named_and_never_taken_for_another_one(quant, name):
    assert from_config("m", {**SHAPE, "quantization_config": quant}).native_dtype == name


@pytest.mark.parametrize(
    ("said", "name", "share"),
    [
        ({"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, "nvfp4", 0.5),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": None}, "fp8", None),
        ({"quant_algo": "FP8"}, "fp8", None),
        ({"quant_algo": "W4A16_AWQ"}, "awq", None),
        ({"quant_algo": "MIXED_PRECISION", "kv_cache_quant_algo": "FP8"}, "mixed_precision", 0.5),
    ],
)
def test_the_quantization_may_stand_in_a_file_of_its_own(said, name, share):
    info = from_config("m", SHAPE, beside={"producer": {}, "quantization": said})
    assert (info.native_dtype, info.kv_share) == (name, share)


def test_older_checkpoints_of_modelopt_nest_their_quantization():
    quant = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    info = from_config("m", {**SHAPE, "quantization_config": quant})
    assert (info.native_dtype, info.kv_share) == ("fp8", 0.5)


@pytest.mark.parametrize(
    ("scheme", "share", "note"),
    [
        ({"num_bits": 8, "type": "float"}, 0.5, None),
        ({"num_bits": 8, "type": "int"}, None, "int8"),
        ({"num_bits": 4, "type": "float"}, None, "float4"),
        (None, None, None),
    ],
)
def test_the_checkpoint_may_ask_for_a_cache_of_8_bits(scheme, share, note):
    quant = {"quant_method": "compressed-tensors", "config_groups": groups(("float", 8))}
    info = from_config("m", {**SHAPE, "quantization_config": {**quant, "kv_cache_scheme": scheme}})
    assert info.kv_share == share
    assert [note in said for said in info.notes] == ([True] if note else [])


def test_the_8_bit_cache_of_sparse_attention_has_656_bytes_and_its_indexer_is_not_halved():
    said = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "index_topk": 2048}
    quant = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}
    info = from_config("m", {**SHAPE, **said}, beside={"quantization": quant})
    assert info.kv_bytes_per_token is not None
    assert info.kv_share is not None
    assert info.kv_bytes_per_token * info.kv_share == pytest.approx(2 * (656 + 132))


@pytest.mark.parametrize(
    ("said", "by_dtype", "found"),
    [
        ("fp8", {"BF16": 100}, "bf16"),
        ("nvfp4", {"BF16": 100, "F8_E8M0": 50}, "bf16"),
        ("bnb_4bit", {"F16": 100}, "fp16"),
        ("bf16", {"F8_E4M3": 80, "BF16": 20}, "fp8"),
        ("bf16", {"I8": 80, "BF16": 20}, "int8"),
        ("bf16", {"F32": 100}, "fp32"),
        ("bf16", {"I32": 80, "BF16": 20}, "unknown"),
    ],
)
def test_headers_decide_over_the_config_and_it_is_said(said, by_dtype, found):
    info = with_sums(ModelInfo("m", native_dtype=said), Sums(200, 10, 0, 0, by_dtype))
    assert info.native_dtype == found
    assert info.notes == (
        f"config.json says that the weights are {said}, and their headers say {found}: the headers are taken",
    )


@pytest.mark.parametrize(
    ("said", "by_dtype", "found"),
    [
        ("fp8", {"F8_E4M3": 60, "BF16": 40}, "fp8"),
        ("mxfp4", {"U8": 40, "BF16": 60}, "mxfp4"),
        ("awq", {"I32": 10, "F16": 90}, "awq"),
        ("bf16", {"BF16": 90, "I64": 200}, "bf16"),
        (None, {"BF16": 90}, "bf16"),
        (None, {"U8": 90}, "unknown"),
        (None, {"F64": 90}, "unknown"),
        ("unknown", {"BF16": 90}, "bf16"),
        (None, {}, None),
    ],
)
def test_headers_that_can_be_what_the_config_says_change_nothing(said, by_dtype, found):
    info = with_sums(ModelInfo("m", native_dtype=said), Sums(100, 10, 0, 0, by_dtype))
    assert (info.native_dtype, info.notes) == (found, ())


@pytest.mark.parametrize(("said", "held"), [("fp16", "BF16"), ("bf16", "F16")])
def test_of_the_two_formats_of_16_bits_the_config_decides(said, held):
    """vLLM and SGLang load the weights as config.json says, so that a V100 serves fp16 of files in bf16."""
    info = with_sums(ModelInfo("m", native_dtype=said), Sums(200, 10, 0, 0, {held: 200}))
    assert info.native_dtype == said
    assert info.notes[0].startswith(
        f"config.json says that the weights are {said}, and their files"
    )
    assert info.notes[0].endswith("engines serve them as config.json says")


def test_weights_of_no_bits_are_refused():
    with pytest.raises(UsageError, match="bits = 0"):
        from_config("m", {**SHAPE, "quantization_config": {"quant_method": "gptq", "bits": 0}})


@pytest.mark.parametrize(
    ("form", "tensors", "params"),
    [
        ("bnb_4bit", [("w.weight", "U8", 50), ("w.weight.absmax", "U8", 2), ("w.weight.quant_map", "F32", 16),
                      ("w.weight.quant_state.bitsandbytes__nf4", "U8", 91)], 100),
        ("bnb_8bit", [("w.weight", "I8", 100), ("w.SCB", "F32", 10)], 100),
        ("gptq_3bit", [("w.qweight", "I32", 9), ("w.scales", "F16", 4)], 96),
        ("torchao_int4", [("w.weight", "U8", 50), ("w.scale", "BF16", 4)], 100),
        ("aqlm", [("w.codes", "U8", 50)], None),
        ("aqlm", [("w.codes", "I16", 50)], None),
        ("higgs_4bit", [("w.weight", "I8", 50)], None),
        ("unknown", [("w.weight", "I8", 50)], None),
        ("int8", [("w.weight", "I8", 50)], 50),
    ],
)  # fmt: skip
def test_packed_weights_are_counted_where_their_packing_is_known(form, tensors, params):
    assert add_up((Tensor(*one) for one in tensors), form).params == params


@pytest.mark.parametrize(
    "name", ["l.mlp.experts.0.up.weight", "l.moe.gate_proj.weight", "l.moe.w1"]
)
def test_routed_experts_are_known_by_name(name):
    assert add_up([Tensor(name, "BF16", 7)], "bf16").expert_params == 7


def test_routed_experts_are_known_by_standing_in_one_tensor():
    tensors = [
        Tensor("l.ffn.up", "BF16", 80, (8, 1, 1)),
        Tensor("l.ffn.shared.up", "BF16", 5, (8, 1, 1)),
        Tensor("l.moe.gate.weight", "BF16", 3),
        Tensor("conv.weight", "BF16", 4, (2, 1, 1)),
    ]
    sums = add_up(tensors, "bf16", experts=8)
    assert (sums.params, sums.expert_params) == (92, 80)


def test_without_a_tensor_known_to_be_an_expert_the_active_parameters_are_unknown():
    info = ModelInfo("m", experts=8, experts_per_token=2)
    assert with_sums(info, Sums(200, 100, 0, 0, {"BF16": 200})).params_active is None


def test_an_unknown_format_is_filled_by_the_spec(tmp_path):
    info = ModelInfo("m", native_dtype="unknown")
    filled = describe("hf:o/m", base=tmp_path, catalog=lambda _: info, given={"dtype": "awq"})
    assert filled.native_dtype == "awq"
