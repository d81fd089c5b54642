"""`deployer init` and a person at a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from deployer.spec.load import load
from tests.kits.processes import PATIENCE_S


class Person:
    """Somebody at a terminal, who reads until a question is there and then types."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deployer", *arguments],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def reads(self, words: str) -> str:
        seen, until = "", time.monotonic() + PATIENCE_S
        while words not in seen:
            assert time.monotonic() < until, f"waited for {words!r}, saw {seen!r}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                seen += os.read(self.terminal, 4096).decode(errors="replace")
        return seen

    def types(self, answer: str) -> None:
        os.write(self.terminal, f"{answer}\n".encode())

    def leaves(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """Puts somebody before a terminal, who is gone when the test is over."""
    with ExitStack() as stack:
        yield lambda *said: stack.enter_context(closing(Person(*said, cwd=tmp_path)))


def test_init_asks_for_what_no_flag_says_and_offers_a_default(sit_down, tmp_path):
    person = sit_down("init", "--privacy", "region:eu")
    person.reads("Model")
    person.types("hf:Qwen/Qwen3-8B")
    person.reads("Name [qwen3-8b]")
    person.types("")
    person.reads("Requests a day [1000]")
    person.types("250")
    person.reads("Concurrent requests [8]")
    person.types("")
    person.reads("Next: deployer plan")
    assert person.leaves() == 0
    spec = load(tmp_path / "deployer.yaml").spec
    assert (spec.name, int(spec.traffic.requests_per_day)) == ("qwen3-8b", 250)
    assert spec.policy.privacy == "region:eu"


NONSENSE = [  # the end of a question, a wrong answer, what is said of it, a right answer
    ("./file.gguf): ", "Qwen3", "does not have the form hf:<repo>", "hf.co/Qwen/Qwen3-8B"),
    ("Name [qwen3-8b]: ", "My Bot", "lower-case letters", "bot"),
    ("Requests a day [1000]: ", "many", "not a valid integer", "5"),
    ("Concurrent requests [8]: ", "0", "greater than or equal to 1", "1"),
    ("cloud-ok) [cloud-ok]: ", "nowhere", "region:eu", "local-only"),
]


def test_a_person_who_types_nonsense_is_told_so_and_asked_again(sit_down, tmp_path):
    person = sit_down("init")
    for question, wrong, said, right in NONSENSE:
        person.reads(question)
        person.types(wrong)
        assert said in person.reads(question)
        person.types(right)
    person.reads("Next: deployer plan")
    assert person.leaves() == 0
    spec = load(tmp_path / "deployer.yaml").spec
    assert (spec.name, spec.model.source) == ("bot", "hf:Qwen/Qwen3-8B")
    assert (int(spec.traffic.requests_per_day), spec.serve.concurrency) == (5, 1)
    assert spec.policy.privacy == "local-only"


def test_a_wrong_flag_is_refused_before_anything_is_asked(sit_down, tmp_path):
    person = sit_down("init", "--privacy", "nowhere")
    person.reads("deployer init --privacy")
    assert person.leaves() == 2
    assert not (tmp_path / "deployer.yaml").exists()
