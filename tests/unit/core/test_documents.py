"""Documents, the JSON they become and the schemas that are derived from them: none says what another does not."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import make_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest

from deployer.cli import main
from deployer.core.documents.base import Document, Target, Verbatim, plain
from deployer.core.documents.derive import Derivation
from deployer.core.documents.schemas import DOCUMENTS, schema_of
from deployer.core.domain import TARGETS
from deployer.core.errors import Exit
from deployer.core.records import dataclass
from tests.kits.documents import check, printed, read, validator

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


def quiet(capsys, *arguments: object) -> tuple[int, Any]:
    """What was printed, with nothing on stderr."""
    code, document, err = printed(capsys, *arguments)
    assert not err
    return code, document


def schema(capsys, *arguments: str) -> Any:
    assert main(["schema", *arguments]) == Exit.DONE
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def plan(capsys, tmp_path, home):
    def made(text: str, *arguments: str) -> tuple[int, Any]:
        file = tmp_path / "s.yaml"
        file.write_text(text)
        return quiet(capsys, "plan", "-f", file, "--offline", *arguments)

    return made


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_valid_and_printed_by_the_command(capsys, name):
    shown = schema(capsys, name)
    assert shown == schema_of(name)
    jsonschema.Draft202012Validator.check_schema(shown)
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_without_a_document_the_schema_is_the_specs(capsys):
    assert schema(capsys) == schema(capsys, "spec")
    assert "model" in schema(capsys)["properties"]


def test_a_schema_that_there_is_not_is_refused_with_those_there_are(capsys):
    assert main(["schema", "plam"]) == Exit.USAGE
    assert "spec, plan" in capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
@pytest.mark.usefixtures("tiny_gguf", "home")
def test_the_plan_of_every_example_for_every_target_is_of_the_schema(capsys, example, target):
    _, document = quiet(capsys, "plan", "-f", example, "--target", target, "--offline")
    assert document["plans"][0]["target"] == target


@pytest.mark.parametrize(("text", "arguments", "code"), CASES)
def test_a_plan_out_of_the_ordinary_is_of_the_schema_too(plan, text, arguments, code):
    exit_code, document = plan(text, *arguments)
    assert exit_code == code
    assert document["plans"]


@pytest.mark.parametrize(("text", "arguments", "code"), MISTAKES)
def test_a_mistake_is_a_document_of_the_schema_of_errors(plan, text, arguments, code):
    exit_code, document = plan(text, *arguments)
    assert exit_code == code == document["error"]["exit_code"]


def test_nothing_deployed_and_a_name_that_never_was_are_of_their_schemas(capsys, home):
    assert quiet(capsys, "status")[1]["deployments"] == []
    assert quiet(capsys, "down", "none-local")[1]["error"]["exit_code"] == Exit.USAGE


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
    _, document = plan(HEAD, "--target", "cloud-gpu")
    check = validator("plan").is_valid
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
        check(document, "plan")


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
        "--yes",
    ]
    code, document = quiet(capsys, *asked)
    assert (code, document["error"]["where"]) == (2, str(saved))


def kinds(of: type[Document]) -> Iterator[type[Document]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_kind_of_document_has_a_schema():
    named = {kind for several in DOCUMENTS.values() for kind in several}
    ours = {kind for kind in kinds(Document) if kind.__module__.startswith("deployer.")}
    assert ours == named


def test_printing_a_document_loads_no_library_of_schemas(tmp_path):
    code = (
        "import sys\nfrom deployer.cli import main\nmain(['status', '--json'])\n"
        "loaded = {'pydantic', 'jsonschema', 'deployer.core.documents.derive'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DEPLOYER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert read("status", done.stdout)["deployments"] == []


@dataclass(frozen=True, kw_only=True)
class Sample(Document):
    """A document of this test. It has
    two lines."""

    DECIMALS: ClassVar[int] = 2
    usd: Decimal
    """In dollars."""
    spread: tuple[float, float] | None
    by_target: Mapping[Target, int]
    others: Verbatim


SAMPLE = Sample(
    usd=Decimal("1.005"),
    spread=(1.234, 5.678),
    by_target=dict.fromkeys(TARGETS, 1),
    others=Verbatim({"x": 0.123456789}),
)


def test_a_document_becomes_json_key_by_key_in_their_order():
    assert list(plain(SAMPLE)) == ["schema", "usd", "spread", "by_target", "others"]
    assert plain(SAMPLE) == {
        "schema": 1,
        "usd": 1.0,
        "spread": [1.23, 5.68],
        "by_target": {"local": 1, "cloud-gpu": 1, "serverless": 1},
        "others": {"x": 0.123456789},
    }
    assert plain(replace(SAMPLE, spread=None))["spread"] is None


def test_what_no_document_is_made_of_is_refused():
    with pytest.raises(TypeError, match="Path"):
        plain({"file": Path()})
    with pytest.raises(TypeError, match="no document"):
        Derivation().of(set[str])
    with pytest.raises(TypeError, match="one type"):
        Derivation().of(tuple[str, int])


def test_a_schema_is_derived_from_types_and_docstrings():
    made = Derivation().object_of(Sample)
    assert made["description"] == "A document of this test. It has two lines."
    assert made["properties"]["usd"] == {
        "type": "number",
        "minimum": 0,
        "description": "In dollars.",
    }
    assert made["properties"]["spread"]["anyOf"][0] == {
        "type": "array",
        "items": {"type": "number", "minimum": 0},
        "minItems": 2,
        "maxItems": 2,
    }
    assert made["properties"]["by_target"]["required"] == list(TARGETS)
    assert made["required"] == ["schema", "usd", "spread", "by_target", "others"]
    jsonschema.Draft202012Validator(made).validate(plain(SAMPLE))


def test_two_classes_of_one_name_are_never_taken_for_one():
    one, other = make_dataclass("Same", [("a", int)]), make_dataclass("Same", [("b", int)])
    derived = Derivation()
    derived.definitions, derived._classes = {"Same": {}}, {"Same": one}
    with pytest.raises(TypeError, match="Same"):
        derived.of(other)


PROMISED = {
    "status": "name target provider state endpoint started_at idle_since requests output_tokens "
    "usd_per_hour cost_so_far_usd expires_at resources",
    "down": "deployment removed remaining",
    "idle": "instances orphans gaps deployment region id state idle_seconds usd_per_hour "
    "cost_since_idle_usd decision reason monthly_usd error",
    "prices": "offers catalog as_of age_days",
    "bench": "runs url concurrency requests errors ttft_ms itl_ms e2e_ms output_tok_s p50 p95 p99",
    "compare": "targets alternatives break_even recommendation target provider feasible offer "
    "monthly_usd idle_hourly_usd upfront_usd usd_per_1m_tokens capacity_users latency privacy why",
    "doctor": "ok checks name needed detail next_step",
    "error": "message hint where exit_code",
}
"""Keys that scripts rely on: the design's, and those that were gained since."""


@pytest.mark.parametrize("name", PROMISED)
def test_no_promised_key_vanishes(name):
    made = schema_of(name)
    objects = [made, *made["$defs"].values()]
    keys = {key for one in objects for key in one.get("properties", ())}
    assert keys >= set(PROMISED[name].split())
