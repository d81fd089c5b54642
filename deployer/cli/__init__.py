"""The command line: one file per command, loaded when it is called, and the only error boundary.

A user's mistake is a few lines on stderr (or, with `--json`, a document on stdout) and an exit code;
anything else is a bug, keeps its traceback and exits 70.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import click

from deployer import __version__
from deployer.core.errors import (
    DeployerError,
    Exit,
    UsageError,
    system_error,
)

COMMANDS = {
    "init": "Write a commented spec.",
    "plan": "Show what would exist and what it would cost. Applies nothing.",
    "compare": "Show where the model should live: the targets side by side.",
    "up": "Apply a plan: start the model and wait until it answers.",
    "status": "Show deployments: state, endpoint, usage and cost so far.",
    "env": "Print OPENAI_BASE_URL and OPENAI_API_KEY for `eval`.",
    "proxy": "Serve an OpenAI route on 127.0.0.1 for a deployment that has none.",
    "chat": "Talk to a deployment.",
    "bench": "Measure how fast deployments, or any OpenAI-compatible URL, answer under load.",
    "logs": "Show a deployment's log.",
    "idle": "Find what nobody uses or what is left over in any cloud, and end it.",
    "down": "Remove a deployment and verify that nothing is left.",
    "prices": "Show offers, or refresh the prices.",
    "render": "Write files that run the same deployment without this tool. Applies nothing.",
    "doctor": "Check the prerequisites on this machine, with the next step for each.",
    "schema": "Print the JSON Schema of the spec, for editors.",
}
"""Every command with its one line of help, so that `--help` need not import them."""


class HelpfulGroup(click.Group):
    """Prints its help when no command is named, which is a question and not a mistake."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help and end with 0 where nothing is given."""
        if not args and not self.invoke_without_command:
            click.echo(ctx.get_help())
            ctx.exit(Exit.DONE)
        return super().parse_args(ctx, args)


class LazyGroup(HelpfulGroup):
    """Imports a command's file when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order of a deployment's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import `deployer/cli/<name>.py` and return its `command`."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"deployer.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a command file without `command` is a bug
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of that name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "see 'deployer --help'"
            raise click.UsageError(f"no command '{args[0]}': {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="deployer")
def cli() -> None:
    """Decide where a model lives: your own GPU, a rented one, or a serverless endpoint.

    One spec is planned for the three, priced before anything exists, applied, watched and removed.

    \b
      deployer init            write deployer.yaml
      deployer plan            what would exist, and what it costs
      deployer compare         where it should live, and from when that changes
      deployer up --target local
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = cli.main(args, prog_name="deployer", standalone_mode=False)
    except BrokenPipeError:
        _forget(sys.stdout)
        return Exit.FAILED
    except OSError as error:
        return _report(args, system_error(error))
    except (DeployerError, click.ClickException, click.Abort, KeyboardInterrupt) as error:
        return _report(args, _as_user_error(error))
    except Exception as error:  # noqa: BLE001 - the one boundary: what reaches it is a bug
        return _bug(args, error)
    return code if isinstance(code, int) else Exit.DONE


def run() -> None:
    """Run as a program: the entry point of the `deployer` script.

    httpx is kept from loading its own command line, which would bring rich and pygments: 0.3 s of `up`, `status`, `chat`.
    Garbage is looked for a hundredth as often as by default: a command's imports leave little, and looking takes a tenth of
    `plan` and `compare`.
    """
    _open_streams()
    gc.set_threshold(70_000)
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # httpx does without it
    sys.exit(main())


def _as_user_error(error: BaseException) -> DeployerError:
    if isinstance(error, DeployerError):
        return error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        place = context.command_path if context else "deployer"
        return UsageError(error.format_message(), hint=f"see '{place} --help'", where=place)
    return _InterruptedError("interrupted")


class _InterruptedError(DeployerError):
    exit_code = Exit.INTERRUPTED


class _BugError(DeployerError):
    exit_code = Exit.BUG


def _report(args: Sequence[str], error: DeployerError) -> Exit:
    """Tell of an error, on the other stream when the one that it belongs to cannot be written to."""
    from deployer.cli import terminal

    if "--json" in args and _documented(error):
        return error.exit_code
    try:
        sys.stdout.flush()
    except OSError:
        _forget(sys.stdout)
    terminal.error(error.message, error.hint, error.where)
    return error.exit_code


def _documented(error: DeployerError) -> bool:
    from deployer.cli import terminal
    from deployer.core.documents.error import ErrorDocument

    try:
        terminal.emit(ErrorDocument.of(error))
    except (DeployerError, OSError):  # there is no room for it
        return False
    return True


def _bug(args: Sequence[str], error: Exception) -> Exit:
    import traceback

    traceback.print_exception(error)
    said = f"internal error: {type(error).__name__}: {error}"
    return _report(
        args, _BugError(said, hint="this is a bug in deployer: report it with the traceback")
    )


def _forget(stream: TextIO) -> None:
    """Keep the interpreter from flushing into what cannot be written to at exit."""
    with suppress(OSError, ValueError):  # what stands in for a stream may have no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_streams() -> None:
    """Open what the caller has closed: no file of ours may take the number of a standard stream.

    Nothing can be read from a closed standard input; writing to a closed standard output fails; messages are lost.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # it gets the lowest number
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115 - they live as long as the process
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115
