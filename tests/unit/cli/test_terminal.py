"""What reaches the terminal: our own colours, and nothing else that steers it."""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import NamedTuple

import click
import pytest

from deployer import cli
from deployer.cli import main, terminal
from deployer.core.documents.bench import BenchDocument, BenchLoad, ColdStart
from deployer.core.documents.logs import LogsDocument
from tests.kits.documents import read

HOSTILE = {
    "a colour": "\x1b[31m",
    "hidden text": "\x1b[8m",
    "a title": "\x1b]0;owned\x07",
    "a new screen": "\x1b[2J\x1bc",
    "a C1 escape": "\x9b31m",
    "a return": "safe\rowned",
    "a backspace": "abc\x08\x08\x08owned",
    "a zero": "\x00",
    "reversed text": "\u202egnp.exe",
    "half a character": "\ud800",
}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal, so that colours are sent."""

    def isatty(self) -> bool:
        return True


def shown(call: Callable[..., object], *arguments: object) -> tuple[str, str]:
    """What a call sends to a terminal, on stdout and on stderr."""
    out, err = Terminal(), Terminal()
    with redirect_stdout(out), redirect_stderr(err):
        call(*arguments)
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_an_error_says_what_steers_a_terminal_and_sends_none_of_it(text):
    _, said = shown(terminal.error, f"no {text}", f"not {text}", f"at {text}")
    assert text not in said.replace("\x1b[31m\x1b[1merror:", "")
    assert said.count("\x1b[") == 5  # ours: error in red and bold, mend in bold, and both reset
    assert "\\x" in said or "\\u" in said or "\\r" in said


@pytest.mark.parametrize("text", [t for n, t in HOSTILE.items() if n != "a colour"])
@pytest.mark.parametrize("show", [terminal.out, terminal.write, terminal.say])
def test_nothing_that_is_shown_steers_a_terminal(show, text):
    said = "".join(shown(show, f"{terminal.heading('a')}\tb\n{text}"))
    assert text not in said
    assert said.startswith("\x1b[1ma\x1b[0m\tb\n")


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(cli.__path__)])
def test_every_colour_of_every_view_reaches_the_terminal_and_is_left_out_elsewhere(module):
    held = vars(importlib.import_module(f"deployer.cli.{module}"))
    tables = [table for name, table in held.items() if name.endswith("COLOURS")]
    for colour in {one for table in tables for one in table.values()}:
        text = click.style("word", fg=colour)
        assert shown(terminal.say, text)[1] == f"{text}\n"
        plain = io.StringIO()
        with redirect_stderr(plain):
            terminal.say(text)
        assert plain.getvalue() == "word\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none_in_a_terminal(home, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out, err = shown(main, ["status"]), shown(terminal.error, "no", "do", "there")
    assert "\x1b" not in "".join((*out, *err))
    assert "\x1b" not in shown(terminal.out, terminal.heading("word"))[0]
    if name == "TERM":
        assert "\x1b" not in shown(lambda: terminal.progress("half", line=True))[1]


def test_an_empty_no_color_is_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[1m" in shown(terminal.out, terminal.heading("word"))[0]


def test_text_of_every_language_is_shown_as_it_is():
    assert shown(terminal.out, "größe 大きさ حجم 🙂")[0] == "größe 大きさ حجم 🙂\n"


def test_a_terminal_that_cannot_write_a_character_gets_it_written_out():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", write_through=True)
    with redirect_stdout(stream):
        terminal.out("größe 大")
    assert raw.getvalue() == "größe \\u5927\n".encode("latin-1")


def test_json_is_ascii_and_says_the_same():
    hostile = "".join(HOSTILE.values())
    text, _ = shown(terminal.emit, LogsDocument(deployment="bot-local", lines=(hostile,)))
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert read("logs", text)["lines"] == [hostile]


def test_a_figure_that_is_no_number_is_never_printed_as_json():
    load = BenchLoad(input_tokens=1, output_tokens=1, seed=0)
    starts = (ColdStart("bot-local", float("nan")),)
    with pytest.raises(ValueError, match="JSON"):
        terminal.as_json(BenchDocument(runs=(), cold_starts=starts, load=load, kept=()))


SPEC = """
name: bot
model: {{source: {source}}}
targets: {{local: {{hardware: {{gpu: rtx-4090}}}}, cloud-gpu: {{region: {region}}}}}
"""


@pytest.mark.parametrize(
    ("source", "region"),
    [
        ("hf:Qwen/Qwen3-8B", '"\\e[2Jus-east-1\\n  total  0.00 USD/month"'),
        ('"s3://a/\\e]0;owned\\a\\u202e"', "us-east-1"),
        ('"./\\e[8m/x"', "us-east-1"),
        ('"./\\e[8mx\\u0000"', "us-east-1"),
        ('"\\e[8mx"', "us-east-1"),
    ],
)
def test_a_spec_cannot_steer_the_terminal_or_forge_a_line(tmp_path, home, source, region):
    file = tmp_path / "a\x1b[8mb.yaml"
    file.write_text(SPEC.format(source=source, region=region))
    out, err = shown(main, ["plan", "-f", str(file), "--offline"])
    assert out or err
    for colour in ("0", "1", "31", "32", "33", "35"):
        out, err = out.replace(f"\x1b[{colour}m", ""), err.replace(f"\x1b[{colour}m", "")
    assert (out + err).replace("\n", "").isprintable()
    assert "\n  total  0.00" not in out


class Pair(NamedTuple):
    name: str
    amount: float


@dataclass(frozen=True)
class Held:
    text: str
    pairs: tuple[Pair, ...]
    more: dict[str, list[str]]


def test_every_text_in_data_is_made_printable_wherever_it_is():
    held = Held("a\x1b[2J", (Pair("b\n", 1.0),), {"c\r": ["d\x00"]})
    clean = Held(r"a\x1b[2J", (Pair(r"b\n", 1.0),), {r"c\r": [r"d\x00"]})
    assert terminal.all_printable(held) == clean
    assert type(terminal.all_printable(held).pairs[0]) is Pair


def test_data_without_anything_to_change_is_not_copied():
    pairs = tuple(Pair("a", float(n)) for n in range(3))
    assert terminal.all_printable(pairs) is pairs
    hours = [0.5] * 3
    assert terminal.all_printable(hours) is hours
