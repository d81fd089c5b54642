"""The charts of a comparison in a terminal: what is drawn, how wide, and in which characters."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from deployer.cli import main
from deployer.cli.views import compare as compare_view
from deployer.cli.views.compare_charts import (
    LEAST,
    LETTERS,
    MARGIN,
    MOST,
    SEVERAL,
    SHAPES,
    drawable,
    render,
)
from deployer.planning.compare import Comparison, compare
from tests.kits.compared import asked, spec
from tests.kits.reported import EXAMPLES, plain

QWEN = next(file for file in EXAMPLES if file.stem == "qwen3-8b")
TITLES = ("USD spent until the end of each month", "USD a month against the traffic")


def drawn(made: Comparison, columns: int = 90, *, ascii_only: bool = False) -> list[str]:
    return click.unstyle(render(made, columns, ascii_only=ascii_only)).splitlines()


@pytest.mark.parametrize("columns", [LEAST + MARGIN, 80, 100, 300])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_wider_than_the_terminal_nor_than_is_good(columns, ascii_only):
    lines = drawn(plain(), columns, ascii_only=ascii_only)
    assert max(map(len, lines)) <= min(columns, MOST)
    assert sum(title in line for title in TITLES for line in lines) == 2


def test_a_terminal_without_room_gets_no_chart():
    assert drawn(plain(), LEAST + MARGIN - 1) == []


def test_in_ascii_nothing_else_is_sent_and_the_same_is_drawn():
    made = plain()
    shapes, letters = drawn(made), drawn(made, ascii_only=True)
    assert "".join(letters).isascii()
    table = str.maketrans(
        {**{SHAPES[t]: LETTERS[t] for t in SHAPES}, **dict(zip("◆│└─", "+|+-", strict=True))}
    )
    assert [line.translate(table) for line in shapes] == letters
    whole = compare_view.render(made, 100, ascii_only=True)
    assert click.unstyle(whole).isascii()


def test_the_lines_cross_where_the_hardware_is_paid():
    # 3600 and 47.617 a month against 597.104 a month: the dearer of the two until month 6.55 of 36
    made = compare(asked(spec()), "now")
    made = replace(made, months={t: made.months[t] for t in ("local", "cloud-gpu")}, curve=())
    columns = 73  # two a month
    grid = [line[MARGIN:].ljust(columns) for line in drawn(made, columns + MARGIN)[3:13]]
    both = SEVERAL[False]
    tops = [next(row[x] for row in grid if row[x] != " ") for x in range(columns)]
    crossed = {x / 2 for x, top in enumerate(tops) if top == both}
    assert tops[0] == SHAPES["local"]
    assert tops[-1] == SHAPES["cloud-gpu"]
    assert min(crossed) - 1 <= 6.55 <= max(crossed)  # a column is a whole month


def test_without_figures_nothing_is_drawn():
    assert drawn(replace(plain(), months={}, curve=())) == []


@pytest.mark.parametrize(
    ("encoding", "can"),
    [
        ("utf-8", True),
        ("ascii", False),
        ("latin-1", False),
        ("cp1252", False),
        ("no-such", False),
        (None, True),
    ],
)
def test_what_an_encoding_cannot_write_is_known_before(encoding, can):
    assert drawable(encoding) is can


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("flags", "charts"), [(["--charts"], 2), (["--no-charts"], 0), ([], 0)])
def test_the_charts_are_shown_when_asked_for_and_else_only_in_a_terminal(flags, charts, capsys):
    assert main(["compare", "-f", str(QWEN), "--offline", *flags]) == 0
    text = capsys.readouterr().out
    assert text.count("● local") == charts
