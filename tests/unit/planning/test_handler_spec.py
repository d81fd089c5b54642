"""A handler in a spec, in a plan, in the example and in an image: nothing is claimed that is not known."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from deployer.engines.fastapi import container
from deployer.running.containers.build_context import context, dockerfile
from tests.kits.documents import printed

ROOT = Path(__file__).parents[3]
HEAD = "name: mine\nmodel: {source: ./mine}\n"


@pytest.fixture
def plan(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Plan a spec beside a folder with a handler, for local."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "handler.py").write_text("def load(): ...\ndef predict(m, r): ...\n")

    def make(text: str, target: str = "local") -> tuple[int, Any]:
        file = tmp_path / "deployer.yaml"
        file.write_text(text)
        asked = ("plan", "-f", file, "--offline", "--target", target)
        code, document, _ = printed(capsys, *asked)
        return code, document

    return make


@pytest.mark.parametrize("engine", ["auto", "fastapi"])
def test_a_handler_is_planned_without_a_size_or_a_speed(plan, engine):
    code, document = plan(HEAD + f"serve: {{engine: {engine}}}\n")
    sizing = document["plans"][0]["sizing"]
    assert code == 0
    assert (sizing["engine"], sizing["fit"], sizing["quantization"]) == (
        "fastapi",
        "unknown",
        "none",
    )
    assert sizing["weights_gib"] is sizing["decode_tok_s"] is sizing["output_tok_s"] is None


@pytest.mark.parametrize("said", ["", ", handler: {route: predict}"])
def test_what_the_spec_does_not_say_of_a_handler_is_listed_as_a_default(plan, said):
    _, document = plan(HEAD + f"serve: {{engine: fastapi{said}}}\n")
    taken = document["plans"][0]["defaults"]
    assert ("serve.handler.route" in taken) == (not said)
    assert {"serve.handler.timeout", "serve.handler.max_request_mb"} <= set(taken)


@pytest.mark.parametrize("target", ["cloud-gpu", "serverless"])
def test_where_no_provider_runs_it_that_is_said(plan, target):
    code, document = plan(HEAD + "serve: {engine: fastapi}\n", target)
    assert code == 3
    assert any("does not run fastapi" in reason for reason in document["plans"][0]["reasons"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serve: {engine: vllm, handler: {route: chat}}", "does not run handlers"),
        ("serve: {engine: fastapi, handler: {route: other}}", "'chat' or 'predict'"),
        ("serve: {engine: fastapi, handler: {timeout: 5}}", "timeout"),
        ("serve: {engine: fastapi, handler: {max_request_mb: 0}}", "max_request_mb"),
    ],
)
def test_a_wrong_handler_section_is_refused_in_words(plan, text, words):
    code, document = plan(f"{HEAD}{text}\n")
    assert code == 2
    assert words in document["error"]["message"]


@pytest.mark.parametrize("source", ["hf:Qwen/Qwen3-8B", "./a.gguf"])
def test_a_handler_is_a_folder(plan, source):
    code, document = plan(f"name: a\nmodel: {{source: {source}}}\nserve: {{engine: fastapi}}\n")
    assert code == 2
    assert "handler.py" in document["error"]["message"]


def test_a_folder_without_a_handler_says_how_to_write_one(plan, tmp_path):
    (tmp_path / "mine" / "handler.py").unlink()
    code, document = plan(HEAD + "serve: {engine: fastapi}\n")
    assert code == 2
    assert "load() and predict(model, request)" in document["error"]["hint"]


def test_changed_code_changes_the_plan(plan, tmp_path):
    def digest() -> str:
        process = plan(HEAD)[1]["plans"][0]["resources"][1]
        return str(process["inputs"]["handler"]["sha256"])

    before = digest()
    assert digest() == before
    (tmp_path / "mine" / "more.py").write_text("a = 1\n")
    assert digest() != before


def test_the_example_answers_the_same_question_the_same_way():
    script = runpy.run_path(str(ROOT / "examples" / "handler" / "handler.py"))
    model = script["load"]()
    asked = {"messages": [{"role": "user", "content": "Before?"}]}
    answer = script["predict"](model, asked)
    assert answer == script["predict"](script["load"](), asked)
    assert answer["content"].startswith("Before ")
    assert answer["content"].endswith(".")
    few = script["predict"](model, {**asked, "max_tokens": 3})
    assert few["usage"] == {"prompt_tokens": 2, "completion_tokens": 3}


@pytest.fixture
def image(plan: Any, tmp_path: Path) -> Any:
    """What the image of the handler would be, as the plan for Docker says it."""

    def make(more: str = "") -> Any:
        local = f"targets: {{local: {{provider: docker{more}}}}}\n"
        code, document = plan(HEAD + "serve: {engine: fastapi}\n" + local)
        assert code == 0
        found = document["plans"][0]["resources"]
        (built,) = (r["inputs"] for r in found if r["type"] == "local:index:Image")
        (run,) = (r["inputs"] for r in found if r["type"] == "local:index:Container")
        assert run["image"] == built["image"]
        return built

    return make


@pytest.mark.parametrize("requirements", [True, False])
def test_the_image_runs_as_nobody_and_is_told_serve_by_sagemaker_alone(
    image, tmp_path, requirements
):
    if requirements:
        (tmp_path / "mine" / "requirements.txt").write_text("numpy\n")
    text = dockerfile(image())
    lines = text.splitlines()
    entry = next(line for line in lines if line.startswith("ENTRYPOINT"))
    assert json.loads(entry.removeprefix("ENTRYPOINT ")) == [
        *("python3", "-m", "handler_server", "/srv/config.json")
    ]
    assert "USER 10001:10001" in lines
    assert f"FROM {container.BASE}" in lines
    assert ("-r /srv/requirements.txt" in text) == requirements
    assert not any(line.startswith("CMD") for line in lines)


def test_the_base_of_the_image_is_the_one_that_the_spec_names(image):
    assert "FROM ghcr.io/me/torch:2\n" in dockerfile(image(', image: "ghcr.io/me/torch:2"'))


@pytest.mark.parametrize("file", ["handler.py", "data.bin", "requirements.txt", "sub/more.py"])
def test_every_file_of_the_handler_decides_about_the_images_name(image, tmp_path, file):
    before = image()["image"]
    there = tmp_path / "mine" / file
    there.parent.mkdir(exist_ok=True)
    there.write_text("# other\n")
    assert image()["image"] != before


@pytest.mark.parametrize("file", [".env", ".git/config", "__pycache__/handler.pyc"])
def test_hidden_files_and_caches_are_in_no_image(image, tmp_path, file):
    before = image()
    there = tmp_path / "mine" / file
    there.parent.mkdir(exist_ok=True)
    there.write_text("secret")
    assert image() == before
    assert f"handler/{file}" not in context(before)


def test_a_file_of_another_size_is_another_image_however_large(image, tmp_path):
    large = tmp_path / "mine" / "weights.bin"

    def name(size: int) -> str:
        with large.open("wb") as file:
            file.truncate(size)
        return str(image()["image"])

    assert name(container.LARGE_BYTES + 1) != name(container.LARGE_BYTES + 2)


def test_what_serves_a_handler_imports_nothing_else_of_deployer():
    for file in (ROOT / "deployer" / "agents" / "handler_server").glob("*.py"):
        lines = file.read_text().splitlines()
        assert not [x for x in lines if x.startswith(("import deployer", "from deployer"))], file
