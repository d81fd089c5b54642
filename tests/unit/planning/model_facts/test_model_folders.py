"""Model folders that lie: refused with the place that is wrong, in bounded memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deployer.core.errors import Exit, UsageError
from deployer.planning.model_facts import local
from tests.kits.documents import read
from tests.kits.model_lies import LIES, shape, tell

MOST_MB, MOST_SECONDS = 500, 20
UNIT = 1 if sys.platform == "darwin" else 1024

CHILD = """
import io, json, resource, sys, time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from deployer.cli import main

spec = Path(sys.argv[1])
for path in sys.stdin.read().splitlines():
    spec.write_text(f"name: bot\\nmodel: {{source: {json.dumps(path)}}}\\n")
    out, err = io.StringIO(), io.StringIO()
    started = time.process_time()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["plan", "-f", str(spec), "--target", "local", "--json", "--offline"])
    used = {"seconds": time.process_time() - started}
    used["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"code": int(code), "out": out.getvalue(), "err": err.getvalue()} | used))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, Any]:
    """What `deployer plan` said to each lie, all of them in one process."""
    folder = tmp_path_factory.mktemp("lies")
    told = dict(tell(folder))
    command = [sys.executable, "-c", CHILD, str(folder / "s.yaml")]
    ran = subprocess.run(
        [
            "/bin/sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            *command,
        ],  # a process starts with its parent's peak
        input="\n".join(map(str, told.values())),
        env=os.environ | {"DEPLOYER_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    for line in lines:
        line["out"] = read("plan", line["out"], line["code"])
    return {n: line | {"path": p} for (n, p), line in zip(told.items(), lines, strict=True)}


@pytest.mark.parametrize("lie", LIES)
def test_a_model_that_lies_is_refused_with_its_place_and_the_mend(answers, lie):
    said = answers[lie]
    assert (said["code"], said["err"]) == (Exit.USAGE, "")
    error = said["out"]["error"]
    assert error["where"].startswith(str(said["path"]))
    assert error["hint"]
    assert len(error["message"]) < 1000 + len(str(said["path"]))
    assert said["seconds"] < MOST_SECONDS


def test_no_lie_costs_more_memory_than_a_plan_may_take(answers):
    grown = {lie: said["peak"] * UNIT // 2**20 for lie, said in answers.items()}
    assert max(grown.values()) < MOST_MB, grown


def test_the_process_that_is_measured_holds_what_a_plan_holds(answers):
    """The figure above would be worth nothing if it were that of an empty process."""
    assert min(said["peak"] for said in answers.values()) * UNIT > 20 * 2**20


def test_a_file_that_may_not_be_read_is_refused():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape(folder)
        folder.chmod(0o755)
        (folder / "config.json").chmod(0)
        with pytest.raises(UsageError, match="cannot be read: Permission denied") as caught:
            _as_nobody(lambda: local.describe(folder, "./model"))
        assert caught.value.where == str(folder / "config.json")


def test_a_folder_that_may_not_be_read_is_refused():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0)
        with pytest.raises(UsageError, match="cannot be read: Permission denied"):
            _as_nobody(lambda: local.describe(folder, "./model"))
        folder.chmod(0o700)


def _as_nobody(call: Any) -> None:
    """Root may read everything: ask as somebody who may not."""
    if os.geteuid():
        call()
        return
    os.seteuid(65534)
    try:
        call()
    finally:
        os.seteuid(0)
