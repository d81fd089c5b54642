"""The one-way pipeline, proven: who imports whom, what planning may touch, what a command may load."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from importlinter.cli import lint_imports

from deployer import engines
from deployer.cli import COMMANDS
from tests.kits.documents import read

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
HEAVY = ("pulumi", "pulumi_aws", "boto3", "botocore", "docker", "rich", "numpy", "openai")
UNUSED = ("pydantic", "jinja2", "httpx", "huggingface_hub", "psutil", "yaml", "asyncio")


def python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEPLOYER_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_stage_imports_a_later_one_and_none_left_of_confirm_imports_an_edge():
    assert lint_imports(str(ROOT / ".importlinter"), no_logo=True) == 0


def test_nothing_of_deployer_names_a_provider():
    sources = [f for f in (ROOT / "deployer").rglob("*.py") if "import" in f.read_text()]
    named = [
        f.name
        for f in sources
        if "from stacks" in f.read_text() or "import stacks" in f.read_text()
    ]
    assert not named


FORMATS = "core/quantization/__init__.py"
NAMED = {
    (FORMATS, "mlx"): "MLX is also the name of a family of formats",
    ("spec/near_misses.py", "mlx"): "as above: what is written for a format",
}
"""Where a text that is an engine's name means something else, and what."""


def test_nothing_of_deployer_but_its_own_folder_names_an_engine():
    package = ROOT / "deployer"
    sources = [f for f in package.rglob("*.py") if f.parts[len(package.parts)] != "engines"]
    assert len(sources) > 200
    found = {
        (str(file.relative_to(package)), node.value)
        for file in sources
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in engines.choices()
    }
    assert found == set(NAMED), "ask for a property of the engine instead"


CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}


def asked_the_time(source: str) -> list[str]:
    """The calls of a source that ask for the time or the day, whatever module they are of."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    called = [getattr(func, "attr", getattr(func, "id", "")) for func in calls]
    return [name for name in called if name in CLOCKS]


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ("datetime.now(UTC)", ["now"]),
        ("from datetime import date as d\nd.today()", ["today"]),
        ("from time import time\ntime()", ["time"]),
        ("date(2026, 1, 1)\nmade(now, today)\nself.time", []),
    ],
)
def test_who_asks_the_time_is_found(source, asks):
    assert asked_the_time(source) == asks


def test_what_plans_knows_the_calendar_but_asks_no_clock():
    folders = (ROOT / "deployer" / door for door in ("planning", "spec", "core"))
    files = [file for folder in folders for file in folder.rglob("*.py")]
    asking = {file.name: found for file in files if (found := asked_the_time(file.read_text()))}
    assert asking == {"clock.py": ["now"]}


GUARD = """
import sys, json, socket
BARRED = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen",
          "os.exec", "os.fork", "os.posix_spawn", "os.system", "ctypes.dlopen.curl")
def guard(event, arguments):
    if event in BARRED:
        raise SystemExit(f"BARRED {event} {arguments}")
sys.addaudithook(guard)
"""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
@pytest.mark.usefixtures("tiny_gguf")
def test_planning_opens_no_socket_and_starts_no_process(example, tmp_path):
    more = ["--offline"] if "adapter: hf:" in example.read_text() else []  # the hub knows its rank
    asked = ["plan", "-f", str(example), "--json", *more]
    code = f"{GUARD}\nfrom deployer.cli import main\nmain({asked!r})"
    ran = python(code, tmp_path)
    assert "BARRED" not in ran.stderr
    assert len(read("plan", ran.stdout)["plans"]) == 3


def test_the_guard_of_the_test_above_can_fail(tmp_path):
    code = f"{GUARD}\nsocket.create_connection(('127.0.0.1', 9))"
    assert "BARRED" in python(code, tmp_path).stderr


def loaded_by(arguments: list[str], home: Path) -> set[str]:
    code = (
        "import sys\nfrom deployer.cli import main\n"
        f"main({arguments!r})\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    return set(python(code, home).stderr.split())


def test_help_loads_nothing_that_it_does_not_show(tmp_path):
    assert not loaded_by(["--help"], tmp_path).intersection((*HEAVY, *UNUSED))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_loads_nothing_heavy(name, tmp_path):
    assert not loaded_by([name, "--help"], tmp_path).intersection((*HEAVY, *UNUSED))


def test_a_later_plan_loads_neither_pulumi_nor_pydantic_nor_yaml(tmp_path):
    arguments = ["plan", "-f", "examples/qwen3-8b.yaml", "--target", "cloud-gpu"]
    first = loaded_by(arguments, tmp_path)
    later = loaded_by(arguments, tmp_path)
    assert "pulumi" in first
    assert not later.intersection((*HEAVY, *UNUSED))


def test_status_of_nothing_loads_no_planning(tmp_path):
    loaded = loaded_by(["status"], tmp_path)
    assert not loaded.intersection(
        (*HEAVY, "pydantic", "deployer.planning.choose", "deployer.planning.cost")
    )


def test_every_command_has_a_file_and_every_file_a_command():
    files = {f.stem for f in (ROOT / "deployer" / "cli").glob("*.py")} - {
        "__init__",
        "options",
        "terminal",
    }
    assert files == set(COMMANDS)


LISTED = re.compile(r"^ +([a-z_]+\.py|[a-z_]+/)\s", re.MULTILINE)
PACKAGES = sorted((ROOT / "deployer").rglob("__init__.py"))


@pytest.mark.parametrize("file", PACKAGES, ids=lambda f: str(f.parent.relative_to(ROOT)))
def test_what_a_package_says_that_it_holds_is_there(file):
    said = LISTED.findall(ast.get_docstring(ast.parse(file.read_text()), clean=False) or "")
    assert [name for name in said if not (file.parent / name).exists()] == []


@pytest.mark.parametrize(
    "package",
    [
        file
        for top in ("deployer", "stacks")
        for file in sorted((ROOT / top).rglob("__init__.py"))
        if file.read_text(encoding="utf-8").strip()
    ],
    ids=lambda file: str(file.parent.relative_to(ROOT)),
)
def test_what_a_package_defines_is_not_replaced_by_a_module_of_that_name(package):
    """Importing the module puts it in the place of the function, unless it was imported before."""
    defined = {
        node.name
        for node in ast.parse(package.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    beside = {file.stem for file in package.parent.glob("*.py")}
    name = ".".join(package.parent.relative_to(ROOT).parts)
    for both in sorted(defined & beside):
        import_module(f"{name}.{both}")
        assert not isinstance(getattr(import_module(name), both), ModuleType), f"{name}.{both}"
