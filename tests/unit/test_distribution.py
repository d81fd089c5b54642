"""What is published: the wheel and the source distribution, built here by the locked backend and no network."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {
    "deployer/py.typed",
    "deployer/stacks/local/docker/provider.py",
    "deployer/templates/Dockerfile.j2",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_is_whole_and_says_its_license(built):
    (wheel,) = built.glob("model_deployer-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = (n for n in names if n.endswith(".dist-info/METADATA"))
        told = message_from_string(archive.read(about).decode())
        (text,) = (n for n in names if n.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(text) == (ROOT / "LICENSE").read_bytes()
    assert names >= PARTS
    assert told["Name"] == "model-deployer"
    assert told["License-Expression"] == "Apache-2.0"
    assert told["License-File"] == "LICENSE"
    assert not any(n.startswith(("tests/", "benchmarks/", "requirements/")) for n in names)


def test_the_source_distribution_holds_what_it_takes_to_build_and_to_test(built):
    (source,) = built.glob("model_deployer-*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "pyproject.toml", "README.md", "deployer/py.typed"}
    assert names >= {
        "stacks/local/docker/provider.py",
        "templates/Dockerfile.j2",
        "tests/conftest.py",
    }
    assert names >= {"requirements/test.txt", "Makefile"}
