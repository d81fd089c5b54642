"""How YAML's odd values are read, and the one hint that each mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.core.errors import UsageError
from deployer.spec.load import load

HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


def _refusal(folder: Path, text: str) -> UsageError:
    file = folder / "deployer.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        load(file)
    assert str(refused.value.where).startswith(f"{file}:")
    return refused.value


NUMBERS = [  # as written, what to write
    ("010", "write 10"),
    ("08", "write 8"),
    ("0o10", "write 8"),
    ("0b11", "write 3"),
    ("0x10", "write 16"),
    ("1_000", "write 1000"),
    ("'8'", "write 8 without quotes"),
    ("32k", "without a unit"),
    ("500/day", "without a unit"),
]


@pytest.mark.parametrize(("written", "meant"), NUMBERS)
@pytest.mark.parametrize("key", ["serve: {concurrency: %s}", "serve: {replicas: %s}"])
def test_a_number_that_readers_of_yaml_disagree_on_is_refused(tmp_path, key, written, meant):
    refused = _refusal(tmp_path, f"{HEAD}{key % written}\n")
    assert "is not a number" in refused.message
    assert meant in str(refused.hint)


@pytest.mark.parametrize(
    "written", ["1:30", "1:30:00", "2026-12-31", "yes", "off", ".inf", "-.inf"]
)
def test_what_is_no_number_at_all_is_refused_as_it_is_written(tmp_path, written):
    refused = _refusal(tmp_path, f"{HEAD}serve: {{concurrency: {written}}}\n")
    assert "not a number" in refused.message or "not a finite number" in refused.message
    assert written.strip("-.") in refused.message


@pytest.mark.parametrize("written", ["1e3", "1.0e+3", "1E3", "1000.0", "+1000"])
def test_a_number_that_all_readers_take_for_the_same_is_taken(tmp_path, written):
    file = tmp_path / "deployer.yaml"
    file.write_text(f"{HEAD}serve: {{concurrency: {written}}}\n")
    assert load(file).spec.serve.concurrency == 1000


UNITS = [  # where, as written, what is said
    ("policy: {budget: %s}", "400", "write 400 USD/month"),
    ("policy: {budget: %s}", "'400'", "write 400 USD/month"),
    ("policy: {budget: %s}", "400.5", "write 400.5 USD/month"),
    ("policy: {budget: %s}", "010", "write 10 USD/month"),
    ("policy: {budget: %s}", "$400", "400 USD/month"),
    ("policy: {budget: %s}", "400 EUR/month", "400 USD/month"),
    ("policy: {budget: %s}", "1,500 USD/month", "without commas"),
    ("policy: {idle: {after: %s}}", "30", "write 30m for minutes"),
    ("policy: {idle: {after: %s}}", "'30'", "write 30m for minutes"),
    ("policy: {idle: {after: %s}}", "1:30", "like 30m, 2h, 7d or 1h30m"),
    ("policy: {idle: {after: %s}}", "1.5", "write it like 30m"),
    ("policy: {idle: {after: %s}}", "-5", "write it like 30m"),
    ("policy: {expires: %s}", "2026-12-31", "write it like 7d"),
    ("policy: {expires: %s}", "2026-12-31 10:00:00", "write it like 7d"),
    ("serve: {engine: fastapi, handler: {timeout: %s}}", "60", "write 60m for minutes"),
]


@pytest.mark.parametrize(("key", "written", "says"), UNITS)
def test_a_value_without_its_unit_gets_the_form_and_not_quotes(tmp_path, key, written, says):
    refused = _refusal(tmp_path, f"{HEAD}{key % written}\n")
    said = f"{refused.message} {refused.hint}"
    assert says in said
    assert "quotes" not in said
    assert "datetime" not in said


@pytest.mark.parametrize(("word", "read"), [("no", "false"), ("off", "false"), ("yes", "true")])
def test_a_word_that_yaml_reads_as_true_or_false_is_shown_as_written(tmp_path, word, read):
    for text in (
        f"name: {word}\nmodel: {{source: hf:a/b}}\n",
        f"{HEAD}policy: {{idle: {{action: {word}}}}}\n",
    ):
        refused = _refusal(tmp_path, text)
        told = f"{refused.message} {refused.hint}"
        assert f"{word} is read as {read}" in told
        assert ("quotes" in told) == text.startswith(f"name: {word}")


KEYS = [  # the wrong key, where it stands, what is meant
    ("gpu: L4", "write it at targets.local.hardware.gpu"),
    ("gpus: 2", "write it at targets.local.gpus"),
    ("region: eu-west-1", "targets.cloud-gpu.region or targets.serverless.region"),
    ("instance: g6.xlarge", "write it at targets.cloud-gpu.instance"),
    ("budget: 400 USD/month", "write it at policy.budget"),
    ("privacy: local-only", "write it at policy.privacy"),
    ("engine: vllm", "write it at serve.engine"),
    ("quantization: fp8", "write it at model.quantization"),
    ("serve: {context: 8192}", "write it at model.context"),
    ("serve: {max_model_len: 8192}", "write it at model.context"),
    ("policy: {idle_after: 30m}", "write it at policy.idle.after"),
    ("policy: {idel: {after: 30m}}", "did you mean 'idle'?"),
    ("policy: {idle: {afer: 30m}}", "did you mean 'after'?"),
    ("targets: {local: {gpu: L4}}", "targets.local.hardware.gpu"),
    ("targets: {local: {hardware: {gpuu: L4}}}", "did you mean 'gpu'?"),
    ("targets: {cloud-gpu: {instanse: auto}}", "did you mean 'instance'?"),
    ("targets: {Cloud-GPU: {}}", "did you mean 'cloud-gpu'?"),
    ("env: {HF_TOKEN: x}", "environment variables"),
    ("env: [HF_TOKEN=x]", "environment variables"),
    ("env: {DEBUG: 1}", "environment variables"),
    ("env:", "environment variables"),
    ("serve: {env: {A: true}}", "environment variables"),
    ("targets: {local: {environment: [1, 2]}}", "environment variables"),
    ("hf_token: abc", "secrets"),
    ("serve: {args: [--foo]}", "arguments"),
    ("policy: {budget: 400 USD/month, xyz: 1}", "keys here: privacy, budget"),
]


@pytest.mark.parametrize(("text", "hint"), KEYS)
def test_an_unknown_key_gets_the_one_that_is_meant(tmp_path, text, hint):
    refused = _refusal(tmp_path, f"{HEAD}{text}\n")
    assert refused.message.startswith("unknown key")
    assert hint in str(refused.hint)


FORMATS = [
    ("model: {source: hf:a/b, quantization: int4}", "awq"),
    ("model: {source: hf:a/b, quantization: 4bit}", "q4_k_m for a GGUF file"),
    ("model: {source: hf:a/b, quantization: Q8}", "q8_0 for a GGUF file"),
    ("model: {source: hf:a/b, quantization: fp9}", "did you mean fp8?"),
    ("model: {source: hf:a/b, quantization: gguf}", "write auto, or one of"),
    ("model: {source: hf:a/b}\nserve: {engine: int4}", "model.quantization"),
    ("model: {source: hf:a/b}\nserve: {engine: awq}", "model.quantization"),
    ("model: {source: hf:a/b}\nserve: {engine: vLLM}", "did you mean vllm?"),
    ("model: {source: hf:a/b}\nserve: {engine: llama_cpp}", "did you mean llama.cpp?"),
    ("model: {source: hf:a/b}\ntraffic: {profile: ofice-hours}", "did you mean 'office-hours'?"),
    ("model: {source: hf:a/b}\ndecide: {needs: pii}", "write [pii]"),
    ("model: {source: hf:a/b}\ntargets: {local: {hardware: rtx-4090}}", "keys here: gpu, count"),
]


@pytest.mark.parametrize(("text", "hint"), FORMATS)
def test_a_value_that_is_not_allowed_gets_the_one_that_is_meant(tmp_path, text, hint):
    assert hint in str(_refusal(tmp_path, f"name: bot\n{text}\n").hint)


SYNTAX = [  # text, place, words
    ("model:\n\tsource: hf:a/b\n", ":2:1", "spaces"),
    ("name: bot\n\tmodel: x\n", ":2:1", "spaces"),
    ("name: @bot\n", ":1:7", "quotes"),
    ("name: a: b\n", ":1:8", "quotes"),
    ("name: a\n---\nname: b\n", ":2:1", "one document"),
    ("name: [a\n", ":2:1", "brackets"),
]


@pytest.mark.parametrize(("text", "place", "says"), SYNTAX)
def test_what_is_not_yaml_is_refused_with_its_place_and_the_mend(tmp_path, text, place, says):
    refused = _refusal(tmp_path, text)
    assert str(refused.where).endswith(place)
    assert refused.message.startswith("not valid YAML")
    assert says in str(refused.hint)


def test_an_alias_of_a_whole_section_is_taken_and_a_merge_key_is_not(tmp_path):
    file = tmp_path / "deployer.yaml"
    file.write_text(
        f"{HEAD}targets:\n  cloud-gpu: &where {{region: us-east-1}}\n  serverless: *where\n"
    )
    assert load(file).spec.targets.serverless.region == "us-east-1"
    refused = _refusal(
        tmp_path, f"{HEAD}targets:\n  cloud-gpu: &w {{}}\n  serverless: {{<<: *w}}\n"
    )
    assert "merge keys" in refused.message
    assert "alias" in str(refused.hint)


@pytest.mark.parametrize("depth", range(1, 4))
def test_a_duplicate_key_is_refused_at_any_depth(tmp_path, depth):
    path = ("policy", "idle", "after")[:depth]
    value = {1: "{}", 2: "{}", 3: "30m"}[depth]
    text = HEAD + "".join(f"{'  ' * n}{key}:\n" for n, key in enumerate(path[:-1]))
    text += f"{'  ' * (depth - 1)}{path[-1]}: {value}\n" * 2
    refused = _refusal(tmp_path, text)
    assert f"duplicate key '{path[-1]}'" in refused.message
    assert str(refused.where).endswith(f":{depth + 3}:{2 * depth - 1}")


@pytest.mark.parametrize(
    "text",
    [
        "name: @@\n",
        HEAD + "serve: {engine: @@}\n",
        HEAD + "policy: {budget: @@}\n",
        HEAD + "policy: {expires: @@}\n",
        HEAD + "model: {source: @@}\n",
        "name: a\nmodel: {source: hf:a/b, quantization: @@}\n",
        HEAD + "@@: 1\n",
        HEAD + "targets: {local: {port: @@}}\n",
        HEAD + "decide: {needs: @@}\n",
    ],
)
@pytest.mark.parametrize("letter", ["x", "9"])
def test_a_message_about_a_long_value_stays_short(tmp_path, text, letter):
    refused = _refusal(tmp_path, text.replace("@@", letter * 20_000))
    assert len(refused.message) < 500
    assert len(refused.hint or "") < 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy: {privacy: no}", "write local-only"),
        ("policy: {privacy: 1}", "write local-only"),
        ("policy: {idle: {after: off}}", "write it like 30m"),
        ("policy: {idle: {action: off}}", "off is read as false"),
        ("policy: {over_budget: off}", "off is read as false"),
        ("serve: {engine: 5}", "write one of auto"),
        ("serve: {engine: no}", "write one of auto"),
    ],
)
def test_quotes_are_advised_only_where_they_help(tmp_path, text, says):
    refused = _refusal(tmp_path, f"{HEAD}{text}\n")
    told = f"{refused.message} {refused.hint}"
    assert says in told
    assert "quotes" not in told


def test_a_comma_between_two_numbers_is_not_one_within_a_number(tmp_path):
    refused = _refusal(tmp_path, f"{HEAD}targets: {{local: {{gpus: '0,1'}}}}\n")
    assert "write 01" not in str(refused.hint)


@pytest.mark.parametrize(
    ("raw", "place"),
    [(HEAD.encode() + b"# caf\xe9\n", "3:6"), (HEAD.encode("utf-16"), "1:1")],
)
def test_text_that_is_not_utf_8_is_refused_with_its_place(tmp_path, raw, place):
    file = tmp_path / "deployer.yaml"
    file.write_bytes(raw)
    with pytest.raises(UsageError) as refused:
        load(file)
    assert refused.value.where == f"{file}:{place}"
    assert "iconv" in str(refused.value.hint)


def test_what_is_no_spec_file_gets_the_hint_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deployer.yml").write_text(HEAD)
    said = {}
    for name in (".", "-", "deployer.yaml", "x.yaml"):
        with pytest.raises(UsageError) as refused:
            load(Path(name))
        said[name] = str(refused.value.hint)
    assert said["."] == "name the file in it, such as deployer.yaml"
    assert "/dev/stdin" in said["-"]
    assert said["deployer.yaml"] == "did you mean -f deployer.yml?"
    assert "deployer init" in said["x.yaml"]
