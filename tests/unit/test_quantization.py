"""Formats of weights: names, sizes, and what they cost in accuracy."""

from __future__ import annotations

import gguf
import pytest

from deployer.quantization import FORMATS, GGML_TYPES, GGUF_FILE_TYPES, normal, weights_bytes
from deployer.words import ModelInfo

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
    ("name", "gb"), [("bf16", 16.381), ("fp8", 8.191), ("q8_0", 8.703), ("q4_k_m", 4.986)]
)
def test_another_format_is_parameters_times_bits(name, gb):
    size = weights_bytes(QWEN3_8B, name)
    assert size is not None
    assert size / 1e9 == pytest.approx(gb, abs=0.001)


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
