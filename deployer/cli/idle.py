"""`deployer idle`: find idle, expired and orphaned things by their tags, and end them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from deployer.cli import options, terminal
from deployer.core.errors import DeclinedError, Exit, UsageError

if TYPE_CHECKING:
    from deployer.running.reaper.actions import Verb
    from deployer.running.reaper.service import Reaper, Round

EVERY = "5m"


class _Length(click.ParamType[int]):
    """A duration such as 30m or 7d, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from deployer.core.units import seconds

        try:
            return value if isinstance(value, int) else seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


LENGTH = _Length()
region_option = click.option(
    "--region",
    "regions",
    multiple=True,
    help="Only this region; may be given several times.  [default: all that are enabled]",
)
idle_for_option = click.option(
    "--idle-for",
    type=LENGTH,
    default=None,
    help="Idle for this long, such as 30m, whatever a deployment's own policy says.",
)


@click.group(
    "idle",
    invoke_without_command=True,
    help="Find what nobody uses or what is left over in any cloud, and end it.",
)
@region_option
@idle_for_option
@options.json_option
@click.pass_context
def command(
    context: click.Context, regions: tuple[str, ...], idle_for: int | None, as_json: bool
) -> int:
    """List, unless a command follows; exit 1 when a region could not be seen."""
    if context.invoked_subcommand is not None:
        if regions or idle_for is not None or as_json:
            name = context.invoked_subcommand
            raise UsageError(
                "options of 'deployer idle' stand after the command",
                hint=f"deployer idle {name} --help",
            )
        return Exit.DONE
    from deployer.workflows import idle

    found = _reaper().look(regions, idle_for)
    document = idle.listed(found)
    if as_json:
        terminal.emit(document)
    else:
        from deployer.cli.views import idle as view

        view.show(document, found.unasked)
    return Exit.FAILED if document.gaps else Exit.DONE


def _ending(name: str, text: str) -> None:
    """Add `stop` or `destroy`: the same command but for what it does."""

    @command.command(name, help=text)
    @click.argument("deployment", required=False, metavar="[NAME]")
    @region_option
    @idle_for_option
    @click.option("--dry-run", is_flag=True, help="Show what would be ended; end nothing.")
    @click.option("--watch", is_flag=True, help="Go on for ever, as a service does; needs --yes.")
    @click.option("--every", type=LENGTH, default=EVERY, show_default=True, help="With --watch.")
    @options.yes_option
    @options.json_option
    def end(  # noqa: PLR0913, PLR0917 - each is an option
        deployment: str | None,
        regions: tuple[str, ...],
        idle_for: int | None,
        dry_run: bool,
        watch: bool,
        every: int,
        yes: bool,
        as_json: bool,
    ) -> int:
        """End what is idle, after asking and after a second look."""
        verb = cast("Verb", name)
        if deployment is not None:
            return _one(deployment, verb, as_json=as_json)
        agreed = _agreement(verb, dry_run=dry_run, yes=yes, as_json=as_json)
        if watch:
            _check_watch(dry_run=dry_run, yes=yes)
            _watch(lambda: _once(_reaper(), verb, (regions, idle_for), agreed, as_json), every)
            return Exit.DONE
        return _once(_reaper(), verb, (regions, idle_for), agreed, as_json)


_ending(
    "stop",
    "Stop the machines that nobody uses. Their disks stay, and 'deployer up' wakes them."
    " NAME: pause this serverless endpoint.",
)
_ending("destroy", "Destroy the machines that nobody uses, or that have expired.")


@command.command("extend", help="Let a deployment live longer: for so long from now.")
@click.argument("name")
@click.option("--for", "length", type=LENGTH, required=True, help="How long from now, such as 7d.")
@region_option
@options.json_option
def extend(name: str, length: int, regions: tuple[str, ...], as_json: bool) -> None:
    """Move the time at which a deployment's machine is removed."""
    held = _reaper().extend(name, length, regions)
    if as_json:
        from deployer.workflows import idle

        terminal.emit(idle.extended(name, held))
        return
    for region, at in held.items():
        terminal.out(f"{terminal.printable(name)} in {region} expires at {at}")


@command.command("render", help="Write what runs the reaper for you: cron, systemd or GitHub.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder.")
@click.option(
    "--for",
    "place",
    type=click.Choice(["cron", "systemd", "github"]),
    required=True,
    help="What runs it.",
)
@click.option(
    "--do", "verb", type=click.Choice(["stop", "destroy"]), default="stop", show_default=True
)
@click.option(
    "--install",
    metavar="COMMAND",
    help="For github: the shell command that installs deployer there (default: this copy, pinned).",
)
@region_option
@idle_for_option
def render(
    out: Path,
    place: str,
    verb: str,
    regions: tuple[str, ...],
    idle_for: int | None,
    install: str | None,
) -> None:
    """Write the files; nothing is installed."""
    from deployer.providers import registry
    from deployer.running.reaper import schedules

    logins = [cloud.login for cloud in registry.clouds() if cloud.login]
    for path, text in schedules.files(place, verb, regions, idle_for, logins, install).items():
        schedules.write(out / path, text)
        terminal.out(str(out / path))


def _one(name: str, verb: Verb, *, as_json: bool) -> int:
    """Put one deployment to rest, whether it is idle or not."""
    from deployer.core.home import home
    from deployer.workflows import down

    if verb == "destroy":
        raise UsageError(
            "one deployment is removed by 'deployer down'", hint=f"deployer down {name}"
        )
    down.rest(home(), name)
    if as_json:
        from deployer.core.documents.idle import PausedDocument

        terminal.emit(PausedDocument(deployment=name))
    else:
        terminal.out(
            f"{name} is paused: it costs nothing, and no call wakes it. 'deployer up' resumes it"
        )
    return Exit.DONE


def _reaper() -> Reaper:
    import time

    from deployer.core.home import home
    from deployer.running.reaper.service import Reaper

    return Reaper(home(), time.time)


def _once(
    reaper: Reaper,
    verb: Verb,
    asked: tuple[tuple[str, ...], int | None],
    agreed: Callable[[Round], bool],
    as_json: bool,
) -> int:
    from deployer.workflows import idle

    done = reaper.round(asked[0], verb, asked[1], agreed)
    if as_json:
        terminal.emit(idle.ended(done))
    else:
        from deployer.cli.views import idle as view

        view.show_round(idle.ended(done), tuple(map(idle.instance, done.chosen)), verb)
    return Exit.DONE if done.whole else Exit.FAILED


def _agreement(verb: Verb, *, dry_run: bool, yes: bool, as_json: bool) -> Callable[[Round], bool]:
    """Return what is asked before anything is ended."""

    def agreed(proposed: Round) -> bool:
        if dry_run or yes:
            return yes and not dry_run
        if as_json or not terminal.interactive():
            raise UsageError(
                f"nobody is there to confirm that {len(proposed.chosen)} machines are ended",
                hint="pass --yes to end them, or --dry-run to see them",
            )
        from deployer.cli.views import idle as view
        from deployer.workflows import idle

        view.show_chosen(tuple(map(idle.instance, proposed.chosen)), verb)
        if not terminal.confirm(f"{verb.capitalize()} these {len(proposed.chosen)}?"):
            raise DeclinedError("nothing was ended")
        return True

    return agreed


def _check_watch(*, dry_run: bool, yes: bool) -> None:
    if not (yes or dry_run):
        raise UsageError("--watch asks nobody", hint="pass --yes too, or --dry-run")


def _watch(once: Callable[[], int], every: int) -> None:
    """Do it again and again until a signal comes. A failure is said, and the next round tried."""
    import signal
    import threading

    from deployer.core.errors import DeployerError

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    while not ended.is_set():
        try:
            once()
        except DeployerError as error:
            terminal.error(error.message, error.hint, error.where)
        ended.wait(every)
