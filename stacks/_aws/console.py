"""How a machine boots, as its console tells: progress as it comes, and the line that failed."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from deployer.core.errors import RemoteError
from deployer.providers.managers import Say
from stacks._aws.session import Clients

MARK = "deployer: "
FAILED = "deployer: boot failed"
CLOUD_INIT_FAILED = (
    "cloud-init: error",
    "Failed to run module scripts-user",
    "FAILED to run module",
)
KERNEL = re.compile(r"\[ *0\.0+\] Linux version ")
"""What a machine's console begins with at each boot."""
LAST_WORDS = 12
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours a terminal (ECMA-48): systemd writes it to the console."""


class Console:
    """The console of one machine, read again and again."""

    def __init__(self, clients: Clients, instance: str, say: Say) -> None:
        self.clients, self.instance, self.say = clients, instance, say
        self._said: set[str] = set()
        self._old = frozenset[str]()

    def failed_before(self) -> bool:
        """Whether a boot has failed already. What the console says up to now is not looked at again.

        Lines are known by their text, which holds the time: AWS keeps the newest 64 KB, so they move.
        """
        self._old = frozenset(self.lines())
        return any(_failed(line) for line in self._old)

    def look(self) -> None:
        """Say what is new of the boot script's own lines.

        Raises:
            RemoteError: the boot has failed; the message has the lines before it.
        """
        lines = [line for line in self.lines() if line not in self._old]
        for number, line in enumerate(lines):
            told = line[line.find(MARK) :] if MARK in line else ""
            if told and told not in self._said:
                self._said.add(told)
                self.say(f"machine: {told.removeprefix(MARK)}")
            if _failed(line):
                raise failure(last_boot(lines[: number + 1]))

    def lines(self) -> Sequence[str]:
        """The console's lines; none while AWS has none."""
        return console_lines(self.clients, self.instance)


def _failed(line: str) -> bool:
    return FAILED in line or any(word in line for word in CLOUD_INIT_FAILED)


def console_lines(clients: Clients, instance: str) -> Sequence[str]:
    """Read a machine's console: what it says now where the hardware can tell (Nitro), else at its last start."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = clients("ec2")
    for asked in ({"Latest": True}, {}):
        try:
            told = client.get_console_output(InstanceId=instance, **asked).get("Output") or ""
        except (ClientError, BotoCoreError):
            continue  # only talk: what matters is whether it answers
        return [line for line in ESCAPES.sub("", _decoded(told)).splitlines() if line.strip()]
    return []


def last_boot(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines from where the newest boot begins; all of them where that has scrolled away."""
    began = (number for number in range(len(lines) - 1, -1, -1) if KERNEL.search(lines[number]))
    return lines[next(began, 0) :]


def _decoded(told: str) -> str:
    """boto3 decodes the console itself; an emulator's may come twice encoded."""
    try:
        return base64.b64decode(told, validate=True).decode(errors="replace") if told else ""
    except ValueError:
        return told


def failure(lines: Sequence[str]) -> RemoteError:
    """The error of a boot that failed at the last of these lines."""
    words = "".join(f"\n    {line}" for line in lines[-LAST_WORDS:])
    return RemoteError(
        f"the machine did not boot: {lines[-1].strip()}; its last console output:{words}",
        hint="correct what it complains about, then run 'deployer up' again; 'deployer logs NAME' has more",
    )
