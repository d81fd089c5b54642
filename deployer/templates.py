"""Render a Jinja template of `templates/`. Undefined names are errors; text is quoted by its format's filter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def folder() -> Path:
    """Return where the templates are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    bundled = package / "templates"
    return bundled if bundled.is_dir() else package.parent / "templates"


def yaml_text(value: str) -> str:
    """Quote text for YAML: a JSON string is a YAML double-quoted scalar (YAML 1.2, 1.2)."""
    return json.dumps(value, ensure_ascii=False)


def render(template: str, /, **values: Any) -> str:
    """Render `templates/<template>` with `values`."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML here; each value passes its format's own filter
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = yaml_text
    return environment.get_template(template).render(values)
