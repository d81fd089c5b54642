"""What was meant by a value that is written in another tool's way: one hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.core.errors import UsageError
from deployer.spec.load import check


def hint(model: str, more: str = "") -> str:
    with pytest.raises(UsageError) as caught:
        check(f"name: bot\nmodel: {{{model}}}\n{more}", Path("s.yaml"))
    assert str(caught.value.where).startswith("s.yaml:")
    return str(caught.value.hint)


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("Qwen/Qwen3-8B", "did you mean hf:Qwen/Qwen3-8B?"),
        ("Qwen/Qwen3-8B@main", "did you mean hf:Qwen/Qwen3-8B@main?"),
        ("https://huggingface.co/Qwen/Qwen3-8B", "did you mean hf:Qwen/Qwen3-8B?"),
        ("https://huggingface.co/Qwen/Qwen3-8B/", "did you mean hf:Qwen/Qwen3-8B?"),
        ("https://huggingface.co/Qwen/Qwen3-8B/tree/main", "did you mean hf:Qwen/Qwen3-8B?"),
        ("https://huggingface.co/Qwen/Qwen3-8B?library=vllm", "did you mean hf:Qwen/Qwen3-8B?"),
        ("https://huggingface.co/Qwen/Qwen3-8B/tree/abc", "did you mean hf:Qwen/Qwen3-8B@abc?"),
        ("https://hf.co/a/b/blob/main/x-Q4_K_M.gguf", "hf download a/b x-Q4_K_M.gguf"),
        ("huggingface.co/a/b", "did you mean hf:a/b?"),
        ("hf.co/a/b", "did you mean hf:a/b?"),
        ("hf://a/b", "did you mean hf:a/b?"),
        ("HF:a/b", "did you mean hf:a/b?"),
        ("hf/a/b", "did you mean hf:a/b?"),
        ("huggingface:a/b", "did you mean hf:a/b?"),
        ("hf:a/b/", "did you mean hf:a/b?"),
        ("hf:a/b:Q4_K_M", "write hf:a/b, and model.quantization: q4_k_m"),
        ("hf:Qwen3-8B", "hf:<owner>/<name>"),
        ("model.gguf", "did you mean ./model.gguf?"),
        ("models/m.gguf", "did you mean ./models/m.gguf?"),
        ("model", "write ./model for a folder"),
        ("~/models/m", "~ is not expanded"),
        ("C:\\models\\m", "in WSL"),
        (".\\models\\m", "did you mean ./models/m?"),
        ("ollama:llama3", "hf:<owner>/<name>"),
        ("https://example.com/m.gguf", "fetch it to this machine"),
        ("s3:bucket/x", "did you mean s3://bucket/x?"),
        ("S3://Bucket/x/", "did you mean s3://bucket/x?"),
        ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "did you mean hf:a/b@refs/pr/1?"),
        ("https://huggingface.co/a/b.git", "did you mean hf:a/b?"),
        ("https://huggingface.co/api/models/a/b", "did you mean hf:a/b?"),
        ("git@hf.co:a/b", "did you mean hf:a/b?"),
        ("HTTPS://HuggingFace.co/a/b", "did you mean hf:a/b?"),
        ("hf:https://huggingface.co/a/b", "did you mean hf:a/b?"),
        ("https://huggingface.co/datasets/a/b", "not the page of a model"),
        ("https://huggingface.co/spaces/a/b", "not the page of a model"),
        ("https://huggingface.co/gpt2", "not the page of a model"),
        ("hf:a / b", "did you mean hf:a/b?"),
        ("hf:a/b@", "did you mean hf:a/b?"),
        ("hf:../..", "hf:<owner>/<name>"),
        ("hf:a/b@../../c", "hf:<owner>/<name>"),
        ("hf:datasets/a", "hf:<owner>/<name>"),
        ("hf:Qw\u0435n/Qwen3-8B", "CYRILLIC SMALL LETTER IE"),
        ("models--Qwen--Qwen3-8B", "did you mean hf:Qwen/Qwen3-8B?"),
        ("openai/gpt-oss-20b:latest", "did you mean hf:openai/gpt-oss-20b?"),
        ("llama3:8b", "hf:<owner>/<name>"),
        ("ollama://llama3", "hf:<owner>/<name>"),
        ("file:///x/y", "did you mean /x/y?"),
        ("$HOME/m", "$ is not expanded"),
        ("model/", "did you mean ./model?"),
        ("m.safetensors", "name the folder"),
        (".", "a folder of its own"),
    ],
)
def test_a_source_in_another_form_is_understood(source, meant):
    assert meant in hint(f"source: '{source}'")
    assert meant in hint(f"source: ./m, adapter: '{source}'")


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        ("int4", "did you mean awq or gptq"),
        ("4bit", "did you mean awq or gptq"),
        ("nf4", "bitsandbytes is not served here"),
        ("8bit", "did you mean fp8 or int8"),
        ("fp4", "did you mean nvfp4 or mxfp4?"),
        ("q4km", "did you mean q4_k_m?"),
        ("q4_k_mm", "did you mean q4_k_m?"),
        ("awk", "did you mean awq?"),
    ],
)
def test_a_format_in_another_spelling_is_understood(form, meant):
    assert meant in hint(f"source: ./m, quantization: {form}")


@pytest.mark.parametrize(
    ("engine", "meant"),
    [("vlm", "vllm"), ("llamacpp", "llama.cpp"), ("ollama", "llama.cpp"), ("mlx-lm", "mlx")],
)
def test_an_engine_in_another_spelling_is_understood(engine, meant):
    assert hint("source: ./m", f"serve: {{engine: {engine}}}") == f"did you mean {meant}?"


def test_a_value_that_is_nothing_known_has_no_hint():
    assert hint("source: '!!'") == "None"


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ("local_only", "did you mean local-only?"),
        ("Local-Only", "did you mean local-only?"),
        ("eu", "did you mean region:eu?"),
        ("region:EU", "did you mean region:eu?"),
        ("'region: de'", "did you mean region:de?"),
    ],
)
def test_a_rule_of_privacy_in_other_words_is_understood(rule, meant):
    assert hint("source: hf:a/b", f"policy: {{privacy: {rule}}}\n") == meant


def test_a_secret_in_an_address_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        check("name: b\nmodel: {source: 'https://me:hf_secret@huggingface.co/a/b'}", Path("s.yaml"))
    assert "hf_secret" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint == "did you mean hf:a/b?"
