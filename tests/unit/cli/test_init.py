"""`deployer init` without anybody to ask: every flag is checked, and a model is taken in any form it is named by."""

from __future__ import annotations

import pytest

from deployer.cli import main
from deployer.spec.load import load
from tests.kits.documents import read


def _init(*arguments: str) -> int:
    return main(["init", "-y", *arguments])


MODELS = [  # as named, as written
    ("Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
    ("Qwen/Qwen3-8B@v1", "hf:Qwen/Qwen3-8B@v1"),
    (" hf:Qwen/Qwen3-8B ", "hf:Qwen/Qwen3-8B"),
    ("https://huggingface.co/Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
    ("https://huggingface.co/Qwen/Qwen3-8B/", "hf:Qwen/Qwen3-8B"),
    ("https://huggingface.co/Qwen/Qwen3-8B/tree/main", "hf:Qwen/Qwen3-8B"),
    ("https://huggingface.co/Qwen/Qwen3-8B/tree/v1.0", "hf:Qwen/Qwen3-8B@v1.0"),
    ("https://huggingface.co/Qwen/Qwen3-8B/blob/main/config.json?raw=1", "hf:Qwen/Qwen3-8B"),
    ("huggingface.co/Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
    ("hf.co/Qwen/Qwen3-8B", "hf:Qwen/Qwen3-8B"),
    ("s3://bucket/prefix", "s3://bucket/prefix"),
    ("./not there.gguf", "./not there.gguf"),
    ("mine", "./mine"),
    ("my models/a b.gguf", "./my models/a b.gguf"),
    ("./my models", "./my models"),
    ("'./my models'", "./my models"),
    (r"my\ models/a\ b.gguf", "./my models/a b.gguf"),
    ("Org/model", "./Org/model"),  # a folder here is meant before a repository of that name
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with models in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "my models", "Org/model", "sub"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "my models" / "a b.gguf").touch()
    return tmp_path


@pytest.mark.parametrize(("named", "written"), MODELS)
def test_a_model_is_taken_in_any_form_that_it_is_named_by(folder, named, written):
    assert _init("--model", named) == 0
    assert load(folder / "deployer.yaml").spec.model.source == written


def test_a_path_is_written_as_seen_from_the_spec(folder):
    assert _init("--model", "my models/a b.gguf", "-f", "sub/d.yaml") == 0
    assert load(folder / "sub" / "d.yaml").spec.model.source == "../my models/a b.gguf"
    assert _init("--model", str(folder / "mine"), "-f", "sub/e.yaml") == 0
    assert load(folder / "sub" / "e.yaml").spec.model.source == str(folder / "mine")


def test_a_path_with_nothing_at_it_is_said_and_taken(folder, capsys):
    assert _init("--model", "./later") == 0
    assert "there is nothing at ./later yet" in capsys.readouterr().err


WRONG = [  # flag, value, words
    ("--model", "Qwen3", "hf:<repo>"),
    ("--model", "", "hf:<repo>"),
    ("--model", "https://example.com/a/b", "hf:<repo>"),
    ("--name", "Bot", "lower-case letters"),
    ("--privacy", "nowhere", "region:eu"),
    ("--budget", "400", "write 400 USD/month"),
    ("--budget", "400 EUR", "400 USD/month"),
]


@pytest.mark.parametrize(("flag", "value", "says"), WRONG)
def test_a_wrong_answer_is_refused_with_its_flag_for_a_place(folder, capsys, flag, value, says):
    model = () if flag == "--model" else ("--model", "hf:a/b")
    assert _init(*model, flag, value) == 2
    said = capsys.readouterr().err
    assert f"at deployer init {flag}" in said
    assert says in said
    assert not (folder / "deployer.yaml").exists()


def test_a_model_without_a_form_and_nobody_to_ask_is_refused(folder, capsys):
    assert _init() == 2
    assert "no model given" in capsys.readouterr().err
    assert not list(folder.glob("*.yaml"))


@pytest.mark.parametrize("group", [[], ["prices"]])
def test_a_group_without_a_command_prints_its_help_and_is_no_mistake(group, capsys):
    assert main(group) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: {' '.join(['deployer', *group])} [OPTIONS] COMMAND")
    assert said.err == ""


def test_an_unknown_command_is_still_a_mistake(capsys):
    assert main(["pln", "--json"]) == 2
    assert "plan" in read("plan", capsys.readouterr().out)["error"]["message"]
