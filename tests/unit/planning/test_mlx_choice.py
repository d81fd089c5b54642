"""When MLX is taken, and what is said where it cannot be."""

from __future__ import annotations

import pytest

from tests.kits.documents import printed

MAC = "targets: {local: {hardware: {gpu: m4-max, memory_gib: %s}}}\n"
QWEN = "name: bot\nmodel: {source: 'hf:Qwen/Qwen3-8B'}\n"


@pytest.fixture
def plan(tmp_path, capsys, home):
    """Plan a spec for one target, offline."""

    def make(text: str, target: str = "local"):
        file = tmp_path / "deployer.yaml"
        file.write_text(text)
        asked = ("plan", "-f", file, "--target", target, "--offline")
        return printed(capsys, *asked).document["plans"][0]

    return make


def test_on_a_mac_safetensors_are_served_by_mlx_when_the_choice_is_left(plan):
    made = plan(QWEN + MAC % 64)
    assert (made["feasible"], made["sizing"]["engine"]) == (True, "mlx")
    assert 0 < made["sizing"]["decode_tok_s"][0] < made["sizing"]["decode_tok_s"][1]


def test_on_a_mac_gguf_files_stay_with_llama_cpp(plan, tiny_gguf):
    made = plan(f"name: bot\nmodel: {{source: {tiny_gguf}}}\n{MAC % 64}")
    assert made["sizing"]["engine"] == "llama.cpp"


def test_on_a_mac_a_model_of_unknown_files_stays_with_llama_cpp(plan):
    facts = "{params: 8000000000, layers: 32, hidden: 4096, kv_heads: 8, head_dim: 128}"
    made = plan(f"name: bot\nmodel: {{source: hf:a/b, facts: {facts}}}\n{MAC % 64}")
    assert made["sizing"]["engine"] == "llama.cpp"


@pytest.mark.parametrize("gpu", ["rtx-4090", "l4", "mi300x", "gb10"])
def test_on_anything_else_it_is_never_taken_by_itself(plan, gpu):
    made = plan(f"{QWEN}targets: {{local: {{provider: native, hardware: {{gpu: {gpu}}}}}}}\n")
    assert made["sizing"] is None or made["sizing"]["engine"] != "mlx"


def test_without_a_gpu_it_is_taken_only_when_it_is_named(plan):
    hardware = "targets: {local: {provider: native, hardware: {memory_gib: 64}}}\n"
    assert not plan(QWEN + hardware)["feasible"]
    assert plan(f"{QWEN}serve: {{engine: mlx}}\n{hardware}")["sizing"]["engine"] == "mlx"


def test_a_model_that_is_too_large_is_told_of_mlxs_own_format(plan):
    assert any("mlx_4bit would fit" in reason for reason in plan(QWEN + MAC % 16)["reasons"])


@pytest.mark.parametrize(
    ("target", "options", "who"),
    [
        ("local", "targets: {local: {provider: docker}}\n", "docker"),
        ("cloud-gpu", "", "aws"),
        ("serverless", "", "bedrock"),
        ("serverless", "targets: {serverless: {provider: sagemaker}}\n", "sagemaker"),
    ],
)
def test_whoever_cannot_run_it_says_so_first_and_who_can(plan, target, options, who):
    made = plan(f"{QWEN}serve: {{engine: mlx}}\n{options}", target)
    assert not made["feasible"]
    assert made["reasons"][0].startswith(who)
    assert "not run mlx" in made["reasons"][0]
    assert "Apple silicon without Docker" in made["reasons"][1]


def test_a_repository_that_mlx_quantized_is_nothing_for_a_rented_gpu(plan):
    facts = "{params: 8000000000, layers: 32, hidden: 4096, kv_heads: 8, head_dim: 128, dtype: mlx_4bit}"
    made = plan(f"name: bot\nmodel: {{source: hf:a/b, facts: {facts}}}\n", "cloud-gpu")
    assert not made["feasible"]
    assert any("is an MLX format" in reason for reason in made["reasons"])
