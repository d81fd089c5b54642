"""What is remembered of deployments: whole, private, and by one deployer at a time."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError, Exit, StaleError, UsageError
from deployer.core.home import home
from deployer.running.store import DamagedError, Store

RECORD = Deployment(
    name="bot-local",
    spec_name="bot",
    spec_digest="d1",
    target="local",
    provider="native",
    engine="llama.cpp",
    model="bot",
    started_at="2026-01-02T03:04:05+00:00",
    planned=[{"type": "t", "name": "n", "inputs": {"a": [1, None]}}],
    usd_per_hour="0.0125",
    resources=({"type": "t", "name": "n", "id": "1"},),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def elsewhere(store: Store, code: str) -> subprocess.Popen[str]:
    """Run code that has `store` in a process of its own."""
    start = f"import json, sys; from pathlib import Path; from deployer.core.errors import *; from deployer.running.store import *; store = Store(Path({str(store.home)!r}))\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_record_comes_back_as_it_was_saved(store):
    store.save(RECORD)
    assert store.load("bot-local") == RECORD
    assert store.names() == ["bot-local"]


def test_saving_again_replaces_the_record(store):
    store.save(RECORD)
    store.save(replace(RECORD, endpoint="http://127.0.0.1:1/v1"))
    assert store.get("bot-local").endpoint == "http://127.0.0.1:1/v1"
    assert len(list(store.folder("bot-local").iterdir())) == 1


def test_an_unknown_deployment_is_none_or_an_error_that_names_the_known(store):
    store.save(RECORD)
    assert store.load("other") is None
    with pytest.raises(UsageError) as caught:
        store.get("other")
    assert "bot-local" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', "null"])
def test_a_damaged_record_says_where_it_is_and_how_to_be_rid_of_it(store, text):
    store.save(RECORD)
    path = store.folder("bot-local") / "deployment.json"
    path.write_text(text)
    with pytest.raises(DeployerError) as caught:
        store.load("bot-local")
    assert caught.value.where == str(path)
    assert "down bot-local" in str(caught.value.hint)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
    ],
    ids=["a folder", "a pipe", "a link to nothing", "a link to itself"],
)
def test_what_is_no_file_is_a_damaged_record_and_waited_for_by_nobody(store, make):
    store.save(RECORD)
    path = store.folder("bot-local") / "deployment.json"
    path.unlink()
    make(path)
    assert store.names() == ["bot-local"]
    with pytest.raises(DamagedError):
        store.load("bot-local")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a\0b", "A", "-a", "a-", "a\n"]
)
def test_a_name_that_could_lead_out_of_the_folder_is_refused(store, name):
    with pytest.raises(UsageError):
        store.folder(name)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(store):
    key = store.key("bot-local")
    assert key.startswith("dk-")
    assert len(key) > 40
    assert store.key("bot-local") == key
    assert store.key("other-local") != key
    assert mode(store.folder("bot-local") / "key") == 0o600
    assert mode(store.folder("bot-local")) == 0o700


def test_the_key_is_not_in_the_record(store):
    key = store.key("bot-local")
    store.save(RECORD)
    assert key not in (store.folder("bot-local") / "deployment.json").read_text()
    assert mode(store.folder("bot-local") / "deployment.json") == 0o600


def test_forgetting_leaves_nothing(store):
    store.save(RECORD)
    store.key("bot-local")
    store.forget("bot-local")
    store.forget("bot-local")
    assert not store.folder("bot-local").exists()
    assert store.names() == []


def test_forgetting_can_keep_the_logs(store):
    store.save(RECORD)
    store.key("bot-local")
    for name in ("engine.log", "engine.log.1", "engine.json"):
        (store.folder("bot-local") / name).touch()
    store.forget("bot-local", keep_logs=True)
    left = {f.name for f in store.folder("bot-local").iterdir()}
    assert left == {"engine.log", "engine.log.1"}


def test_a_second_deployer_is_refused_until_the_first_ends_however_it_ends(store):
    code = "with store.lock('bot-local'):\n print('held', flush=True)\n sys.stdin.read()"
    with elsewhere(store, code) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(StaleError) as caught, store.lock("bot-local"):
            pass
        assert caught.value.exit_code == Exit.STALE
        assert f"pid {first.pid}" in caught.value.message
        with store.lock("other-local"):
            pass
        first.kill()
    with store.lock("bot-local"):
        pass


def test_a_full_disk_keeps_the_old_record_whole_and_says_what_to_do(store):
    store.save(RECORD)
    full = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        "from dataclasses import replace\n"
        "try: store.save(replace(store.get('bot-local'), engine='x' * 500))\n"
        "except PrerequisiteError as e: print(json.dumps([e.message, e.hint, int(e.exit_code)]))"
    )
    with elsewhere(store, full) as writer:
        message, hint, code = json.loads(writer.communicate()[0])
    assert "deployment.json" in message
    assert "DEPLOYER_HOME" in hint
    assert code == Exit.PREREQUISITE
    assert store.load("bot-local") == RECORD
    assert len(list(store.folder("bot-local").iterdir())) == 1


def test_a_full_disk_does_not_bar_the_lock_that_down_needs(store):
    full = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "with store.lock('bot-local'): print('held')"
    )
    with elsewhere(store, full) as holder:
        assert holder.communicate()[0] == "held\n"


def test_the_home_is_the_one_that_is_named_and_private(tmp_path):
    folder = tmp_path / "a" / "b"
    assert home({"DEPLOYER_HOME": str(folder)}) == folder
    assert mode(folder) == 0o700


def test_a_home_that_cannot_be_made_is_a_users_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DeployerError) as caught:
        home({"DEPLOYER_HOME": str(tmp_path / "file" / "home")})
    assert caught.value.exit_code == Exit.PREREQUISITE
    assert "DEPLOYER_HOME" in str(caught.value.hint)
