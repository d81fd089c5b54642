"""What is wrong with text that is not YAML, in words that do not depend on the parser. Pure."""

from __future__ import annotations

import yaml

from deployer.spec.yaml_source import Place

RESERVED = "@`%"
"""Characters that no value begins with without quotes."""
HINT = "check the indentation, brackets and quotes from here upwards"


def explained(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str | None, Place]:
    """Return what is wrong, what to do about it, and where.

    libyaml and PyYAML's own parser word the same mistake differently; a character at its place decides.
    """
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context or "cannot be read"
    if mark is None:
        return said, HINT, (1, 1)
    place = mark.line + 1, mark.column + 1
    lines = text.splitlines()
    rest = lines[mark.line][mark.column :] if mark.line < len(lines) else ""
    if rest[:1] == "\t":
        return "a tab in the indentation", "use spaces: YAML does not indent with tabs", place
    if rest[:1] and rest[0] in RESERVED:
        return f"a value cannot begin with {rest[0]}", "put the value in quotes", place
    if said.startswith("mapping values are not allowed"):
        hint = "put a text with ': ' in it in quotes; indent a key like those beside it"
        return "a key where there can be none", hint, place
    if said.startswith("but found another document"):
        return "a second document", "a spec is one document: remove '---' and what follows", place
    scanned = error.context is not None or said.startswith("could not find")
    return said, HINT if scanned else None, place
