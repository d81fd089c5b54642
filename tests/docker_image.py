"""The image that the Docker tests serve with: Debian by debootstrap, with xllamacpp out of this environment.

There is no registry behind it. It stays in the daemon, under a tag that its content decides: made once (about a
minute), found from then on.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import shutil
import subprocess
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

PARTS = Path(__file__).parent / "e2e" / "image"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "python3,libgomp1,libstdc++6,curl"


def image() -> str:
    """Return the image's name; build it if the daemon has none like it."""
    name = f"deployer-test/llama:{_digest()}"
    with (Path(tempfile.gettempdir()) / "deployer-test-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come here at once
        if not _has(name):
            _build(name)
    return name


def _digest() -> str:
    content = [file.read_bytes() for file in sorted(PARTS.iterdir())]
    said = f"{PACKAGES} {version('xllamacpp')}".encode()
    return sha256(b"\0".join([said, *content])).hexdigest()[:12]


def _has(name: str) -> bool:
    command = ("docker", "image", "inspect", name)
    return not subprocess.run(command, capture_output=True, check=False).returncode


def _build(name: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        context = Path(made)
        root = context / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm"]
        _run(*command, str(root), MIRROR)
        _run("tar", "-C", str(root), "--exclude=./dev/*", "-cf", str(context / "base.tar"), ".")
        shutil.rmtree(root)
        found = importlib.util.find_spec("xllamacpp")
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, context / "xllamacpp")
        for part in PARTS.iterdir():
            shutil.copy(part, context)
        _run("docker", "build", "--quiet", "--tag", name, str(context))


def _run(*command: str, given: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=given)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def variant(name: str, *entrypoint: str) -> str:
    """Return an image like another one that runs something else."""
    told = json.dumps(entrypoint)
    tag = f"{name}-{sha256(told.encode()).hexdigest()[:6]}"
    if not _has(tag):
        text = f"FROM {name}\nENTRYPOINT {told}\n"
        _run("docker", "build", "--quiet", "--tag", tag, "-", given=text)
    return tag
