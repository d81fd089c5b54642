"""Render a Jinja template of `templates/`. Undefined names are errors; text is quoted by its format's filter."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HTML = "html.j2"
"""What the name of a template ends in whose values are escaped as HTML."""


def folder() -> Path:
    """Return where the templates are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    bundled = package / "templates"
    return bundled if bundled.is_dir() else package.parent / "templates"


def yaml_text(value: str) -> str:
    """Quote text for YAML: a JSON string is a YAML double-quoted scalar (YAML 1.2, 1.2).

    What YAML counts as not printable is written by its number.
    """
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def compose_text(value: str) -> str:
    """Quote text for a compose file: YAML, in which Compose would replace a single dollar sign."""
    return yaml_text(value.replace("$", "$$"))


def dockerfile_text(value: str) -> str:
    """Quote text for LABEL and ENV of a Dockerfile.

    Raises:
        ValueError: it has a line break, which a Dockerfile cannot hold there.
    """
    if "\n" in value or "\r" in value:
        raise ValueError("LABEL and ENV cannot hold a line break")
    return '"' + "".join(f"\\{c}" if c in '\\"$' else c for c in value) + '"'


def cron_text(command: str) -> str:
    """Quote a shell command for a crontab, where % ends the command (crontab(5))."""
    return command.replace("%", "\\%").replace("\n", " ")


def systemd_text(words: Sequence[str]) -> str:
    """Quote words for a unit's ExecStart: `\\`, quotes, $ and % are said twice or escaped (systemd.service(5))."""
    return " ".join(_systemd_word(word) for word in words)


def _systemd_word(word: str) -> str:
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + plain.replace("$", "$$").replace("%", "%%") + '"'


def render(template: str, /, **values: Any) -> str:
    """Render `templates/<template>` with `values`."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(
            (HTML,)
        ),  # elsewhere each value passes its format's own filter
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = yaml_text
    environment.filters["compose"] = compose_text
    environment.filters["dockerfile"] = dockerfile_text
    environment.filters["json"] = json.dumps
    environment.filters["sh"] = shlex.quote
    environment.filters["cron"] = cron_text
    environment.filters["systemd"] = systemd_text
    return environment.get_template(template).render(values)
