"""A handler's requirements: installed once for all that are alike, told when they cannot be, removed when unused."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from deployer.core.errors import PrerequisiteError
from deployer.running.native import environments
from deployer.running.store import RECORD, Store

WHEEL = "wordlist-1.0-py3-none-any.whl"


@pytest.fixture
def handler(tmp_path: Path) -> Path:
    """A handler's folder that needs a package, which lies beside it: nothing is fetched."""
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        about = "wordlist-1.0.dist-info"
        wheel.writestr("wordlist.py", "WORDS = 3\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: wordlist\nVersion: 1.0\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    (tmp_path / "requirements.txt").write_text(f"./{WHEEL}\n")
    return tmp_path / "requirements.txt"


def _known(store: Store, name: str) -> None:
    folder = store.folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({}))


def test_an_environment_is_made_once_shared_and_removed_when_nobody_uses_it(handler, tmp_path):
    store, said = Store(tmp_path / "home"), list[str]()
    for name in ("one-local", "two-local"):
        _known(store, name)
    first = environments.python_for(store, "one-local", handler, said.append)
    again = environments.python_for(store, "two-local", handler, said.append)
    assert first == again
    assert len(said) == 1
    code = "import wordlist, fastapi, deployer.agents.handler_server; print(wordlist.WORDS)"
    ran = subprocess.run([first, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "3\n"
    store.forget("one-local")
    environments.sweep(store)
    assert Path(first).exists()
    store.forget("two-local")
    environments.sweep(store)
    assert not list((tmp_path / "home" / "environments").iterdir())


def test_what_cannot_be_installed_is_told_and_leaves_nothing(handler, tmp_path, monkeypatch):
    for name, value in (("PIP_NO_INDEX", "1"), ("UV_OFFLINE", "1"), ("PIP_FIND_LINKS", "")):
        monkeypatch.setenv(name, value)
    handler.write_text("no-such-package-of-anybody==1\n")
    store = Store(tmp_path / "home")
    with pytest.raises(PrerequisiteError) as refused:
        environments.python_for(store, "one-local", handler, lambda _: None)
    assert "no-such-package-of-anybody" in refused.value.message
    assert refused.value.where == str(handler)
    assert not list((tmp_path / "home" / "environments").iterdir())
