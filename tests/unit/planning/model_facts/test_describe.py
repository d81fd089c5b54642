"""Gathering what is known of a model: which source wins, and where each figure came from."""

from __future__ import annotations

import json
import os
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import GIB, ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import GIVEN, Lookup, describe

HERE = Path()
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "torch_dtype": "bfloat16",
}


def nothing(_repo: str) -> None:
    return None


def never(repo: str) -> None:
    raise AssertionError(f"{repo} was asked for")


def ask(
    source: str, base: Path = HERE, catalog: Lookup = nothing, hub: Any = None, given: Any = None
) -> ModelInfo:
    return describe(source, base=base, catalog=catalog, hub=hub, given=given)


def folder(at: Path) -> Path:
    at.mkdir()
    (at / "config.json").write_text(json.dumps(CONFIG))
    raw = json.dumps({"w": {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}}).encode()
    weights = struct.pack("<Q", len(raw)) + raw + bytes(12)
    (at / "model.safetensors").write_bytes(weights)
    return at


def test_a_folder_is_described_by_its_config_and_its_headers(tmp_path):
    folder(tmp_path / "m")
    info = ask("./m", tmp_path, catalog=never, hub=never)
    assert (info.layers, info.params_total, info.weights_bytes) == (2, 6, 12)
    assert info.kv_bytes_per_token == 2 * 2 * 2 * 8 * 2
    assert info.origins["layers"] == "config.json in ./m"
    assert info.origins["weights_bytes"] == "safetensors headers in ./m"


def test_a_gguf_file_is_described_by_its_header(tiny_gguf):
    info = ask(f"./{tiny_gguf.name}", tiny_gguf.parent)
    assert (info.name, info.file_format, info.native_dtype) == ("tiny.gguf", "gguf", "fp16")
    assert info.origins["layers"] == "GGUF header of ./tiny.gguf"


def test_an_absolute_path_does_not_start_at_the_spec(tiny_gguf, tmp_path):
    assert ask(str(tiny_gguf), tmp_path).layers == 2


def test_a_folder_with_one_gguf_file_is_that_file(tiny_gguf, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.gguf").symlink_to(tiny_gguf)
    assert ask("./m", tmp_path).origins["layers"] == "GGUF header of ./m/a.gguf"
    (tmp_path / "m" / "b.gguf").symlink_to(tiny_gguf)
    with pytest.raises(UsageError, match=r"several GGUF files: a\.gguf, b\.gguf"):
        ask("./m", tmp_path)


def test_a_split_gguf_model_is_the_sum_of_its_parts(tiny_gguf, tmp_path):
    for part in (1, 2):
        (tmp_path / f"m-0000{part}-of-00002.gguf").symlink_to(tiny_gguf)
    whole, one = ask("./m-00001-of-00002.gguf", tmp_path), ask(str(tiny_gguf))
    assert one.weights_bytes is not None
    assert whole.weights_bytes == 2 * one.weights_bytes
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(UsageError, match=r"m-00002-of-00002\.gguf is missing"):
        ask("./m-00001-of-00002.gguf", tmp_path)


def test_the_catalog_comes_before_the_hub():
    known = ModelInfo("a/b", layers=3)
    assert ask("hf:a/b", catalog={"a/b": known}.get, hub=never) == known


def test_the_hub_is_asked_with_the_revision_for_what_the_catalog_lacks():
    known = ModelInfo("a/b", layers=3)
    assert ask("hf:a/b@v1", hub={"a/b@v1": known}.get) == known


def test_a_model_that_nobody_knows_is_unknown_and_said_to_be():
    info = ask("hf:a/b", hub=nothing)
    assert (info.params_total, info.weights_bytes, info.kv_bytes_per_token) == (None, None, None)
    assert "a/b is not in the bundled catalog" in info.notes[0]


def test_figures_of_the_spec_only_fill_what_is_unknown():
    known = ModelInfo("a/b", layers=3, origins={"layers": "the catalog"})
    info = ask("hf:a/b", catalog={"a/b": known}.get, given={"layers": 9, "params": 70})
    assert (info.layers, info.params_total) == (3, 70)
    assert info.origins == {"layers": "the catalog", "params_total": "spec: model.facts"}
    assert info.notes == ("model.facts: layers ignored, already known from other sources",)


def test_s3_is_not_read_and_its_facts_are_those_of_the_spec():
    given = {"weights_gib": Decimal("1.5"), "dtype": "F16", "params": None}
    info = ask("s3://bucket/x", catalog=never, hub=never, given=given)
    assert info.weights_bytes == 1.5 * GIB
    assert info.native_dtype == "fp16"
    assert info.params_total is None


def test_a_given_shape_gives_the_kv_cache():
    info = ask("hf:a/b", given={"layers": 32, "kv_heads": 8, "head_dim": 128})
    assert (info.attention, info.kv_bytes_per_token) == ("full", 131072)
    assert info.origins["kv_bytes_per_token"] == "spec: model.facts"


def test_a_known_attention_is_not_taken_for_full():
    known = ModelInfo("a/b", attention="other", layers=32, kv_heads=8)
    info = ask("hf:a/b", catalog={"a/b": known}.get, given={"head_dim": 128})
    assert info.kv_bytes_per_token is None


@pytest.mark.parametrize("key", GIVEN)
def test_every_given_figure_is_taken_with_its_origin(key):
    info = ask("hf:a/b", given={key: "awq" if key == "dtype" else 4})
    assert getattr(info, GIVEN[key]) is not None
    assert info.origins == {GIVEN[key]: "spec: model.facts"}


@pytest.mark.parametrize("source", ["./no/such.gguf", "./missing", "/no/such/folder"])
def test_a_missing_path_is_named(source, tmp_path):
    with pytest.raises(UsageError) as refused:
        ask(source, tmp_path)
    assert refused.value.where == str(tmp_path / source)
    assert "does not exist" in refused.value.message


def test_a_missing_model_with_a_generator_beside_it_says_to_run_it(tmp_path):
    (tmp_path / "generate.py").touch()
    with pytest.raises(UsageError) as refused:
        ask("./tiny.gguf", tmp_path)
    assert refused.value.hint == f"create it: python {tmp_path / 'generate.py'}"


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"neither a folder nor a \.gguf file"):
        ask("./notes.txt", tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.gguf")
    with pytest.raises(UsageError, match="neither a folder nor"):
        ask("./m.gguf", tmp_path)


@pytest.mark.parametrize(
    ("leave", "lacks"), [((), "config.json"), (("config.json",), r"weights \(\*\.safetensors\)")]
)
def test_a_folder_that_is_not_whole_says_what_it_lacks(tmp_path, leave, lacks):
    made = folder(tmp_path / "m")
    for file in list(made.iterdir()):
        if file.name not in leave:
            file.unlink()
    with pytest.raises(UsageError, match=lacks):
        ask("./m", tmp_path)


def test_pickled_weights_leave_the_size_unknown_and_are_said(tmp_path):
    made = folder(tmp_path / "m")
    (made / "model.safetensors").rename(made / "pytorch_model.bin")
    info = ask("./m", tmp_path)
    assert info.weights_bytes is None
    assert "pickled" in info.notes[0]


def test_every_known_figure_has_an_origin(tmp_path, tiny_gguf):
    folder(tmp_path / "m")
    for info in (ask("./m", tmp_path), ask(str(tiny_gguf))):
        figures = {k for k, v in vars(info).items() if v is not None}
        figures -= {"name", "origins", "notes", "file_format", "parts"}
        assert figures == set(info.origins)
