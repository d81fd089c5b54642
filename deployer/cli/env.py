"""`deployer env`: what any OpenAI client needs, for `eval`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import RemoteError

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment
    from deployer.running.store import Store


@click.command("env", help="Print OPENAI_BASE_URL and OPENAI_API_KEY for `eval`.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@click.option(
    "--port", type=int, default=None, help="The port of 'deployer proxy', if one is needed."
)
@options.json_option
def command(
    name: str | None, spec_file: Path | None, target: str | None, port: int | None, as_json: bool
) -> None:
    """Print the two variables: the one place where the API key is shown."""
    from deployer.core.home import home
    from deployer.running.store import Store

    store = Store(home())
    record = store.get(options.deployment_name(name, spec_file, target))
    variables = _variables(record, store, port)
    if as_json:
        from deployer.core.documents.env import EnvDocument

        terminal.emit(EnvDocument(deployment=record.name, env=variables))
    else:
        pairs = (f"{key}={shlex.quote(value)}" for key, value in variables.items())
        terminal.out(f"export {' '.join(pairs)}")


def _variables(record: Deployment, store: Store, port: int | None) -> dict[str, str]:
    """What clients read: of the deployment itself, or of `deployer proxy` where it has no OpenAI route."""
    from deployer.running import lookup
    from deployer.running.gateway.backend import PROXY_PORT, needs_gateway

    if needs_gateway(record, lookup.provider_of(record)):
        url = f"http://127.0.0.1:{port or PROXY_PORT}/v1"
        return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": store.key(record.name)}
    if record.endpoint is None:
        raise RemoteError(
            f"{record.name} has no endpoint",
            hint="'deployer up' starts it again, 'deployer down' removes it",
        )
    endpoint = lookup.reached(record, store)
    known = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": endpoint.key}
    if endpoint.authority is None:
        return known
    from deployer.core.files import write_private
    from deployer.running.certificates import bundle

    trusted = store.folder(record.name) / "trusted.pem"
    write_private(trusted, bundle(endpoint.authority, os.environ.get("SSL_CERT_FILE")))
    return {**known, "SSL_CERT_FILE": str(trusted)}
