"""The keys that a spec may have, and which one is meant by one that it may not. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from deployer.core.errors import quoted
from deployer.spec import Spec
from deployer.spec.fields import kebab
from deployer.spec.yaml_source import Path, Problem

NEAR, ALIKE = 0.6, 0.8
"""How alike two keys are in spelling: enough to ask whether it is meant, and enough to say so from another section."""
MOST_PLACES = 3
"""In so many other sections a key may be named; one that stands in more says nothing."""
ENVIRONMENT = "a spec sets no environment variables: set them where 'deployer' runs (HF_TOKEN for gated models)"
SECRETS = "a spec holds no secrets: set HF_TOKEN where 'deployer' runs; API keys are made by 'deployer up'"
ARGUMENTS = "a spec holds no arguments of an engine: they follow from model, serve and targets"
OF_OTHERS: Mapping[str, str] = {
    **dict.fromkeys(("env", "envs", "environment", "env_vars"), ENVIRONMENT),
    **dict.fromkeys(("secrets", "token", "hf_token", "api_key"), SECRETS),
    **dict.fromkeys(
        ("max_model_len", "context_length", "ctx_size", "n_ctx"), "write it at model.context"
    ),
    **dict.fromkeys(("instance_type", "machine_type"), "write it at targets.cloud-gpu.instance"),
    **dict.fromkeys(("args", "extra_args", "engine_args", "command", "vllm_args"), ARGUMENTS),
}
"""Keys that other tools have and a spec has not, with what takes their place."""


@cache
def keys_of(kind: Any) -> Mapping[str, Any]:
    """Return the keys that a dataclass of the spec takes, with the dataclass under each (or None)."""
    if kind is None or not hasattr(kind, "__dataclass_fields__"):
        return {}
    alias = kebab if "alias_generator" in kind.__pydantic_config__ else str
    hints = get_type_hints(kind)
    return {alias(f.name): _dataclass_of(hints[f.name]) for f in fields(kind)}


def _dataclass_of(hint: Any) -> Any:
    options = (hint, *get_args(hint))
    return next((o for o in options if hasattr(o, "__dataclass_fields__")), None)


def written(data: Any, kind: Any = Spec) -> Any:
    """Return what a file says without the keys that it leaves empty: `policy:` with nothing under it is no policy.

    Nor is one all of whose keys are empty. A key that is unknown stays, so that it is refused.
    """
    if not isinstance(data, Mapping):
        return data
    known = keys_of(kind)
    each = {key: written(value, known.get(key)) for key, value in data.items()}
    said = {key: value for key, value in each.items() if value is not None or key not in known}
    return None if data and not said and _all_optional(kind) else said


def _all_optional(kind: Any) -> bool:
    """Whether a section may be left out with all that is in it."""
    told = fields(kind) if is_dataclass(kind) else ()
    return all(f.default is not MISSING or f.default_factory is not MISSING for f in told)


def keys_at(path: Path) -> tuple[str, ...]:
    """Name the keys that may stand under a path of the file."""
    here: Any = Spec
    for step in path:
        here = keys_of(here).get(str(step))
    return tuple(keys_of(here))


def split_by_comma(path: Path) -> bool:
    """Whether a key is the end of a number with a comma in braces: `{budget: 1,500 USD/month}` has a key `500 USD/month`."""
    return bool(path) and re.match(r"[0-9]", str(path[-1])) is not None


def unknown(path: Path) -> Problem:
    """Return the problem of a key that is unknown where it stands, with the one that is most likely meant."""
    *parents, last = path
    key, known = str(last), keys_at(tuple(parents))
    message = f"unknown key {quoted(key)}"
    if split_by_comma(path):
        return Problem(
            path, message, "a comma in braces ends a value: write numbers without commas"
        )
    if (theirs := OF_OTHERS.get(key.lower())) is not None:
        return Problem(path, message, theirs)
    exact = _elsewhere(key, parents)
    near = _near(key, known, ALIKE if exact else NEAR)
    far = " or ".join(exact or ([] if near else _elsewhere(_near(key, _every(), ALIKE), parents)))
    if near and far:
        return Problem(path, message, f"did you mean '{near}', or {far}?")
    if near:
        return Problem(path, message, f"did you mean '{near}'?", (*parents, near))
    return Problem(path, message, f"write it at {far}" if far else f"keys here: {', '.join(known)}")


def _elsewhere(key: str | None, parents: list[str | int]) -> list[str]:
    """Where else in a spec a key of that name may stand; nothing where that is in too many places to say."""
    found = [path for path in _every().get(key or "", []) if list(path[:-1]) != parents]
    return [".".join(path) for path in found] if len(found) <= MOST_PLACES else []


def _near(key: str, known: Iterable[str], cutoff: float) -> str | None:
    spelt = key.lower().replace(" ", "-")
    return next(iter(difflib.get_close_matches(spelt, tuple(known), n=1, cutoff=cutoff)), None)


@cache
def _every() -> Mapping[str, list[tuple[str, ...]]]:
    """Every path of a spec by its last key, and by its last two in one word: `idle_after` is policy.idle.after."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for path in _paths(Spec, ()):
        found.setdefault(path[-1], []).append(path)
        if len(path) > 1:
            found.setdefault("_".join(path[-2:]), []).append(path)
    return found


def _paths(kind: Any, parents: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, inner in keys_of(kind).items():
        yield (*parents, key)
        yield from _paths(inner, (*parents, key))
