"""Sizing: the three answers and "unknown", worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.domain import GIB, Gpu, ModelInfo
from deployer.engines import engine, names
from deployer.planning.catalog import models
from deployer.planning.sizing import (
    Hardware,
    Load,
    adapter_bytes,
    context_for,
    files_gib,
    loaded_gib,
    sequence_bytes,
    size,
    tensor_parallel,
)

L4 = Gpu("L4", 24, 300, 121, 242, 72, None, "nvidia", "test", 22888)
H100 = Gpu("H100-80GB SXM5", 80, 3350, 989.4, 1978.9, 700, None, "nvidia", "test", 81920)

RTX_4090 = Gpu("RTX 4090", 24, 1008, 165.2, 330.3, 450, None, "nvidia", "test")
A100 = Gpu("A100-80GB SXM4", 80, 2039, 312, None, 400, None, "nvidia", "test", 81920)
T4 = Gpu("T4", 16, 320, 65.1, None, 70, None, "nvidia", "test")
MAC = Gpu("Apple M4 Max", 128, 546, 18.4, None, 100, None, "apple", "test")


def known(name: str) -> ModelInfo:
    info = models.model(name)
    assert info
    return info


QWEN = known("Qwen/Qwen3-8B")
OSS = known("openai/gpt-oss-120b")
LOAD = Load(context=8192, concurrency=8, input_tokens=800, output_tokens=300)


def test_the_cache_is_as_small_as_the_checkpoint_asks_and_a_state_stays_as_it_is():
    asked = replace(QWEN, native_dtype="fp8", kv_share=0.5, state_bytes_per_seq=GIB)
    sizes = [size(asked, engine("vllm"), form, on(H100), LOAD) for form in ("fp8", "bf16")]
    assert [sized.kv_bytes_per_token for sized in sizes] == [73_728, 147_456]
    assert [sized.kv_gib for sized in sizes] == pytest.approx([4.5 + 8, 9.0 + 8])


@pytest.mark.parametrize(
    ("name", "card", "form", "refused"),
    [
        ("vllm", A100, "nvfp4", True),
        ("vllm", H100, "nvfp4", False),
        ("vllm", A100, "bf16", False),
        ("sglang", A100, "nvfp4", False),
    ],
)
def test_a_gpu_without_fp8_cannot_keep_a_cache_of_8_bits(name, card, form, refused):
    asked = replace(QWEN, native_dtype="nvfp4", kv_share=0.5)
    said = engine(name).refuses_cache(asked, card, form)
    assert (said is not None) == refused
    assert engine(name).refuses_cache(QWEN, card, form) is None


def test_what_is_fetched_are_the_files_even_where_less_is_loaded():
    wide = replace(QWEN, native_dtype="fp32", weights_bytes=32 * GIB)
    halved = size(wide, engine("vllm"), "bf16", on(H100), LOAD)
    assert halved.weights_gib == pytest.approx(15.256, abs=0.001)
    assert files_gib(wide, halved) == 32
    assert files_gib(replace(wide, weights_bytes=None), halved) == halved.weights_gib


@pytest.mark.parametrize(
    ("name", "card", "native", "served"),
    [
        ("vllm", H100, "fp32", "bf16"),
        ("sglang", H100, "fp32", "bf16"),
        ("vllm", T4, "fp32", "fp16"),
        ("vllm", H100, "fp16", "fp16"),
        ("mlx", MAC, "fp32", "fp32"),
        ("llama.cpp", L4, "fp32", "fp32"),
    ],
)
def test_servers_for_many_users_halve_weights_of_32_bits(name, card, native, served):
    assert engine(name).served_as(native, card) == served


def on(gpu: Gpu, count: int = 1) -> Hardware:
    assert gpu.vram_mib_reported
    return Hardware(gpu, count, gpu.vram_mib_reported / 1024)


def test_qwen3_8b_on_an_l4_starts_but_holds_fewer_requests_than_asked():
    # 22,888 MiB = 22.352 GiB, of which programs see 0.987; budget 0.92 x 22.061 = 20.296 GiB
    # weights 16 381 470 720 B = 15.256 GiB
    # one token's activations: 2 x ((8.191e9 - 1.245e9) / (36 x 4096) + 2 x 4096) = 110 597 B
    # least overhead 0.3 + 2048 x 110 597 B = 0.51 GiB; most 0.6 + 0.84 + logits 0.36 + graphs 1.12 = 2.92 GiB
    # left 2.12 to 4.53 GiB; one request 8192 x 147 456 B = 1.125 GiB, eight 9 GiB
    sized = size(QWEN, engine("vllm"), "bf16", on(L4), LOAD)
    assert sized.fit == "tight"
    assert sized.weights_gib == pytest.approx(15.256, abs=0.001)
    assert sized.kv_gib == pytest.approx(9.0)
    assert sized.overhead_gib == pytest.approx((0.51, 2.92))
    assert sized.max_concurrency == 2
    assert sized.limit
    assert "1 to 4 of 8" in sized.limit


def test_one_request_fits_where_eight_do_not():
    sized = size(QWEN, engine("vllm"), "bf16", on(L4), replace(LOAD, concurrency=1))
    assert sized.fit == "fits"


def test_awq_fits_the_same_card():
    assert size(QWEN, engine("vllm"), "awq", on(L4), LOAD).fit == "fits"


def test_a_70b_model_does_not_fit_one_80_gb_gpu_and_fits_four():
    llama = known("meta-llama/Llama-3.3-70B-Instruct")
    assert size(llama, engine("vllm"), "bf16", on(H100), LOAD).fit == "no"
    assert size(llama, engine("vllm"), "bf16", on(H100, 4), LOAD).fit == "fits"


@pytest.mark.parametrize("name", ["vllm", "sglang"])
@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_gpt_oss_120b_on_one_80_gb_h100_is_never_a_plain_fits(name, concurrency):
    load = replace(LOAD, concurrency=concurrency)
    assert size(OSS, engine(name), "mxfp4", on(H100), load).fit != "fits"


@pytest.mark.parametrize("name", models.names())
def test_every_model_of_the_catalog_is_sized_or_called_unknown(name):
    info = known(name)
    sized = size(info, engine("vllm"), info.native_dtype or "bf16", on(H100, 8), LOAD)
    complete = info.kv_bytes_per_token is not None and sized.weights_gib is not None
    assert complete or sized.fit in ("unknown", "no")
    assert sized.limit or sized.fit == "fits"


@pytest.mark.parametrize(
    ("heads", "kv", "there", "used"),
    [(32, 8, 8, 8), (32, 8, 3, 2), (28, 4, 8, 4), (40, 10, 8, 5), (40, 8, 4, 4), (64, 4, 8, 8)],
)
def test_tensor_parallel_follows_the_divisibility_of_the_heads(heads, kv, there, used):
    assert tensor_parallel(ModelInfo("m", attn_heads=heads, kv_heads=kv), there) == used


def test_a_latent_kv_cache_stands_on_every_gpu():
    mla = ModelInfo(
        "m", attn_heads=128, kv_heads=128, kv_bytes_per_token=70_272, attention="mla",
        weights_bytes=8 * GIB, params_total=4 * 10**9, native_dtype="bf16",
    )  # fmt: skip
    split = replace(mla, attention="full")
    one = size(mla, engine("vllm"), "bf16", on(H100, 8), LOAD).kv_capacity_tokens
    many = size(split, engine("vllm"), "bf16", on(H100, 8), LOAD).kv_capacity_tokens
    assert one
    assert many
    assert many == pytest.approx(8 * one, rel=0.001)


def test_a_sliding_window_stops_growing():
    assert OSS.window
    grown = sequence_bytes(OSS, 100 * OSS.window)
    less = sequence_bytes(OSS, 99 * OSS.window)
    assert OSS.kv_bytes_per_token
    assert grown
    assert less
    assert grown - less == OSS.window * OSS.kv_bytes_per_token


def test_a_context_beyond_the_models_own_is_refused():
    sized = size(QWEN, engine("vllm"), "bf16", on(H100), replace(LOAD, context=50_000))
    assert sized.fit == "no"
    assert "40960" in str(sized.limit)


def test_auto_context_is_8192_or_the_models_limit():
    assert context_for("auto", QWEN) == 8192
    assert context_for("auto", replace(QWEN, max_context=2048)) == 2048
    assert context_for("auto", ModelInfo("m")) == 8192
    assert context_for(100, QWEN) == 100


@pytest.mark.parametrize("name", names())
@given(concurrency=st.integers(1, 512), more=st.integers(1, 512), gib=st.floats(1, 400))
def test_asking_for_more_never_fits_better(name, concurrency, more, gib):
    order = ("fits", "tight", "no")
    info = replace(QWEN, native_dtype="bf16")
    hardware = Hardware(L4, 1, gib)
    few = size(info, engine(name), "bf16", hardware, replace(LOAD, concurrency=concurrency))
    many = size(info, engine(name), "bf16", hardware, replace(LOAD, concurrency=concurrency + more))
    assert order.index(few.fit) <= order.index(many.fit)


def test_what_is_left_shrinks_with_the_number_of_copies_and_the_range_holds_the_middle():
    sized = size(QWEN, engine("vllm"), "bf16", on(H100), LOAD)
    assert sized.kv_capacity_range
    assert sized.kv_capacity_tokens
    low, high = sized.kv_capacity_range
    assert low < sized.kv_capacity_tokens < high


def test_unified_memory_counts_only_what_macos_lets_the_gpu_have():
    # two thirds of 16 GiB are 10.7 (Metal says 10,923 MiB), three quarters of 64 are 48
    small, large = Hardware(MAC, 1, 16), Hardware(MAC, 1, 64)
    gguf = replace(QWEN, native_dtype="q8_0", weights_bytes=int(10.5 * GIB))
    assert size(gguf, engine("llama.cpp"), "q8_0", small, LOAD).fit == "no"
    heavy = replace(gguf, weights_bytes=int(47.5 * GIB))
    assert size(heavy, engine("llama.cpp"), "q8_0", large, LOAD).fit == "no"
    light = replace(gguf, weights_bytes=30 * GIB)
    assert size(light, engine("llama.cpp"), "q8_0", large, LOAD).fit == "fits"


LLAMA_70B = replace(known("meta-llama/Llama-3.3-70B-Instruct"), file_format="gguf")


def test_llama_cpp_leaves_layers_on_the_cpu_where_the_host_holds_them():
    # Q4_K_M is 39.6 GiB with one request of 8192 tokens (2.5 GiB): 0.527 GiB a layer and 80 of them
    # an RTX 4090 has 0.95 x 0.987 x 24 - 1.5 = 21.0 GiB: 39 layers there, 41 on the CPU
    there = Hardware(RTX_4090, 1, 24, host_gib=64)
    sized = size(LLAMA_70B, engine("llama.cpp"), "q4_k_m", there, LOAD)
    assert sized.fit == "tight"
    assert sized.cpu_layers == 41
    assert "41 of 80 layers stay on the CPU" in str(sized.limit)


@pytest.mark.parametrize("host", [None, 16])
def test_a_host_that_is_too_small_or_unknown_holds_no_layers(host):
    sized = size(
        LLAMA_70B, engine("llama.cpp"), "q4_k_m", Hardware(RTX_4090, 1, 24, host_gib=host), LOAD
    )
    assert sized.fit == "no"
    assert sized.cpu_layers is None


def test_vllm_leaves_no_layers_on_the_cpu():
    assert (
        size(LLAMA_70B, engine("vllm"), "awq", Hardware(RTX_4090, 1, 24, host_gib=512), LOAD).fit
        == "no"
    )


def test_layers_of_llama_cpp_are_spread_over_gpus_whatever_the_heads():
    odd = replace(LLAMA_70B, attn_heads=7, kv_heads=7)
    sized = size(odd, engine("llama.cpp"), "q4_k_m", Hardware(RTX_4090, 3, 24), LOAD)
    assert sized.gpus == 3
    assert sized.fit in ("fits", "tight")


def test_an_adapter_takes_memory_from_the_kv_cache():
    bare = size(QWEN, engine("vllm"), "bf16", on(H100), LOAD)
    load = replace(LOAD, adapter_bytes=(GIB, 2 * GIB))
    adapted = size(QWEN, engine("vllm"), "bf16", on(H100), load)
    assert adapted.adapter_gib == (1, 2)
    assert bare.kv_capacity_tokens
    assert adapted.kv_capacity_tokens
    lost = (bare.kv_capacity_tokens - adapted.kv_capacity_tokens) * 147_456
    assert lost == pytest.approx(1.5 * GIB, rel=0.001)


def test_an_adapter_of_known_rank_is_estimated_by_the_matrices_it_adapts():
    # rank 16 on query and value of 36 layers: 2 x 36 x 16 x (4096 + 4096 + 4096 + 1024) B = 15.3 MB
    found = adapter_bytes(QWEN, 16)
    assert found
    assert found[0] == 2 * 36 * 16 * 13_312
    # every matrix of a published rank-16 adapter of an 8B model: about 80 to 90 MB
    assert 80e6 < found[1] < 110e6
    unknown = adapter_bytes(QWEN)
    assert unknown
    assert unknown[0] == found[0] / 2
    assert unknown[1] == pytest.approx(4 * found[1])
    assert adapter_bytes(ModelInfo("m")) is None


def test_repacked_mxfp4_is_larger_in_vllm_than_in_its_files():
    # start-up lines: 64.38 to 66.0 GiB of gpt-oss-120b's 60.7
    low, high = loaded_gib(OSS, engine("vllm"), "mxfp4", 1) or (0, 0)
    assert low < 64.38
    assert high > 65.99


def test_what_an_engine_itself_reports_replaces_the_band():
    told = replace(on(H100), overhead_gib=(1.0, 1.0))
    sized = size(QWEN, engine("vllm"), "bf16", told, LOAD)
    assert sized.kv_capacity_range == (sized.kv_capacity_tokens, sized.kv_capacity_tokens)
