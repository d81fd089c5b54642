"""The tables of the reference pages, made of what the program knows of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

LONGEST_LIST = 12
"""Of an enumeration that is longer, only the first members are shown."""
UNBOUNDED = 1e6
"""Limits from here on only keep nonsense out: they are not shown."""


def spec_keys() -> str:
    """Return every key of the spec, one table for each section, from its JSON Schema."""
    from deployer.spec.validate import json_schema

    schema: Schema = json_schema()
    return "\n".join(_section("", schema, schema["$defs"])).strip()


def _section(path: str, schema: Schema, known: Schema) -> Iterator[str]:
    title = f"`{path}`" if path else "At the top"
    yield f"\n## {title}\n"
    if path and schema.get("description"):
        yield f"{_line(schema['description'])}\n"
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    inside = []
    for key, field in schema["properties"].items():
        section = _reference(field, known)
        here = f"{path}.{key}" if path else key
        if section and "properties" in section:
            inside.append((here, section))
            value, default = f"see [`{here}`](#{here.replace('.', '')})", ""
            meaning = field.get("description") or section.get("description", "")
        else:
            value = _value(field, known)
            default = "required" if key in schema.get("required", ()) else _default(field)
            meaning = field.get("description", "")
        yield f"| `{key}` | {value} | {default} | {_line(meaning)} |"
    for here, section in inside:
        yield from _section(here, section, known)


def _reference(field: Schema, known: Schema) -> Schema | None:
    """The section that a key leads to, whether it may be left out or not."""
    for each in (field, *field.get("anyOf", ())):
        if "$ref" in each:
            found: Schema = known[each["$ref"].rpartition("/")[2]]
            return found
    return None


def _value(field: Schema, known: Schema) -> str:
    if "anyOf" in field:
        kinds = [_value(each, known) for each in field["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in field:
        return _value(known[field["$ref"].rpartition("/")[2]], known)
    if "enum" in field:
        shown = [f"`{each}`" for each in field["enum"][:LONGEST_LIST]]
        return ", ".join([*shown, *(["..."] if len(field["enum"]) > LONGEST_LIST else [])])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        items = field.get("items") or {}
        return f"list of {_value(items, known)}" if items else "list"
    low, high = field.get("minimum"), field.get("maximum")
    limits = [f"at least {low:g}"] if low else []
    limits += [f"at most {high:g}"] if high and high < UNBOUNDED else []
    return ", ".join([str(field.get("type", "any")), *limits])


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or default == []:
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def documents() -> str:
    """Return every document that `--json` prints, and its keys."""
    from deployer.core.documents.schemas import DOCUMENTS

    rows = [
        f"| `deployer schema {name}` | {_line(kind.__doc__ or '')} | {_keys(kind)} |"
        for name, kinds in DOCUMENTS.items()
        for kind in kinds
    ]
    return "\n".join(["| schema | the document | its keys |", "|---|---|---|", *rows])


def _keys(kind: type) -> str:
    from deployer.core.documents.derive import Derivation

    return ", ".join(f"`{key}`" for key in Derivation().object_of(kind)["properties"])


def bundled() -> str:
    """Return how much is bundled: models, and the offers of each provider."""
    from deployer.planning import catalog
    from deployer.planning.catalog import models

    known = catalog.load()
    rows = [
        f"| {name} | {len(known.offers(name))} | {len(set(known.regions(name))) or 'any'} |"
        for name in known.providers()
    ]
    head = f"{len(models.names())} open models, and of each provider:"
    return "\n".join([head, "", "| provider | offers | regions |", "|---|---|---|", *rows])


PAGES: Mapping[str, Callable[[], str]] = {
    "the keys of the spec": spec_keys,
    "the documents of --json": documents,
    "the bundled catalog": bundled,
}
"""What a comment names, and what makes it."""
