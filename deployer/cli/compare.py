"""`deployer compare`: where the model should live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import UsageError

if TYPE_CHECKING:
    from deployer.planning.compare import Comparison


@click.command(
    "compare",
    help="Show where the model should live: the targets side by side.",
    epilog="The section 'decide' of the spec names a target or leaves rules out.",
)
@options.spec_file_option
@options.offline_option
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A log of requests (CSV: timestamp, input_tokens, output_tokens) instead of the spec's traffic.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option(
    "--charts/--no-charts",
    default=None,
    help="Draw the costs in the terminal.  [default: if there is room]",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to a file: one HTML page that works offline.",
)
@options.json_option
def command(
    spec_file: Path | None,
    offline: bool,
    trace: Path | None,
    markdown: bool,
    charts: bool | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Compare all three targets; exit 3 or 4 when none of them can be applied."""
    from deployer.cli.views import compare as view
    from deployer.planning.compare.document import document
    from deployer.workflows import compare, plan

    if markdown and as_json:
        raise UsageError("--markdown and --json cannot be combined", hint="leave one of them out")
    setting = plan.Setting.here(offline=offline)
    made = compare.make(spec_file or options.DEFAULT_SPEC, setting, trace)
    if html:
        _report(html, made)
    if as_json:
        terminal.emit(document(made))
    else:
        view.show(made, markdown=markdown, charts=charts)
    code = compare.code(made)
    if code:
        raise click.exceptions.Exit(code)


def _report(file: Path, made: Comparison) -> None:
    """Write the page, over one that is there."""
    from deployer.core.files import write_output
    from deployer.planning.report import page

    write_output(file, page(terminal.all_printable(made)))
    terminal.say(f"Wrote {file}")
