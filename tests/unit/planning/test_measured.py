"""What an engine says of its memory when it starts, kept, and what the next plan makes of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from deployer.core.deployment import Deployment
from deployer.planning.measured import Measurement, Served, plain, read
from deployer.sources import measurements
from tests.kits.documents import printed

SPEC = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\nserve: {engine: vllm, concurrency: 8}\n"
LATER = "2026-01-02T03:00:00+00:00"


@pytest.fixture
def plan(tmp_path, capsys, home):
    file = tmp_path / "deployer.yaml"
    file.write_text(SPEC)

    def sizing():
        asked = ("plan", "-f", file, "--target", "cloud-gpu", "--offline")
        made = printed(capsys, *asked).document["plans"][0]
        return made["sizing"], made["offer"], made["model"]

    return sizing


def served(plan) -> Served:
    sizing, offer, model = plan()
    return Served(
        model=model["name"],
        quantization=sizing["quantization"],
        engine=sizing["engine"],
        gpu=offer["gpu"],
        gpu_count=sizing["gpus"],
        instance_type=offer["instance_type"],
        vcpus=offer["vcpus"],
    )


def started(plan, home, tokens: int) -> Measurement | None:
    """A deployment whose vLLM has just said what its cache holds."""
    what = asdict(served(plan)) | {"context": 8192}
    record = Deployment(
        "bot-cloud-gpu", "bot", "d", "cloud-gpu", "aws", "vllm", "bot", LATER, [], served=what
    )
    log = iter([f"INFO [kv_cache_utils.py:524] GPU KV cache size: {tokens:,} tokens"])
    return measurements.learn(home, record, log, LATER)


def test_the_cache_that_vllm_stated_is_in_the_next_plan_beside_its_estimate(plan, home, capsys):
    before = plan()[0]
    tokens = before["kv_capacity_tokens"] + 999
    assert started(plan, home, tokens)
    after = plan()[0]
    (figure,) = after["measured"]
    assert (after["basis"], after["kv_capacity_tokens"]) == ("measured", tokens)
    assert figure["estimate"] == before["kv_capacity_range"]
    assert figure["error"] == pytest.approx(
        (before["kv_capacity_range"][0] * before["kv_capacity_range"][1]) ** 0.5 / tokens - 1,
        abs=1e-5,
    )
    assert figure["source"] == "vllm's start-up log"


def test_a_cache_smaller_than_asked_makes_the_fit_tight_and_says_how_many_it_holds(plan, home):
    started(plan, home, 3 * 8192 + 5)
    kept = measurements.kept(home)
    assert [m.kv_capacity_tokens for m in kept] == [3 * 8192 + 5]
    what = kept[0].served
    assert what
    sizing, _, _ = plan()
    if served(plan) == what:  # it may now choose other hardware, which is what measuring is for
        assert sizing["fit"] == "tight"
        assert "holds 3 of 8" in sizing["limit"]
    else:
        assert sizing["measured"] == []


def test_an_engine_that_says_nothing_of_its_memory_teaches_nothing(home):
    record = Deployment("a-local", "a", "d", "local", "native", "llama.cpp", "a", LATER, [])
    assert measurements.learn(home, record, iter(["anything"]), LATER) is None
    vllm = replace(record, engine="vllm")
    assert measurements.learn(home, vllm, iter(["Traceback"]), LATER) is None
    assert measurements.kept(home) == ()


def test_what_is_kept_is_read_back_as_it_was(plan):
    made = Measurement(LATER, "deployer bench", "1", served(plan), kv_capacity_tokens=7)
    assert read(json.loads(json.dumps(plain(made)))) == made


@pytest.mark.parametrize("tokens", [0, -5, "many", 1.5])
def test_a_capacity_that_is_none_is_not_believed(plan, tokens):
    made = Measurement(LATER, "deployer bench", "1", served(plan), kv_capacity_tokens=7)
    assert read(plain(made) | {"kv_capacity_tokens": tokens}) is None


def test_one_gpu_counts_alike_in_any_machine_and_a_cpu_only_in_the_same():
    gpu = Served("m", "fp8", "vllm", "L4", 1, "g6.xlarge", 4)
    assert gpu.like(replace(gpu, instance_type="g6.2xlarge", vcpus=8))
    assert not gpu.like(replace(gpu, gpu_count=2))
    cpu = replace(gpu, gpu=None, gpu_count=0)
    assert cpu.like(cpu)
    assert not cpu.like(replace(cpu, vcpus=8))
