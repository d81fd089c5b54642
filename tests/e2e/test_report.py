"""The report in a real browser: nothing wider than the screen, nothing loaded, everything to be read.

Chromium is driven by Playwright. Both are installed by `.ci/run`; elsewhere the tests skip without them.
`DEPLOYER_SHOTS=folder` keeps the screenshots.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deployer.planning.report import page
from deployer.workflows import compare, plan
from tests.kits.parts import missing, need
from tests.kits.reported import EXAMPLES, hostile, plain

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WIDTHS = (390, 1280)


class Look(NamedTuple):
    """How the page is looked at."""

    width: int
    scheme: str
    medium: str = "screen"

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}-{self.medium}"


LOOKS = [
    *(Look(width, scheme) for width in WIDTHS for scheme in ("light", "dark")),
    Look(794, "light", "print"),  # A4 at 96 pixels an inch
    Look(794, "dark", "print"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    need("playwright", "the report is opened in a browser (pip install playwright)")
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing("no Chromium is here: the report is opened in it (apt-get install chromium)")
    with sync_playwright() as playwright:
        # A browser's own sandbox does not start as root, which CI is; the page is our own and has no script.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=found, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> dict[str, Path]:
    """A report of each example, of one in which nothing can be taken, and of one with hostile texts."""
    folder = tmp_path_factory.mktemp("reports")
    setting = plan.Setting(folder / "home", offline=True)
    made = {file.stem: compare.make(file, setting) for file in EXAMPLES}
    made |= {"none": plain(budget=1), "quiet": plain(), "hostile": hostile()}
    for name, comparison in made.items():
        (folder / f"{name}.html").write_text(page(comparison), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


NAMES = [*(file.stem for file in EXAMPLES), "none", "quiet", "hostile"]


@contextmanager
def opened(browser: Any, file: Path, look: Look | None = None) -> Iterator[tuple[Any, list[str]]]:
    """Open a page; what it asks for besides itself and what it complains of is in the list."""
    told: list[str] = []
    tab = browser.new_page()
    tab.on("request", lambda request: told.append(request.url))
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    look_at(tab, look or LOOKS[0])
    tab.goto(file.as_uri())
    told.remove(file.as_uri())
    yield tab, told
    tab.close()


def look_at(tab: Any, look: Look) -> None:
    """Look at an open page otherwise."""
    tab.set_viewport_size({"width": look.width, "height": 900})
    tab.emulate_media(media=look.medium, color_scheme=look.scheme)


OUTSIDE = """() => [...document.body.querySelectorAll('*')].filter(e => {
  if (e.closest('.scroll') || e.closest('.hit')) return false;
  const box = e.getBoundingClientRect();
  return box.width && (box.left < -0.5 || box.right > innerWidth + 0.5);
}).map(e => e.outerHTML.slice(0, 120))"""

CUT = """() => [...document.querySelectorAll('svg.drawing')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  if (!frame.width) return [];
  return [...svg.querySelectorAll('text')].filter(t => {
    const b = t.getBoundingClientRect();
    return b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 1 || b.bottom > frame.bottom + 1;
  }).map(t => svg.parentElement.id + ': ' + t.textContent);
})"""

CROWDED = """() => [...document.querySelectorAll('svg.drawing')].flatMap(svg => {
  if (!svg.getBoundingClientRect().width) return [];
  const boxes = [...svg.querySelectorAll('text:not(.span-number)')].map(t => [t.textContent, t.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4
  ).map(([b]) => svg.parentElement.id + ': ' + a + ' / ' + b));
})"""

FAINT = """() => {
  const parts = c => c.match(/[0-9.]+/g).map(Number);
  const light = c => { const [r, g, b] = parts(c).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const solid = c => { const p = parts(c); return p.length === 3 || p[3] === 1; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (solid(c)) return c; } return 'rgb(255, 255, 255)'; };
  const found = [];
  for (const e of document.body.querySelectorAll('*:not(.span-number)')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.tagName === 'title' || !e.getBoundingClientRect().width) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(e.tagName === 'text' ? style.fill : style.color), light(ground(e))].sort();
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(ratio.toFixed(2) + ' ' + e.outerHTML.slice(0, 100));
  }
  return found;
}"""


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_every_screen_loads_nothing_and_can_be_read(browser, files, name):
    with opened(browser, files[name]) as (tab, told):
        for look in LOOKS:
            look_at(tab, look)
            widths = "[document.documentElement.scrollWidth, innerWidth]"
            assert tab.evaluate(widths) == [look.width, look.width]
            for look_for in (OUTSIDE, CUT, CROWDED, FAINT):
                assert tab.evaluate(look_for) == [], look
            if keep := os.environ.get("DEPLOYER_SHOTS"):
                tab.screenshot(path=Path(keep) / f"{name}-{look}.png", full_page=True)
        assert told == []


@pytest.mark.parametrize("look", [look for look in LOOKS if look.medium == "screen"], ids=str)
@pytest.mark.parametrize("name", ["qwen3-8b", "hostile"])
def test_its_edges_are_empty_also_when_everything_is_unfolded(browser, files, name, look):
    with opened(browser, files[name], look) as (tab, told):
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") == look.width
        assert tab.evaluate(OUTSIDE) == []
        tall = tab.evaluate("document.documentElement.scrollHeight")
        strips = [
            tab.screenshot(full_page=True, clip={"x": x, "y": 0, "width": 4, "height": tall})
            for x in (0, look.width - 4)
        ]
        assert strips[0] == strips[1]
        assert told == []


def _shown(tab: Any, selector: str) -> int:
    return sum(each.is_visible() for each in tab.query_selector_all(selector))


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_each_chart_is_drawn_once_at_the_width_that_is_there(browser, files, look):
    with opened(browser, files["qwen3-8b"], look) as (tab, _):
        kind, other = ("narrow", "wide") if look.width < 500 else ("wide", "narrow")
        assert _shown(tab, f"svg.{kind}") == 4
        assert _shown(tab, f"svg.{other}") == 0
        sizes = tab.evaluate(
            "[...document.querySelectorAll('svg.drawing text')].map(t => t.getBoundingClientRect().height).filter(h => h)"
        )
        assert min(sizes) >= (8 if look.medium == "print" else 11)


def test_printed_it_is_black_on_white_whatever_the_screen_is(browser, files):
    ground = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    seen = {}
    with opened(browser, files["qwen3-8b"]) as (tab, _):
        for look in LOOKS:
            look_at(tab, look)
            seen[str(look)] = tab.evaluate(ground)
    assert seen["794-dark-print"] == seen["794-light-print"] == "rgb(255, 255, 255)"
    assert seen["1280-dark-screen"] != seen["1280-light-screen"]


def test_a_source_is_a_touch_away_and_the_page_stays(browser, files):
    with opened(browser, files["qwen3-8b"]) as (tab, told):
        tab.query_selector("a.source").click()
        assert tab.url == f"{files['qwen3-8b'].as_uri()}#source-1"
        assert tab.is_visible("#source-1")
        assert told == []


def test_the_eyes_of_this_test_see_what_is_wrong(browser, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text(
        "<body><div style='width: 2000px'>wide</div><p style='color: #aaa; background: #fff'>faint</p>"
        "<svg class='drawing' width='90' height='40'><text x='5' y='20'>one over</text><text x='5' y='20'>another</text>"
        "<text x='80' y='39'>cut off</text></svg><img src='none.png'></body>"
    )
    with opened(browser, file) as (tab, told):
        assert tab.evaluate("document.documentElement.scrollWidth") > 390
        for look_for in (OUTSIDE, CUT, CROWDED, FAINT):
            assert tab.evaluate(look_for), look_for
        assert any(each.endswith("none.png") for each in told)
