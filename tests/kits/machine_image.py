"""The image of the machine that plays a rented one: Debian with systemd, cloud-init, nginx, the AWS CLI and llama.cpp.

Made by debootstrap, once (about three minutes); it stays in the daemon under a tag that its content decides.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

PARTS = Path(__file__).parents[1] / "e2e" / "machine"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd systemd-sysv dbus cloud-init nginx-light awscli openssl python3 libgomp1 libstdc++6 curl"
    " iproute2 procps ca-certificates libfaketime"
)
UNUSED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)


def image() -> str:
    """Return the image's name; build it if the daemon has none like it."""
    base = f"deployer-test/machine-base:{_digest(PACKAGES)}"
    parts = [file.read_text() for file in sorted(PARTS.iterdir())]
    name = f"deployer-test/machine:{_digest(base, version('xllamacpp'), *parts)}"
    with (Path(tempfile.gettempdir()) / "deployer-test-machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come here at once
        if not _has(base):
            _build_base(base)
        if not _has(name):
            _build(name, base)
    return name


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()[:12]


def _has(name: str) -> bool:
    command = ("docker", "image", "inspect", name)
    return not subprocess.run(command, capture_output=True, check=False).returncode


def _build_base(name: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        root = Path(made) / "root"
        _run("debootstrap", "--variant=minbase", "bookworm", str(root), MIRROR)
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        install = f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {PACKAGES}"
        _run("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", install)
        for folder in UNUSED:
            shutil.rmtree(root / folder, ignore_errors=True)
        packed = Path(made) / "base.tar"
        _run("tar", "-C", str(root), "--exclude=./dev/*", "-cf", str(packed), ".")
        _run("docker", "import", str(packed), name)


def _build(name: str, base: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        context = Path(made)
        found = importlib.util.find_spec("xllamacpp")
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, context / "xllamacpp")
        for part in PARTS.iterdir():
            shutil.copy(part, context)
        _run("docker", "build", "--quiet", f"--build-arg=BASE={base}", "--tag", name, str(context))


def _run(*command: str) -> None:
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
