"""Every message about a value of the spec says where that value stands: file, line and column."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.core.errors import DeployerError, UsageError
from deployer.spec.keys import keys_at
from deployer.spec.load import load
from deployer.workflows.plan import Setting, make_plans

ROOT = Path(__file__).parents[3]
HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


def _paths(*parents: str) -> Iterator[tuple[str, ...]]:
    for key in keys_at(parents):
        yield (*parents, key)
        yield from _paths(*parents, key)


EVERY = tuple(_paths())


def _block(path: tuple[str, ...], value: str) -> tuple[str, int, int]:
    """A spec whose only fault is the value at a path, and the line and column of that key."""
    needed = {("name",): "name: bot\n", ("model",): "model: {source: hf:Qwen/Qwen3-8B}\n"}
    text = "".join(line for key, line in needed.items() if path[:1] != key)
    if path[0] == "model" and path != ("model",) and path[1] != "source":
        text += "model:\n  source: hf:Qwen/Qwen3-8B\n"
        steps = list(enumerate(path))[1:]
    else:
        steps = list(enumerate(path))
    for depth, key in steps[:-1]:
        text += f"{'  ' * depth}{key}:\n"
    depth, key = steps[-1]
    return text + f"{'  ' * depth}{key}: {value}\n", text.count("\n") + 1, 2 * depth + 1


@pytest.mark.parametrize("path", EVERY, ids=".".join)
def test_a_wrong_value_of_every_key_is_refused_where_it_stands(path, tmp_path):
    section = bool(keys_at(path))
    text, line, column = _block(path, "3.5" if section else "{wrong: 1}")
    file = tmp_path / "deployer.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        load(file)
    inside = f"{file}:{line}:"
    assert refused.value.where == f"{inside}{column}" or "wrong" in refused.value.message
    assert str(refused.value.where).startswith(inside)
    assert path[-1] in refused.value.message or "wrong" in refused.value.message


@pytest.mark.parametrize("path", EVERY, ids=".".join)
def test_a_key_that_is_left_empty_is_as_if_it_were_not_there(path, tmp_path):
    text, line, _ = _block(path, "")
    file = tmp_path / "deployer.yaml"
    file.write_text(text)
    if path not in (("name",), ("model",), ("model", "source")):
        without = tmp_path / "without.yaml"
        without.write_text(HEAD)
        assert load(file).digest == load(without).digest
        return
    with pytest.raises(UsageError, match="is missing") as refused:
        load(file)
    assert str(refused.value.where).startswith(f"{file}:{line}:")


@pytest.mark.parametrize("path", [p for p in EVERY if keys_at(p)], ids=".".join)
def test_an_unknown_key_is_refused_in_every_section_even_when_it_is_empty(path, tmp_path):
    text, line, _ = _block(path, "{nosuchkey: }")
    file = tmp_path / "deployer.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="nosuchkey") as refused:
        load(file)
    assert f"{file}:{line}:" in f"{refused.value.where} {refused.value.message}"


LAMBDA = "targets: {cloud-gpu: {provider: lambda}}"
JUDGED = [  # what is wrong, the target, the place, words of the message
    ("targets: {local: {hardware: {gpu: rtx-9999}}}", "local", (3, 30), "no GPU 'rtx-9999'"),
    (
        "targets:\n  local:\n    hardware: {gpu: rtx-4090, watts: 10, idle_watts: 20}",
        "local",
        (5, 42),
        "more power when idle",
    ),
    ("targets: {local: {provider: podman}}", "local", (3, 19), "no provider 'podman'"),
    ("targets: {cloud-gpu: {provider: asw}}", "cloud-gpu", (3, 23), "did you mean 'aws'"),
    ("targets: {serverless: {provider: bedrok}}", "serverless", (3, 24), "did you mean 'bedrock'"),
    ("targets: {cloud-gpu: {region: eu-west-9}}", "cloud-gpu", (3, 23), "eu-west-3"),
    ("targets: {serverless: {region: eu-west-9}}", "serverless", (3, 24), "eu-west-3"),
    ("targets: {cloud-gpu: {instance: g6e.xlrge}}", "cloud-gpu", (3, 23), "g6e.xlarge"),
    (
        "targets: {cloud-gpu: {provider: aws, instance: g6e.xlarge, region: mx-central-1}}",
        "cloud-gpu",
        (3, 38),
        "g6e.xlarge in mx-central-1",
    ),
    ("serve: {engine: mlx}", "cloud-gpu", (3, 9), "does not run mlx"),
    ("policy: {privacy: local-only}", "cloud-gpu", (3, 10), "local-only forbids"),
    ("serve: {replicas: 2}\n" + LAMBDA, "cloud-gpu", (3, 9), "without a load balancer"),
    ("policy: {idle: {action: stop}}\n" + LAMBDA, "cloud-gpu", (3, 17), "Lambda has no stop"),
    (
        "targets: {cloud-gpu: {provider: lambda, spot: true}}",
        "cloud-gpu",
        (3, 41),
        "no spot machines",
    ),
    (
        "targets: {cloud-gpu: {provider: lambda, expose: private}}",
        "cloud-gpu",
        (3, 41),
        "a public address alone",
    ),
    (
        "targets: {serverless: {provider: huggingface, region: eu-west-3}}",
        "serverless",
        (3, 47),
        "eu-west-1",
    ),
    ("serve: {engine: llama.cpp}", "cloud-gpu", (2, 9), "llama.cpp serves gguf files"),
    ("", "local", (1, 1), "no GPU is named"),
    ("policy:\n  privacy: region:de", "cloud-gpu", (4, 3), "is not in region:de"),
    ("policy: {budget: 4 USD/month}", "cloud-gpu", (3, 10), "over the budget"),
]


@pytest.mark.parametrize(("wrong", "target", "place", "says"), JUDGED)
def test_what_only_a_plan_can_judge_is_refused_where_it_stands(
    wrong, target, place, says, tmp_path
):
    file = tmp_path / "deployer.yaml"
    file.write_text(f"{HEAD}{wrong}\n")
    told = " ".join(_told(file, target, tmp_path / "home"))
    assert says in told
    assert f"{file}:{place[0]}:{place[1]}" in told


@pytest.mark.parametrize(
    ("policy", "key", "place"),
    [
        ("policy: {expires: 7d}", "policy.expires", ":3:10"),
        ("policy: {idle: {after: 5m}}", "policy.idle", ":3:17"),
    ],
)
def test_what_has_no_effect_on_ones_own_machine_is_said(policy, key, place, tmp_path):
    hardware = "targets: {local: {hardware: {gpu: rtx-4090}}}"
    file = tmp_path / "deployer.yaml"
    (said,) = _without_effect(file, f"{policy}\n{hardware}", "local")
    assert said.startswith(key)
    assert "on your own machine it runs until 'deployer down'" in said
    assert f"{file}{place}" in said
    assert not _without_effect(file, hardware, "local")


@pytest.mark.parametrize(
    ("policy", "provider", "says"),
    [
        ("expires: 7d", "bedrock", "policy.expires has no effect: nothing removes"),
        (
            "idle: {after: 10m}",
            "bedrock",
            "policy.idle.after has no effect: bedrock keeps it awake for 5",
        ),
        ("idle: {after: 5m}", "huggingface", "keeps it awake for 15 minutes"),
        ("idle: {after: 20m}", "huggingface", None),
        ("idle: {after: 5m, action: stop}", "bedrock", None),
        ("idle: {action: destroy}", "sagemaker", "policy.idle.action has no effect"),
        (
            "{budget: 9999 USD/month, over_budget: stop}",
            "sagemaker",
            "policy.over_budget has no effect",
        ),
    ],
)
def test_what_has_no_effect_on_what_sleeps_is_said(policy, provider, says, tmp_path):
    text = f"policy: {policy if policy.startswith('{') else '{' + policy + '}'}\n"
    where = f"targets: {{serverless: {{provider: {provider}, region: us-east-1}}}}"
    said = _without_effect(tmp_path / "deployer.yaml", text + where, "serverless")
    assert [says in note for note in said if says] == [True] * (says is not None)
    assert len(said) == (says is not None)


def test_what_always_runs_has_no_use_for_a_time_to_sleep(tmp_path):
    text = "serve: {replicas: 2}\npolicy: {idle: {after: 20m}}\n"
    where = "targets: {serverless: {provider: huggingface}}"
    (said,) = _without_effect(tmp_path / "deployer.yaml", text + where, "serverless")
    assert "it never sleeps" in said


def _without_effect(file: Path, text: str, target: str) -> list[str]:
    file.write_text(f"{HEAD}{text}\n")
    (plan,) = make_plans(file, [target], Setting(file.parent / "home", offline=True))
    return [note for note in plan.warnings if " no effect" in note]


SOURCES = [
    ("s3://models/big-00001-of-00003.gguf", "is one of 3 parts of a model"),
    ("s3://models/of/big-00002-of-00003.GGUF", "is one of 3 parts of a model"),
    ("./nothing", "does not exist"),
    ("./nothing.gguf", "does not exist"),
    ("./notes.txt", "neither a folder nor a .gguf file"),
]


@pytest.mark.parametrize(("source", "says"), SOURCES)
def test_a_model_that_is_not_there_is_refused_where_the_spec_names_it(source, says, tmp_path):
    (tmp_path / "notes.txt").touch()
    file = tmp_path / "deployer.yaml"
    file.write_text(f"name: bot\nmodel:\n  source: {source}\n")
    told = " ".join(_told(file, "local", tmp_path / "home"))
    assert says in told
    assert f"{file}:3:3" in told


def test_a_folder_without_a_handler_is_refused_where_the_spec_names_it(tmp_path):
    file = tmp_path / "deployer.yaml"
    file.write_text("name: bot\nmodel: {source: ./mine}\nserve: {engine: fastapi}\n")
    assert f"{file}:2:9" in _told(file, "local", tmp_path / "home")


def _told(file: Path, target: str, home: Path) -> list[str]:
    """All that a plan says of why it is refused."""
    try:
        (plan,) = make_plans(file, [target], Setting(home, offline=True))
    except DeployerError as error:
        return [error.message, str(error.hint), str(error.where)]
    assert not plan.feasible
    return list(plan.reasons)


def _named_keys() -> Iterator[tuple[str, str]]:
    """Every key of a spec that the code names as what an error is about."""
    for folder in ("deployer", "stacks"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (
                    isinstance(node, ast.Call) and re.search(r"Error$", ast.unparse(node.func))
                ):
                    continue
                for given in node.keywords:
                    if given.arg == "key" and isinstance(given.value, ast.Constant):
                        yield str(file.relative_to(ROOT)), str(given.value.value)


def test_every_key_that_an_error_names_is_one_of_the_spec():
    found = set(_named_keys())
    assert len(found) >= 8
    assert {(file, key) for file, key in found if tuple(key.split(".")) not in EVERY} == set()
