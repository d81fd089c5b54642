"""What is asked of the Pulumi engine: a small protocol, and its fulfilment over the Automation API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pulumi.automation import (
    LocalWorkspace,
    OutputMap,
    ProjectBackend,
    ProjectSettings,
    PulumiCommand,
    Stack,
    UpdateSummary,
)
from pulumi.automation._cmd import CommandResult, OnOutput
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import CommandError, create_command_error
from pulumi.automation.events import EngineEvent

from deployer.core.errors import PrerequisiteError
from deployer.providers.managers import Say
from deployer.running.stack.process import note_process
from deployer.running.stack.settings import PROJECT, Settings

OnEvent = Callable[[EngineEvent], object]
Program = Callable[[], None]


class Engine(Protocol):
    """A stack, and what can be done to it. Every call may fail with `CommandError`."""

    def preview(self, on_event: OnEvent, *, refresh: bool) -> None:
        """Say by events what `up` would do; with `refresh`, to what really exists."""
        ...

    def up(self, on_event: OnEvent) -> None:
        """Make it so."""
        ...

    def refresh(self, on_event: OnEvent, *, clear_pending: bool) -> None:
        """Take what really exists into the state; forget creations that were begun and never ended."""
        ...

    def destroy(self, on_event: OnEvent) -> None:
        """Remove all that the state knows."""
        ...

    def cancel(self) -> None:
        """Remove the lock of whoever is at work, or was."""
        ...

    def state(self) -> Mapping[str, Any]:
        """The state: `resources`, `pending_operations`. What is secret in it stays encrypted."""
        ...

    def remove(self) -> None:
        """Forget the stack, which must be empty."""
        ...


class PulumiEngine:
    """The real one."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def preview(self, on_event: OnEvent, *, refresh: bool) -> None:
        """See `Engine`."""
        self.stack.preview(on_event=on_event, refresh=refresh)

    def up(self, on_event: OnEvent) -> None:
        """See `Engine`."""
        self.stack.up(on_event=on_event)

    def refresh(self, on_event: OnEvent, *, clear_pending: bool) -> None:
        """See `Engine`."""
        self.stack.refresh(on_event=on_event, clear_pending_creates=clear_pending)

    def destroy(self, on_event: OnEvent) -> None:
        """See `Engine`."""
        self.stack.destroy(on_event=on_event)

    def cancel(self) -> None:
        """See `Engine`."""
        self.stack.cancel()

    def state(self) -> Mapping[str, Any]:
        """See `Engine`. Not by `export_stack`, which decrypts."""
        said = self.stack._run_pulumi_cmd_sync(["stack", "export"])  # noqa: SLF001 - see above
        found: Mapping[str, Any] = json.loads(said.stdout).get("deployment") or {}
        return found

    def remove(self) -> None:
        """See `Engine`."""
        self.stack.workspace.remove_stack(self.stack.name)


def opened(binary: Path, at: Settings, program: Program, say: Say) -> Engine:
    """Open a stack, made if there is none.

    Raises:
        CommandError: the state cannot be reached.
        PrerequisiteError: the program on this machine is not Pulumi's, or too old.
    """
    workspace = LocalWorkspace(
        work_dir=str(at.work),
        program=program,
        env_vars=at.environ,
        secrets_provider="passphrase",
        project_settings=ProjectSettings(
            name=PROJECT, runtime="python", backend=ProjectBackend(url=at.backend)
        ),
        pulumi_command=_command(binary, say),
    )
    return PulumiEngine(_Stack(at.stack, workspace, StackInitMode.CREATE_OR_SELECT))


def _command(binary: Path, say: Say) -> PulumiCommand:
    try:
        return Command(binary, say)
    except Exception as error:
        raise PrerequisiteError(
            f"{binary} is not a usable Pulumi CLI: {error}",
            hint="install a current version: https://www.pulumi.com/docs/install/",
            where=str(binary),
        ) from error


class _Stack(Stack):
    """One that does not ask for outputs and history after each operation: four more runs of the program."""

    def outputs(self) -> OutputMap:
        """Nothing: they are read from the state."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:  # noqa: ARG002 - Pulumi's signature
        """Nothing of interest."""
        return UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


class Command(PulumiCommand):
    """The program, in a process group of its own: an interrupt is passed on once, and its end is waited for.

    It then finishes what is in the making, writes the state and removes its lock.
    """

    def __init__(self, binary: Path, say: Say) -> None:
        with tempfile.TemporaryDirectory() as root:  # Pulumi's SDK looks for bin/pulumi in a folder
            link = Path(root) / "bin" / "pulumi"
            link.parent.mkdir()
            link.symlink_to(binary.absolute())
            super().__init__(root)
        self.command = str(binary.absolute())
        self.say = say

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,  # noqa: ARG002 - events are listened to instead
        on_error: OnOutput | None = None,  # noqa: ARG002
    ) -> CommandResult:
        """Run one command of it.

        Raises:
            CommandError: it failed.
        """
        environ = os.environ | dict(additional_env) | {"PULUMI_AUTOMATION_API": "true"}
        environ["PATH"] = os.pathsep.join([os.path.dirname(self.command), environ.get("PATH", "")])  # noqa: PTH120
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environ,
            text=True,
            start_new_session=True,
        ) as process:
            note_process(Path(cwd), process.pid)
            out, err = self._ended(process)
        result = CommandResult(out.strip(), err.strip(), process.returncode)
        if result.code:
            raise create_command_error(result)
        return result

    def _ended(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        try:
            return process.communicate()
        except BaseException:
            self.say(
                "interrupted: finishing the operations in progress (interrupt again to give up)"
            )
            process.send_signal(signal.SIGINT)
            try:
                process.communicate()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
            raise


__all__ = ["Command", "CommandError", "Engine", "EngineEvent", "OnEvent", "PulumiEngine", "opened"]
