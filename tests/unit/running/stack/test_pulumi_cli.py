"""Where the engine's program and its settings come from."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from deployer.core.errors import PrerequisiteError
from deployer.running.stack import engine, pulumi_cli, settings


def program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pulumi"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_one_on_path_goes_before_pulumis_own_folder(tmp_path):
    on_path, own = program(tmp_path / "bin"), program(tmp_path / "own" / "bin")
    environ = {"PATH": str(on_path.parent), "PULUMI_HOME": str(own.parent.parent)}
    assert pulumi_cli.here_already(environ) == on_path
    assert pulumi_cli.here_already(environ | {"PATH": ""}) == own


VERSION = '#!/bin/sh\n[ "$1" = version ] && echo v3.999.0 || echo "$0 $*"\n'


@pytest.mark.parametrize("folder", ["bin", "pulumi", "pulumi-v3.999.0 unpacked", "."])
def test_the_program_is_used_wherever_it_lies(tmp_path, folder, monkeypatch):
    """The official archive unpacks into a folder `pulumi`."""
    file = program(tmp_path / folder)
    file.write_text(VERSION)
    monkeypatch.chdir(tmp_path)
    found = pulumi_cli.here_already({"PATH": folder})  # one that is named from here
    assert found is not None
    assert found == tmp_path / folder / "pulumi"
    command = engine.Command(found, print)
    monkeypatch.chdir("/")
    assert str(command.version) == "3.999.0"
    done = command.run(["whoami"], str(tmp_path), {})
    assert done.stdout == f"{found} --non-interactive whoami"


def test_pulumis_folder_in_the_users_home_is_looked_at(tmp_path):
    own = program(tmp_path / ".pulumi" / "bin")
    assert pulumi_cli.here_already({"PATH": "", "HOME": str(tmp_path)}) == own


def test_where_there_is_none_it_is_installed_and_said(tmp_path):
    said: list[str] = []
    made = program(tmp_path / "new")
    environ = {"PATH": "", "HOME": str(tmp_path)}
    assert pulumi_cli.find(said.append, environ, lambda: made) == made
    assert pulumi_cli.pinned() in said[0]


def test_where_it_cannot_be_installed_the_mend_is_said(tmp_path):
    def offline() -> Path:
        raise OSError("no route to host")

    with pytest.raises(PrerequisiteError, match="no route to host") as caught:
        pulumi_cli.find(lambda _: None, {"PATH": "", "HOME": str(tmp_path)}, offline)
    assert caught.value.exit_code == 6
    assert "PATH" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("state", "environ", "expected"),
    [
        (
            "s3://spec",
            {"DEPLOYER_STATE": "s3://own", "PULUMI_BACKEND_URL": "s3://pulumi"},
            "s3://spec",
        ),
        (None, {"DEPLOYER_STATE": "s3://own", "PULUMI_BACKEND_URL": "s3://pulumi"}, "s3://own"),
        (None, {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}, "https://api.pulumi.com"),
    ],
)
def test_the_state_lies_where_the_spec_says_or_else_the_environment(
    tmp_path, state, environ, expected
):
    assert settings.settings(tmp_path, "bot", state, environ).backend == expected


def test_without_a_word_the_state_lies_in_files_of_the_users_own(tmp_path):
    at = settings.settings(tmp_path, "bot", None, {"HOME": str(tmp_path)})
    assert at.backend == f"file://{tmp_path}/pulumi/state"
    assert at.locks is not None
    assert at.locks.is_relative_to(tmp_path)


def test_a_state_elsewhere_has_no_lock_files_here(tmp_path):
    assert settings.settings(tmp_path, "bot", "s3://bucket", {}).locks is None


class Desk(KeyringBackend):
    """A desktop's keyring, or (`forgets`) one that takes everything and keeps nothing."""

    priority = 1.0

    def __init__(self, *, forgets: bool = False) -> None:
        super().__init__()
        self.forgets = forgets
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if not self.forgets:
            self.kept[service, username] = password


@pytest.fixture
def ring() -> Iterator[Callable[[KeyringBackend], None]]:
    """Puts a keyring in place of the user's own."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.mark.parametrize("absent", [null.Keyring(), fail.Keyring(), Desk(forgets=True)])
def test_the_passphrase_is_made_once_and_readable_by_its_owner_alone(tmp_path, ring, absent):
    ring(absent)
    first = settings.settings(tmp_path, "bot", None, {}).environ
    file = Path(first["PULUMI_CONFIG_PASSPHRASE_FILE"])
    kept = file.read_text()
    assert len(kept) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert settings.settings(tmp_path, "other", None, {}).environ == first
    assert file.read_text() == kept


def test_the_passphrase_lies_in_the_keyring_where_there_is_one_one_for_each_home(tmp_path, ring):
    ring(Desk())
    homes = [tmp_path / "a", tmp_path / "b"]
    first, other = (settings.settings(home, "bot", None, {}).environ for home in homes)
    kept = first["PULUMI_CONFIG_PASSPHRASE"]
    assert len(kept) >= 32
    assert kept != other["PULUMI_CONFIG_PASSPHRASE"]
    assert settings.settings(homes[0], "other", None, {}).environ == first
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_passphrase_file_of_before_goes_before_the_keyring(tmp_path, ring):
    ring(null.Keyring())
    first = settings.settings(tmp_path, "bot", None, {}).environ
    ring(Desk())
    assert settings.settings(tmp_path, "bot", None, {}).environ == first


def test_a_passphrase_of_the_users_own_is_used(tmp_path):
    environ = settings.settings(tmp_path, "bot", None, {"PULUMI_CONFIG_PASSPHRASE": "x"}).environ
    assert not [key for key in environ if "PASSPHRASE" in key], "it is inherited"
    assert not (tmp_path / "pulumi" / "passphrase").exists()
