"""How a boot is followed on the machine's console, with an account that says what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from deployer.core.errors import RemoteError
from stacks._aws import logs
from stacks._aws.console import Console

OLD = "[12.1] prepare[9]: deployer: boot failed at prepare: no such secret"
KERNEL = "[    0.000000] Linux version 6.8.0-1015-aws (buildd@lcy02)"
READY = "[31.0] ready[208]: deployer: ready"


@dataclass
class Account:
    """Its one machine's console."""

    console: list[str] = field(default_factory=list)
    region: str = "us-east-1"

    def __call__(self, service: str) -> Any:
        assert service in ("ec2", "logs")
        return self

    def get_paginator(self, operation: str) -> Any:
        """Its log group, which is empty."""
        assert operation == "filter_log_events"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"events": []}]

    def get_console_output(self, **_: Any) -> dict[str, str]:
        return {"Output": "\n".join(self.console)}


def test_its_own_lines_are_said_once_and_without_colours():
    account, said = Account(["\x1b[0;32m  OK  \x1b[0m] Started.", "", READY]), list[str]()
    console = Console(account, "i-1", said.append)
    console.look()
    console.look()
    assert said == ["machine: ready"]
    assert console.lines()[0] == "  OK  ] Started."


@pytest.mark.parametrize("line", [OLD, "cloud-init: error: bad yaml"])
def test_a_boot_that_fails_is_told_with_the_lines_before_it(line):
    console = Console(Account(["a line before", line, "after"]), "i-1", print)
    with pytest.raises(RemoteError, match="a line before") as caught:
        console.look()
    assert line.strip() in caught.value.message
    assert "after" not in caught.value.message.splitlines()[-1]


def test_a_failure_of_an_earlier_boot_is_no_failure_of_this_one():
    account = Account([OLD])
    console = Console(account, "i-1", print)
    assert console.failed_before()
    console.look()
    account.console += [OLD.replace("12.1", "40.7")]
    with pytest.raises(RemoteError, match=r"40\.7"):
        console.look()


def test_a_console_that_has_dropped_its_oldest_lines_is_read_on():
    account = Account(["one", "two", OLD])
    console = Console(account, "i-1", print)
    assert console.failed_before()
    account.console[:] = [OLD, OLD.replace("12.1", "40.7")]
    with pytest.raises(RemoteError, match=r"40\.7"):
        console.look()


def test_a_machine_that_says_nothing_has_not_failed():
    console = Console(Account(), "i-1", print)
    assert not console.failed_before()
    console.look()


def test_the_last_lines_are_those_of_the_last_boot():
    again = OLD.replace("no such secret", "no space left")
    account = Account([KERNEL, "old cause", OLD, KERNEL, "new cause", again])

    def told(tail: int | None) -> list[str]:
        return list(logs.lines(account, "/deployer/x", "i-1", follow=False, tail=tail))

    assert told(12) == [KERNEL, "new cause", again]
    assert told(1) == [again]
    assert told(None) == account.console


def test_a_failure_is_told_without_the_lines_of_the_boot_before():
    again = OLD.replace("12.1", "40.7")
    console = Console(Account([KERNEL, "old cause", KERNEL, "new cause", again]), "i-1", print)
    with pytest.raises(RemoteError) as caught:
        console.look()
    assert "new cause" in caught.value.message
    assert "old cause" not in caught.value.message
