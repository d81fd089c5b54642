"""Plans of models as they are published: format, memory and context, from true headers without weights."""

from __future__ import annotations

import json
import shutil
import struct
from math import prod
from pathlib import Path
from typing import Any

import pytest

from tests.kits.documents import printed

BYTES = {"BF16": 2, "F16": 2, "F32": 4, "I32": 4, "U8": 1, "F8_E4M3": 1}
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
LAYERS = 6_979_584_000
"""Parameters of its layers; the embedding and the head have 525,336,576 each."""

EMBEDDING = 128256 * 4096
GPU = "targets: {local: {hardware: {gpu: %s, count: 1}}}\n"


def write(folder: Path, config: dict[str, Any], **tensors: tuple[str, int]) -> None:
    """Write a model folder whose files have their full size and take no disk: name -> (dtype, elements)."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps(config))
    entries, at = {}, 0
    for name, (dtype, elements) in tensors.items():
        end = at + prod((elements,)) * BYTES[dtype]
        key = name.replace("__", ".")
        entries[key] = {"dtype": dtype, "shape": [elements], "data_offsets": [at, end]}
        at = end
    raw = json.dumps(entries).encode()
    with (folder / "model" / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + at)


def whole(dtype: str, share: int = 1, embedding: str = "BF16") -> dict[str, tuple[str, int]]:
    """The tensors of the 8B model; `share` weights of a layer stand in one element."""
    return {
        "model__embed_tokens__weight": (embedding, EMBEDDING),
        "lm_head__weight": (embedding, EMBEDDING),
        "model__layers__0__weight": (dtype, LAYERS // share),
    }


@pytest.fixture
def planned(tmp_path, capsys, home):
    """Plan the written model on one GPU and return the plan."""

    def make(gpu: str = "l4", target: str = "local", more: str = "", context: str = "") -> Any:
        model = f"model: {{source: ./model{context}}}\n"
        hardware = GPU % gpu if target == "local" else ""
        spec = tmp_path / "deployer.yaml"
        spec.write_text(f"name: m\n{model}serve: {{concurrency: 4}}\n{hardware}{more}")
        asked = ("plan", "-f", spec, "--offline", "--target", target)
        return printed(capsys, *asked).document["plans"][0]

    return make


def test_weights_of_32_bits_are_served_in_16_and_it_is_said(tmp_path, planned):
    write(tmp_path, LLAMA_8B | {"torch_dtype": "float32"}, **whole("F32", embedding="F32"))
    made = planned("l40s")
    assert made["model"]["native_dtype"] == "fp32"
    assert made["sizing"]["quantization"] == "bf16"
    assert made["sizing"]["weights_gib"] == pytest.approx(14.96, abs=0.01)
    assert any("published in 32 bits; vllm serves it in 16 (bf16)" in w for w in made["warnings"])


def test_weights_of_32_bits_are_served_as_fp16_where_the_gpu_has_no_bf16(tmp_path, planned):
    write(tmp_path, LLAMA_8B | {"torch_dtype": "float32"}, **whole("F32", embedding="F32"))
    assert planned("t4")["sizing"]["quantization"] == "fp16"


def test_weights_of_32_bits_ask_for_no_larger_machine_than_those_of_16(tmp_path, planned):
    write(tmp_path, LLAMA_8B | {"torch_dtype": "float32"}, **whole("F32", embedding="F32"))
    wide = planned(target="cloud-gpu")
    shutil.rmtree(tmp_path / "model")
    write(tmp_path, LLAMA_8B, **whole("BF16"))
    half = planned(target="cloud-gpu")
    assert wide["offer"]["instance_type"] == half["offer"]["instance_type"]
    assert wide["sizing"] == half["sizing"]


@pytest.mark.parametrize(
    ("quant", "dtype", "share", "name"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "U8", 2, "bnb_4bit"),
        ({"quant_method": "gptq", "bits": 3}, "I32", 32 // 3, "gptq_3bit"),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "U8", 2, "torchao_int4"),
        ({"quant_method": "aqlm"}, "U8", 2, "aqlm"),
    ],
)
def test_a_format_without_figures_is_sized_by_its_files_and_never_called_bf16(
    tmp_path, planned, quant, dtype, share, name
):
    write(tmp_path, LLAMA_8B | {"quantization_config": quant}, **whole(dtype, share))
    made = planned()
    assert (made["model"]["native_dtype"], made["sizing"]["quantization"]) == (name, name)
    size = 2 * 2 * EMBEDDING + BYTES[dtype] * (LAYERS // share)
    assert made["sizing"]["weights_gib"] == pytest.approx(size / 2**30, abs=0.001)
    assert made["sizing"]["decode_tok_s"] is None
    assert any(f"the format of its weights is {name}" in w for w in made["warnings"])


def test_packed_weights_of_which_nothing_says_how_are_unknown(tmp_path, planned):
    write(tmp_path, {k: v for k, v in LLAMA_8B.items() if k != "torch_dtype"}, **whole("U8", 2))
    made = planned()
    assert (made["model"]["native_dtype"], made["sizing"]["quantization"]) == ("unknown",) * 2
    assert made["model"]["params_total"] is None
    assert any("the format of its weights cannot be named" in w for w in made["warnings"])


def test_quantization_in_a_file_of_its_own_is_read_with_its_cache(tmp_path, planned):
    write(tmp_path, LLAMA_8B, **whole("F8_E4M3"))
    quant = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "model" / "hf_quant_config.json").write_text(json.dumps(quant))
    made = planned()
    assert (made["model"]["native_dtype"], made["sizing"]["quantization"]) == ("fp8", "fp8")
    assert made["sizing"]["kv_bytes_per_token"] == 65_536
    assert made["sizing"]["kv_gib"] == pytest.approx(2.0)
    assert made["model"]["origins"]["kv_share"] == "hf_quant_config.json in ./model"
    assert made["model"]["origins"]["layers"] == "config.json in ./model"


def test_an_engine_that_does_not_follow_the_checkpoint_keeps_16_bits(tmp_path, capsys, home):
    write(tmp_path, LLAMA_8B, **whole("F8_E4M3"))
    quant = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "model" / "hf_quant_config.json").write_text(json.dumps(quant))
    spec = tmp_path / "deployer.yaml"
    head = "name: m\nmodel: {source: ./model}\nserve: {engine: sglang, concurrency: 4}\n"
    spec.write_text(head + GPU % "l40s")
    asked = ("plan", "-f", spec, "--offline", "--target", "local")
    sizing = printed(capsys, *asked).document["plans"][0]["sizing"]
    assert (sizing["engine"], sizing["kv_bytes_per_token"]) == ("sglang", 131_072)


def test_a_config_with_a_bare_infinity_is_taken_as_the_engines_take_it(tmp_path, planned):
    write(tmp_path, LLAMA_8B | {"time_step_limit": [0.0, float("inf")]}, **whole("BF16"))
    assert "Infinity" in (tmp_path / "model" / "config.json").read_text()
    assert planned()["model"]["kv_bytes_per_token"] == 131_072


def test_a_model_whose_layers_all_slide_adds_nothing_and_says_0(tmp_path, planned):
    slides = {"model_type": "mistral", "sliding_window": 4096}
    write(tmp_path, LLAMA_8B | slides, **whole("BF16"))
    sizing = planned()["sizing"]
    assert (sizing["kv_bytes_per_token"], sizing["kv_gib"]) == (0, pytest.approx(2.0))


YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(("tokens", "feasible"), [(65536, True), (131072, True), (131073, False)])
def test_yarn_reaches_as_far_as_its_factor(tmp_path, planned, tokens, feasible):
    config = LLAMA_8B | {"max_position_embeddings": 32768, "rope_scaling": YARN}
    write(tmp_path, config, **whole("BF16"))
    made = planned("h200", context=f", context: {tokens}")
    assert made["feasible"] is feasible
    if not feasible:
        what, mend = made["reasons"]
        assert "the model's context ends at 131072 tokens, and model.context is 131073" in what
        assert mend == "set model.context to at most 131072"


@pytest.mark.parametrize(
    ("input_tokens", "what"), [(6000, "is refused"), (1900, "is cut short"), (1000, None)]
)
def test_traffic_that_the_context_does_not_hold_is_said(tmp_path, planned, input_tokens, what):
    write(tmp_path, LLAMA_8B, **whole("BF16"))
    traffic = f"traffic: {{input_tokens: {input_tokens}, output_tokens: 500}}\n"
    made = planned("l40s", more=traffic, context=", context: 2048")
    said = [w for w in made["warnings"] if "does not fit in the context of 2048 tokens" in w]
    assert [what in w and f"at least {input_tokens + 500}" in w for w in said] == (
        [True] if what else []
    )
