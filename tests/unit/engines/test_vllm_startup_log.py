"""What vLLM says when it starts, in the words of its releases.

Each sample names where its lines were published; the times and paths are as they were there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from deployer.engines import engine
from deployer.engines.vllm.startup_log import read_start


@dataclass(frozen=True)
class Said:
    """Lines of one start, where they were published, and what they mean."""

    source: str
    lines: tuple[str, ...]
    tokens: int
    figures: dict[str, float] = field(default_factory=dict)


SAID = {
    "0.1, blocks alone": Said(
        "vLLM of August 2023 as reported by its users (llm_engine.py)",
        ("INFO 08-22 15:27:25 llm_engine.py:196] # GPU blocks: 865, # CPU blocks: 327",),
        865 * 16,
    ),
    "0.6, profiling in words": Said(
        "vLLM 0.6.5, December 2024 (gpu_executor.py, worker.py)",
        (
            "INFO 12-22 10:55:34 model_runner.py:1097] Loading model weights took 8.5107 GB",
            (
                "INFO 12-22 10:55:34 worker.py:241] the current vLLM instance can use total_gpu_memory"
                " (79.25GiB) x gpu_memory_utilization (0.15) = 11.89GiB"
            ),
            (
                "INFO 12-22 10:55:34 worker.py:241] model weights take 8.51GiB; non_torch_memory takes"
                " 0.26GiB; PyTorch activation peak memory takes 0.94GiB; the rest of the memory reserved for"
                " KV Cache is 2.18GiB."
            ),
            "INFO 12-22 10:55:35 gpu_executor.py:76] # GPU blocks: 715, # CPU blocks: 1310",
            "INFO 12-22 10:55:35 gpu_executor.py:80] Maximum concurrency for 2048 tokens per request: 5.59x",
        ),
        715 * 16,
        {"kv_gib": 2.18, "weights_gib": 8.5107, "non_torch_gib": 0.26, "activations_gib": 0.94},
    ),
    "0.8, CUDA blocks": Said(
        "vLLM V0 of May 2025 (executor_base.py)",
        (
            (
                "INFO 05-30 06:40:55 worker.py:267] model weights take 2.89GiB; non_torch_memory takes 0.01GiB;"
                " PyTorch activation peak memory takes 2.02GiB; the rest of the memory reserved for KV Cache is"
                " 2.36GiB."
            ),
            "INFO 05-30 06:40:55 executor_base.py:110] # CUDA blocks: 5517, # CPU blocks: 9362",
            "INFO 05-30 06:40:55 executor_base.py:115] Maximum concurrency for 32768 tokens per request: 2.69x",
        ),
        5517 * 16,
        {"kv_gib": 2.36, "max_concurrency": 2.69, "max_context": 32768},
    ),
    "V1 0.7, blocks": Said(
        "github.com/vllm-project/vllm/pull/12569",
        (
            "INFO 01-30 03:18:12 gpu_model_runner.py:848] Loading model weights took 67.7229 GB",
            "INFO 01-30 03:19:14 kv_cache_utils.py:395] # GPU blocks: 1381",
            "INFO 01-30 03:19:14 kv_cache_utils.py:398] Maximum concurrency for 2048 tokens per request: 10.79x",
        ),
        1381 * 16,
        {"weights_gib": 67.7229},
    ),
    "V1 0.8, tokens": Said(
        "github.com/vllm-project/vllm/pull/13596",
        (
            "INFO 02-19 23:56:55 kv_cache_utils.py:524] GPU KV cache size: 2,042,016 tokens",
            "INFO 02-19 23:56:55 kv_cache_utils.py:527] Maximum concurrency for 2,048 tokens per request: 997.08x",
        ),
        2_042_016,
    ),
    "V1 0.12, two ranks": Said(
        "a log of December 2025 with tensor parallel 2 (gpu_worker.py:359, kv_cache_utils.py:1286)",
        (
            "(Worker_TP0 pid=2412213) INFO 12-11 00:06:53 [gpu_worker.py:359] Available KV cache memory: 52.36 GiB",
            "(Worker_TP1 pid=2412214) INFO 12-11 00:06:53 [gpu_worker.py:359] Available KV cache memory: 52.41 GiB",
            "(EngineCore_DP0 pid=2412130) INFO 12-11 00:06:53 [kv_cache_utils.py:1286] GPU KV cache size: 686,320 tokens",
            (
                "(EngineCore_DP0 pid=2412130) INFO 12-11 00:06:54 [kv_cache_utils.py:1291] Maximum concurrency for"
                " 100,000 tokens per request: 6.86x"
            ),
        ),
        686_320,
        {"kv_gib": 52.36, "max_concurrency": 6.86, "max_context": 100_000},
    ),
    "V1 0.19, hybrid attention": Said(
        "github.com/vllm-project/vllm/issues/40691: the tokens are wrong there, the concurrency is right",
        (
            "INFO [kv_cache_utils.py:1319] GPU KV cache size: 290,864 tokens",
            "INFO [kv_cache_utils.py:1324] Maximum concurrency for 32,768 tokens per request: 33.04x",
        ),
        round(32_768 * 33.04),
    ),
    "2026, one line": Said(
        "the format in github.com/vllm-project/vllm/issues/54662 (kv_cache_utils.py @ 22df3a3)",
        (
            (
                "INFO 09-01 10:00:00 [kv_cache_utils.py:2043] GPU KV cache size: 482,080 tokens, Maximum"
                " concurrency for 262,144 tokens per request: 1.84x"
            ),
        ),
        482_080,
    ),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_size_of_the_cache_is_read_in_the_words_of_every_release(said):
    found = read_start(said.lines)
    assert found["kv_capacity_tokens"] == said.tokens
    assert {name: found[name] for name in said.figures} == said.figures


def test_of_several_starts_in_one_log_the_last_counts():
    first, last = SAID["V1 0.8, tokens"].lines, SAID["V1 0.12, two ranks"].lines
    start = "INFO 03-01 [api_server.py:1] vLLM API server version 0.12.0"
    assert read_start([*first, start, *last])["kv_capacity_tokens"] == 686_320
    assert read_start([start, *last, start, *first])["kv_capacity_tokens"] == 2_042_016


def test_a_start_that_said_nothing_of_its_cache_teaches_nothing():
    assert read_start([]) == {}
    assert read_start(["Model loading took 14.99 GiB and 13.2 seconds", "Traceback"]) == {}
    assert read_start(["GPU KV cache size: 0 tokens"]) == {}


def test_a_cache_that_had_no_room_is_no_capacity():
    lines = (
        "the rest of the memory reserved for KV Cache is -7.83GiB.",
        "INFO [executor_base.py:118] Maximum concurrency for 4096 tokens per request: 0.00x",
    )
    assert read_start(lines) == {}


def test_vllm_is_the_engine_that_is_read():
    lines = ("INFO GPU KV cache size: 2,042,016 tokens",)
    asked = engine("vllm").read_start
    assert asked
    assert asked(lines) == read_start(lines) != {}
    assert engine("llama.cpp").read_start is None
    assert engine("sglang").read_start is None
