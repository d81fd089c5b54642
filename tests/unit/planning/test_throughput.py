"""Speed: the roofline worked out by hand, and how it must move with what it depends on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.domain import GIB, Gpu, ModelInfo, Range, Sizing
from deployer.engines import engine
from deployer.planning.catalog import gpus, models
from deployer.planning.sizing import Hardware, Load, size
from deployer.planning.throughput import estimate, roofline
from deployer.planning.throughput.roofline import Roofline

LOAD = Load(context=8192, concurrency=8, input_tokens=800, output_tokens=300)


def gpu(name: str) -> Gpu:
    found = gpus.find(name)
    assert found
    return found


def known(name: str) -> ModelInfo:
    info = models.model(name)
    assert info
    return info


QWEN, LLAMA = known("Qwen/Qwen3-8B"), known("meta-llama/Llama-3.3-70B-Instruct")
MOE = known("Qwen/Qwen3-30B-A3B")


def on(name: str, count: int = 1) -> Hardware:
    card = gpu(name)
    return Hardware(card, count, card.vram_gb)


def fast(
    info: ModelInfo, form: str, hardware: Hardware, load: Load = LOAD, name: str = "vllm"
) -> Sizing:
    sized = size(info, engine(name), form, hardware, load)
    return estimate(sized, info, engine(name), hardware, load)


def model(info: ModelInfo, form: str, hardware: Hardware, name: str = "vllm") -> Roofline:
    found = roofline(size(info, engine(name), form, hardware, LOAD), info, engine(name), hardware)
    assert found
    return found


def middle(found: Range | None) -> float:
    assert found
    return math.sqrt(found[0] * found[1])


def test_decode_follows_the_roofline_worked_out_by_hand():
    # one stream, 800 + 150 tokens; weights but the embedding's rows: 16.381e9 - 1.245e9 = 15.137e9 B
    # 15.137e9 / (0.865 x 3350e9) = 5.224 ms; KV 950 x 147 456 B / (0.7 x 3350e9) = 0.060 ms
    # compute 2 x 7.568e9 / (0.562 x 989.4e12) = 0.027 ms; fixed 1393 + 36 x 15.7 + 10 = 1968 us
    # step = 7.25 ms, 137.9 tokens/s
    assert middle(fast(QWEN, "bf16", on("H100")).decode_tok_s) == pytest.approx(137.9, rel=0.002)


def test_tpot_adds_the_prompts_of_the_others():
    found = model(QWEN, "bf16", on("H100"))
    expected = found.step(8, 950) + 1.17 * 7 * found.prefill(800) / 300
    assert middle(fast(QWEN, "bf16", on("H100")).tpot_ms) == pytest.approx(1000 * expected)


def test_the_floor_of_the_first_token_is_one_prompt_on_idle_hardware():
    # 2 x 800 x (8.191e9 - 1.245e9) / (0.77 x 989.4e12) = 14.59 ms
    # attention 2 x 800^2 x 4096 x 36 / (0.5 x 989.4e12) = 0.38 ms
    sized = fast(QWEN, "bf16", on("H100"))
    assert middle(sized.ttft_floor_ms) == pytest.approx(14.97, rel=0.005)
    assert middle(sized.prefill_tok_s) == pytest.approx(800 / 0.01497, rel=0.005)


def test_weights_of_half_the_size_decode_faster_but_not_twice_as_fast():
    bf16 = middle(fast(QWEN, "bf16", on("H100")).decode_tok_s)
    fp8 = middle(fast(QWEN, "fp8", on("H100")).decode_tok_s)
    assert 1.3 * bf16 < fp8 < 2 * bf16


def test_the_bandwidth_of_the_variant_counts():
    sxm, pcie = (middle(fast(QWEN, "bf16", on(n)).decode_tok_s) for n in ("H100", "H100 PCIe"))
    assert sxm > 1.25 * pcie


def test_tensor_parallel_speeds_up_one_stream_by_less_than_the_number_of_gpus():
    two, eight = (model(LLAMA, "fp8", on("H100", n)).step(1, 1000) for n in (2, 8))
    assert 1.5 < two / eight < 4


def test_gpus_without_nvlink_talk_more_slowly():
    linked, alone = (model(LLAMA, "fp8", on(n, 4)) for n in ("H100", "H100 PCIe"))
    assert alone.prefill(4096) > 1.5 * linked.prefill(4096)


def test_llama_cpp_on_several_gpus_is_no_faster_than_on_one():
    one, four = (model(QWEN, "q8_0", on("RTX 4090", n), "llama.cpp").step(1, 500) for n in (1, 4))
    assert four > one
    assert four < 1.2 * one


def test_a_mixture_of_experts_reads_more_with_every_request_in_the_batch():
    found = model(MOE, "bf16", on("H100"))
    reads = [found.weights_read(batch) for batch in (1, 2, 8, 64, 4096)]
    assert reads == sorted(reads)
    embedding = MOE.embedding_params or 0
    assert reads[0] == pytest.approx(2 * (MOE.params_active or 0) - embedding, rel=0.01)
    assert reads[-1] == pytest.approx(2 * (MOE.params_total or 0) - embedding, rel=0.01)


def test_a_latent_cache_is_read_on_every_gpu():
    full = replace(QWEN, attention="full")
    latent = replace(QWEN, attention="mla")
    full_step, latent_step = (
        model(i, "bf16", on("H100", 8)).step(64, 8000) for i in (full, latent)
    )
    assert latent_step > 1.5 * full_step


def test_kernels_without_marlin_read_four_bit_weights_more_slowly():
    old = model(QWEN, "awq", on("T4")).step(1, 500) / model(QWEN, "fp16", on("T4")).step(1, 500)
    new = model(QWEN, "awq", on("L4")).step(1, 500) / model(QWEN, "fp16", on("L4")).step(1, 500)
    assert old > 1.4 * new


def test_the_batch_does_not_grow_past_what_the_kv_cache_holds():
    many = replace(LOAD, context=2048, concurrency=64, input_tokens=1500, output_tokens=500)
    crowded = fast(QWEN, "bf16", on("L4"), many)
    alone = fast(QWEN, "bf16", on("L4"), replace(many, concurrency=10_000))
    assert crowded.kv_capacity_tokens
    assert crowded.kv_capacity_tokens < 64 * 2000
    assert alone.output_tok_s == crowded.output_tok_s


@given(more=st.integers(1, 255))
def test_more_requests_never_mean_less_in_total_nor_faster_tokens(more):
    few, many = (
        fast(QWEN, "bf16", on("H100"), replace(LOAD, concurrency=c)) for c in (1, 1 + more)
    )
    assert middle(many.tpot_ms) >= middle(few.tpot_ms)
    assert middle(many.output_tok_s) >= middle(few.output_tok_s)


def test_saturated_is_at_least_what_the_asked_load_gives():
    sized = fast(QWEN, "bf16", on("H100"))
    assert middle(sized.saturated_tok_s) > middle(sized.output_tok_s)


@pytest.mark.parametrize("info", [QWEN, MOE])
def test_ranges_are_as_wide_as_the_held_out_errors(info):
    speed = engine("vllm").speed["nvidia"]
    band = speed.band_moe if info.experts else speed.band
    low, high = fast(info, "bf16", on("H100")).decode_tok_s or (0, 0)
    assert high / low == pytest.approx((1 + band) ** 2)


def test_layers_on_the_cpu_cost_speed_and_the_plan_says_how_much():
    there = Hardware(gpu("RTX 4090"), 1, 24, host_gib=64)
    split = fast(LLAMA, "q4_k_m", there, name="llama.cpp")
    whole = fast(LLAMA, "q4_k_m", on("RTX 4090", 3), name="llama.cpp")
    assert split.decode_tok_s
    assert split.decode_tok_s[1] < middle(whole.decode_tok_s)
    # 41 of 80 layers: 20.3 GiB of weights and 0.16 of cache read at 40 to 200 GB/s are 0.11 to 0.55 s
    assert 1.5 < split.decode_tok_s[0] < 2.0
    assert 6.5 < split.decode_tok_s[1] < 9.0
    assert "tokens/s if it moves 40 to 200 GB/s" in str(split.limit)


@pytest.mark.parametrize(
    ("info", "form", "hardware", "name"),
    [
        (replace(QWEN, weights_bytes=GIB, native_dtype="q8_0"), "q8_0", Hardware(None, 0, 32.0), "llama.cpp"),
        (QWEN, "bf16", on("MI300X"), "vllm"),
        (replace(QWEN, kv_bytes_per_token=None), "bf16", on("H100"), "vllm"),
        (replace(QWEN, layers=None), "bf16", on("H100"), "vllm"),
        (replace(MOE, params_active=None), "bf16", on("H100"), "vllm"),
        (LLAMA, "bf16", on("L4"), "vllm"),
    ],
    ids=["cpu", "no constants", "no cache", "no layers", "no active parameters", "does not fit"],
)  # fmt: skip
def test_speed_is_unknown_where_something_it_needs_is(info, form, hardware, name):
    sized = fast(info, form, hardware, name=name)
    assert sized.decode_tok_s is None
    assert sized.saturated_tok_s is None
