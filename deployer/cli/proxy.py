"""`deployer proxy`: an OpenAI route on this machine for a model that only its service's own API reaches."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deployer.cli import options, terminal
from deployer.core.errors import PrerequisiteError, UsageError

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment


@click.command("proxy", help="Serve an OpenAI route on 127.0.0.1 for a deployment that has none.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: 8090]"
)
@click.option(
    "--no-key", is_flag=True, help="Accept calls from any program on this machine, without a key."
)
@click.option(
    "--wake-limit",
    type=click.IntRange(1),
    default=None,
    metavar="SECONDS",
    help="How long a call waits for a sleeping model.  [default: the service's own]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Do not serve: write the files that run the proxy in a container.",
)
def command(
    name: str | None,
    spec_file: Path | None,
    target: str | None,
    port: int | None,
    no_key: bool,
    wake_limit: int | None,
    out: Path | None,
) -> None:
    """Serve until Ctrl-C; calls are made with the credentials of whoever started it."""
    from deployer.core.home import home
    from deployer.running import lookup
    from deployer.running.gateway.backend import PROXY_PORT, backend_of
    from deployer.running.store import Store

    store = Store(home())
    record = store.get(options.deployment_name(name, spec_file, target))
    port = port or PROXY_PORT
    if out is not None:
        _write(out, record, store.key(record.name), port, wake_limit, no_key=no_key)
        return
    backend = backend_of(record, lookup.provider_of(record))
    app = _application(backend, None if no_key else store.key(record.name), wake_limit)
    terminal.say(
        f"{record.name}: http://127.0.0.1:{port}/v1 (model {record.model}); Ctrl-C ends it"
    )
    if not no_key:
        terminal.say(f'any client: eval "$(deployer env {record.name} --port {port})"')
    _serve(app, port)


def _write(
    out: Path, record: Deployment, key: str, port: int, wake_limit: int | None, *, no_key: bool
) -> None:
    from deployer.core import files as folder
    from deployer.running import lookup
    from deployer.running.gateway import container
    from deployer.running.gateway.backend import needs_gateway

    if no_key:
        raise UsageError(
            "the proxy in a container always requires a key", hint="leave out --no-key"
        )
    provider = lookup.provider_of(record)
    if not needs_gateway(record, provider) or provider.native_api is None:
        raise UsageError(
            f"{record.name} needs no proxy, or is not ready to be called",
            hint="see 'deployer status' and 'deployer env'",
        )
    files = container.files(
        record,
        provider.native_api,
        published=port,
        user=f"{os.getuid()}:{os.getgid()}",
        wake_limit=wake_limit,
    )
    folder.write_folder(out, files, {"api_key": key})
    terminal.say(f"Run it: cd {shlex.quote(str(out))} && docker compose up --build --detach")
    terminal.say(f'any client: eval "$(deployer env {record.name} --port {port})"')


def _application(backend: Any, key: str | None, wake_limit: int | None) -> Any:
    try:
        from deployer.running.gateway.app import application
    except ModuleNotFoundError as error:
        from deployer.core import installation

        raise PrerequisiteError(
            f"the proxy needs the package '{error.name}'", hint=installation.add_extra("proxy")
        ) from None
    return application(backend, key, wake_limit)


def _serve(app: Any, port: int) -> None:
    import socket

    import uvicorn

    from deployer.agents.guard.limits import raise_open_files

    raise_open_files()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PrerequisiteError(
            f"cannot listen on port {port}: {error.strerror}", hint="choose another with --port"
        ) from None
    told = uvicorn.Config(
        app,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        log_level="warning",
    )
    with listener:
        uvicorn.Server(told).run(sockets=[listener])
