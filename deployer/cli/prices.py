"""`deployer prices`: the offers that plans choose from, and how their prices are renewed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from deployer.cli import options, view
from deployer.errors import EngineError

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
    from deployer import catalog
    from deployer.cli import prices_view
    from deployer.clock import now
    from deployer.home import home

    known = catalog.load(home() / "catalog")
    found = prices_view.wanted(known, gpu, region, provider)
    if as_json:
        view.emit(prices_view.document(found, now()))
        return
    view.out(prices_view.table_of(found))
    view.say(prices_view.footer(found, now()))


@command.command("refresh", help="Fetch AWS's public price lists, and spot prices where you may.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    help=f"A region, or all; may be given several times.  [default: {DEFAULT_REGION}]",
)
@click.option(
    "--provider",
    type=click.Choice(["aws"]),
    default="aws",
    expose_value=False,
    help="Whose prices; the others come with a newer deployer.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Take prices that doubled or halved, and lists in which many types are missing.",
)
@options.json_option
def refresh_prices(regions: tuple[str, ...], accept_changes: bool, as_json: bool) -> None:
    """Renew region by region; where a list cannot be believed, the old prices of its region stay."""
    from deployer import prices
    from deployer.cli import prices_view
    from deployer.clock import now
    from deployer.home import home
    from deployer.prices import download, spot

    folder = home() / "catalog"
    asked = prices.Asked(
        folder, now()[:10], download.base_url(), _progress, spot.live, accept_changes
    )
    done, refused = [], []
    for region in prices_view.regions(regions or (DEFAULT_REGION,), folder):
        try:
            done.append(prices.refresh(region, asked))
        except EngineError as error:
            refused.append(error)
            continue
        (view.say if as_json else view.out)(prices_view.news(done[-1]))
    if refused:
        raise prices_view.together(refused)
    if as_json:
        view.emit(prices_view.refreshed(done))


@contextmanager
def _progress(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a download on stderr: a bar in a terminal, a line elsewhere."""
    shown = f"{label} ({size / 1e6:.1f} MB)" if size else label
    if not size or not sys.stderr.isatty():
        view.say(shown)
        yield lambda _: None
        return
    with click.progressbar(length=size, label=shown, file=sys.stderr) as bar:
        yield bar.update
