"""Sizing: the three answers and "unknown", worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.catalog import models
from deployer.engines import engine, names
from deployer.sizing import Hardware, Load, context_for, sequence_bytes, size, tensor_parallel
from deployer.throughput import estimate
from deployer.words import GIB, Gpu, ModelInfo

L4 = Gpu("L4", 24, 300, 121, 242, 72, None, "nvidia", "test", 22888)
H100 = Gpu("H100-80GB SXM5", 80, 3350, 989.4, 1978.9, 700, None, "nvidia", "test", 81920)


def known(name: str) -> ModelInfo:
    info = models.model(name)
    assert info
    return info


QWEN = known("Qwen/Qwen3-8B")
OSS = known("openai/gpt-oss-120b")
LOAD = Load(context=8192, concurrency=8, input_tokens=800, output_tokens=300)


def on(gpu: Gpu, count: int = 1) -> Hardware:
    assert gpu.vram_mib_reported
    return Hardware(gpu, count, gpu.vram_mib_reported / 1024)


def test_qwen3_8b_on_an_l4_starts_but_holds_fewer_requests_than_asked():
    # budget 0.92 x 22.35 = 20.56 GiB; weights 16 381 470 720 B = 15.256 GiB; overhead 1.2 to 3.5 GiB
    # left 1.81 to 4.11 GiB; one request 8192 x 147 456 B = 1.125 GiB, eight 9 GiB
    sized = size(QWEN, engine("vllm"), "bf16", on(L4), LOAD)
    assert sized.fit == "tight"
    assert sized.weights_gib == pytest.approx(15.256, abs=0.001)
    assert sized.kv_gib == pytest.approx(9.0)
    assert sized.max_concurrency == 2
    assert sized.limit
    assert "3 of 8" in sized.limit


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


def test_decode_follows_the_roofline_worked_out_by_hand():
    # one stream, 800 + 150 tokens of context: (16.381e9 + 950 x 147456) B / (0.95 x 3350e9 B/s) = 5.191 ms
    # compute 2 x 8.19e9 / 989.4e12 = 0.017 ms; 36 layers x 71 us = 2.556 ms; step = 7.747 ms, 129.1 tok/s
    sized = size(QWEN, engine("vllm"), "bf16", on(H100), LOAD)
    fast = estimate(sized, QWEN, engine("vllm"), on(H100), LOAD)
    assert fast.decode_tok_s
    assert sum(fast.decode_tok_s) / 2 == pytest.approx(129.1, rel=0.005)
    assert fast.decode_tok_s[0] < fast.decode_tok_s[1]


def test_speed_is_unknown_where_the_hardware_is():
    cpu = Hardware(None, 0, 32.0)
    tiny = replace(QWEN, weights_bytes=GIB, file_format="gguf", native_dtype="q8_0")
    sized = size(tiny, engine("llama.cpp"), "q8_0", cpu, LOAD)
    assert estimate(sized, tiny, engine("llama.cpp"), cpu, LOAD).decode_tok_s is None


def test_a_mixture_of_experts_reads_more_with_every_request_in_the_batch():
    moe = known("Qwen/Qwen3-30B-A3B")
    sized = size(moe, engine("vllm"), "bf16", on(H100), replace(LOAD, concurrency=1))
    alone = estimate(sized, moe, engine("vllm"), on(H100), replace(LOAD, concurrency=1))
    eight = estimate(sized, moe, engine("vllm"), on(H100), LOAD)
    assert alone.tpot_ms
    assert eight.tpot_ms
    assert eight.tpot_ms[0] > 2 * alone.tpot_ms[0]


@pytest.mark.parametrize("name", names())
def test_every_engine_says_what_it_serves_and_what_it_costs(name):
    found = engine(name)
    assert found.name == name
    assert found.families
    assert found.vendors
    assert 0 < found.memory_fraction <= 1
    low, high = found.overhead_gib(QWEN)
    assert 0 < low < high
    assert set(found.speed) <= set(found.vendors)
