"""A part of a model is never planned as the whole: layers, parts and shards that are lost, repeated or misnamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import adapter, describe, local
from tests.kits import model_folders as kit

LAYERS = 8
EMBEDDING = {"model.embed_tokens.weight": (256, 64)}


def layers(*numbers: int) -> dict[str, tuple[int, int]]:
    return {f"model.layers.{n}.mlp.up_proj.weight": (128, 64) for n in numbers}


def folder(at: Path, files: dict[str, Any], **config: Any) -> Path:
    return kit.folder(at / "m", files, num_hidden_layers=LAYERS, **config)


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        local.describe(path, "./m")
    assert caught.value.hint
    return caught.value


WHOLE = EMBEDDING | layers(*range(LAYERS))
FOUR = [EMBEDDING | layers(0, 1), layers(2, 3), layers(4, 5), layers(6, 7)]


def shards(
    form: str = "model-{:05d}-of-00004.safetensors", *left_out: int
) -> dict[str, dict[str, tuple[int, int]]]:
    return {form.format(n): FOUR[n - 1] for n in range(1, 5) if n not in left_out}


def index(at: Path, files: dict[str, dict[str, tuple[int, int]]], **more: str) -> None:
    said = {tensor: name for name, tensors in files.items() for tensor in tensors}
    (at / "model.safetensors.index.json").write_text(json.dumps({"weight_map": said | more}))


@pytest.mark.parametrize(
    ("there", "missing"),
    [((0, 1, 2, 4, 5, 6, 7), "7 of 8 layers: 3 missing"), ((0, 1, 2), "3, 4, 5, 6, 7 missing")],
)
def test_layers_that_are_lost_are_named(tmp_path, there, missing):
    error = refused(folder(tmp_path, {"model.safetensors": EMBEDDING | layers(*there)}))
    assert missing in error.message


@pytest.mark.parametrize(
    "named",
    [
        {"visual.blocks.{}.w": 4, "model.layers.{}.w": LAYERS},
        {"model.layers.{}.w": LAYERS + 1},  # one that guesses further tokens
        {"vision_tower.encoder.layers.{}.w": 6, "decoder_{}.w": LAYERS},
        {"model.layers.{}.w": 1},  # nothing is known of how the others are called
    ],
)
def test_what_may_be_whole_is_taken(tmp_path, named):
    tensors = {name.format(n): (8, 8) for name, count in named.items() for n in range(count)}
    model = local.describe(folder(tmp_path, {"model.safetensors": EMBEDDING | tensors}), "./m")
    assert model.params_total == 256 * 64 + 64 * sum(named.values())


def test_layers_of_which_nothing_is_left_have_no_weights(tmp_path):
    files = {"model.safetensors": EMBEDDING | layers(0, 1, 2, 4, 5, 6, 7)}
    blocks = [{"attention": {"n_heads_in_group": 2}}] * LAYERS
    model = folder(tmp_path, files, architectures=["DeciLMForCausalLM"], block_configs=blocks)
    assert local.describe(model, "./m").params_total


def test_an_embedding_without_layers_is_no_model(tmp_path):
    error = refused(folder(tmp_path, {"model.safetensors": {"lm_head.weight": (256, 64)}}))
    assert "an embedding and no layers" in error.message


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        ("model-{:05d}-of-000004.safetensors", "model-00002-of-000004.safetensors"),
        ("model-{}-of-4.safetensors", "model-2-of-4.safetensors"),
        ("model-{:04d}-of-0004.safetensors", "model-0002-of-0004.safetensors"),
        ("model_{:05d}_of_00004.safetensors", "model_00002_of_00004.safetensors"),
        ("model-{:05d}-of-00004.fp16.safetensors", "model-00002-of-00004.fp16.safetensors"),
        ("model.safetensors-{:05d}-of-00004.safetensors", "model.safetensors-00002-of-00004"),
    ],
)
def test_a_shard_is_missed_however_they_are_numbered(tmp_path, form, missing):
    assert local.describe(folder(tmp_path / "all", shards(form)), "./m").params_total
    assert f"3 of 4 weight files: {missing}" in refused(folder(tmp_path, shards(form, 2))).message


def test_shards_may_be_counted_from_0(tmp_path):
    files = {f"model-{n:05d}-of-00004.safetensors": FOUR[n] for n in range(4)}
    assert local.describe(folder(tmp_path, files), "./m").params_total


def test_an_index_of_some_of_the_shards_is_refused(tmp_path):
    files = shards("model-{:05d}-of-00004.safetensors", 2)
    model = folder(tmp_path, files)
    index(model, files)
    assert "model-00002-of-00004.safetensors missing" in refused(model).message


@pytest.mark.parametrize("indexed", [True, False])
def test_a_shard_that_repeats_another_is_refused(tmp_path, indexed):
    files = shards()
    model = folder(tmp_path, files | {"model-00002-of-00004.safetensors": FOUR[0]})
    if indexed:
        index(model, files)
    error = refused(model)
    assert error.message.endswith(
        "00002-of-00004.safetensors repeats what the files before it hold"
    )


def test_an_index_of_tensors_that_are_in_no_file_is_refused(tmp_path):
    files = shards()
    model = folder(tmp_path, files)
    index(model, files, **{"model.layers.7.lost": "model-00001-of-00004.safetensors"})
    assert "names 1 tensors that are in no file: 'model.layers.7.lost'" in refused(model).message


@pytest.mark.parametrize("said", [{"weight_map": {}}, {"weight_map": {"a": 1}}, {}])
def test_an_index_without_files_is_refused(tmp_path, said):
    model = folder(tmp_path, shards())
    (model / "model.safetensors.index.json").write_text(json.dumps(said))
    assert "has no weight_map" in refused(model).message


def test_a_shard_beyond_the_last_is_refused(tmp_path):
    more = {"model-00005-of-00004.safetensors": layers(9)}
    assert "beyond the last of 4" in refused(folder(tmp_path, shards() | more)).message


@pytest.mark.parametrize(
    "name", ["model-rank-0-part-0.safetensors", "model0-mp8.safetensors", "tp_rank_01.safetensors"]
)
def test_what_one_gpu_holds_of_a_model_is_refused(tmp_path, name):
    assert f"{name} is one part" in refused(folder(tmp_path, {name: WHOLE})).message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("consolidated.00.pth", "PyTorch's own files (*.pth)"),
        ("tf_model.h5", "TensorFlow"),
        ("onnx/model.onnx", "ONNX"),
        ("openvino_model.xml", "OpenVINO"),
        ("rank0.engine", "TensorRT"),
        ("snapshots/abc/x", "name the folder snapshots/abc"),
        ("A.GGUF", "named by its file"),
    ],
)
def test_a_folder_in_another_format_gets_the_hint_for_it(tmp_path, name, hint):
    model = folder(tmp_path, {})
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_bytes(b"x")
    assert hint in str(refused(model).hint)


@pytest.mark.parametrize(
    ("architecture", "what"),
    [
        ("LlamaForCausalLMEagle3", "a draft model for speculative decoding"),
        ("MLPSpeculatorPreTrainedModel", "a draft model for speculative decoding"),
        ("WhisperForConditionalGeneration", "a model of speech or sound"),
        ("Wav2Vec2ForCTC", "a model of speech or sound"),
        ("VitsModel", "a model of speech or sound"),
        ("ViTModel", "a model of pictures"),
        ("SamModel", "a model of pictures"),
        ("DetrForObjectDetection", "a model of pictures"),
        ("NVEmbedModel", "a model that classifies or embeds"),
    ],
)
def test_what_is_no_language_model_is_named(tmp_path, architecture, what):
    model = folder(tmp_path, {"model.safetensors": WHOLE}, architectures=[architecture])
    found = describe("./m", base=model.parent, catalog=lambda _: None)
    assert found.other_use == f"{what} ({architecture})"


def test_a_model_with_a_pooling_layer_beside_it_embeds(tmp_path):
    model = folder(tmp_path, {"model.safetensors": WHOLE}, architectures=["Qwen3ForCausalLM"])
    (model / "modules.json").write_text('[{"type": "sentence_transformers.models.Pooling"}]')
    found = local.describe(model, "./m")
    assert found.other_use == "a model that embeds (modules.json has a pooling layer)"


def gguf(at: Path, there: range, **keys: Any) -> ModelInfo:
    tensors = {"token_embd.weight": (64, 32)} | {f"blk.{n}.ffn_up.weight": (64, 64) for n in there}
    return local.describe(kit.gguf(at / "m.gguf", kit.keys(block_count=8, **keys), tensors), "./m")


def test_a_gguf_file_with_layers_missing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="5 of 8 layers: 5, 6, 7 missing"):
        gguf(tmp_path, range(5))
    assert gguf(tmp_path, range(8)).layers == 8
    assert gguf(tmp_path, range(7), nextn_predict_layers=1).layers == 7


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (
            {"arch": "qwen3", "pooling_type": 3},
            "a model that embeds or ranks (qwen3, with pooling)",
        ),
        ({"arch": "qwen3", "pooling_type": 0}, None),
        ({"arch": "llada", "attention__causal": False}, "a diffusion model"),
    ],
)
def test_what_a_gguf_model_is_for_stands_in_its_keys(tmp_path, keys, what):
    found = gguf(tmp_path, range(8), **keys).other_use
    assert found == what or (what and found and found.startswith(what))


def test_a_gguf_file_whose_tensors_are_not_of_its_format_is_named_by_them(tmp_path):
    model = {**kit.keys(block_count=1), "general.file_type": 15}
    found = local.describe(kit.gguf(tmp_path / "m.gguf", model), "./m")
    assert found.native_dtype == "fp32"
    assert "the tensors are taken" in found.notes[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"arch": "rwkv7", "attention__head_count": 0},
        {"arch": "t5"},
        {"arch": "kimi-linear", "attention__kv_lora_rank": 512},
    ],
)
def test_a_cache_that_is_unknown_comes_with_its_reason(tmp_path, keys):
    found = gguf(tmp_path, range(8), **keys)
    assert found.kv_bytes_per_token is None
    assert "KV cache unknown" in found.notes[-1]


def test_latents_beside_recurrent_layers_are_counted_where_they_are(tmp_path):
    keys = {
        "attention__head_count_kv": [0, 0, 0, 1] * 2,
        "attention__kv_lora_rank": 512,
        "rope__dimension_count": 64,
        "attention__key_length_mla": 192,
    }
    found = gguf(tmp_path, range(8), arch="kimi-linear", **keys)
    assert (found.attention, found.kv_bytes_per_token) == ("hybrid", 2 * (512 + 64) * 2)


def test_a_list_shorter_than_the_layers_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"2 entries of \S+ for 8 layers"):
        gguf(tmp_path, range(8), arch="openelm", attention__head_count_kv=[3, 4])


@pytest.mark.parametrize(
    ("number", "more", "own"),
    [
        (1, {"split.no": 0}, "part 1 of 3"),
        (1, {"split.no": 2}, "part 3 of 3"),
        (0, {"split.count": 4}, "part 1 of 4"),
        (1, {"split.tensors.count": 99}, "99 tensors in all"),
        (1, {"split.no": "x"}, "no such part"),
    ],
)
def test_a_part_under_the_name_of_another_is_refused(tmp_path, number, more, own):
    for n in range(3):
        keys = {**kit.keys(), "split.no": n, "split.count": 3, "split.tensors.count": 3}
        keys |= more if n == number else {}
        kit.gguf(tmp_path / f"m-{n + 1:05d}-of-00003.gguf", keys, {f"t{n}": (8, 8)})
    error = refused(tmp_path / "m-00001-of-00003.gguf")
    assert own in error.message
    assert f"m-{number + 1:05d}-of-00003.gguf" in str(error.where)


def test_an_adapter_in_several_files_has_to_be_saved_in_one(tmp_path):
    at = kit.adapter(tmp_path / "a")
    kit.weights(at / "adapter_model-00001-of-00002.safetensors", kit.lora(8, {"q_proj": (64, 64)}))
    found = adapter.describe(at, "./a")
    assert "in several files: save it again in one" in str(found.lacking)
