"""What lies where in an engine's container: split models, adapters, the model hub's cache."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.engines.container import container


def order(engine: str, **model: Any) -> Any:
    given = {"source": "./m", "name": "x", "path": None, "adapter": None}
    return {
        "deployment": "try-local",
        "spec_name": "try",
        "digest": "0" * 64,
        "model": given | model,
        "engine": engine,
        "quantization": "bf16",
        "context": 2048,
        "concurrency": 4,
        "gpus": 1,
        "offer": {},
        "options": {},
    }


def mounts(made: dict[str, Any]) -> dict[str, str]:
    return {one["target"]: one["source"] for one in made["mounts"]}


def test_all_parts_of_a_split_model_are_mounted_under_names_that_belong_together():
    made = container(order("llama.cpp", path="/models/my; rm -rf-00001-of-00002.gguf"))
    assert mounts(made) == {
        f"/model/model-0000{n}-of-00002.gguf": f"/models/my; rm -rf-0000{n}-of-00002.gguf"
        for n in (1, 2)
    }
    assert made["command"][:2] == ["--model", "/model/model-00001-of-00002.gguf"]


def test_a_model_without_a_suffix_gets_one_inside():
    made = container(order("llama.cpp", path="/models/sha256-0123"))
    assert mounts(made) == {"/model/model.gguf": "/models/sha256-0123"}


def test_a_gguf_adapter_is_mounted_and_named():
    given = {"path": "/m.gguf", "adapter": "./a.gguf", "adapter_path": "/a b.gguf"}
    made = container(order("llama.cpp", **given))
    assert mounts(made)["/adapter/adapter.gguf"] == "/a b.gguf"
    assert made["command"][made["command"].index("--lora") + 1] == "/adapter/adapter.gguf"


def test_an_adapter_of_the_hub_beside_a_model_of_this_machine_has_cache_and_token():
    made = container(order("vllm", path="/m", adapter="hf:me/lora", adapter_rank=100))
    assert mounts(made)["/root/.cache/huggingface"] == "deployer-models"
    assert made["secrets"] == ["api_key", "hf_token"]
    assert made["command"][-4:] == ["--max-loras", "1", "--max-lora-rank", "128"]


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_only_a_format_that_the_engine_makes_itself_is_named(engine):
    plain = order(engine, source="hf:a/b") | {"quantization": "fp8"}
    assert "--quantization" not in container(plain)["command"]
    made = container(plain | {"quantize": "fp8"})["command"]
    assert made[made.index("--quantization") + 1] == "fp8"
