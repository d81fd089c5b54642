"""Which mlx_lm is installed, without loading it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

NEEDED = (
    *("main", "ModelDescription", "ModelProvider.load_default", "APIHandler.do_GET"),
    *("APIHandler.do_POST", "ResponseGenerator.generate", "ResponseGenerator.is_healthy"),
)
"""What is used of the module mlx_lm.server. It is there from 0.32.0 on."""


def look() -> dict[str, Any]:
    """Say which mlx_lm there is (`version`, None for none) and what it lacks of `NEEDED`."""
    found = importlib.util.find_spec("mlx_lm")
    if found is None or not found.submodule_search_locations:
        return {"version": None, "missing": list(NEEDED)}
    file = Path(found.submodule_search_locations[0]) / "server.py"
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    names = set(_names(tree))
    missing = [name for name in NEEDED if name not in names]
    return {"version": metadata.version("mlx-lm"), "missing": missing}


def _names(tree: ast.Module | ast.ClassDef, of: str = "") -> Iterator[str]:
    for one in tree.body:
        if isinstance(one, ast.ClassDef | ast.FunctionDef):
            yield of + one.name
        if isinstance(one, ast.ClassDef) and not of:
            yield from _names(one, f"{one.name}.")
