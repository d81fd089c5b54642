"""A handler's `requirements.txt` on this machine: a virtual environment for each set of them, shared by those that are alike.

    <home>/environments/<digest>   the digest is of the requirements and of the Python that runs them

What serves the handler is taken from the Python that runs this, after what the handler itself asks for. A deployment names
the environment that it uses in a file of its folder; one that none names is removed.
"""

from __future__ import annotations

import hashlib
import shutil
import site
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deployer.core.cache import UNREADABLE
from deployer.core.errors import PrerequisiteError
from deployer.core.files import read_own, write_private
from deployer.core.home import make_folder
from deployer.providers.managers import Say
from deployer.running.store import Store

USED = "environment"
"""The file of a deployment's folder that names its environment."""
COMPLETE = ".complete"
LINK = "deployer.pth"
LAST_LINES = 6
"""How much of an installer's output is shown when it fails."""


def python_for(store: Store, deployment: str, requirements: Path, say: Say) -> str:
    """Return the Python of the environment with a handler's requirements, made if it is not there.

    Raises:
        PrerequisiteError: they cannot be installed: no network, no such package, a full disk.
        StaleError: another process is making it.
    """
    name = _digest(requirements)
    folder = store.home / "environments" / name
    with store.lock(f"environment-{name}"):
        if not (folder / COMPLETE).exists():
            say(f"installing {requirements} (once, until it changes)")
            _make(folder, requirements)
    make_folder(store.folder(deployment))
    write_private(store.folder(deployment) / USED, name)
    return str(folder / "bin" / "python")


def sweep(store: Store) -> None:
    """Remove the environments that no deployment uses; none while it cannot be read which are used."""
    try:
        files = [store.folder(name) / USED for name in store.names()]
        used = {read_own(file) for file in files if file.exists()}
    except UNREADABLE:
        return
    for folder in (store.home / "environments").glob("*"):
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)


def _digest(requirements: Path) -> str:
    told = f"{sys.version}\0{sys.executable}\0".encode() + requirements.read_bytes()
    return hashlib.sha256(told).hexdigest()[:16]


def _make(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder.parent)
    python, uv = folder / "bin" / "python", shutil.which("uv")
    try:
        if uv is None:
            _run([sys.executable, "-m", "venv", str(folder)], requirements)
            install = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
        else:
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], requirements)
            install = [uv, "pip", "install", "--quiet", "--python", str(python)]
        _run([*install, "-r", str(requirements)], requirements)
        (packages,) = folder.glob("lib/python*/site-packages")
        lines = (f"import site; site.addsitedir({own!r})\n" for own in site.getsitepackages())
        (packages / LINK).write_text("".join(lines))
        (folder / COMPLETE).touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run(command: Sequence[str], requirements: Path) -> None:
    done = subprocess.run(
        command,
        cwd=requirements.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        words = "".join(f"\n    {line}" for line in done.stdout.strip().splitlines()[-LAST_LINES:])
        raise PrerequisiteError(
            f"{requirements.name} cannot be installed; the installer says:{words}",
            hint="correct the requirements, or check the network and the package index, then run it again",
            where=str(requirements),
        )
