"""The guides in `docs/`, whose examples are files: a test writes them to a folder and runs what they make."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^### `([\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \|", re.MULTILINE)


def files(guide: str) -> dict[str, str]:
    """Return the files of a guide by path: each block of code under a heading that is a path."""
    return dict(BLOCK.findall((DOCS / guide).read_text(encoding="utf-8")))


def written(guide: str, folder: Path) -> list[Path]:
    """Write the files of a guide below a folder, and return where they are."""
    made = [(folder / path, text) for path, text in files(guide).items()]
    for path, text in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [path for path, _ in made]


def explained(guide: str, record: str) -> list[str]:
    """Return the names in the first column of the table that a record's name stands above."""
    text = (DOCS / guide).read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| `{record}` \|.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    _, *rows = ROW.findall(table)
    return sorted(name for row in rows for name in re.findall(r"\w+", row))
