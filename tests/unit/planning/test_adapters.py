"""LoRA adapters: opened, sized, held against their base, their engine and where it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.adapter import Adapter
from deployer.core.domain import ModelInfo, Part
from deployer.core.errors import Exit, UsageError
from deployer.engines import engine
from deployer.planning import adapters
from deployer.providers.registry import provider
from tests.kits import model_folders as kit
from tests.kits.documents import read

MODULES = {"q_proj": (64, 64), "v_proj": (64, 32)}
BASE = ModelInfo(
    "m",
    file_format="safetensors",
    architecture="LlamaForCausalLM",
    attention="full",
    params_total=8_030_261_248,
    layers=32,
    hidden=4096,
    attn_heads=32,
    kv_heads=8,
    head_dim=128,
    parts=(Part("intermediate_size", 14336), Part("vocab_size", 128256)),
)
GIB = 2**30


def opened(folder: Path) -> Adapter:
    return adapters.describe(f"./{folder.name}", folder.parent, None)


def test_a_folder_says_its_base_its_rank_and_its_size_exactly(tmp_path):
    folder = kit.adapter(
        tmp_path / "a",
        kit.lora(16, MODULES),
        base_model_name_or_path="org/base",
        r=8,
        target_modules=["q_proj", "v_proj"],
    )
    found = opened(folder)
    assert (found.base, found.rank, found.alpha, found.layers) == ("org/base", 16, 16.0, 2)
    assert found.widths == MODULES
    assert found.nbytes == 2 * 16 * (64 + 64 + 64 + 32) * 4
    assert adapters.size(found, BASE) == (found.nbytes, found.nbytes)
    assert found.path == str(folder)


def test_the_largest_rank_of_a_pattern_counts(tmp_path):
    folder = kit.adapter(tmp_path / "a", r=8, rank_pattern={"q_proj": 128})
    assert opened(folder).rank == 128


def test_without_its_tensors_the_size_follows_from_rank_and_modules(tmp_path):
    folder = kit.adapter(tmp_path / "a", r=1024, target_modules=["q_proj", "v_proj"])
    low, high = adapters.size(opened(folder), BASE) or (0, 0)
    assert low == high == 2 * 32 * 1024 * (4096 + 4096 + 4096 + 1024)
    whole = kit.adapter(
        tmp_path / "b", r=16, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]
    )
    low, high = adapters.size(opened(whole), BASE) or (0, 0)
    assert low == high == 2 * (32 * 16 * 8192 + 2 * 128256 * 4096)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"modules_to_save": ["embed_tokens", "lm_head"]},
            "modules_to_save: embed_tokens, lm_head",
        ),
        ({"use_dora": True}, "DoRA"),
        ({"r": 1024}, "up to rank 512, and this one has 1024"),
        ({"bias": "all"}, "with a bias (all)"),
        ({"peft_type": "LOHA"}, "not LOHA"),
    ],
)
def test_what_vllm_does_not_load_is_refused_in_the_plan(tmp_path, config, reason):
    found = opened(kit.adapter(tmp_path / "a", **config))
    said = adapters.refusal(found, engine("vllm"), provider("local", "native"))
    assert reason in str(said)


def test_an_adapter_without_its_weights_is_refused(tmp_path):
    said = adapters.refusal(
        opened(kit.adapter(tmp_path / "a")), engine("vllm"), provider("local", "docker")
    )
    assert said == "the adapter ./a has no weights (adapter_model.safetensors)"


@pytest.mark.parametrize("name", ["sglang", "mlx", "fastapi"])
def test_an_engine_that_loads_none_is_refused(name):
    said = adapters.refusal(Adapter("hf:a/b"), engine(name), provider("local", "docker"))
    assert "serves no adapters in this version" in str(said)


def test_a_folder_of_this_machine_is_refused_where_it_would_not_be_found(tmp_path):
    found = opened(kit.adapter(tmp_path / "a", kit.lora(8, MODULES)))
    assert adapters.refusal(found, engine("vllm"), provider("local", "docker")) is None
    said = adapters.refusal(found, engine("vllm"), provider("cloud-gpu", "aws"))
    assert "publish it and write model.adapter: hf:<repo>" in str(said)
    hub = adapters.refusal(Adapter("hf:a/b"), engine("vllm"), provider("cloud-gpu", "aws"))
    assert hub is None


@pytest.mark.parametrize(
    ("source", "base", "wrong"),
    [
        ("hf:meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B", False),
        (
            "hf:meta-llama/Llama-3.1-8B-Instruct",
            "unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit",
            False,
        ),
        ("hf:NousResearch/Hermes-3-Llama-3.1-8B", "meta-llama/Llama-3.1-8B", False),
        ("hf:meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-8B", True),
        ("hf:meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct", True),
        ("hf:meta-llama/Llama-3.1-8B-Instruct", "/home/me/base", False),
        ("./model", "Qwen/Qwen3-8B", False),
    ],
)
def test_another_base_is_refused_by_its_name(source, base, wrong):
    found = Adapter("hf:me/lora", base=base)
    if not wrong:
        adapters.check(found, BASE, source)
        return
    with pytest.raises(UsageError, match=f"it was trained on {base}"):
        adapters.check(found, BASE, source)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Adapter("./a", layers=36), "it adapts layer 35, and the model has 32 layers"),
        (Adapter("./a", widths={"q_proj": (5120, 4096)}), "q_proj of it goes from 5,120"),
        (Adapter("./a", widths={"v_proj": (4096, 512)}), "the model's from 4,096 to 1,024"),
    ],
)
def test_another_base_is_refused_by_what_the_tensors_fit_on(found, why):
    with pytest.raises(UsageError, match=why):
        adapters.check(found, BASE, "./m")
    adapters.check(replace(found, layers=None, widths={"other": (1, 2)}), BASE, "./m")


def test_a_gguf_adapter_of_another_architecture_is_refused(tmp_path):
    said = kit.keys("qwen3") | {"general.type": "adapter", "adapter.type": "lora"}
    file = kit.gguf(tmp_path / "a.gguf", said, {"blk.0.attn_q.weight.lora_a": (64, 16)})
    found = adapters.describe("./a.gguf", tmp_path, None)
    assert (found.format, found.rank, found.nbytes) == ("gguf", 16, 64 * 16 * 4)
    base = replace(BASE, file_format="gguf", architecture="llama")
    with pytest.raises(UsageError, match="it adapts qwen3 models, and this is llama"):
        adapters.check(found, base, "./m.gguf")
    adapters.check(found, replace(base, architecture="qwen3"), "./m.gguf")
    assert adapters.refusal(found, engine("llama.cpp"), provider("local", "native")) is None
    assert "not GGUF files" in str(
        adapters.refusal(found, engine("vllm"), provider("local", "native"))
    )
    assert file.exists()


def planned(capsys: Any, tmp_path: Path, adapter: str, code: int = 0, **serve: Any) -> Any:
    kit.folder(tmp_path / "model", {"model.safetensors": {"w": (512, 512)}})
    spec = tmp_path / "deployer.yaml"
    spec.write_text(
        json.dumps(
            {
                "name": "bot",
                "model": {"source": "./model", "adapter": adapter},
                "serve": serve,
                "targets": {"local": {"provider": "docker", "hardware": {"gpu": "l4"}}},
            }
        )
    )
    arguments = ["plan", "-f", str(spec), "--target", "local", "--offline", "--json"]
    assert main(arguments) == code
    return read("plan", capsys.readouterr().out, code)


def test_a_local_adapter_is_mounted_and_its_rank_reaches_the_engine(tmp_path, capsys, home):
    folder = kit.adapter(tmp_path / "lora", kit.lora(48, MODULES))
    (plan,) = planned(capsys, tmp_path, "./lora")["plans"]
    assert plan["feasible"]
    (run,) = (r["inputs"] for r in plan["resources"] if r["type"] == "local:index:Container")
    said = " ".join(run["command"])
    assert "--lora-modules bot=/adapter --max-loras 1 --max-lora-rank 64" in said
    assert "--served-model-name bot-base" in said
    mounts = {m["target"]: m for m in run["mounts"]}
    assert mounts["/adapter"]["source"] == str(folder)
    assert mounts["/adapter"]["read_only"]


def test_an_adapter_that_is_not_there_is_refused(tmp_path, capsys, home):
    said = planned(capsys, tmp_path, "./nothere", Exit.USAGE)["error"]
    assert "does not exist" in said["message"]
    assert "model.adapter" in said["hint"]


def test_a_plan_that_refuses_the_adapter_still_says_its_size(tmp_path, capsys, home):
    kit.adapter(tmp_path / "lora", kit.lora(8, MODULES), use_dora=True)
    (plan,) = planned(capsys, tmp_path, "./lora", Exit.NOTHING_FITS, engine="vllm")["plans"]
    assert not plan["feasible"]
    assert "DoRA" in plan["reasons"][0]
    assert plan["sizing"]["adapter_gib"][0] == plan["sizing"]["adapter_gib"][1]
