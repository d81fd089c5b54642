"""The image that the Docker tests serve with: this environment's own Python and xllamacpp, from scratch.

No registry is behind it and nothing is downloaded: the interpreter, its standard library, /bin/sh, curl and the
libraries that these load are copied from this machine (Linux, glibc). It stays in the daemon, under a tag that its
content decides: made once (a few seconds), found from then on. `handler_base` is one with the libraries that serve a
handler in it, `proxy_base` one with those of `deployer proxy`.
"""

from __future__ import annotations

import fcntl
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import Distribution, distribution, version
from pathlib import Path

from packaging.requirements import Requirement

PARTS = Path(__file__).parents[1] / "e2e" / "image"
PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
STANDARD = Path(sysconfig.get_path("stdlib"))
LEFT_OUT = re.compile(r"/(test|tests|idlelib|tkinter|ensurepip|site-packages|dist-packages)(/|$)")
SERVER = ("fastapi", "prometheus-client", "uvicorn")
PROXY = ("boto3", "starlette", "uvicorn")
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")
"""A line of ldd: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f...)`, or the loader's without an arrow."""


def image() -> str:
    """Return the image's name; build it if the daemon has none like it."""
    name = f"deployer-test/llama:{_digest()}"
    with (Path(tempfile.gettempdir()) / "deployer-test-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come here at once
        if not _has(name):
            _build(name)
    return name


def handler_base() -> str:
    """Return a base for a handler's image: Python with what serves it, as a stand-in for the official one."""
    return _with(SERVER)


def proxy_base() -> str:
    """Return a base for the proxy's image."""
    return _with(PROXY)


def _with(names: Iterable[str]) -> str:
    below, found = image(), sorted(_needed(names), key=lambda one: one.name)
    said = [Path(__file__).read_text(), *(f"{one.name} {one.version}" for one in found)]
    name = f"{below}-base-{sha256(chr(0).join(said).encode()).hexdigest()[:6]}"
    with (Path(tempfile.gettempdir()) / "deployer-test-base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _has(name):
            _build_base(name, below, found)
    return name


def _build_base(name: str, below: str, found: Iterable[Distribution]) -> None:
    with tempfile.TemporaryDirectory() as made:
        context = Path(made)
        for part in (part for one in found for part in one.files or ()):
            if ".." not in part.parts and "__pycache__" not in part.parts:
                there = context / "site" / str(part)
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(part.locate()), there)
        with tarfile.open(context / "libraries.tar", "w", dereference=True) as tar:
            for file in _libraries((context / "site").rglob("*.so")):
                tar.add(file)
        text = f"FROM {below}\nADD libraries.tar /\nCOPY site /opt/site\nENTRYPOINT []\n"
        (context / "Dockerfile").write_text(text)
        _run("docker", "build", "--quiet", "--tag", name, str(context))


def _needed(names: Iterable[str]) -> set[Distribution]:
    """Some distributions of this environment with all that they need."""
    known: dict[str, Distribution] = {}
    left = list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in known:
            continue
        known[name] = distribution(name)
        needs = map(Requirement, known[name].requires or ())
        left += [n.name for n in needs if n.marker is None or n.marker.evaluate({"extra": ""})]
    return set(known.values())


def _digest() -> str:
    content = [file.read_bytes() for file in sorted((*PARTS.iterdir(), Path(__file__)))]
    said = f"{sys.version} {PYTHON} {version('xllamacpp')}".encode()
    return sha256(b"\0".join([said, *content])).hexdigest()[:12]


def _has(name: str) -> bool:
    command = ("docker", "image", "inspect", name)
    return not subprocess.run(command, capture_output=True, check=False).returncode


def _build(name: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        context = Path(made)
        found = importlib.util.find_spec("xllamacpp")
        assert found is not None
        assert found.origin is not None
        engine = Path(found.origin).parent
        _base(context / "base.tar", engine.parent.rglob("xllamacpp*/**/*.so*"))
        shutil.copytree(engine, context / "site" / "xllamacpp")
        for bundled in engine.parent.glob("xllamacpp.libs"):
            shutil.copytree(bundled, context / "site" / bundled.name)
        for part in PARTS.iterdir():
            shutil.copy(part, context)
        _run("docker", "build", "--quiet", "--tag", name, str(context))


def _base(archive: Path, more: Iterable[Path]) -> None:
    """Write the interpreter, a shell, curl and every library that these and `more` load."""
    tools = {"/bin/sh": _tool("sh"), "/usr/bin/curl": _tool("curl"), str(PYTHON): PYTHON}
    standard = [f for f in STANDARD.rglob("*") if f.is_file() and not LEFT_OUT.search(str(f))]
    binaries = [*tools.values(), *(f for f in standard if f.suffix == ".so"), *more]
    with tarfile.open(archive, "w", dereference=True) as tar:
        for path, file in tools.items():
            tar.add(file, path)
        for file in (*standard, *_libraries(binaries)):
            tar.add(file)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(PYTHON)
        if Path("/usr/bin/python3") != PYTHON:
            tar.addfile(link)
        for folder in ("tmp", "run/secrets"):
            tar.addfile(_folder(folder))
        user = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(user)
        tar.addfile(entry, io.BytesIO(user))


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o777
    return entry


def _tool(name: str) -> Path:
    found = shutil.which(name)
    assert found, f"{name} is copied into the image and is not here"
    return Path(found).resolve()


def _libraries(binaries: Iterable[Path]) -> Iterator[Path]:
    """The libraries that are loaded with programs, by the paths that the loader knows them by."""
    command = ["ldd", *map(str, binaries)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    yield from map(Path, sorted(set(LIBRARY.findall(said))))


def _run(*command: str, given: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=given)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def variant(name: str, *command: str) -> str:
    """Return an image like another one that has something else for its server."""
    script = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    tag = f"{name}-{sha256(script.encode()).hexdigest()[:6]}"
    if not _has(tag):
        with tempfile.TemporaryDirectory() as folder:
            server = Path(folder) / "llama-server"
            server.write_text(script)
            server.chmod(0o755)
            (Path(folder) / "Dockerfile").write_text(f"FROM {name}\nCOPY llama-server /app/\n")
            _run("docker", "build", "--quiet", "--tag", tag, folder)
    return tag
