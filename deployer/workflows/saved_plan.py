"""A saved plan (`plan --out`) held against what would be applied now."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployer.core.domain import Plan
from deployer.core.errors import StaleError, UsageError
from deployer.planning import diff
from deployer.planning.document import moved


def check_saved(file: Path, made: Plan) -> None:
    """Refuse a saved plan (`plan --out`) that is not what would be planned now.

    Raises:
        StaleError: the spec, the prices or the machine have moved since.
        UsageError: the file cannot be read.
    """
    if differs := moved(_saved(file), made):
        raise _stale(file, made, f"changed since: {', '.join(differs)}")


def check_doing(file: Path, made: Plan, doing: Sequence[tuple[str, str, str]]) -> None:
    """Refuse a saved plan when what would be done now (type, name and action of each change) is not in it.

    Raises:
        StaleError: what is deployed has moved since.
    """
    others = diff.unforeseen(_saved(file), made.target, doing)
    if others:
        raise _stale(
            file, made, f"the deployment has changed: applying would now {', '.join(others)}"
        )


def target_of(file: Path) -> str | None:
    """Return the target that a saved plan is of; None where it names none.

    Raises:
        UsageError: the file cannot be read.
    """
    saved = _saved(file)
    plans = saved.get("plans") if isinstance(saved, dict) else None
    try:
        (only,) = list(plans or [])
        return str(only["target"])
    except (ValueError, TypeError, KeyError):
        return None


def _saved(file: Path) -> Any:
    hint = "'deployer plan --target TARGET --out plan.json' saves one"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
    except (RecursionError, ValueError):
        why = "it is not a plan in JSON"
    raise UsageError(f"no plan can be read from {file}: {why}", hint=hint, where=str(file))


def _stale(file: Path, made: Plan, why: str) -> StaleError:
    return StaleError(
        f"{file} is out of date: {why}",
        hint=f"make a new plan: deployer plan --refresh --target {made.target} --out {shlex.quote(str(file))}",
        where=str(file),
    )
