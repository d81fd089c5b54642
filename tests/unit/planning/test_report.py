"""The report as a page: what it holds, what it must never hold, and its colours."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.cli import main
from deployer.core.domain import TARGETS
from deployer.planning.compare import Comparison
from deployer.planning.compare.text import figure
from deployer.planning.report import page
from deployer.planning.report.palette import DARK, GROUNDS, LIGHT, LINES, TEXTS
from deployer.planning.report.scale import Scale, round_down, round_up
from deployer.workflows import compare, plan
from tests.kits.documents import printed
from tests.kits.reported import EVIL, EXAMPLES, hostile, plain

QWEN = next(file for file in EXAMPLES if file.stem == "qwen3-8b")
BASES = {"exact", "measured", "estimated", "unknown"}
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Read(HTMLParser):
    """A page as its elements and its text, and whether every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.mark.usefixtures("tiny_gguf", "home")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
def test_every_example_has_a_report_that_says_what_the_comparison_says(example):
    made = compare.make(example, plan.Setting.here(offline=True))
    read = Read(page(made))
    assert read.open == []
    for row in made.rows:
        for cell in row.cells.values():
            assert " ".join(figure(cell).split()) in read.said
            assert " ".join(cell.source.split()) in read.said
        for item in row.items:
            assert item.component in read.said
            assert " ".join(item.source.split()) in read.said
        assert all(reason in read.said for reason in row.reasons)
    for rule in made.recommendation.rules:
        assert " ".join(rule.detail.split()) in read.said
    verdicts = [*(p.verdict for p in made.paid), *(m.verdict for m in made.meetings)]
    assert all(verdict in read.said for verdict in verdicts)


@pytest.fixture(scope="module")
def shown() -> Read:
    return Read(page(plain()))


def test_every_figure_of_the_table_and_of_the_bills_has_its_basis_and_a_source_that_is_listed(
    shown,
):
    listed = {a["id"] for _, a in shown.tags if (a.get("id") or "").startswith("source-")}
    named = {(a["href"] or "")[1:] for tag, a in shown.tags if tag == "a"}
    assert named == listed
    cells = [a for _, a in shown.tags if a.get("role") == "cell"]
    values = sum(a.get("class") == "value" for _, a in shown.tags)
    assert len(cells) == values > 0
    bases = [(a.get("class") or "").split() for _, a in shown.tags]
    marked = [kinds[1][2:] for kinds in bases if kinds[:1] == ["basis"]]
    assert set(marked) <= BASES
    assert len(marked) > len(cells)


def test_every_chart_has_a_name_for_who_cannot_see_it_and_its_figures_as_a_table(shown):
    figures = [a for tag, a in shown.tags if tag == "figure"]
    drawings = [a for tag, a in shown.tags if tag == "svg" and "drawing" in (a["class"] or "")]
    tables = [tag for tag, a in shown.tags if tag == "div" and a.get("class") == "scroll"]
    assert [a["id"] for a in figures] == ["months", "traffic", "wall", "week"]
    assert len(tables) == len(figures)
    assert len(drawings) == 2 * len(figures)  # one of each width
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert len(drawing["aria-label"] or "") > 40


def test_the_week_has_its_168_hours_and_the_months_their_37_ends(shown):
    rows = [
        tag
        for tag, a in shown.tags
        if tag == "th" and a.get("scope") == "row" and not a.get("role")
    ]
    hours = [hour for hour in shown.text if re.fullmatch(r"[A-Z][a-z]+day \d\d:00", hour)]
    assert len(hours) == 168
    assert len(rows) >= 168 + 37


def _forbidden(read: Read) -> list[object]:
    """What would run or load something."""
    tags = {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "input",
        "video",
        "audio",
    }
    found: list[object] = [tag for tag, _ in read.tags if tag in tags]
    for _, attributes in read.tags:
        found += [name for name in attributes if name.startswith("on")]
        found += [
            (name, value)
            for name, value in attributes.items()
            if name in ("href", "src", "xlink:href", "srcset", "action")
            and not (value or "").startswith("#source-")
        ]
    return found


def test_what_others_write_ends_as_text():
    text = page(hostile())
    read = Read(text)
    assert read.open == []
    assert _forbidden(read) == []
    assert text.count("<style>") == text.count("</style>") == 1
    assert (
        read.said.count(EVIL) > 50
    )  # all of it is still to be read, {{7*7}} and &amp; as they are
    assert {tag for tag, _ in read.tags} == {tag for tag, _ in Read(page(plain(budget=1))).tags} | {
        "p"
    }


def test_the_page_forbids_itself_to_load_or_run_anything():
    text = page(plain())
    read = Read(text)
    assert _forbidden(read) == []
    (policy,) = (
        a["content"] for _, a in read.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline';")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_where_nothing_is_recommended_the_page_says_why():
    said = Read(page(plain(budget=1))).said
    assert "nowhere as asked" in said
    assert "over the budget" in said


def test_a_chart_without_figures_is_left_out():
    made = replace(plain(), walls={}, months={}, curve=())
    figures = [a["id"] for tag, a in Read(page(made)).tags if tag == "figure"]
    assert figures == ["week"]


# --- colours: WCAG 2.2 contrast, and what people see who lack one kind of cone


def _linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def contrast(a: str, b: str) -> float:
    low, high = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), _linear(x), strict=True))
        for x in (a, b)
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_and_line_can_be_told_from_the_ground_it_stands_on(colours):
    for ground in GROUNDS:
        for name in TEXTS:
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in LINES:
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
    for name in ("ink", *TARGETS):  # chips and numbers: the card's colour on theirs
        assert contrast(colours["card"], colours[name]) >= 4.5, name


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
BLIND = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def _lab(rgb: list[float]) -> tuple[float, float, float]:
    """Oklab of linear RGB (Ottosson 2020)."""
    r, g, b = (min(1.0, max(0.0, c)) for c in rgb)
    cones = (
        0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
        0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
        0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
    )
    x, y, z = (c ** (1 / 3) for c in cones)
    return (
        0.2104542553 * x + 0.7936177850 * y - 0.0040720468 * z,
        1.9779984951 * x - 2.4285922050 * y + 0.4505937099 * z,
        0.0259040371 * x + 0.7827717662 * y - 0.8086757660 * z,
    )


def _seen(colour: str, by: str) -> tuple[float, float, float]:
    rgb = _linear(colour)
    return _lab([sum(w * c for w, c in zip(row, rgb, strict=True)) for row in BLIND[by]])


@pytest.mark.parametrize("by", BLIND)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_the_targets_stay_apart_whoever_looks(colours, by):
    for a, b in combinations(TARGETS, 2):
        apart = sum(
            (x - y) ** 2 for x, y in zip(_seen(colours[a], by), _seen(colours[b], by), strict=True)
        )
        assert apart**0.5 >= 0.08, (a, b)


# --- scales


@given(low=st.floats(1e-6, 1e9), times=st.floats(2, 1e9), most=st.integers(2, 12))
def test_the_values_named_at_an_axis_lie_on_it_in_order(low, times, most):
    for scale in (Scale(low, low * times, 0, 100, log=True), Scale(0, low * times, 0, 100)):
        ticks = scale.ticks(most)
        assert list(ticks) == sorted(ticks)
        assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)
        assert scale(scale.low) == pytest.approx(0)
        assert scale(scale.high) == pytest.approx(100)


@given(st.floats(1e-9, 1e12))
def test_round_ends_enclose_the_value(value):
    assert round_up(value) >= value
    assert round_down(value) <= value * (1 + 1e-9)
    assert round_up(value) <= value * 2


# --- the command


@pytest.mark.usefixtures("home")
def test_the_command_writes_the_report_whole_over_one_that_is_there(tmp_path, capsys):
    file = tmp_path / "report.html"
    file.write_text("an older one")
    assert printed(capsys, "compare", "-f", QWEN, "--offline", "--html", file).code == 0
    assert Read(file.read_text(encoding="utf-8")).open == []
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == ["report.html"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("where", ["no/such/folder/report.html", "."])
def test_a_report_that_cannot_be_written_says_where(tmp_path, capsys, where):
    file = tmp_path / where
    code = main(["compare", "-f", str(QWEN), "--offline", "--html", str(file)])
    assert code in (2, 6)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert str(file) in said or "directory" in said


@pytest.mark.usefixtures("home")
def test_what_steers_a_terminal_is_written_out_in_the_report_too(tmp_path):
    spec = tmp_path / "deployer.yaml"
    spec.write_text(
        "name: bot\nmodel: {source: 'hf:Qwen/Qwen3-8B'}\n"
        "targets: {local: {hardware: {gpu: rtx-4090, price_usd: 1}}}\n"
    )
    file = Path(tmp_path / "r.html")
    assert main(["compare", "-f", str(spec), "--offline", "--html", str(file)]) == 0
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", file.read_text(encoding="utf-8"))


def test_a_comparison_is_the_same_page_each_time():
    made: Comparison = plain()
    assert page(made) == page(made)
