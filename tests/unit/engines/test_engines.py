"""Engines: what they lose in memory, which formats they refuse on which GPU and why, what a GPU's name says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deployer import engines
from deployer.core.domain import Gpu, ModelInfo
from deployer.core.errors import UsageError
from deployer.core.gpu_traits import generation, link_gb_s, memory, usable_gib
from deployer.core.quantization import FORMATS
from deployer.engines import choices, engine, names
from deployer.planning.catalog import gpus, models


def gpu(name: str) -> Gpu:
    found = gpus.find(name)
    assert found
    return found


def known(name: str) -> ModelInfo:
    info = models.model(name)
    assert info
    return info


QWEN, BIG = known("Qwen/Qwen3-8B"), known("Qwen/Qwen3-235B-A22B")


def test_naming_engines_imports_none():
    code = (
        "import sys; from deployer import engines; engines.choices();"
        "print(*(m for m in sys.modules if m.startswith('deployer.engines.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["deployer.engines.record"]


def test_what_nobody_can_start_is_an_engine_that_no_spec_names():
    for name in names():
        startable = engines.part(name, "container") or engines.part(name, "native")
        assert (name in choices()) == (startable is not None)
    assert set(choices()) >= {"vllm", "llama.cpp"}


def test_an_engine_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UsageError) as caught:
        engine("tgi")
    assert "vllm" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["vllm", "sglang"])
@pytest.mark.parametrize(
    ("card", "form", "reason"),
    [
        ("A10G", "fp8", "Ada, Hopper or Blackwell"),
        ("A100", "fp8", "has no fp8"),
        ("T4", "fp8", "has no fp8"),
        ("T4", "bf16", "no bf16"),
        ("V100", "bf16", "no bf16"),
        ("T4", "mxfp4", "Marlin"),
        ("V100", "nvfp4", "Ampere"),
        ("V100", "awq", "Turing"),
        ("V100", "int8", "Turing"),
        ("H100", "q4_k_m", "llama.cpp"),
        ("H100", "mlx_4bit", "on a Mac"),
        ("MI300X", "awq", "MI300X"),
    ],
)
def test_a_wrong_pair_of_format_and_gpu_is_refused_with_the_reason(name, card, form, reason):
    said = engine(name).refuses(gpu(card), form)
    assert said
    assert reason in said


@pytest.mark.parametrize("name", ["vllm", "sglang"])
@pytest.mark.parametrize(
    ("card", "form"),
    [
        ("L4", "fp8"),
        ("H100", "fp8"),
        ("B200", "nvfp4"),
        ("RTX 4090", "fp8"),
        ("MI300X", "fp8"),
        ("A10G", "awq"),
        ("A10G", "int8"),
        ("T4", "awq"),
        ("T4", "fp16"),
        ("V100", "gptq"),
        ("A100", "mxfp4"),
    ],
)
def test_a_pair_that_works_is_not_refused(name, card, form):
    assert engine(name).refuses(gpu(card), form) is None


@pytest.mark.parametrize("card", ["A100", "H100"])
def test_nvfp4_before_blackwell_is_for_vllm_alone(card):
    assert engine("vllm").refuses(gpu(card), "nvfp4") is None
    assert "Blackwell only" in str(engine("sglang").refuses(gpu(card), "nvfp4"))


@pytest.mark.parametrize("form", FORMATS)
def test_llama_cpp_serves_gguf_formats_and_only_those(form):
    said = engine("llama.cpp").refuses(None, form)
    gguf = FORMATS[form].family == "gguf" or FORMATS[form].bits >= 16
    assert (said is None) == gguf


@pytest.mark.parametrize("form", FORMATS)
def test_mlx_serves_its_own_formats_and_16_bit_safetensors(form):
    said = engine("mlx").refuses(gpu("Apple M4 Max"), form)
    found = FORMATS[form]
    served = found.family == "mlx" or (found.family == "safetensors" and found.bits >= 16)
    assert (said is None) == (served or form == "mxfp4")


def test_vllm_needs_a_gpu():
    assert "GPU" in str(engine("vllm").refuses(None, "bf16"))


@pytest.mark.parametrize(
    "card", [g for g in gpus.every() if g.vendor == "nvidia"], ids=lambda g: g.name
)
def test_every_nvidia_gpu_of_the_catalog_has_a_generation_that_agrees_with_its_fp8_units(card):
    kind = generation(card)
    assert kind != "other"
    assert (kind in ("ada", "hopper", "blackwell")) == (card.fp8_tflops is not None)


@pytest.mark.parametrize(
    ("card", "kind", "link"),
    [("H100", "hbm", 450), ("H100 PCIe", "hbm", 25), ("L40S", "gddr", 25), ("B200", "hbm", 900),
     ("A100", "hbm", 300), ("GB10", "unified", 25), ("Apple M4 Max", "unified", 25)],
)  # fmt: skip
def test_memory_and_link_follow_from_the_variant(card, kind, link):
    assert memory(gpu(card)) == kind
    assert link_gb_s(gpu(card)) == link


@pytest.mark.parametrize(
    ("card", "said", "seen"),  # GiB as the cloud reports them, and as boot logs of vLLM show them
    [
        ("H100", 80.0, 79.1),
        ("A10G", 22.35, 22.06),
        ("H200", 141.0, 139.8),
        ("RTX 3090", 24.0, 23.58),
        ("T4", 16.0, 14.6),
        ("A40", 48.0, 44.4),
    ],
)
def test_a_program_sees_less_memory_than_the_cloud_reports(card, said, seen):
    found = gpus.find(card) or Gpu(card, said, 696, 149.7, None, 300, None, "nvidia", "test")
    assert usable_gib(found, said) == pytest.approx(seen, rel=0.015)


def test_overhead_grows_with_the_batch_the_gpu_allows_and_large_mixtures_have_the_widest_band():
    vllm = engine("vllm")
    assert vllm.overhead_gib(QWEN, 1, 80.0)[0] > vllm.overhead_gib(QWEN, 1, 24.0)[0]
    low, high = vllm.overhead_gib(BIG, 4, 80.0)
    assert low < 2
    assert high > 8  # 8.15 GiB were seen for this model on four 80 GB GPUs
