"""The test kit's AWS provider for an endpoint of inference components, which its Terraform binary, a major version
behind pulumi-aws, does not know yet: it lacks an input, and wants another.

Run by the engine as its plugin: `python older_provider.py KIT`. That the program gives the one and not the other is
seen under Pulumi's mocks.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NEWER = frozenset({"executionRoleArn"})
"""Of `sagemaker.EndpointConfiguration`: since terraform-provider-aws 6."""
WANTED = {"modelName": "none"}
MODEL_NAME = {"ModelName": "none"}
"""Of its variants, as Pulumi and as SageMaker call it: no longer since then."""


def install(pulumi_home: Path, kit: Path) -> None:
    """Put it in the place of the plugin that the kit has installed."""
    (plugin,) = (pulumi_home / "plugins").glob("resource-aws-v*/pulumi-resource-aws")
    version = plugin.parent.name.removeprefix("resource-aws-v")
    run = f"'{sys.executable}' '{Path(__file__).resolve()}' '{kit}'"
    plugin.write_text(f'#!/bin/sh\nPULUMI_AWS_VERSION={version} exec {run} "$@"\n')


def main(kit: str) -> None:
    """Serve as the kit's plugin does."""
    sys.path.insert(0, kit)
    values: Any = importlib.import_module("values")
    made = values.to_object

    def to_object(obj: Any, given: Mapping[str, Any], *more: Any, **named: Any) -> Any:
        names = set(values.pulumi_names(obj, {}))
        inputs = {k: v for k, v in given.items() if k in names or k not in NEWER}
        if "managedInstanceScaling" in names:
            inputs = WANTED | inputs
        return made(obj, inputs, *more, **named)

    values.to_object = to_object
    importlib.import_module("plugin").main()


if __name__ == "__main__":
    main(sys.argv[1])
