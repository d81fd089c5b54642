"""Resources that Pulumi has no class for: their code goes into the stack's state, by value.

A provider's code is loaded under a name that nobody can import. So Pulumi's pickler writes the code itself
into the state and not a reference to a file: it runs, and removes what it made, wherever the state is.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

NOWHERE = "deployer_resource"
"""Must not be importable: that is what makes Pulumi pickle by value."""
HERE = Path(__file__).parent


def code(part: str) -> ModuleType:
    """Load `<part>.py` of this folder, such as `bedrock/program/importer`."""
    spec = importlib.util.spec_from_file_location(NOWHERE, HERE / f"{part}.py")
    if spec is None or spec.loader is None:  # pragma: no cover - a .py file always has a loader
        raise ImportError(part)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resource(kind: str, name: str, part: str, props: Mapping[str, Any], opts: Any = None) -> Any:
    """Declare one thing that the `Provider` in `part` makes; it has the type `pulumi-python:dynamic/deployer:<kind>`.

    What the provider says besides the inputs is named in its `OUTPUTS`.
    """
    import pulumi

    module = code(part)
    outputs = dict.fromkeys(module.OUTPUTS)
    made = type(kind, (pulumi.dynamic.Resource,), {}, module="deployer", name=kind)
    return made(module.Provider(), name, {**props, **outputs}, opts)
