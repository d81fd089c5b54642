"""`deployer prices`: the offers that plans choose from, and how their prices are renewed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from deployer.cli import HelpfulGroup, options, terminal
from deployer.core.errors import RemoteError, UsageError, quoted

if TYPE_CHECKING:
    from deployer.sources.prices import PriceSource, Refreshed


@click.group("prices", cls=HelpfulGroup, help="Show offers, or refresh the prices.")
def command() -> None:
    """Hold the two commands."""


@command.command("list", help="Show offers by price, the cheapest first.")
@click.option("--gpu", default=None, help="A GPU in any spelling: L4, 'RTX 4090', rtx-4090, H100.")
@click.option("--region", default=None, help="A region of the provider.")
@click.option("--provider", default=None, help="A provider.  [default: all]")
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
    help="Fetch a provider's own price list, and spot prices if your credentials allow it.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    help="A region, or all; repeatable.  [default: the provider's first]",
)
@click.option(
    "--provider",
    default=None,
    help="The provider whose prices to fetch.  [default: the first provider that publishes them]",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Accept prices that doubled or halved, and lists that lack many types.",
)
@options.json_option
def refresh_prices(
    regions: tuple[str, ...], provider: str | None, accept_changes: bool, as_json: bool
) -> None:
    """Renew region by region; where a list cannot be believed, the old prices of its region stay."""
    from deployer.cli.views import prices as prices_view

    done, refused = [], []
    for refresh in _refreshes(provider, regions, accept_changes):
        try:
            done.append(refresh())
        except RemoteError as error:
            refused.append(error)
            continue
        (terminal.say if as_json else terminal.out)(prices_view.news(done[-1]))
    if refused:
        raise prices_view.together(refused)
    if as_json:
        terminal.emit(prices_view.refreshed(done))


def _refreshes(
    provider: str | None, regions: Sequence[str], accept_changes: bool
) -> list[Callable[[], Refreshed]]:
    from deployer.core.clock import now
    from deployer.core.home import home
    from deployer.sources.prices import Asked

    source = _source(provider)
    asked = Asked(
        home() / "catalog", now()[:10], source.base, _progress, source.spot, accept_changes
    )
    return source.refreshes(regions, asked)


def _source(name: str | None) -> PriceSource:
    """Return where a provider's prices are published.

    Raises:
        UsageError: nobody publishes prices under that name.
    """
    from deployer.providers import registry

    sources = registry.with_prices()
    make = sources.get(name or next(iter(sources), ""))
    if make is None:
        raise UsageError(
            f"{quoted(name or '')} publishes no price list that can be read",
            hint=f"providers with a price list: {', '.join(sources) or 'none'}",
        )
    made: PriceSource = make()
    return made


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
