"""The options that commands share."""

from __future__ import annotations

from pathlib import Path

import click

from deployer.core.domain import TARGETS
from deployer.core.errors import UsageError

DEFAULT_SPEC = Path("deployer.yaml")

spec_file_option = click.option(
    "-f",
    "--file",
    "spec_file",
    type=click.Path(path_type=Path),
    default=None,
    help=f"The spec.  [default: {DEFAULT_SPEC}]",
)
target_option = click.option(
    "--target", type=click.Choice(TARGETS), default=None, help="Where to run the model."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
offline_option = click.option(
    "--offline", is_flag=True, help="Do not query the model hub, even for an unknown model."
)


def state_of(spec_file: Path | None, target: str | None) -> str | None:
    """Return where a spec says that the state of one of its targets lies, if it says so.

    Raises:
        UsageError: the spec cannot be read.
    """
    if target is None:
        return None
    from deployer.spec.load import load

    spec = load(spec_file or DEFAULT_SPEC).spec
    asked = getattr(spec.targets, target.replace("-", "_"), None)
    state: str | None = getattr(asked, "state", None)
    return state


def deployment_name(name: str | None, spec_file: Path | None, target: str | None) -> str:
    """Turn `NAME`, or `-f SPEC --target T`, into a deployment's name.

    Raises:
        UsageError: neither, or both, or the spec cannot be read.
    """
    if name and (spec_file or target):
        raise UsageError(
            "give the deployment's name or -f SPEC --target T, not both",
            hint=f"such as: deployer status {name}",
        )
    if name:
        return name
    if target is None:
        raise UsageError(
            "no deployment given",
            hint="name it (see 'deployer status'), or give -f SPEC --target T",
        )
    from deployer.spec.load import load

    return f"{load(spec_file or DEFAULT_SPEC).name}-{target}"
