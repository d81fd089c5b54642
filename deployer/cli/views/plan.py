"""A plan for a human: what will exist, whether it fits, how fast it is, what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from textwrap import fill, wrap

import click

from deployer.cli import terminal
from deployer.cli.terminal import heading, table
from deployer.core.domain import (
    Alternative,
    Estimate,
    Fit,
    Item,
    MeasuredFigure,
    ModelInfo,
    Offer,
    Plan,
    Range,
    Sizing,
)
from deployer.core.offer_words import chips
from deployer.core.quantization import UNKNOWN
from deployer.core.units import usd, usd_per
from deployer.planning.capacity import at_once

WIDTH = 100

FIT_COLOURS: dict[Fit, str] = {"fits": "green", "tight": "yellow", "no": "red", "unknown": "yellow"}


def render(plan: Plan) -> str:
    """Return the plan as text for a terminal."""
    return "\n".join(_sections(plan))


def _sections(plan: Plan) -> Iterator[str]:
    verdict = "" if plan.feasible else click.style("  refused", fg="red", bold=True)
    yield f"{heading(plan.deployment)}  {plan.target} by {plan.provider}{verdict}"
    yield table(list(_facts(plan)))
    if plan.reasons:
        yield from _list("why", plan.reasons)
    if plan.resources:
        yield ""
        yield heading("  what will exist")
        yield table([["", r.action, r.type, r.name] for r in plan.resources])
    if plan.cost:
        yield from _cost(plan.cost)
    yield from _alternatives(plan)
    yield from _list("note", plan.warnings)
    yield from _defaults(plan)


_SERVED = {"none": "it is", UNKNOWN: "it is published"}
"""How a format is written that has no name."""


def _facts(plan: Plan) -> Iterator[list[str]]:
    sizing = plan.sizing
    yield ["model", _model(plan.model)]
    if sizing:
        form = _SERVED.get(sizing.quantization, sizing.quantization)
        yield ["served", f"as {form} by {sizing.engine}"]
    if plan.offer:
        yield ["hardware", _hardware(plan.offer)]
    if sizing:
        yield ["fit", _fit(sizing)]
        yield ["speed", _speed(sizing)]
        yield from (["measured", _measured(figure)] for figure in sizing.measured)
    for verdict in plan.policy:
        mark = "ok" if verdict.ok else click.style("refused", fg="red")
        yield [verdict.rule, f"{mark}: {verdict.detail}"]


def _model(info: ModelInfo) -> str:
    """The model, its size, and where the figures were read (one source stands for all in the table)."""
    parts = [info.name]
    if info.params_total:
        parts.append(f"{_count(info.params_total)} parameters")
    if info.native_dtype == UNKNOWN:
        parts.append("published in an unknown format")
    elif info.native_dtype not in (None, "none"):
        parts.append(f"published as {info.native_dtype}")
    origins = list(dict.fromkeys(info.origins.values()))
    return f"{', '.join(parts)} ({_short(origins[0]) if origins else 'nothing is known about it'})"


def _count(number: int) -> str:
    return f"{number / 1e9:.3g}B" if number >= 10**9 else f"{number / 1e6:.3g}M"


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _gib(size: float | None) -> str:
    return "unknown" if size is None else f"{size:.3g}"


def _hardware(offer: Offer) -> str:
    memory = f", {offer.vram_mib * offer.gpu_count / 1024:.1f} GiB VRAM" if offer.vram_mib else ""
    if not offer.gpu and offer.memory_gib:
        memory = f", {offer.memory_gib:.1f} GiB memory"
    where = f" in {offer.region}" if offer.region else ""
    return f"{offer.instance_type}{where}: {chips(offer)}{memory}; {_price(offer)}"


def _price(offer: Offer) -> str:
    if offer.billing == "owned":
        return "your own"
    if offer.usd_per_hour is None:
        return "unpriced"
    return f"{offer.usd_per_hour} USD/h {offer.billing} (as of {offer.as_of or 'an unknown date'})"


def _fit(sizing: Sizing) -> str:
    word = click.style(sizing.fit, fg=FIT_COLOURS[sizing.fit])
    parts = [f"weights {_gib(sizing.weights_gib)}", f"KV {_gib(sizing.kv_gib)}"]
    if sizing.overhead_gib:
        low, high = sizing.overhead_gib
        parts.append(f"overhead {low:g}-{high:g}")
    of = f" of {sizing.vram_gib:.1f} GiB" if sizing.vram_gib else " GiB"
    most = f"; {_at_once(sizing)}" if sizing.max_concurrency else ""
    limit = f"; {sizing.limit}" if sizing.limit else ""
    return f"{word}: {' + '.join(parts)}{of}{most}{limit} ({sizing.basis})"


def _at_once(sizing: Sizing) -> str:
    """What its engine is started with, and what its memory would hold beyond that."""
    held, asked = sizing.max_concurrency or 0, sizing.concurrency or 1
    here = at_once(sizing, asked)
    more = f", its memory holds {held:,} of {sizing.context:,} tokens" if held != here else ""
    return f"{here:,} requests at once{more}"


def _speed(sizing: Sizing) -> str:
    if sizing.decode_tok_s is None or sizing.output_tok_s is None:
        return _part_of(sizing)
    alone, together = _range(sizing.decode_tok_s), _range(sizing.output_tok_s)
    seen = {figure.figure for figure in sizing.measured}
    one, all_ = (
        "measured" if name in seen else "estimated" for name in ("decode_tok_s", "output_tok_s")
    )
    if one == all_:
        return f"{alone} tok/s for one stream, {together} tok/s in all as asked ({one})"
    return f"{alone} tok/s for one stream ({one}), {together} tok/s in all as asked ({all_})"


def _part_of(sizing: Sizing) -> str:
    """The one speed that was measured where nothing is estimated, or neither."""
    if sizing.decode_tok_s:
        return f"{_range(sizing.decode_tok_s)} tok/s for one stream (measured)"
    if sizing.output_tok_s:
        return f"{_range(sizing.output_tok_s)} tok/s in all as asked (measured)"
    return "unknown: measure it ('deployer bench')"


def _range(pair: Range) -> str:
    low, high = (f"{figure:,.0f}" for figure in pair)
    return low if low == high else f"{low}-{high}"


MEASURED = {
    "kv_capacity_tokens": "KV cache",
    "decode_tok_s": "one stream",
    "output_tok_s": "in all as asked",
    "tpot_ms": "time per token as asked (median)",
    "ttft_ms": "first token as asked (median)",
}
"""Figures that can be measured, in words."""


def _measured(figure: MeasuredFigure) -> str:
    """A figure beside its estimate."""
    said = f"{MEASURED[figure.figure]}: {figure.value:,.4g} {figure.unit}"
    if figure.estimate is None or figure.error is None:
        beside = "not estimated"
    else:
        low, high = figure.estimate
        way = "high" if figure.error >= 0 else "low"
        beside = f"estimated {low:,.4g}-{high:,.4g}, {abs(figure.error):.0%} too {way}"
    return f"{said} ({beside}; {figure.source}, {figure.at[:10]})"


def _cost(cost: Estimate) -> Iterator[str]:
    yield ""
    yield heading("  cost a month of 730 h, USD")
    header = ["", "component", "quantity", "unit", "unit price", "month", "as of", "source"]
    yield table([header, *map(_item, cost.items)], right=frozenset({2, 4, 5}))
    yield ""
    yield table(list(_totals(cost)))


def _item(item: Item) -> list[str]:
    quantity = "?" if item.quantity is None else f"{item.quantity:,.6g}"
    mark = "~" if item.basis == "estimated" and item.monthly_usd is not None else ""
    price = "unpriced" if item.unit_price_usd is None else f"{item.unit_price_usd:.6g}"
    month = f"{mark}{usd(item.monthly_usd)}"
    when = "" if item.when != "exists" else " (also while stopped)"
    dated = item.as_of or "undated"
    return [
        "",
        item.component + when,
        quantity,
        item.unit,
        price,
        month,
        dated,
        _short(item.source),
    ]


def _totals(cost: Estimate) -> Iterator[list[str]]:
    month = heading(usd_per(cost.monthly_usd, "month"))
    if cost.monthly_range and cost.monthly_range[0] != cost.monthly_range[1]:
        month += f" (estimated {usd(cost.monthly_range[0])} to {usd(cost.monthly_range[1])})"
    yield ["total", month]
    yield ["running", usd_per(cost.hourly_usd, "h", 4)]
    yield ["idle", f"{usd_per(cost.idle_hourly_usd, 'h', 4)} while stopped or scaled to zero"]
    if cost.usd_per_1m_tokens:
        yield ["tokens", f"{_dollars(cost.usd_per_1m_tokens)} USD per 1M tokens at this traffic"]
    if cost.unpriced:
        yield ["unpriced", f"{'; '.join(cost.unpriced)} (not in the total)"]


def _dollars(pair: tuple[Decimal, Decimal]) -> str:
    low, high = usd(pair[0]), usd(pair[1])
    return low if low == high else f"{low} to {high}"


def _alternatives(plan: Plan) -> Iterator[str]:
    if not plan.alternatives:
        return
    yield ""
    yield heading("  alternatives")
    yield table([_alternative(a) for a in plan.alternatives[:4]], right=frozenset({5}))


def _alternative(other: Alternative) -> list[str]:
    offer = other.offer
    hardware, month = chips(offer), usd_per(other.monthly_usd, "month")
    return ["", offer.instance_type, hardware, other.sizing.quantization, other.sizing.fit, month]


def _list(name: str, lines: tuple[str, ...]) -> Iterator[str]:
    """A list under a name, each entry wrapped."""
    rows = [part for line in lines for part in wrap(line, WIDTH, break_on_hyphens=False)]
    if rows:
        yield ""
        yield table([[name if i == 0 else "", row] for i, row in enumerate(rows)])


def _defaults(plan: Plan) -> Iterator[str]:
    if plan.defaults:
        said = ", ".join(f"{key}={value}" for key, value in plan.defaults.items())
        yield ""
        yield fill(
            f"defaults used: {said}",
            width=WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )


def show(plan: Plan) -> None:
    """Print a plan for a human, on stdout."""
    terminal.out(render(terminal.all_printable(plan)))
