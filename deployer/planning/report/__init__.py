"""A comparison as one HTML page that opens offline. Pure.

    sources     every figure's source, numbered once                      .sources
    view        the comparison as what the page says, in words            .view, .bill
    charts      lines with their ranges, the week                         .charts, .lines, .week, .scale
    page        `templates/report/page.html.j2` around all of it

The charts are SVG in the page, in two widths of which the style sheet shows one, so that their text is as large
on a phone as on a desk. They are drawn here, not by a library: of those on PyPI, pygal loads a script for its
tooltips and draws no ranges, and the others bring numpy or a browser. The page loads nothing and runs no script; its policy
forbids both. Whatever the spec says is text: the template escapes all of it.
"""

from __future__ import annotations

from deployer.core.templates import render
from deployer.planning.compare.result import Comparison
from deployer.planning.report.charts import charts
from deployer.planning.report.footnotes import Sources
from deployer.planning.report.page import view
from deployer.planning.report.palette import DARK, LIGHT


def page(made: Comparison) -> str:
    """Return the page."""
    sources = Sources()
    shown = view(made, sources)
    drawn = charts(made, sources)
    return render(
        "report/page.html.j2",
        page=shown,
        charts=drawn,
        sources=sources.listed,
        light=LIGHT,
        dark=DARK,
    )
