"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.core.units import usd_per
from deployer.planning.compare.result import Comparison
from deployer.planning.compare.text import SHOWN, shown, told


def render(made: Comparison) -> str:
    """Return the comparison as Markdown."""
    return "\n".join(_sections(made))


def _sections(made: Comparison) -> Iterator[str]:
    said = made.recommendation
    yield f"## Where {_cell(made.spec_name)} should live: {said.target or 'nowhere'}"
    yield ""
    yield _cell(told(made))
    yield ""
    yield from _table(made)
    yield ""
    yield "`~` estimated, `=` measured, unmarked exact or in words."
    yield ""
    yield "### Why"
    yield ""
    for rule in said.rules:
        if rule.verdict != "does not apply":
            yield f"- **{rule.rule}** ({rule.verdict}): {_cell(rule.detail)}"
    yield from _break_even(made)
    yield from _rest(made)


def _table(made: Comparison) -> Iterator[str]:
    yield _line(["", *(row.target for row in made.rows)])
    yield _line(["---"] * (len(made.rows) + 1))
    yield _line(["can serve it", *("yes" if row.feasible else "no" for row in made.rows)])
    for name, said in (("hardware", "hardware"), *SHOWN):
        yield _line([said, *(shown(row, name) for row in made.rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text that ends no cell and starts no tag, link or emphasis."""
    for mark in "\\`*_[]<>|~":
        text = text.replace(mark, f"\\{mark}")
    return text


def _break_even(made: Comparison) -> Iterator[str]:
    yield ""
    yield "### Break-even"
    yield ""
    for paid in made.paid:
        yield f"- own hardware against {paid.against}: {_cell(paid.verdict)}"
    for met in made.meetings:
        yield f"- {met.pair[0]} and {met.pair[1]}: {_cell(met.verdict)}"


def _rest(made: Comparison) -> Iterator[str]:
    said = made.recommendation
    notes = [f"hybrid: {said.hybrid}"] if said.hybrid else []
    notes += [f"{row.target} is refused: {row.reasons[0]}" for row in made.rows if row.reasons]
    notes += made.notes
    if made.alternatives:
        yield ""
        yield "### Others"
        yield ""
    for row in made.alternatives:
        amount = usd_per(row.decimal("monthly_usd"), "month")
        without = f", without {row.without} (no price is known)" if row.without else ""
        yield f"- {row.target}, {_cell(row.variant)}: {amount}{_cell(without)}"
    if notes:
        yield ""
    yield from (f"> {_cell(note)}  " for note in notes)
