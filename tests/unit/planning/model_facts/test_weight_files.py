"""Which files of a folder are the model: one copy, whole, and nothing that only lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import local
from tests.kits import model_folders as kit

ONE = {"model.embed_tokens.weight": (256, 64), "model.layers.0.mlp.up_proj.weight": (128, 64)}
TWO = {"model.layers.1.mlp.up_proj.weight": (128, 64)}
WHOLE = ONE | TWO
PARAMS = 256 * 64 + 2 * 128 * 64


def said(folder: Path) -> ModelInfo:
    return local.describe(folder, "./m")


def refused(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        said(folder)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "beside",
    [
        "consolidated.safetensors",
        "consolidated-00001-of-00001.safetensors",
        "model.fp16.safetensors",
        "pytorch_model.safetensors",
        "ema.safetensors",
    ],
)
def test_a_second_copy_of_the_weights_is_not_counted_and_said(tmp_path, beside):
    info = said(kit.folder(tmp_path / "m", {"model.safetensors": WHOLE, beside: WHOLE}))
    assert (info.params_total, info.weights_bytes) == (PARAMS, 2 * PARAMS)
    assert beside in "".join(info.notes)


def test_shards_and_a_single_file_of_the_same_weights_are_one_model(tmp_path):
    shards = {"model-00001-of-00002.safetensors": ONE, "model-00002-of-00002.safetensors": TWO}
    info = said(kit.folder(tmp_path / "m", {"model.safetensors": WHOLE, **shards}))
    assert info.params_total == PARAMS


def test_weights_under_names_of_their_own_are_added_up(tmp_path):
    files = {"language.safetensors": ONE, "vision.safetensors": {"visual.patch.weight": (8, 8)}}
    assert said(kit.folder(tmp_path / "m", files)).params_total == 256 * 64 + 128 * 64 + 64


def test_mistrals_own_format_is_read_where_it_is_alone(tmp_path):
    assert (
        said(kit.folder(tmp_path / "m", {"consolidated.safetensors": WHOLE})).params_total == PARAMS
    )


@pytest.mark.parametrize(
    ("beside", "shapes"),
    [
        ("optimizer.safetensors", {"exp_avg.model.layers.0.mlp.up_proj.weight": (128, 64)}),
        ("training.safetensors", {"exp_avg_sq.model.layers.0.mlp.up_proj.weight": (128, 64)}),
        ("adapter_model.safetensors", {"base_model.x.lora_A.weight": (8, 64)}),
    ],
)
def test_what_a_training_leaves_beside_the_weights_is_not_counted(tmp_path, beside, shapes):
    info = said(kit.folder(tmp_path / "m", {"model.safetensors": WHOLE, beside: shapes}))
    assert info.params_total == PARAMS
    assert beside in "".join(info.notes)


@pytest.mark.parametrize("lost", [1, 2, 4])
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_shard_that_is_missing_is_named(tmp_path, lost, suffix):
    folder = kit.folder(tmp_path / "m", {})
    for number in {1, 2, 3, 4} - {lost}:
        name = f"model-{number:05d}-of-00004.{suffix}"
        kit.weights(folder / name, {f"model.layers.{number}.w": (8, 8)})
    error = refused(folder)
    assert "has 3 of 4 weight files" in error.message
    assert f"model-{lost:05d}-of-00004.{suffix} missing" in error.message


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "x.bin"],
)
def test_a_pointer_of_git_lfs_is_named_wherever_it_stands(tmp_path, name):
    folder = kit.folder(tmp_path / "m", {"model.safetensors": WHOLE})
    (folder / name).write_text(kit.POINTER)
    error = refused(folder)
    assert "is a Git LFS pointer" in error.message
    assert "lfs pull" in str(error.hint)
    assert error.where == str(folder / name)


def test_a_pointer_in_place_of_a_gguf_file_is_named(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_text(kit.POINTER)
    assert "Git LFS pointer" in refused(file).message


@pytest.mark.parametrize(
    ("made", "hint"),
    [
        ("checkpoint-500", "name one, such as checkpoint-1000"),
        ("zero_to_fp32.py", "zero_to_fp32.py"),
        ("pytorch_model_fsdp_0", "accelerate merge-weights"),
    ],
)
def test_a_folder_of_a_training_says_what_to_do_with_it(tmp_path, made, hint):
    folder = tmp_path / "m"
    (folder / made).mkdir(parents=True)
    if made.endswith(".py"):
        (folder / made).rmdir()
        (folder / made).touch()
    if made.startswith("checkpoint"):
        (folder / "checkpoint-1000").mkdir()
    assert hint in str(refused(folder).hint)


def test_the_arguments_of_a_training_are_no_weights(tmp_path):
    folder = kit.folder(tmp_path / "m", {})
    (folder / "training_args.bin").write_bytes(b"x" * 2000)
    assert "no weights" in refused(folder).message


@pytest.mark.parametrize("config", [True, False])
def test_a_lora_folder_as_source_is_told_where_it_belongs(tmp_path, config):
    folder = kit.adapter(tmp_path / "m", kit.lora(8, {"q_proj": (64, 64)}))
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "meta-llama/Llama-3.1-8B", "r": 8})
    )
    if config:
        kit.folder(folder, {})
    error = refused(folder)
    assert "is a LoRA adapter of meta-llama/Llama-3.1-8B, not a model" in error.message
    assert error.hint == (
        "set model.source to its base, hf:meta-llama/Llama-3.1-8B, and model.adapter to ./m"
    )
