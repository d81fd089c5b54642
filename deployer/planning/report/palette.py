"""The colours of the page, light and dark: `tests/unit/planning/test_report.py` holds their contrast and how far apart they are. Pure.

Texts reach 4.5:1 on every ground that they stand on (WCAG 2.2, 1.4.3 AA), lines 3:1 (1.4.11). The three
targets stay apart for people who see no red, no green or no blue.
"""

from __future__ import annotations

LIGHT = {
    "page": "#f4f5f7",
    "card": "#ffffff",
    "sunk": "#eceef2",
    "ink": "#15191f",
    "soft": "#545e6b",
    "rule": "#d5dae1",
    "edge": "#79838f",
    "local": "#0b3a86",
    "cloud-gpu": "#b54a00",
    "serverless": "#00765a",
    "good": "#14602f",
    "bad": "#a3141c",
}
DARK = {
    "page": "#0e1217",
    "card": "#171d25",
    "sunk": "#1f2731",
    "ink": "#e9edf2",
    "soft": "#a3aebb",
    "rule": "#303a46",
    "edge": "#7b8795",
    "local": "#5f9bff",
    "cloud-gpu": "#ff9d4d",
    "serverless": "#7af5c8",
    "good": "#7fdc9c",
    "bad": "#ff8f8f",
}
GROUNDS = ("page", "card", "sunk")
TEXTS = ("ink", "soft", "local", "cloud-gpu", "serverless", "good", "bad")
LINES = ("edge", "local", "cloud-gpu", "serverless")
