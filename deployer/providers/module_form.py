"""Providers of version 0.1: one module whose attributes are the parts. They still load, as the same record."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from deployer.core.errors import UsageError
from deployer.providers.api import Pricing, Program, Provider, Sleep

REQUIRED = ("TARGET", "NAME", "ENGINES", "PRIVACY", "offers", "inputs")
COLD_START_MINUTES = (0.2, 5.0)
"""Assumed where a module that scales to zero does not say."""


def provider(module: ModuleType) -> Provider:
    """Return the record of a module.

    Raises:
        UsageError: it lacks a part that every provider has.
    """
    has: Callable[..., Any] = vars(module).get
    missing = [name for name in REQUIRED if has(name) is None]
    if missing:
        raise UsageError(
            f"{module.__file__} is not a provider: it lacks {', '.join(missing)}",
            hint="see docs/ADD_A_PROVIDER.md",
        )
    return Provider(
        target=has("TARGET"),
        name=has("NAME"),
        engines=tuple(has("ENGINES")),
        privacy=has("PRIVACY"),
        offers=has("offers"),
        inputs=has("inputs"),
        runs=has("RUNS"),
        engine=has("ENGINE"),
        resources=has("resources"),
        program=_program(module),
        runner=has("runner"),
        refuses=has("refuses"),
        warnings=has("warnings"),
        sleep=_sleep(module),
        pricing=None if has("PRICING") is None else Pricing(rules=has("PRICING"), alone=False),
        files=has("files"),
    )


def _program(module: ModuleType) -> Program | None:
    has: Callable[..., Any] = vars(module).get
    if has("program") is None:
        return None
    return Program(
        run=has("program"),
        secrets=tuple(has("REQUIRED", ())),
        packages=tuple(has("PACKAGES", ("pulumi", "pulumi-aws"))),
        replaced_for=has("REPLACED_FOR", {}),
        documentation=lambda: module.__doc__ or "",
    )


def _sleep(module: ModuleType) -> Sleep | None:
    has: Callable[..., Any] = vars(module).get
    if has("idle_minutes") is None:
        return None
    return Sleep(
        minutes_of=has("idle_minutes"),
        cold_start_minutes=has("COLD_START_MINUTES", COLD_START_MINUTES),
        window_minutes=float(has("WINDOW_MINUTES", 0.0)),
    )
