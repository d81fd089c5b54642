"""How each engine is started without Docker: exact commands, no key in them, and what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.core.errors import PrerequisiteError, UsageError
from deployer.engines import with_part
from deployer.engines.launch import Job, Launch, Machine, installed, launch
from deployer.running.native import gpu

FOLDER = Path("/state/bot-local")
MLX = '{"version": "0.32.2", "missing": []}'
EVERYTHING = Machine(lambda name: f"/bin/{name}", lambda _: True, lambda _: MLX)
NOTHING = Machine(lambda _: None, lambda _: False)
ON_PATH = Machine(lambda name: f"/bin/{name}", lambda _: False)
WANTED: dict[str, Any] = {
    "engine": "vllm",
    "model": None,
    "source": "hf:Qwen/Qwen3-8B",
    "model_name": "bot",
    "adapter": None,
    "quantization": "bf16",
    "context": 8192,
    "concurrency": 4,
    "replicas": 1,
    "gpus": 1,
    "handler": {"route": "chat", "timeout": 60, "max_request_mb": 4},
}


def of(machine: Machine = EVERYTHING, **changed: Any) -> Launch:
    return launch(Job(WANTED | changed, 8081, FOLDER), machine)


def gguf(folder: Path) -> dict[str, Any]:
    file = folder / "a.gguf"
    file.touch()
    return {"engine": "llama.cpp", "model": str(file)}


def test_vllm_is_told_the_model_its_limits_and_the_loopback_address():
    said = "serve Qwen/Qwen3-8B --served-model-name bot --host 127.0.0.1 --port 8081"
    expected = f"/bin/vllm {said} --max-model-len 8192 --max-num-seqs 4"
    made = of()
    assert made.command == tuple(expected.split())
    assert made.secrets == {"VLLM_API_KEY": FOLDER / "key"}
    assert made.environment["VLLM_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({"gpus": 2}, ("--tensor-parallel-size", "2")),
        ({"quantization": "fp8", "quantize": "fp8"}, ("--quantization", "fp8")),
        ({"source": "hf:Qwen/Qwen3-8B@main"}, ("--revision", "main")),
        ({"adapter": "hf:me/lora"}, ("--enable-lora", "--lora-modules", "bot=me/lora")),
        ({"adapter": "hf:me/lora"}, ("--served-model-name", "bot-base")),
        (
            {"adapter": "hf:me/lora", "adapter_rank": 17},
            ("--max-loras", "1", "--max-lora-rank", "32"),
        ),
        ({"adapter": "hf:me/lora"}, ("--max-lora-rank", "64")),
        ({"adapter": "./lora", "adapter_path": "/a b"}, ("--lora-modules", "bot=/a b")),
        ({"model": "/models/a b; rm -rf"}, ("/models/a b; rm -rf",)),
    ],
)
def test_vllm_is_told_what_else_is_asked(changed, more):
    said = of(**changed).command
    assert any(said[i : i + len(more)] == more for i in range(len(said)))


@pytest.mark.parametrize("form", ["awq", "fp8", "nvfp4", "bf16"])
def test_a_format_that_is_the_checkpoints_own_is_left_to_vllm(form):
    assert "--quantization" not in of(quantization=form, quantize=None).command


def test_llama_server_is_taken_from_path_without_the_wheel(tmp_path):
    made = of(ON_PATH, **gguf(tmp_path))
    said = f"--model {tmp_path}/a.gguf --alias bot --host engine.sock --threads-http 12"
    more = "--ctx-size 32768 --parallel 4 --api-key-file /state/bot-local/key --metrics --no-slots"
    assert made.command == tuple(f"/bin/llama-server {said} {more}".split())


def test_the_wheel_comes_before_llama_server(tmp_path):
    made = of(**gguf(tmp_path))
    assert made.command[-1] == "/state/bot-local/engine.json"
    assert made.config["key_file"] == "/state/bot-local/key"


def test_a_handler_is_served_by_this_interpreter_with_its_limits_in_a_file():
    made = of(engine="fastapi", model="/work/mine", source="./mine")
    assert made.command[-3:] == (
        "-m",
        "deployer.agents.handler_server",
        "/state/bot-local/engine.json",
    )
    assert made.config["handler"] == "/work/mine/handler.py"
    assert made.config["max_request_bytes"] == 4 * 2**20


@pytest.mark.parametrize("name", with_part("native"))
def test_what_is_not_installed_is_named_with_the_next_step(name, tmp_path):
    with pytest.raises(PrerequisiteError) as caught:
        of(NOTHING, **(gguf(tmp_path) | {"engine": name}))
    assert "pip install" in (caught.value.hint or "")


@pytest.mark.parametrize("name", with_part("native"))
def test_several_replicas_are_refused(name):
    with pytest.raises(PrerequisiteError, match="one replica"):
        of(engine=name, replicas=2)


@pytest.mark.parametrize("name", with_part("native"))
def test_what_is_installed_is_said_in_a_line_and_what_is_not_with_the_next_step(name):
    said = installed(name, EVERYTHING)
    assert said
    assert "\n" not in said
    with pytest.raises(PrerequisiteError) as caught:
        installed(name, NOTHING)
    assert "pip install" in (caught.value.hint or "")


def test_what_runs_in_a_container_only_is_never_installed():
    with pytest.raises(PrerequisiteError, match="in a container only"):
        installed("sglang", EVERYTHING)


def test_an_engine_that_cannot_be_started_so_names_those_that_can():
    with pytest.raises(PrerequisiteError) as caught:
        of(engine="sglang")
    assert all(name in (caught.value.hint or "") for name in with_part("native"))


def test_a_bucket_is_refused_with_the_key_to_change():
    with pytest.raises(PrerequisiteError) as caught:
        of(source="s3://bucket/model")
    assert "model.source" in (caught.value.hint or "")


def test_a_folder_with_several_gguf_files_asks_for_one(tmp_path):
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    with pytest.raises(UsageError, match=r"a\.gguf, b\.gguf"):
        of(engine="llama.cpp", model=str(tmp_path))


def test_gpu_memory_is_added_up_over_the_processes_of_a_deployment():
    said = "11, 1000\n12, 24\n13, 7\n"
    assert gpu.sum_of(said, {11, 12}) == 1024
    assert gpu.sum_of(said, {99}) == 0
    assert gpu.sum_of("11, [N/A]\n", {11}) is None
