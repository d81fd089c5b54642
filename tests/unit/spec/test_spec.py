"""The spec: what is accepted, what is refused, and how a mistake is named."""

from __future__ import annotations

import os
import threading
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.errors import UsageError
from deployer.core.units import duration, seconds
from deployer.spec.load import Loaded, load
from deployer.spec.serialize import from_plain, to_plain
from deployer.spec.validate import json_schema
from deployer.spec.yaml_source import MOST_DEPTH

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
TWO_LINES = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


def read(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "deployer.yaml"
    file.write_text(text)
    return load(file)


def refusal(tmp_path: Path, text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == 2
    return caught.value


def test_two_lines_are_a_spec_and_every_default_is_named(tmp_path):
    loaded = read(tmp_path, TWO_LINES)
    assert loaded.spec.serve.concurrency == 8
    assert loaded.defaults["serve.concurrency"] == 8
    assert "targets.cloud-gpu.region" not in loaded.defaults  # it is the provider's to say
    assert "name" not in loaded.defaults
    assert "model.source" not in loaded.defaults


def test_what_the_file_says_is_not_called_a_default(tmp_path):
    loaded = read(tmp_path, TWO_LINES + "serve: {concurrency: 8}\n")
    assert "serve.concurrency" not in loaded.defaults
    assert "serve.engine" in loaded.defaults


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_every_example_is_a_valid_spec_for_us_and_for_the_published_schema(file):
    assert load(file).spec.name
    jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(file.read_text()))


def test_the_schema_is_itself_valid_and_says_its_draft():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "cloud-gpu" in str(schema)


WRONG = [
    ("nam: bot\nmodel: {source: hf:a/b}\n", (1, 1), "unknown key 'nam'", "name"),
    (TWO_LINES + "serve:\n  concurency: 3\n", (4, 3), "unknown key 'concurency'", "concurrency"),
    (TWO_LINES + "targets:\n  cloud_gpu: {}\n", (4, 3), "unknown key 'cloud_gpu'", "cloud-gpu"),
    (TWO_LINES + "serve: {replicas: {mn: 1}}\n", (3, 20), "unknown key 'mn'", "min"),
    (TWO_LINES + "targets: {local: {hardware: {gpus: x}}}\n", (3, 30), "unknown key 'gpus'", "gpu"),
    (TWO_LINES + "policy: {budget: 400 EUR}\n", (3, 10), "400 USD/month", None),
    (TWO_LINES + "policy: {budget: 400}\n", (3, 10), "no unit", "400 USD/month"),
    (TWO_LINES + "policy: {idle: {after: 30 minutes}}\n", (3, 17), "30m", None),
    (TWO_LINES + "serve: {concurrency: 0}\n", (3, 9), "greater than or equal to 1", None),
    (TWO_LINES + "serve: {concurrency: true}\n", (3, 9), "not a number", None),
    (TWO_LINES + 'serve: {concurrency: "8"}\n', (3, 9), "not a number", None),
    (TWO_LINES + "serve: {concurrency: 1.5}\n", (3, 9), "whole number", None),
    (TWO_LINES + "traffic: {requests_per_day: -1}\n", (3, 11), "greater than or equal", None),
    (TWO_LINES + "traffic: {requests_per_day: .nan}\n", (3, 11), "finite", None),
    (TWO_LINES + "traffic: {profile: [1, 2, 3]}\n", (3, 11), "24", None),
    (TWO_LINES + "traffic: {profile: nightly}\n", (3, 11), "office-hours", None),
    (
        TWO_LINES + "traffic: {profile: [" + "1, " * 24 + "-1]}\n",
        (3, 93),
        "profile.24: input",
        None,
    ),
    (TWO_LINES + "targets: {local: {port: some}}\n", (3, 19), "'auto'", None),
    (TWO_LINES + "targets: {cloud-gpu: {expose: [1]}}\n", (3, 32), "expose.0: 1 is not", None),
    (TWO_LINES + "policy: {privacy: secret}\n", (3, 10), "local-only", None),
    ("name: Bot\nmodel: {source: hf:a/b}\n", (1, 1), "lower-case", None),
    ("name: no\nmodel: {source: hf:a/b}\n", (1, 1), "quotes", None),
    ("name: bot\nmodel: {source: Qwen3}\n", (2, 9), "hf:<repo>", None),
    ("name: bot\n", (1, 1), "'model' is missing", None),
    ("name: bot\nname: pot\nmodel: {source: hf:a/b}\n", (2, 1), "duplicate key", None),
    (TWO_LINES + "serve: {engine: vlm}\n", (3, 9), "vllm", None),
    (TWO_LINES + "serve: [1]\n", (3, 1), "keys of its own", None),
    (TWO_LINES + "serve: {concurrency: 1000000001}\n", (3, 9), "less than or equal", None),
    (TWO_LINES + "traffic: {requests_per_day: 1.0e-9}\n", (3, 11), "at least 0.000001", None),
    (TWO_LINES + "traffic: {requests_per_day: 1.0e+300}\n", (3, 11), "less than or equal", None),
    (TWO_LINES + "policy: {budget: " + "9" * 13 + " USD}\n", (3, 10), "400 USD/month", None),
    (TWO_LINES + "policy: {expires: " + "9" * 5000 + "d}\n", (3, 10), "not a duration", None),
    (TWO_LINES + "serve: {concurrency: " + "9" * 5000 + "}\n", (3, 22), "as int", None),
    (TWO_LINES + "serve: {concurrency: !!int ''}\n", (3, 22), "as int", None),
    (TWO_LINES + "serve: {engine: !!timestamp x}\n", (3, 17), "as timestamp", None),
    (TWO_LINES + "serve: {engine: !!bool x}\n", (3, 17), "as bool", None),
    (TWO_LINES + "serve: {[a, b]: 1}\n", (3, 9), "a key must be text", None),
    (TWO_LINES + "serve: {<<: {engine: vllm}}\n", (3, 9), "merge keys", "alias"),
    (TWO_LINES + 'serve: {"a\\nb": 1}\n', (3, 9), r"unknown key 'a\nb'", None),
    (TWO_LINES + "serve: {engine: ü\x07}\n", (3, 18), "control character", None),
    (TWO_LINES + "serve: {engine: " + "x" * 10_000 + "}\n", (3, 9), "vllm", None),
]


@pytest.mark.parametrize(("text", "place", "says", "nearest"), WRONG)
def test_a_mistake_is_refused_with_its_place_and_the_mend(tmp_path, text, place, says, nearest):
    error = refusal(tmp_path, text)
    assert error.where == f"{tmp_path / 'deployer.yaml'}:{place[0]}:{place[1]}"
    assert says in f"{error.message} {error.hint}"
    if nearest:
        assert nearest in str(error.hint)


TOGETHER = [
    ("model: {source: hf:a/b, quantization: q4_k_m}\nserve: {engine: vllm}\n", "GGUF"),
    ("model: {source: hf:a/b, quantization: awq}\nserve: {engine: llama.cpp}\n", "GGUF"),
    ("model: {source: ./m.gguf}\nserve: {engine: vllm}\n", "GGUF"),
    ("model: {source: ./m.gguf}\nserve: {engine: mlx}\n", "GGUF"),
    ("model: {source: hf:a/b, quantization: q8_0}\nserve: {engine: mlx}\n", "GGUF"),
    ("model: {source: hf:a/b, quantization: mlx_4bit}\nserve: {engine: vllm}\n", "MLX"),
    ("model: {source: ./m.gguf, quantization: fp8}\n", "already quantized"),
    ("model: {source: hf:a/b}\nserve: {replicas: {min: 3, max: 1}}\n", "greater"),
    ("model: {source: hf:a/b}\ntargets: {cloud-gpu: {expose: [10.0.0.1/8]}}\n", "host bits"),
    (
        "model: {{source: hf:a/b}}\ntraffic: {{profile: [{}]}}\n".format(", ".join("0" * 24)),
        "all zero",
    ),
]


@pytest.mark.parametrize(("text", "says"), TOGETHER)
def test_what_cannot_be_together_is_refused(tmp_path, text, says):
    assert says in refusal(tmp_path, f"name: bot\n{text}").message


def test_several_mistakes_are_named_at_once_in_the_order_of_the_file(tmp_path):
    error = refusal(tmp_path, "name: Bot\nmodel: {sauce: hf:a/b}\nserve: {concurrency: 0}\n")
    lines = error.message.splitlines()
    assert lines[0].startswith("3 errors")
    assert [line.split(":")[1] for line in lines[1:]] == ["1", "2", "3"]


def test_a_message_shows_a_long_value_in_short(tmp_path):
    for text in ("name: " + "x" * 10_000, TWO_LINES + "x" * 10_000 + ": 1"):
        assert len(refusal(tmp_path, text + "\n").message) < 500


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 200_000, "? " * 200_000])
def test_nesting_without_end_is_refused_before_it_is_followed(tmp_path, text):
    """By this limit or by the YAML parser's own, which some versions have and word as they like."""
    assert refusal(tmp_path, text).message.startswith("not valid YAML")


def test_nesting_is_refused_beyond_a_limit(tmp_path):
    deepest = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert "too large" not in refusal(tmp_path, f"{deepest}\n").message
    assert "too large" in refusal(tmp_path, f"[{deepest}]\n").message


def test_a_spec_may_come_from_a_pipe_and_is_never_read_without_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TWO_LINES,))
    writer.start()
    assert load(pipe).name == "bot"
    writer.join()
    with pytest.raises(UsageError, match="too large"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "just text", "{a: 1", "a: &x [*x]", "\x00", "name: !!python/object:os.system x"],
)
def test_what_is_no_spec_at_all_is_refused(tmp_path, text):
    assert refusal(tmp_path, text).message


def test_a_bomb_of_aliases_is_refused(tmp_path):
    layers = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))
    assert "too large" in refusal(tmp_path, f"a0: &a0 [1]\n{layers}\n").message


def test_a_missing_file_names_the_mend(tmp_path):
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "none.yaml")
    assert "deployer init" in str(caught.value.hint)


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling(tmp_path):
    one = read(tmp_path, TWO_LINES + "policy: {idle: {after: 90m}}\n")
    same = read(tmp_path, "# why\n" + TWO_LINES + "policy:\n  idle:\n    after: 1h30m\n")
    other = read(tmp_path, TWO_LINES + "policy: {idle: {after: 91m}}\n")
    assert one.digest == same.digest != other.digest


def test_a_spec_that_was_kept_is_read_back_the_same(tmp_path):
    file = tmp_path / "deployer.yaml"
    for example in EXAMPLES:
        file.write_text(example.read_text())
        first, kept = load(file, tmp_path / "kept"), load(file, tmp_path / "kept")
        assert first == kept == load(file)
        assert from_plain(to_plain(first.spec)) == first.spec


def test_a_spoilt_cache_is_read_anew(tmp_path):
    file = tmp_path / "deployer.yaml"
    file.write_text(TWO_LINES)
    load(file, tmp_path / "kept")
    for entry in (tmp_path / "kept").iterdir():
        for spoilt in ('{"spec": ', "[]", '{"spec": {"nam": 1}, "defaults": {}}', "[" * 100_000):
            entry.write_text(spoilt)
            assert load(file, tmp_path / "kept").spec.name == "bot"


def test_units_are_kept_exactly(tmp_path):
    spec = read(tmp_path, TWO_LINES + "policy: {budget: 399.99 USD/month, expires: 7d}\n").spec
    assert spec.policy.budget == Decimal("399.99")
    assert spec.policy.expires == 7 * 86400


@given(st.integers(min_value=1, max_value=10**7))
def test_a_duration_is_written_as_it_is_read(total):
    assert seconds(duration(total)) == total
