"""MLX: `mlx_lm.server` of this very Python, or of the one that `mlx_lm.server` on PATH was installed with.

It has no API key, and its makers do not mean to give it one ("put the server behind a reverse proxy",
github.com/ml-explore/mlx-lm/pull/1687, 2026-08-21). So it runs inside `agents/mlx_server`, which asks for the key first.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployer.agents import mlx_server
from deployer.core import installation
from deployer.core.errors import PrerequisiteError
from deployer.engines.launch import HOST, Job, Launch, Machine, hub_name

COMMAND = "mlx_lm.server"
BOOT = (
    "import sys; sys.path.append(sys.argv.pop(1)); import mlx_server; sys.exit(mlx_server.main())"
)
"""Runs the program in any Python, whose own modules come first."""
_SAID = r"\d{4}-\d\d-\d\d [\d:,]+ - (?:INFO|WARNING|ERROR) - "
KNOWN_LINES = (
    r'127\.0\.0\.1 - - \[[\w/: ]+\] "(?:GET|POST) /v1/(?:chat/completions|completions|models) HTTP/1\.1" \d{3} -',
    rf"{_SAID}(?:Prompt processing progress: \d+/\d+|Starting httpd at [\w.]+ on port \d+\.\.\.)",
    rf"{_SAID}(?:Prompt Cache|KV Caches): \d+ [\w, .()-]{{0,100}}",
    r"mlx_lm cannot continue: see the messages above",
)
"""What it may say once it has been asked something. What it says of a request that fails repeats parts of it."""
VERSIONS = "0.32.0 or newer"


def launch(job: Job, machine: Machine) -> Launch:
    """Say how mlx_lm serves the model.

    Raises:
        PrerequisiteError: it is not installed, or too old, or cannot do what is asked.
    """
    start, version = located(machine)
    return Launch(
        (*start, str(job.config_file)),
        f"mlx_lm {version} with {job.wanted['source']}",
        config=_config(job),
        shares_port=True,
        known_lines=KNOWN_LINES,
    )


def installed(machine: Machine) -> str:
    """Return the version of mlx_lm.

    Raises:
        PrerequisiteError: mlx_lm is not installed, or too old.
    """
    _, version = located(machine)
    return f"mlx_lm {version}"


def located(machine: Machine) -> tuple[tuple[str, ...], str]:
    """Return the command that runs `agents/mlx_server`, without its argument, and the version of mlx_lm.

    Raises:
        PrerequisiteError: mlx_lm is not installed, or too old.
    """
    python = sys.executable if machine.has_module("mlx_lm") else _python_of(machine)
    if python is None:
        raise PrerequisiteError(
            "mlx_lm is not installed",
            hint=f"{installation.add_extra('mlx')}, or: uv tool install mlx-lm (on Linux: 'mlx-lm[cpu]')",
        )
    start = (python, "-P", "-c", BOOT, str(Path(mlx_server.__file__).parents[1]))
    return start, _version(machine, start)


def _python_of(machine: Machine) -> str | None:
    script = machine.which(COMMAND)
    if script is None:
        return None
    try:
        head = Path(script).read_bytes()[:4096].decode(errors="replace")
    except OSError:
        return None
    return interpreter(head, machine)


def interpreter(head: str, machine: Machine) -> str | None:
    """Return the Python that a script begins with, as pip, pipx, uv and Homebrew write it; None for another."""
    lines = head.splitlines()[:2]
    if not lines or not lines[0].startswith("#!"):
        return None
    if len(lines) > 1 and (long := re.match(r"'''exec' (.+) \"\$0\" \"\$@\"", lines[1])):
        said = shlex.split(long[1])  # a path that is too long or has spaces
    else:
        said = lines[0][2:].split()
    if said and Path(said[0]).name == "env":
        return machine.which(said[-1])
    return said[0] if said and "python" in Path(said[0]).name else None


def _version(machine: Machine, start: tuple[str, ...]) -> str:
    """Ask that Python which mlx_lm it has; it must be one whose handler can be guarded."""
    try:
        told: Mapping[str, Any] = json.loads(machine.said((*start, "--look")))
    except ValueError:
        told = {"version": None, "missing": ["a Python that runs"]}
    if not told["missing"]:
        return str(told["version"])
    found = f"mlx_lm {told['version'] or 'of an unknown version'}, in {start[0]},"
    raise PrerequisiteError(
        f"{found} cannot be protected by an API key: it lacks {', '.join(told['missing'])}",
        hint=f"deployer serves with mlx-lm {VERSIONS}: pip install --upgrade mlx-lm (pipx upgrade, uv tool upgrade)",
    )


def _config(job: Job) -> dict[str, str | int | None]:
    wanted = job.wanted
    if wanted["adapter"]:
        raise PrerequisiteError(
            "provider native does not load adapters with mlx in this version",
            hint="merge it (mlx_lm.fuse) and set model.source to the merged folder",
            key="model.adapter",
        )
    repo, _, revision = ("", "", "")
    if wanted["model"] is None:
        repo, _, revision = hub_name(wanted["source"], "model.source").partition("@")
    return {
        "model": wanted["model"] or repo,
        "revision": revision or None,
        "alias": wanted["model_name"],
        "host": HOST,
        "port": job.port,
        "context": wanted["context"],
        "concurrency": wanted["concurrency"],
        "key_file": str(job.key_file),
    }
