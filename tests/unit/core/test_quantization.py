"""Formats of weights: names, sizes, and what they cost in accuracy."""

from __future__ import annotations

import gguf
import pytest

from deployer.core.domain import ModelInfo
from deployer.core.quantization import (
    FORMATS,
    GGML_TYPES,
    GGUF_FILE_TYPES,
    accuracy_loss,
    expert_params,
    normal,
    weights_bytes,
)

QWEN3_8B = ModelInfo(
    "Qwen/Qwen3-8B",
    params_total=8_190_735_360,
    native_dtype="bf16",
    weights_bytes=16_381_470_720,
    embedding_params=2 * 151_936 * 4096,
)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Q4_K_M", "q4_k_m"),
        ("q4-k-m", "q4_k_m"),
        ("Q4_K", "q4_k_m"),
        (" F16 ", "fp16"),
        ("torch.bfloat16", "bf16"),
        ("float32", "fp32"),
        ("FP8_E4M3", "fp8"),
        ("MXFP4_MOE", "mxfp4_moe"),
    ],
)
def test_a_format_is_known_in_every_usual_spelling(said, name):
    assert normal(said) == name
    assert name in FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_name_it_is_found_by(name):
    assert normal(name) == FORMATS[name].name == name
    assert 1 <= FORMATS[name].bits <= 32


def test_what_is_no_format_is_not_made_into_one():
    assert normal("q4_k_xxl") not in FORMATS


def test_the_published_format_has_its_exact_size_and_not_the_formula():
    info = ModelInfo("m", params_total=10, native_dtype="fp8", weights_bytes=1234)
    assert weights_bytes(info, "fp8") == 1234


def test_a_published_size_counts_where_the_format_is_not_said():
    assert weights_bytes(ModelInfo("m", weights_bytes=1234), "bf16") == 1234


@pytest.mark.parametrize(
    ("name", "gb"),
    [
        ("bf16", 16.381),
        ("q8_0", 8.703),
        (
            "fp8",
            9.435,
        ),  # 6.946e9 parameters of layers at 8 bits, 1.245e9 of embedding and head at 16
        ("int8", 9.435),
        ("q4_k_m", 5.027),  # the published Qwen3-8B-Q4_K_M.gguf is 5.03 GB
    ],
)
def test_another_format_is_parameters_times_bits(name, gb):
    size = weights_bytes(QWEN3_8B, name)
    assert size is not None
    assert size / 1e9 == pytest.approx(gb, abs=0.001)


def test_a_gguf_file_of_a_larger_model_has_fewer_bits_a_weight_because_its_head_is_smaller():
    llama = ModelInfo("m", params_total=70_553_706_496, embedding_params=2_101_346_304)
    size = weights_bytes(llama, "q4_k_m")
    assert size
    # the published Meta-Llama-3-70B Q4_K_M is 42.52 GB: 4.82 bits, where the 8B model has 4.89
    assert size / 1e9 == pytest.approx(42.52, rel=0.005)


def test_the_embedding_of_a_large_model_is_taken_as_usual_where_it_is_not_known():
    known = ModelInfo("m", params_total=70_553_706_496, hidden=8192, embedding_params=2_101_346_304)
    unknown = ModelInfo("m", params_total=70_553_706_496, hidden=8192)
    assert weights_bytes(unknown, "awq") == pytest.approx(weights_bytes(known, "awq"), rel=0.01)


def test_mxfp4_in_a_gguf_file_keeps_all_but_the_experts_at_8_bits():
    # the published gpt-oss-20b-mxfp4.gguf is 12.1 GB
    oss = ModelInfo(
        "m",
        params_total=20_914_757_184,
        params_active=4_186_275_840,
        experts=32,
        experts_per_token=4,
    )
    assert expert_params(oss) == pytest.approx(19.1e9, rel=0.005)
    size = weights_bytes(oss, "mxfp4_moe")
    assert size
    assert size / 1e9 == pytest.approx(12.1, rel=0.01)


def test_a_dense_model_has_no_experts():
    assert expert_params(QWEN3_8B) is None
    assert weights_bytes(QWEN3_8B, "mxfp4_moe") is None


@pytest.mark.parametrize(
    ("name", "model", "figure"),
    [
        ("q4_k_m", "meta-llama/Llama-3.1-8B-Instruct", "2.8 %"),
        ("fp8", "LlamaForCausalLM", "73.44"),
        ("awq", "Qwen/Qwen3-8B", "64.1 instead of 66.9"),
    ],
)
def test_a_published_loss_comes_with_the_model_it_was_measured_on_and_its_source(
    name, model, figure
):
    text = accuracy_loss(name, model)
    assert text
    assert figure in text
    assert text.endswith(")")


@pytest.mark.parametrize(
    ("name", "model"), [("awq", "google/gemma-2-9b-it"), ("nvfp4", "Qwen/Qwen3-8B"), ("fp8", "")]
)
def test_a_loss_that_nobody_published_is_unknown(name, model):
    assert accuracy_loss(name, model) is None


@pytest.mark.parametrize("name", ["awq", "gptq"])
def test_awq_and_gptq_keep_embedding_and_head_at_16_bits(name):
    size = weights_bytes(QWEN3_8B, name)
    assert size is not None
    # Qwen/Qwen3-8B-AWQ is 6.1 GB on the hub; without the embedding it would come to 4.3
    assert size / 1e9 == pytest.approx(6.1, abs=0.05)


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (ModelInfo("m"), "bf16"),
        (ModelInfo("m", params_total=10), "awq"),
        (ModelInfo("m", params_total=10), "no-such-format"),
    ],
)
def test_a_size_that_cannot_be_worked_out_is_unknown(info, name):
    assert weights_bytes(info, name) is None


def test_block_sizes_are_those_of_the_gguf_package():
    theirs = {int(kind): size for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {k: (elements, size) for k, (_, elements, size) in GGML_TYPES.items()} == theirs


def test_file_types_are_those_of_the_gguf_package_and_all_are_formats():
    theirs = {
        int(t): t.name.removeprefix("MOSTLY_").removeprefix("ALL_") for t in gguf.LlamaFileType
    }
    assert {k: normal(theirs[k]) for k in GGUF_FILE_TYPES} == dict(GGUF_FILE_TYPES)
    assert set(GGUF_FILE_TYPES.values()) <= FORMATS.keys()


def test_fewer_bits_of_one_family_never_rank_as_less_lossy_among_k_quants():
    names = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_k_s", "q3_k_m", "q2_k"]
    ranks = [FORMATS[n].loss_rank for n in names]
    assert ranks == sorted(ranks)
    assert all(f.loss_rank == 0 for f in FORMATS.values() if f.bits >= 16)
    assert all(f.loss_rank > 0 for f in FORMATS.values() if f.bits < 16)
