"""Where Pulumi keeps its state, and what opens the secrets in it.

    <home>/pulumi/state          the state of every stack (the default: plain files of the user's own)
    <home>/pulumi/work/<name>    Pulumi's settings of one stack
    <home>/pulumi/passphrase     what the secrets in the state are encrypted with, where there is no keyring

The state lies elsewhere when the spec says so (`targets.cloud-gpu.state`) or else the environment:
DEPLOYER_STATE, or Pulumi's own PULUMI_BACKEND_URL: a bucket's URL, or https://api.pulumi.com with
PULUMI_ACCESS_TOKEN.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.core.files import write_private
from deployer.core.home import make_folder

PROJECT = "deployer"
SERVICE = "deployer-pulumi"


@dataclass(frozen=True)
class Settings:
    """What Pulumi is started with for one deployment; the stack is called as the deployment is."""

    stack: str
    backend: str
    work: Path
    environ: Mapping[str, str]
    own: bool = True

    @property
    def is_shared(self) -> bool:
        """Whether others may work with the same state: it does not lie in this home."""
        return not self.own

    @property
    def locks(self) -> Path | None:
        """Where Pulumi keeps its locks, when the state lies in files of this machine."""
        if not self.backend.startswith("file://"):
            return None
        root = Path(self.backend.removeprefix("file://")) / ".pulumi" / "locks"
        return root / "organization" / PROJECT / self.stack


def settings(
    home: Path, deployment: str, state: str | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a deployment's stack, its folders made. `state` is what its record or spec says."""
    given = os.environ if environ is None else environ
    backend = backend_of(home, state, given)
    if backend.startswith("file://"):
        make_folder(Path(backend.removeprefix("file://")))
    work = make_folder(home / "pulumi" / "work" / deployment)
    own = {
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_CI_DETECTION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,  # runs the code of resources that the state itself holds
        **_opener(home, given),
    }
    return Settings(deployment, backend, work, own, backend == own_backend(home))


def backend_of(home: Path, state: str | None, environ: Mapping[str, str]) -> str:
    """Return the address of the state."""
    named = state or environ.get("DEPLOYER_STATE") or environ.get("PULUMI_BACKEND_URL")
    return named or own_backend(home)


def own_backend(home: Path) -> str:
    """Return the address of the state that lies in a home itself."""
    return f"file://{home.resolve() / 'pulumi' / 'state'}"


def _opener(home: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that open the secrets: the user's own, the keyring's passphrase, or a file's name."""
    if "PULUMI_CONFIG_PASSPHRASE" in environ or "PULUMI_CONFIG_PASSPHRASE_FILE" in environ:
        return {}
    file = home / "pulumi" / "passphrase"
    kept = None if file.exists() else _from_keyring(str(home.resolve()))
    if kept is not None:
        return {"PULUMI_CONFIG_PASSPHRASE": kept}
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}


def _from_keyring(user: str) -> str | None:
    """The passphrase in the user's keyring, made at first; None when there is no keyring to be used."""
    with suppress(Exception):  # whatever a desktop's keyring does, the file will do
        keyring: Any = __import__("keyring")
        kept: str | None = keyring.get_password(SERVICE, user)
        if kept is None:
            kept = secrets.token_urlsafe(32)
            keyring.set_password(SERVICE, user, kept)
            if keyring.get_password(SERVICE, user) != kept:  # one that forgets is none
                return None
        return kept
    return None
