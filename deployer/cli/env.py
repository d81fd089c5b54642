"""`deployer env`: what any OpenAI client needs, for `eval`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from deployer.cli import options, view
from deployer.errors import EngineError


@click.command("env", help="Print OPENAI_BASE_URL and OPENAI_API_KEY for `eval`.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.json_option
def command(name: str | None, spec_file: Path | None, target: str | None, as_json: bool) -> None:
    """Print the two variables: the one place where the API key is shown."""
    from deployer import observe
    from deployer.home import home
    from deployer.state import Store

    store = Store(home())
    record = store.get(options.deployment_name(name, spec_file, target))
    if record.endpoint is None:
        raise EngineError(
            f"{record.name} has no endpoint", hint="'deployer up' starts it anew, 'down' removes it"
        )
    endpoint = observe.reached(record, store)
    variables = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": endpoint.key}
    if endpoint.authority:
        variables["SSL_CERT_FILE"] = str(endpoint.authority)
    if as_json:
        view.emit({"deployment": record.name, "env": variables})
    else:
        pairs = (f"{key}={shlex.quote(value)}" for key, value in variables.items())
        view.out(f"export {' '.join(pairs)}")
