"""`deployer prices`: the offers that plans choose from, and how their prices are renewed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import EngineError, UsageError

if TYPE_CHECKING:
    from deployer.sources.prices import Asked, Refreshed

DEFAULT_REGION = "us-east-1"
"""The region of a spec that names none."""


@click.group("prices", help="Show offers, or refresh the prices.")
def command() -> None:
    """Hold the two commands."""


@command.command("list", help="Show offers by price, the cheapest first.")
@click.option("--gpu", default=None, help="A GPU in any spelling: L4, 'RTX 4090', rtx-4090, H100.")
@click.option("--region", default=None, help="A region of the provider, such as us-east-1.")
@click.option("--provider", default=None, help="aws, gcp, huggingface, ...  [default: all]")
@options.json_option
def list_offers(gpu: str | None, region: str | None, provider: str | None, as_json: bool) -> None:
    """Show what can be had, unpriced offers last, with the age of the prices."""
    from deployer.cli.views import prices as prices_view
    from deployer.core.clock import now
    from deployer.core.home import home
    from deployer.planning import catalog

    known = catalog.load(home() / "catalog")
    found = prices_view.wanted(known, gpu, region, provider)
    if as_json:
        terminal.emit(prices_view.document(found, now()))
        return
    terminal.out(prices_view.table_of(found))
    terminal.say(prices_view.footer(found, now()))


@command.command(
    "refresh",
    help="Fetch AWS's public price lists (and spot prices where you may), or Hugging Face's own listing.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    help=f"A region, or all; may be given several times.  [default: {DEFAULT_REGION}]",
)
@click.option(
    "--provider",
    type=click.Choice(["aws", "huggingface"]),
    default="aws",
    help="Whose prices; the others come with a newer deployer.  [default: aws]",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Take prices that doubled or halved, and lists in which many types are missing.",
)
@options.json_option
def refresh_prices(
    regions: tuple[str, ...], provider: str, accept_changes: bool, as_json: bool
) -> None:
    """Renew region by region; where a list cannot be believed, the old prices of its region stay."""
    from deployer.cli.views import prices as prices_view

    if provider == "huggingface":
        refreshes = _of_hugging_face(regions, accept_changes)
    else:
        refreshes = _of_aws(regions, accept_changes)
    done, refused = [], []
    for refresh in refreshes:
        try:
            done.append(refresh())
        except EngineError as error:
            refused.append(error)
            continue
        (terminal.say if as_json else terminal.out)(prices_view.news(done[-1]))
    if refused:
        raise prices_view.together(refused)
    if as_json:
        terminal.emit(prices_view.refreshed(done))


def _of_aws(regions: tuple[str, ...], accept_changes: bool) -> list[Callable[[], Refreshed]]:
    from deployer.cli.views import prices as prices_view
    from deployer.sources import prices
    from deployer.sources.prices import download

    asked = _asked(download.base_url(), accept_changes)
    names = prices_view.regions(regions or (DEFAULT_REGION,), asked.folder)
    return [partial(prices.refresh, name, asked) for name in names]


def _of_hugging_face(
    regions: tuple[str, ...], accept_changes: bool
) -> list[Callable[[], Refreshed]]:
    from huggingface_hub import get_token

    from deployer.sources.prices import huggingface

    if regions:
        raise UsageError(
            "Hugging Face's prices are the same in every region of a cloud",
            hint="leave --region out",
        )
    return [partial(huggingface.refresh, _asked(huggingface.url(), accept_changes), get_token())]


def _asked(base: str, accept_changes: bool) -> Asked:
    from deployer.core.clock import now
    from deployer.core.home import home
    from deployer.sources.prices import Asked, aws_spot

    return Asked(home() / "catalog", now()[:10], base, _progress, aws_spot.live, accept_changes)


@contextmanager
def _progress(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a download on stderr: a bar in a terminal, a line elsewhere."""
    shown = f"{label} ({size / 1e6:.1f} MB)" if size else label
    if not size or not sys.stderr.isatty():
        terminal.say(shown)
        yield lambda _: None
        return
    with click.progressbar(length=size, label=shown, file=sys.stderr) as bar:
        yield bar.update
