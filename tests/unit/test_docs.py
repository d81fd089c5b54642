"""The documents: what they show is what the commands print, and what they name exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmarks.scoring.rows import read
from benchmarks.sizing import DATA, headline
from deployer import engines
from deployer.cli import cli, main
from deployer.core.documents.schemas import DOCUMENTS
from deployer.core.errors import Exit
from docs import generate
from docs.generate import filled, recorded, selected

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [*generate.documents(), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
HELD_TO_WIDTH = [f for f in generate.documents() if not f.name.startswith("ADD_")]


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@pytest.mark.timeout(300)  # some 50 commands, the first plan of each program among them
def test_every_block_holds_what_its_command_prints_now():
    command = [sys.executable, "-m", "docs.generate", "--check"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"run `make docs`:\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}"


STALE = (
    "a\n<!-- deployer x | parts 1,3 -->\n```sh\nold\n```\n<!-- the y -->\nold\n<!-- end -->\nb\n"
)
TRUE = (
    "a\n<!-- deployer x | parts 1,3 -->\n```sh\none\n\n  ...\n\n  three\n```\n"
    "<!-- the y -->\n\nyes\n\n<!-- end -->\nb\n"
)


def test_a_stale_block_is_made_anew_and_a_true_one_stays():
    says = {"deployer x": "one\n\ntwo\n\n\n  three\n", "the y": "yes"}.__getitem__
    assert filled(STALE, says) == TRUE
    assert filled(TRUE, says) == TRUE


def test_parts_are_counted_from_one_and_what_is_left_out_is_marked():
    assert selected("a\n\nb\n\nc\n\nd\n", "parts 2-3") == "  ...\n\nb\n\nc\n\n  ..."
    assert selected("a\n\nb\n", None) == "a\n\nb"
    with pytest.raises(IndexError):
        selected("a\n\nb\n", "parts 3")


def test_a_recorded_table_says_its_command_and_its_day():
    kept = {"command": "benchmarks/x", "date": "2026-01-02", "tables": {"t": {"row": {"n": "12"}}}}
    assert (
        recorded(json.dumps(kept), "t")
        == "t     n\nrow  12\n\nprinted by benchmarks/x on 2026-01-02"
    )


def test_the_recorded_errors_are_those_that_the_benchmark_finds():
    kept = json.loads(text(ROOT / "benchmarks" / "results" / "sizing.json"))
    assert kept["tables"] == headline(read(DATA))


def test_the_readme_is_short_and_serves_a_model_early():
    lines = text(README).splitlines()
    assert len(lines) <= 200
    early = "\n".join(lines[:40])
    assert all(
        word in early for word in ("make demo", "make test", "deployer up -f", "deployer chat")
    )


PROSE = re.compile(r"^(?!\|).*$", re.MULTILINE)
"""A line that is no row of a table, which cannot be broken."""


@pytest.mark.parametrize("file", HELD_TO_WIDTH, ids=lambda f: f.name)
def test_no_line_is_wider_than_120(file):
    lines = PROSE.findall(text(file)) if file != README else text(file).splitlines()
    assert [line for line in lines if len(line) > 120] == []


# Command lines

FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^<!-- (deployer .*?)(?: \| parts [\d,-]+)? -->$", re.MULTILINE)
CODE = re.compile(r"`(deployer [^`\n]+)`")
INSIDE = re.compile(r"\$\((deployer [^)]+)\)")
VERB = re.compile(r"^deployer (?:-|[a-z]+\b)")


def command_lines(file: Path) -> Iterator[str]:
    """Every command line of a document: its markers, its code, and the lines of its hand-written blocks."""
    whole = text(file)
    yield from MARKER.findall(whole)
    by_hand = generate.BLOCK.sub("", whole)
    for block in FENCE.findall(by_hand):
        for line in block.splitlines():
            yield from INSIDE.findall(line)
            if VERB.match(line):
                yield line.partition(" #")[0].strip()
    yield from CODE.findall(FENCE.sub("", by_hand))


SHOWN = sorted({line for file in PAGES for line in command_lines(file)})


def parse(line: str) -> None:
    """Parse a command line as click would, without running it. A command that is only named has no options."""
    words = shlex.split(line)[1:]
    group: click.Group = cli
    while words and not words[0].startswith("-"):
        name = words.pop(0)
        command = group.get_command(click.Context(group), name)
        assert command, f"{line}: there is no command {name}"
        if not isinstance(command, click.Group):
            if words and "--help" not in words:
                command.make_context(name, words)
            return
        group = command
    if words and words[0] not in ("--help", "--version"):
        group.make_context("deployer", words)


def test_there_are_command_lines_to_check():
    assert len(SHOWN) > 60
    assert any("--trace" in line for line in SHOWN)


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_line_that_is_shown_is_one(line):
    parse(line)


@pytest.mark.parametrize(
    "line", ["deployer plam", "deployer plan --targt x", "deployer idle extend bot --fro 7d"]
)
def test_a_line_that_is_none_is_found(line):
    with pytest.raises((AssertionError, click.UsageError)):
        parse(line)


ALONE = {"plan", "compare", "schema", "render", "init"}
EDGES = ("--refresh", "--url", "--help", "NAME", "...")


def runs_offline(line: str) -> bool:
    words = line.split()
    if words[1:] == ["render"]:  # named, not called
        return False
    alone = words[1] in ALONE or words[1:3] in (["prices", "list"], ["idle", "render"])
    return alone and not any(edge in line for edge in EDGES)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DEPLOYER_HOME that the lines share: the first plan of a program takes seconds, a later one does not."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Path, tiny_gguf: Path) -> Path:
    """A folder with what the command lines name: the examples, a spec, and a log of requests."""
    monkeypatch.setenv("DEPLOYER_HOME", str(kept))
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "docs").symlink_to(ROOT / "docs")
    spec = re.search(r"```yaml\n(.*?)```", text(README), re.DOTALL)
    assert spec
    docker = "targets: {local: {provider: docker, hardware: {gpu: rtx-4090}}}\n"
    (folder / "deployer.yaml").write_text(spec[1] + docker)
    (folder / "requests.csv").write_text(
        "timestamp,input_tokens,output_tokens\n"
        + "".join(f"2026-11-{day:02}T10:00:00Z,800,300\n" for day in range(1, 29))
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("line", [line for line in SHOWN if runs_offline(line)])
@pytest.mark.usefixtures("desk")
def test_what_can_run_offline_runs(line, capsys):
    words = shlex.split(line)[1:]
    if words[0] == "init":
        words += ["--yes", "--force", "--model", "hf:Qwen/Qwen3-8B"]
    if words[0] in generate.OFFLINE:
        words.append("--offline")
    fails = {
        "docs/samples/mistake.yaml": Exit.USAGE,
        "examples/finetuned-lora.yaml": Exit.NOTHING_FITS,
    }
    expected = next((code for file, code in fails.items() if file in words), Exit.DONE)
    assert main(words) == expected, capsys.readouterr().err


# What is named

LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"(?:`|^)make ([a-z][a-z0-9-]*)", re.MULTILINE)
PATH = re.compile(
    r"`((?:deployer|stacks|tests|docs|benchmarks|templates|examples|requirements)/[\w./-]*)`"
)


@pytest.mark.parametrize("file", PAGES, ids=lambda f: f.name)
def test_every_link_and_make_target_leads_somewhere(file):
    whole = text(file)
    links = LINK.findall(whole)
    assert [link for link in links if not (file.parent / link).exists()] == []
    targets = set(
        re.findall(r"^([a-z][a-z0-9-]*(?: [a-z-]+)*):", text(ROOT / "Makefile"), re.MULTILINE)
    )
    known = {name for line in targets for name in line.split()}
    assert set(MAKE.findall(whole)) <= known


@pytest.mark.parametrize("file", generate.documents(), ids=lambda f: f.name)
def test_every_path_that_is_named_exists(file):
    found = PATH.findall(text(file))
    assert [path for path in found if not (ROOT / path).exists()] == []


DOTTED = re.compile(r"`((?!deployer\.yaml)(?:deployer|stacks)(?:\.\w+)+)`")
SOURCES = [file for part in ("deployer", "stacks") for file in (ROOT / part).rglob("*.py")]


def leads_somewhere(dotted: str) -> bool:
    """Whether there is a module of that name, or one that holds the rest of it."""
    place, rest = ROOT, dotted.split(".")
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    file = place / f"{rest[0]}.py" if rest else place
    inside = rest[1:] if file.exists() else rest
    holder = file if file.exists() else place / "__init__.py"
    return not inside or (
        holder.exists() and re.search(rf"\b{inside[0]}\b", text(holder)) is not None
    )


def test_every_module_that_a_page_or_a_docstring_names_exists():
    named = {name for file in (*PAGES, *SOURCES) for name in DOTTED.findall(text(file))}
    assert len(named) > 40
    assert [name for name in sorted(named) if not leads_somewhere(name)] == []
    assert not leads_somewhere("deployer.planning.no_such_module")


def test_the_architecture_names_every_package():
    page = text(ROOT / "docs" / "ARCHITECTURE.md")
    packages = {f.parent for f in (ROOT / "deployer").rglob("__init__.py")} - {ROOT / "deployer"}
    of_engines = {
        ROOT / "deployer" / "engines" / name.replace(".", "_") for name in engines.names()
    }
    assert len(packages) > 25
    unnamed = {str(f.relative_to(ROOT)) for f in packages - of_engines} - set(PATH.findall(page))
    assert unnamed == set()


def test_the_architecture_has_a_glossary():
    page = text(ROOT / "docs" / "ARCHITECTURE.md").partition("## Terms")[2].partition("\n## ")[0]
    terms = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)[1:]
    assert 25 <= len(terms) == len(set(terms))


def test_the_page_of_commands_has_all_of_them():
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    below = {
        f"{name} {sub}"
        for name, command in found.items()
        if isinstance(command, click.Group)
        for sub in command.list_commands(context)
    }
    shown = {
        line[len("deployer ") : -len(" --help")]
        for line in MARKER.findall(text(ROOT / "docs" / "cli.md"))
    }
    assert shown - {""} - {"deployer"} >= {*found, *below}


def test_the_page_of_documents_has_every_document_and_exit_code():
    page = text(ROOT / "docs" / "documents.md")
    assert set(re.findall(r"`deployer schema (\w+)`", page)) >= set(DOCUMENTS)
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == set(Exit)
