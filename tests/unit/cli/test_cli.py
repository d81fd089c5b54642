"""The command line's promises: streams, documents, exit codes."""

from __future__ import annotations

from importlib import import_module

import pytest

import deployer
from deployer.cli import COMMANDS, main
from tests.kits.documents import printed

SPEC = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_help_names_every_command(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_one_line_of_help_is_the_commands_own(name):
    assert import_module(f"deployer.cli.{name}").command.help == COMMANDS[name]


def test_the_version_is_the_packages(capsys):
    assert deployer.__version__ in run(capsys, "--version")[1]


def test_an_unknown_command_names_the_nearest(capsys):
    code, out, err = run(capsys, "pln")
    assert code == 2
    assert not out
    assert "plan" in err


def test_an_error_goes_to_stderr_with_its_place_and_its_mend(capsys, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(SPEC + "serv: {}\n")
    code, out, err = run(capsys, "plan", "-f", str(file))
    assert (code, out) == (2, "")
    assert f"{file}:3:1" in err
    assert "did you mean 'serve'?" in err


@pytest.mark.parametrize(
    "arguments",
    [["plan", "-f", "none.yaml"], ["plan", "--jsn"], ["pln"]],
)
def test_with_json_an_error_is_one_document_on_stdout(capsys, arguments):
    code, document, err = printed(capsys, *arguments)
    assert not err
    assert code == document["error"]["exit_code"] == 2
    assert set(document["error"]) == {"message", "hint", "where", "exit_code"}
    assert document["schema"] == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_a_bug_keeps_its_traceback_and_exits_70(capsys, tmp_path, home, monkeypatch, as_json):
    broken = tmp_path / "stacks" / "local" / "broken.py"
    broken.parent.mkdir(parents=True)
    broken.write_text(
        "TARGET, NAME, ENGINES, PRIVACY = 'local', 'broken', ('llama.cpp',), 'nowhere'\n"
        "def offers(want, prices):\n    return 1 / 0\n"
        "def inputs(order):\n    return {}\n"
    )
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path / "stacks"))
    file = tmp_path / "s.yaml"
    file.write_text(SPEC)
    asked = ("plan", "-f", str(file), "--target", "local")
    if as_json:
        code, document, err = printed(capsys, *asked)
        said = document["error"]["message"]
    else:
        code, _, err = run(capsys, *asked)
        said = err
    assert code == 70
    assert "Traceback" in err
    assert "ZeroDivisionError" in said


def test_init_writes_a_spec_that_plan_accepts(capsys, tmp_path, home):
    file = tmp_path / "deployer.yaml"
    code, _, err = run(capsys, "init", "-f", str(file), "--model", "hf:Qwen/Qwen3-8B")
    assert code == 0
    assert "deployer plan" in err
    assert 'name: "qwen3-8b"' in file.read_text()
    assert run(capsys, "plan", "-f", str(file), "--target", "cloud-gpu")[0] == 0


@pytest.mark.parametrize("hostile", ['a"b', "a: b # c", "{{ x }}", "line\nbreak", "$(rm)", "ünï"])
def test_init_never_writes_a_spec_that_it_would_refuse(capsys, tmp_path, hostile):
    file = tmp_path / "deployer.yaml"
    code, _, _ = run(capsys, "init", "-f", str(file), "--model", "hf:a/b", "--name", hostile)
    assert code == 2
    assert not file.exists()


def test_init_asks_nobody_when_nobody_is_there(capsys, tmp_path):
    code, _, err = run(capsys, "init", "-f", str(tmp_path / "d.yaml"))
    assert code == 2
    assert "--model" in err


def test_init_does_not_write_over_a_spec(capsys, tmp_path):
    file = tmp_path / "d.yaml"
    file.write_text("mine")
    code, _, err = run(capsys, "init", "-f", str(file), "--model", "hf:a/b")
    assert (code, file.read_text()) == (2, "mine")
    assert "--force" in err
