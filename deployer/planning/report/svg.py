"""The shapes of a chart as data; `templates/report/chart.html.j2` writes them as SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Mark:
    """One element: its attributes, its text, and what it says when it is pointed at."""

    tag: Literal["path", "line", "rect", "circle", "text"]
    attributes: Mapping[str, str | float]
    text: str = ""
    title: str = ""

    @property
    def written(self) -> dict[str, str]:
        """The attributes as text, coordinates to a tenth of a pixel."""
        return {k: v if isinstance(v, str) else f"{v:.1f}" for k, v in self.attributes.items()}


@dataclass(frozen=True)
class Drawing:
    """A chart drawn at one width."""

    width: int
    height: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """A chart at both widths, what it says in words, and its figures as a table."""

    name: str
    title: str
    said: str  # what it shows, for who cannot see it
    note: str  # how to read it, and where its figures are from
    basis: str
    sources: tuple[int, ...]
    wide: Drawing
    narrow: Drawing
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[str, ...]  # targets
    points: tuple[str, ...] = field(default=())  # what the numbers in the chart stand for


def text(said: str, x: float, y: float, kind: str) -> Mark:
    """A piece of text; `kind` is its classes, `mid` and `end` among them where it is not left-aligned."""
    return Mark("text", {"class": kind, "x": x, "y": y}, said)


def shape(target: str, x: float, y: float, r: float) -> Mark:
    """The shape that stands for a target: a circle, a triangle or a square."""
    kind = f"dot t-{target}"
    if target == "local":
        return Mark("circle", {"class": kind, "cx": x, "cy": y, "r": r})
    if target == "serverless":
        side = r * 1.8
        return Mark(
            "rect",
            {"class": kind, "x": x - side / 2, "y": y - side / 2, "width": side, "height": side},
        )
    wide, tall = r * 1.2, r * 1.1
    d = f"M{x - wide:.1f} {y + tall:.1f}L{x + wide:.1f} {y + tall:.1f}L{x:.1f} {y - tall:.1f}Z"
    return Mark("path", {"class": kind, "d": d})
