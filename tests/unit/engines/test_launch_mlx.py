"""How MLX's server is started: by which Python, with which limits, and which versions are refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.engines.launch import Machine
from deployer.engines.mlx.native import interpreter
from deployer.engines.record import SILENT
from tests.unit.engines.test_launch import EVERYTHING, FOLDER, MLX, of

SOURCE = {"engine": "mlx", "source": "hf:mlx-community/Qwen3-8B-4bit@main"}


def with_script(path: Path, text: str, said: str = MLX) -> Machine:
    """A machine on which only a script named mlx_lm.server says that there is one."""
    path.write_text(text)
    return Machine(
        lambda name: str(path) if name == path.name else None, lambda _: False, lambda _: said
    )


def test_it_is_told_the_model_its_limits_and_the_file_with_the_key():
    made = of(EVERYTHING, **SOURCE)
    assert made.command[0] == sys.executable
    assert made.command[-1] == str(FOLDER / "engine.json")
    assert made.config == {
        "model": "mlx-community/Qwen3-8B-4bit",
        "revision": "main",
        "alias": "bot",
        "host": "127.0.0.1",
        "port": 8081,
        "context": 8192,
        "concurrency": 4,
        "key_file": str(FOLDER / "key"),
    }
    assert not made.secrets
    assert made.environment == SILENT


def test_a_folder_is_served_as_it_is():
    config = of(EVERYTHING, **SOURCE | {"model": "/models/a b; rm -rf"}).config
    assert (config["model"], config["revision"]) == ("/models/a b; rm -rf", None)


@pytest.mark.parametrize(
    ("head", "python"),
    [
        ("#!/opt/pipx/venvs/mlx-lm/bin/python\nimport re\n", "/opt/pipx/venvs/mlx-lm/bin/python"),
        ("#!/opt/homebrew/Cellar/mlx-lm/1/libexec/bin/python3.13 -I\n", "/opt/homebrew/Cellar/mlx-lm/1/libexec/bin/python3.13"),
        ("#!/bin/sh\n'''exec' \"/Users/a b/bin/python3\" \"$0\" \"$@\"\n' '''\n", "/Users/a b/bin/python3"),
        ("#!/bin/sh\n'''exec' /long/bin/python3 \"$0\" \"$@\"\n' '''\n", "/long/bin/python3"),
        ("#!/usr/bin/env python3\n", "/bin/python3"),
        ("#!/bin/bash\nexec something\n", None),
        ("import re\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_python_is_read_from_the_script_that_is_on_path(head, python):
    assert interpreter(head, EVERYTHING) == python


def test_a_script_on_path_is_enough(tmp_path):
    script = tmp_path / "mlx_lm.server"
    made = of(with_script(script, "#!/opt/tool/bin/python3\n"), **SOURCE)
    assert made.command[0] == "/opt/tool/bin/python3"
    assert "0.32.2" in made.what


@pytest.mark.parametrize(
    "said",
    [
        '{"version": "0.28.4", "missing": ["ResponseGenerator.is_healthy"]}',
        '{"version": null, "missing": ["main"]}',
        "",
        "Traceback",
    ],
)
def test_a_version_that_cannot_be_guarded_is_refused_with_those_that_can(said, tmp_path):
    machine = with_script(tmp_path / "mlx_lm.server", "#!/opt/tool/bin/python3\n", said)
    with pytest.raises(PrerequisiteError) as caught:
        of(machine, **SOURCE)
    assert "/opt/tool/bin/python3" in caught.value.message
    assert "0.32.0 or newer" in str(caught.value.hint)


def test_a_script_that_no_python_runs_is_as_good_as_none(tmp_path):
    machine = with_script(tmp_path / "mlx_lm.server", "\x7fELF")
    with pytest.raises(PrerequisiteError, match="not installed"):
        of(machine, **SOURCE)


def test_an_adapter_is_refused_with_the_way_to_merge_it():
    with pytest.raises(PrerequisiteError) as caught:
        of(EVERYTHING, **SOURCE | {"adapter": "hf:me/lora"})
    assert "mlx_lm.fuse" in str(caught.value.hint)
