"""The documents of `--json` and their published schemas: neither says what the other does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deployer.cli import main
from deployer.core.domain import TARGETS
from deployer.core.errors import Exit
from deployer.planning.schemas import DOCUMENTS, schema_of

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"
UNKNOWN = "name: bot\nmodel: {source: hf:nobody/nothing}\n"
BIG = "name: bot\nmodel: {source: hf:openai/gpt-oss-120b}\n"
NAMED = "targets: {cloud-gpu: {instance: g6.xlarge}}\n"

CASES = [  # spec, arguments, exit code
    pytest.param(HEAD + "policy: {budget: 1 USD/month}\n", [], 4, id="over the budget"),
    pytest.param(HEAD + "policy: {privacy: local-only}\n", [], 4, id="private"),
    pytest.param(UNKNOWN, ["--target", "serverless"], 3, id="an unknown model"),
    pytest.param(UNKNOWN + NAMED, ["--target", "cloud-gpu"], 0, id="an unknown model, named"),
    pytest.param(BIG + NAMED, ["--target", "cloud-gpu"], 3, id="too large"),
    pytest.param(
        HEAD + "targets: {cloud-gpu: {region: mars-1}}\n", ["--target", "cloud-gpu"], 3, id="mars"
    ),
    pytest.param(HEAD + "traffic: {requests_per_day: 0}\n", [], 0, id="no traffic"),
    pytest.param(
        HEAD + "targets: {local: {hardware: {gpu: rtx-4090, price_usd: 0}}}\n",
        ["--target", "local"],
        0,
        id="a gift",
    ),
]
MISTAKES = [
    pytest.param("nam: bot\n", [], 2, id="a wrong spec"),
    pytest.param(HEAD, ["--target", "moon"], 2, id="a wrong target"),
    pytest.param(HEAD + "targets: {local: {provider: x}}\n", [], 2, id="a wrong provider"),
    pytest.param(HEAD + "targets: {local: {hardware: {gpu: RTX 9999}}}\n", [], 2, id="a wrong GPU"),
]


def valid(document: Any, name: str) -> None:
    jsonschema.Draft202012Validator(schema_of(name)).validate(document)


def printed(capsys, *arguments: str) -> tuple[int, Any]:
    code = main(arguments)
    said = capsys.readouterr()
    assert not said.err
    return code, json.loads(said.out)


@pytest.fixture
def plan(capsys, tmp_path, home):
    def made(text: str, *arguments: str) -> tuple[int, Any]:
        file = tmp_path / "s.yaml"
        file.write_text(text)
        return printed(capsys, "plan", "-f", str(file), "--json", "--offline", *arguments)

    return made


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_valid_and_printed_by_the_command(capsys, name):
    code, schema = printed(capsys, "schema", name)
    assert (code, schema) == (0, schema_of(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_without_a_document_the_schema_is_the_specs(capsys):
    assert printed(capsys, "schema") == printed(capsys, "schema", "spec")
    assert "model" in printed(capsys, "schema")[1]["properties"]


def test_a_schema_that_there_is_not_is_refused_with_those_there_are(capsys):
    assert main(["schema", "plam"]) == Exit.USAGE
    assert "spec, plan" in capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
@pytest.mark.usefixtures("tiny_gguf", "home")
def test_the_plan_of_every_example_for_every_target_is_of_the_schema(capsys, example, target):
    arguments = ["plan", "-f", str(example), "--target", target, "--json", "--offline"]
    valid(printed(capsys, *arguments)[1], "plan")


@pytest.mark.parametrize(("text", "arguments", "code"), CASES)
def test_a_plan_out_of_the_ordinary_is_of_the_schema_too(plan, text, arguments, code):
    exit_code, document = plan(text, *arguments)
    assert exit_code == code
    valid(document, "plan")


@pytest.mark.parametrize(("text", "arguments", "code"), MISTAKES)
def test_a_mistake_is_a_document_of_the_schema_of_errors(plan, text, arguments, code):
    exit_code, document = plan(text, *arguments)
    assert exit_code == code == document["error"]["exit_code"]
    valid(document, "error")


def test_nothing_deployed_and_nothing_removed_are_of_their_schemas(capsys, home):
    valid(printed(capsys, "status", "--json")[1], "status")
    valid(printed(capsys, "down", "none-local", "--json")[1], "down")


OPEN = ("inputs", "origins", "defaults")
"""Mappings whose keys others choose: a provider, a model's fields, the spec."""


def objects(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every object whose keys are ours."""
    if isinstance(document, dict) and not (path and path[-1] in OPEN):
        yield path
        for key, value in document.items():
            yield from objects(value, (*path, key))
    if isinstance(document, list):
        for number, value in enumerate(document[:2]):
            yield from objects(value, (*path, number))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def test_a_key_more_or_a_key_less_anywhere_is_not_of_the_schema(plan):
    _, document = plan(HEAD)
    check = jsonschema.Draft202012Validator(schema_of("plan")).is_valid
    assert check(document)
    for path in list(objects(document)):
        more = copy.deepcopy(document)
        at(more, path)["surplus"] = None
        assert not check(more), path
        for key in at(document, path):
            less = copy.deepcopy(document)
            del at(less, path)[key]
            assert not check(less), (path, key)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("schema",), 2),
        (("generated_at",), "yesterday"),
        (("plans", 0, "target"), "moon"),
        (("plans", 0, "feasible"), "yes"),
        (("plans", 0, "sizing", "fit"), "maybe"),
        (("plans", 0, "sizing", "weights_gib"), "16"),
        (("plans", 0, "sizing", "gpus"), -1),
        (("plans", 0, "sizing", "overhead_gib"), [1.0]),
        (("plans", 0, "offer", "usd_per_hour"), 0),
        (("plans", 0, "offer", "as_of"), "lately"),
        (("plans", 0, "resources", 0, "action"), "burn"),
        (("plans", 0, "cost", "currency"), "EUR"),
        (("plans", 0, "cost", "items", 0, "kind"), "other"),
        (("plans", 0, "policy", 0, "ok"), None),
    ],
)
def test_a_value_that_cannot_be_is_not_of_the_schema(plan, path, wrong):
    _, document = plan(HEAD, "--target", "cloud-gpu")
    *parents, last = path
    at(document, tuple(parents))[last] = wrong
    with pytest.raises(jsonschema.ValidationError):
        valid(document, "plan")


def test_a_saved_plan_that_is_nested_without_end_is_refused(capsys, tmp_path, home):
    spec, saved = tmp_path / "s.yaml", tmp_path / "plan.json"
    spec.write_text(HEAD)
    saved.write_text("[" * 1_000_000)
    asked = [
        "up",
        "-f",
        str(spec),
        "--target",
        "cloud-gpu",
        "--plan",
        str(saved),
        "--json",
        "--yes",
    ]
    code, document = printed(capsys, *asked)
    assert (code, document["error"]["where"]) == (2, str(saved))
