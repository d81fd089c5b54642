"""Every text of a spec in what `render` writes: read again by the parser of each format, it is the same text.

With DEPLOYER_COMPOSE_SCHEMA set to a copy of compose-spec.json (github.com/compose-spec/compose-spec) the compose files
are held against Compose's own schema too.
"""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from deployer.cli.views.how_to_call import predicting
from deployer.core.deployment import Deployment
from deployer.core.domain import Resource
from deployer.engines import container as images
from deployer.engines.fastapi import container as handler
from deployer.planning.cloud_init import written
from deployer.running.containers import compose as files
from deployer.running.containers.build_context import dockerfile
from tests.unit.cli.test_render import container, order, same_as_up, text
from tests.unit.cli.test_render import written as rendered
from tests.unit.planning.test_cloud_init import BOOT, ORDERS

INSTRUCTIONS = {"FROM", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "LABEL"}
ONE_LINE = text.filter(lambda said: not set(said) & set("\r\n"))


@st.composite
def resources(draw: Any) -> Resource:
    """The container of a spec in which every text is hostile, for any engine."""
    engine = draw(st.sampled_from(["vllm", "sglang", "llama.cpp"]))
    local = draw(st.booleans())
    more = {"adapter": f"hf:{draw(text)}"} if engine == "vllm" and draw(st.booleans()) else {}
    return container(
        engine,
        name=draw(text),
        digest=draw(ONE_LINE),
        path=draw(text) if local else None,
        source=f"hf:{draw(text)}@{draw(text)}",
        gpus=1,
        options={"gpus": draw(st.lists(text, min_size=1, max_size=3, unique=True))},
        **more,
    )


def parsed(said: str) -> DockerfileParser:
    parser = DockerfileParser(fileobj=io.BytesIO())
    parser.content = said
    return parser


def instructions(said: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in parsed(said).structure:
        if one["instruction"] != "COMMENT":
            found.setdefault(one["instruction"], []).append(one["value"])
    return found


@given(resource=resources())
def test_a_compose_file_asks_for_the_same_texts(resource):
    same_as_up(resource)


@given(resource=resources())
def test_a_dockerfile_has_its_instructions_and_no_other_and_the_same_texts(resource):
    said = rendered(resource, "Dockerfile")
    found, wanted = instructions(said), resource.inputs
    assert set(found) <= INSTRUCTIONS
    assert found["FROM"] == [wanted["image"]]
    assert json.loads(found["CMD"][0]) == wanted["command"]
    if wanted["entrypoint"]:
        assert json.loads(found["ENTRYPOINT"][0]) == wanted["entrypoint"]
    labels = parsed(said).labels
    assert set(labels) == set(wanted["labels"]) - {"deployer.model"}


@given(base=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9./:@-]{0,40}", fullmatch=True), name=text)
def test_of_a_handlers_spec_only_the_base_is_in_its_dockerfile(base, name):
    said = dockerfile(
        {"base": base, "requirements": True, "config": {"key_file": "/k", "name": name}}
    )
    found = instructions(said)
    assert found["FROM"] == [base]
    assert len(found["RUN"]) == 3
    assert json.loads(found["ENTRYPOINT"][0]) == [
        "python3",
        "-m",
        "handler_server",
        "/srv/config.json",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=text, source=text)
def test_the_settings_of_a_handlers_image_are_the_same_texts(name, source, tmp_path):
    asked = order("fastapi", name=name, path=str(tmp_path))
    asked["model"]["source"] = source
    asked["handler"] = {"route": "chat", "timeout": 5, "max_request_mb": 1, "sha256": "d"}
    image = handler.image(asked)
    image_resource = Resource("local:index:Image", "bot-local-image", image)
    run = Resource("local:index:Container", "bot-local", images.container(asked))
    made = files.files([image_resource, run])
    assert json.loads(str(made["config.json"]))["name"] == name
    compose = yaml.safe_load(str(made["compose.yaml"]))["services"]["model"]
    assert compose["image"] == image["image"]
    assert compose["build"] == "."
    assert compose["labels"]["deployer.model"].replace("$$", "$") == source
    assert "secrets/" in str(made[".dockerignore"]).split()


def schema() -> Mapping[str, Any]:
    file = os.environ.get("DEPLOYER_COMPOSE_SCHEMA")
    if not file:
        pytest.skip("DEPLOYER_COMPOSE_SCHEMA names no copy of Compose's schema")
    read: Mapping[str, Any] = json.loads(Path(file).read_text())
    return read


def test_a_compose_file_is_one_by_composes_own_schema():
    validator = Draft7Validator(schema())

    @given(resource=resources())
    def valid(resource: Resource) -> None:
        compose = yaml.safe_load(rendered(resource, "compose.yaml"))
        assert [error.message for error in validator.iter_errors(compose)] == []

    valid()


@given(said=ONE_LINE)
def test_a_rented_machines_engine_gets_one_word_of_the_shell_for_one_text(said):
    asked: Any = {**ORDERS["vllm"], "spec_name": said}
    (script,) = (one.text for one in written(asked, BOOT) if one.path == "/opt/deployer/engine")
    words = shlex.split(script.partition("exec docker run")[2])
    assert words[words.index("--served-model-name") + 1] == said


def test_the_line_that_calls_predict_is_whole_words_of_the_shell():
    made = Deployment("a-local", "a", "d", "local", "docker", "fastapi", "a", "now", [])
    words = shlex.split(predicting(made))
    assert words[:2] == ["eval", "$(deployer env a-local);"]
    assert json.loads(words[-1]) == {"your": "request"}
