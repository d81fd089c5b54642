"""What a hint says to install, for each way in which a copy can have been installed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from deployer.core.installation import Installation, add_extra, this

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).parents[3]


def made(url: str | None = None, **how: Any) -> Installation:
    """A copy in a virtual environment whose pip is the shell's."""
    told = None if url is None else {"url": url, **how}
    return Installation(
        version="1.2.3",
        direct_url=told,
        prefix=Path("/venv"),
        python="/venv/bin/python",
        pip_on_path="/venv/bin/pip",
    )


def vcs(url: str, **more: Any) -> Installation:
    return made(url, vcs_info={"vcs": "git", "commit_id": COMMIT}, **more)


@pytest.mark.parametrize(
    ("copy", "command"),
    [
        (made(), "pip install 'model-deployer[proxy]==1.2.3'"),
        (
            made("file:///src/a%20b", dir_info={"editable": True}),
            "pip install -e '/src/a b[proxy]'",
        ),
        (made("file:///src/d", dir_info={}), "pip install '/src/d[proxy]'"),
        (
            vcs("https://git.example/o/r.git", requested_revision="main"),
            f"pip install 'model-deployer[proxy] @ git+https://git.example/o/r.git@{COMMIT}'",
        ),
        (
            vcs("ssh://git@git.example/o/r.git", subdirectory="p"),
            f"pip install 'model-deployer[proxy] @ git+ssh://git@git.example/o/r.git@{COMMIT}#subdirectory=p'",
        ),
        (
            made("file:///tmp/model_deployer-1.2.3-py3-none-any.whl", archive_info={}),
            "pip install 'model-deployer[proxy] @ file:///tmp/model_deployer-1.2.3-py3-none-any.whl'",
        ),
    ],
)
def test_an_extra_comes_from_where_the_copy_came_from(copy, command):
    assert copy.add_extra("proxy") == command


@pytest.mark.parametrize(
    "url",
    [
        "https://token@git.example/o/r.git",
        "https://me:token@git.example/o/r.git",
        "https://git.example/o/r.git?private_token=token",
        "ssh://git:token@git.example/o/r.git",
    ],
)
def test_no_credential_is_printed(url):
    assert "token" not in vcs(url).add_extra("proxy")
    assert "token" not in (vcs(url).elsewhere() or "")


def test_names_of_variables_are_no_credentials():
    told = vcs("https://${USER}:${PASSWORD}@git.example/o/r.git").add_extra("proxy")
    assert "git+https://${USER}:${PASSWORD}@git.example/o/r.git@" in told


def test_a_pip_that_is_not_the_shells_is_named_by_its_python(tmp_path):
    away = Installation(version="1", python="/venv/bin/python", prefix=tmp_path, pip_on_path=None)
    assert away.add_extra("x") == "/venv/bin/python -m pip install 'model-deployer[x]==1'"
    other = Installation(
        version="1", python="/venv/bin/python", prefix=tmp_path, pip_on_path="/usr/bin/pip"
    )
    assert other.add_package("a-b") == "/venv/bin/python -m pip install a-b"


def test_an_environment_without_pip_is_added_to_by_uv(tmp_path):
    copy = Installation(version="1", python="/venv/bin/python", prefix=tmp_path, has_pip=False)
    wanted = "uv pip install --python /venv/bin/python 'model-deployer[x]==1'"
    assert copy.add_extra("x") == wanted


def test_a_tool_of_uv_is_installed_again_with_the_extra(tmp_path):
    (tmp_path / "uv-receipt.toml").touch()
    copy = Installation(version="1", prefix=tmp_path, has_pip=False)
    assert copy.add_extra("x") == "uv tool install --force 'model-deployer[x]==1'"


def test_a_tool_of_pipx_is_added_to_by_its_own_pip(tmp_path):
    venv = tmp_path / "model-deployer"
    venv.mkdir()
    (venv / "pipx_metadata.json").touch()
    copy = Installation(version="1", prefix=venv)
    wanted = "pipx runpip model-deployer install 'model-deployer[x]==1'"
    assert copy.add_extra("x") == wanted


@pytest.mark.parametrize(
    ("copy", "requirement"),
    [
        (made(), "model-deployer==1.2.3"),
        (
            vcs("https://git.example/o/r.git"),
            f"model-deployer @ git+https://git.example/o/r.git@{COMMIT}",
        ),
        (
            made("https://files.example/w.whl", archive_info={"hashes": {"sha256": "ab"}}),
            "model-deployer @ https://files.example/w.whl#sha256=ab",
        ),
        (made("https://files.example/w.whl", archive_info={}), None),  # not pinned
        (made("file:///src", dir_info={"editable": True}), None),
        (made("file:///tmp/w.whl", archive_info={"hashes": {"sha256": "ab"}}), None),
        (vcs("ssh://git@git.example/o/r.git"), None),  # asks for a key
        (vcs("https://token@git.example/o/r.git"), None),
        (vcs("file:///src"), None),
    ],
)
def test_another_machine_gets_the_same_copy_or_none(copy, requirement):
    assert copy.elsewhere() == requirement


def test_the_copy_that_runs_the_tests_is_this_checkout():
    assert f"{ROOT}[handler]" in shlex.split(add_extra("handler"))
    assert this().elsewhere() is None
