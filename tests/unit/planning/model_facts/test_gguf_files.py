"""Which GGUF files are a model, and what the others are; layers that keep different caches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.core.errors import UsageError
from deployer.planning.model_facts import describe, gguf_files, local
from tests.kits import model_folders as kit


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        local.describe(path, "./m")
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"general.architecture": "clip", "general.type": "mmproj"}, "the projector"),
        ({"general.architecture": "clip"}, "the projector"),
        ({**kit.keys(), "general.type": "adapter", "adapter.type": "lora"}, "a LoRA adapter"),
        ({"general.type": "imatrix"}, "an importance matrix"),
        ({"general.architecture": "controlvector"}, "a control vector"),
        ({"general.architecture": "eagle3"}, "a draft model"),
        ({**kit.keys(), "general.type": "dataset"}, "of type 'dataset'"),
    ],
)
def test_a_file_that_lies_beside_a_model_is_refused_by_name(tmp_path, metadata, what):
    error = refused(kit.gguf(tmp_path / "m.gguf", metadata))
    assert f"is {what}" in error.message
    assert "not a model" in error.message


def test_a_vocabulary_is_not_a_model(tmp_path):
    vocabulary = {**kit.keys(), "tokenizer.ggml.model": "gpt2"}
    assert (
        "a vocabulary and no weights"
        in refused(kit.gguf(tmp_path / "v.gguf", vocabulary, {})).message
    )


def test_the_model_of_a_folder_is_found_beside_its_projector_and_adapter(tmp_path):
    kit.gguf(tmp_path / "mmproj-f16.gguf", {"general.architecture": "clip"})
    kit.gguf(tmp_path / "a-lora.gguf", {**kit.keys(), "general.type": "adapter"})
    model = kit.gguf(tmp_path / "model.gguf", kit.keys())
    assert local.describe(tmp_path, "./m").name == model.name
    assert gguf_files.served(tmp_path) == model


def split(folder: Path, stem: str = "m", count: int = 3, tensors: int = 3) -> list[Path]:
    """A model in parts of one tensor each."""
    return [
        kit.gguf(
            folder / f"{stem}-{number + 1:05d}-of-{count:05d}.gguf",
            {
                **kit.keys(),
                "split.no": number,
                "split.count": count,
                "split.tensors.count": tensors,
            },
            {f"blk.{number}.w" if number else "token_embd.weight": (8, 8)},
        )
        for number in range(count)
    ]


def test_a_later_part_of_a_split_model_means_its_first(tmp_path):
    first, second, _ = split(tmp_path)
    info = local.describe(second, "./m")
    assert (info.name, info.params_total) == (first.name, 3 * 64)
    assert first.name in info.notes[0]
    assert gguf_files.served(second) == first


def test_parts_that_are_fewer_than_they_say_are_refused(tmp_path):
    assert "of 9 that it was split from" in refused(split(tmp_path, tensors=9)[0]).message


def test_a_part_under_another_name_is_refused_with_its_name(tmp_path):
    part = split(tmp_path)[1].rename(tmp_path / "whole.gguf")
    error = refused(part)
    assert "is part 2 of 3 of a split model" in error.message
    assert "whole-00002-of-00003.gguf" in str(error.hint)


def test_a_whole_model_without_a_suffix_is_taken(tmp_path):
    file = kit.gguf(tmp_path / "sha256-0123", kit.keys())
    assert local.describe(file, "./m").file_format == "gguf"
    (tmp_path / "README").write_text("# words")
    assert "neither a folder nor a .gguf file" in refused(tmp_path / "README").message


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        (kit.keys("bert"), "an encoder (bert)"),
        (kit.keys("nomic-bert-moe"), "an encoder (nomic-bert-moe)"),
        (kit.keys("t5encoder"), "an encoder (t5encoder)"),
        (kit.keys("newarch", attention__causal=False), "an encoder (newarch)"),
    ],
)
def test_an_encoder_keeps_no_cache_and_generates_nothing(tmp_path, metadata, what):
    info = local.describe(kit.gguf(tmp_path / "m.gguf", metadata), "./m")
    assert (info.other_use, info.kv_bytes_per_token, info.attention) == (what, 0, "none")


@pytest.mark.parametrize(
    ("architecture", "generates"),
    [
        ("BertModel", False),
        ("XLMRobertaForSequenceClassification", False),
        ("LlamaForSequenceClassification", False),
        ("Qwen2ForRewardModel", False),
        ("LlamaForCausalLM", True),
        ("ChatGLMModel", True),
        ("T5ForConditionalGeneration", True),
    ],
)
def test_a_class_that_judges_or_embeds_generates_nothing(tmp_path, architecture, generates):
    files = {"model.safetensors": {"w": (512, 512)}}
    kit.folder(tmp_path / "m", files, architectures=[architecture])
    info = describe("./m", base=tmp_path, catalog=lambda _: None)
    assert (info.other_use is None) == generates


PATTERN = [True, True, False, True]
ONE = (16 + 16) * 2


@pytest.mark.parametrize(
    ("arch", "more", "full", "window"),
    [
        ("new", {"attention.sliding_window_pattern": PATTERN}, 8 * ONE, 3 * 8 * ONE),
        ("new", {"attention.sliding_window_pattern": 2}, 2 * 8 * ONE, 2 * 8 * ONE),
        ("smallthinker", {"attention.head_count_kv": [1, 2, 2, 2]}, ONE, 6 * ONE),
        ("olmo2", {"attention.head_count_kv": [2, 2, 2, 1]}, ONE, 6 * ONE),
        (
            "gemma4",
            {
                "attention.sliding_window_pattern": PATTERN,
                "attention.head_count_kv": [4, 4, 1, 4],
                "attention.key_length_swa": 8,
                "attention.value_length_swa": 8,
            },
            ONE,
            3 * 4 * ONE // 2,
        ),
        (
            "gemma3n",
            {"attention.sliding_window_pattern": PATTERN, "attention.shared_kv_layers": 2},
            0,
            2 * 8 * ONE,
        ),
    ],
)
def test_layers_with_windows_and_heads_of_their_own_are_read(tmp_path, arch, more, full, window):
    said: dict[str, Any] = kit.keys(arch, attention__sliding_window=512)
    said |= {f"{arch}.attention.key_length": 16, f"{arch}.attention.value_length": 16}
    said |= {f"{arch}.{key}": value for key, value in more.items()}
    info = local.describe(kit.gguf(tmp_path / "m.gguf", said), "./m")
    assert (info.kv_bytes_per_token, info.kv_window_bytes) == (full, 512 * window)


def test_a_pattern_that_is_too_short_is_refused(tmp_path):
    said = kit.keys("new", attention__sliding_window=512, attention__sliding_window_pattern=[True])
    assert (
        "1 entries of sliding_window_pattern for 4 layers"
        in refused(kit.gguf(tmp_path / "m.gguf", said)).message
    )
