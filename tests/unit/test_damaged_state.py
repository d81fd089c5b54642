"""Anything in place of any of our files: an error in words or none, never a traceback, never a wait, nothing followed."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deployer.core.clock import now
from deployer.core.deployment import Deployment
from deployer.core.errors import UsageError
from deployer.core.home import make_folder
from deployer.running.store import Store

ROOT = Path(__file__).parents[2]
NAME = "bot-local"
LIMIT_S = 60


def linked(path: Path) -> None:
    target = path.parent.parent / f"target-of-{path.name}"
    target.write_text("somebody's")
    path.symlink_to(target)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        line.bind(path.name)
        os.chdir(here)


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "zeros": lambda path: path.write_bytes(b"\0" * 4096),
    "half": lambda path: path.write_text('{"name": "bot-l'),
    "null": lambda path: path.write_text("null"),
    "list": lambda path: path.write_text("[[]]"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "folder": lambda path: path.mkdir(),
    "full folder": lambda path: make_folder(path / "x"),
    "link": linked,
    "broken link": lambda path: path.symlink_to("nowhere"),
    "circle": lambda path: path.symlink_to(path.name),
    "endless": endless,
    "pipe": os.mkfifo,
    "socket": a_socket,
}
PLACES = {
    "record": "deployments/bot-local/deployment.json",
    "kept record": "deployments/bot-local/previous.json",
    "key": "deployments/bot-local/key",
    "log": "deployments/bot-local/engine.log",
    "run": "deployments/bot-local/run.json",
    "report": "deployments/bot-local/supervisor.json",
    "current": "deployments/bot-local/current",
    "coming": "deployments/bot-local/coming.json",
    "environment": "deployments/bot-local/environment",
    "deployment": "deployments/bot-local",
    "deployments": "deployments",
    "lock": "locks/bot-local",
    "locks": "locks",
    "measurement": "measurements/20260101T000000-bot-local-1.json",
    "measurements": "measurements",
    "prices": "catalog/aws-us-east-1.json",
    "catalog": "catalog",
    "cache": "cache",
}
COMMANDS = (("status",), ("status", NAME), ("logs", NAME), ("env", NAME), ("down", NAME, "--yes"))
CODES = {0, 1, 2, 3, 4, 5, 6}


def command(home: Path, *words: str) -> tuple[int, str]:
    """Run a command in a process of its own, for a hang of it must end."""
    nobody = {
        "HOME": str(home.parent),
        "DOCKER_HOST": "unix:///nowhere",
        "DEPLOYER_HOME": str(home),
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HF_", "LAMBDA_"))}
    done = subprocess.run(
        [sys.executable, "-m", "deployer", *words],
        env=kept | nobody | {"AWS_EC2_METADATA_DISABLED": "true"},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def deployed(home: Path) -> Store:
    """A home with one deployment that is recorded and does not run."""
    store = Store(make_folder(home))
    wanted = {"type": "local:index:Process", "name": NAME, "inputs": {"source": "hf:a/b"}}
    record = Deployment(NAME, "bot", "d", "local", "native", "llama.cpp", "bot", now(), [wanted])
    store.save(record)
    store.key(NAME)
    return store


def damage(home: Path, place: str, how: str) -> Path:
    path = home / PLACES[place]
    make_folder(path.parent)
    if path.is_dir():
        path.rename(home / f"was-{path.name}")
    path.unlink(missing_ok=True)
    DAMAGES[how](path)
    return path


@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_in_the_place_of_a_file_of_ours_is_no_traceback_and_no_wait(tmp_path, place):
    for number, how in enumerate(DAMAGES):
        home = tmp_path / f"{number}" / "home"
        deployed(home)
        damage(home, place, how)
        words = COMMANDS[number % len(COMMANDS)]
        code, said = command(home, *words)
        assert code in CODES, f"{how}: {said}"
        assert "Traceback" not in said, how
        target = home.parent / f"target-of-{Path(PLACES[place]).name}"
        for one in home.parent.rglob(target.name):
            assert one.read_text() == "somebody's", "what a link leads to is nobody's to change"


@pytest.mark.parametrize("how", ["link", "broken link", "circle", "pipe", "folder", "socket"])
def test_a_record_that_is_something_else_says_so_and_down_removes_it(tmp_path, how):
    home = tmp_path / "world" / "home"
    deployed(home)
    damage(home, "record", how)
    code, said = command(home, "status", NAME)
    assert code == 1
    assert "the record of bot-local is damaged" in said
    code, said = command(home, "down", NAME, "--yes")
    assert code == 0, said
    assert not (home / "deployments" / NAME).exists()


@pytest.mark.parametrize("place", ["key", "lock", "record"])
def test_what_a_link_leads_to_is_never_written(tmp_path, place):
    home = tmp_path / "world" / "home"
    store = deployed(home)
    path = damage(home, place, "link")
    target = path.resolve()
    for words in COMMANDS:
        command(home, *words)
    assert target.read_text() == "somebody's"
    assert stat.S_IMODE(target.stat().st_mode) & 0o077 or store


def test_a_name_of_900_000_characters_is_refused_with_the_limit(tmp_path):
    with pytest.raises(UsageError) as caught:
        Store(tmp_path).folder("a" * 900_000)
    assert len(caught.value.message) < 300
    assert "at most 100" in str(caught.value.hint)


def test_a_spec_with_such_a_name_is_refused_with_its_limit(tmp_path):
    spec = tmp_path / "deployer.yaml"
    spec.write_text(f"name: {'a' * 900_000}\nmodel: {{source: hf:a/b}}\n")
    home = make_folder(tmp_path / "home")
    for words in (
        ("plan", "-f", str(spec), "--offline"),
        ("down", "-f", str(spec), "--target", "local"),
    ):
        code, said = command(home, *words)
        assert code == 2
        assert len(said) < 2000
        assert "at most 40" in said


def test_a_record_with_such_a_name_is_refused(tmp_path):
    home = tmp_path / "world" / "home"
    store = deployed(home)
    file = store.folder(NAME) / "deployment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "name": "a" * 900_000}))
    code, said = command(home, "status")
    assert code == 1
    assert len(said) < 2000
    assert "damaged" in said


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
def test_a_home_that_others_may_write_to_is_refused(tmp_path, mode):
    home = make_folder(tmp_path / "home")
    home.chmod(mode)
    code, said = command(home, "status")
    assert code == 6
    assert "other users may write to the folder" in said
    assert "chmod go-w" in said
    home.chmod(0o700)
    assert command(home, "status")[0] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_home_of_another_user_is_refused(tmp_path):
    home = make_folder(tmp_path / "home")
    os.chown(home, 65534, 65534)
    code, said = command(home, "status")
    assert code == 6
    assert "belongs to another user" in said


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077, 0o277, 0o777])
def test_folders_are_their_owner_s_alone_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        made = make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for one in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
