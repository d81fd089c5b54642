"""`python -m deployer.agents.handler_server CONFIG.json [serve]`. A service that starts it adds the `serve`."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import uvicorn

from .app import application
from .fault import LOG, told
from .handler import HandlerError, load
from .settings import Settings


def main(arguments: list[str]) -> int:
    """Load the handler, then listen until SIGTERM; what is being answered then has `grace_s` to end."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = Settings.read(Path(arguments[0]), behind_service=arguments[1:] == ["serve"])
    except (ValueError, OSError) as error:
        LOG.error("%s cannot be served: %s", arguments[0], error)
        return 1
    try:
        app = application(settings, load(settings.handler))
    except HandlerError as error:
        LOG.error("%s cannot be served: %s", settings.handler, error)
        return 1
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        LOG.exception("%s failed while it was loaded", settings.handler)
        said = told(error, settings.handler.parent)
        LOG.error("%s cannot be served: %s: %s", settings.handler, said, error)
        return 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # as many connections as it may have
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    signal.signal(signal.SIGTERM, _ended)  # uvicorn raises it once more when it has shut down
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        uds=None if settings.socket is None else str(settings.socket),
        timeout_graceful_shutdown=settings.grace_s,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        log_level="warning",
    )
    return 0


def _ended(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is how it is meant to end."""
    sys.exit(0)


if __name__ == "__main__":
    code = 0
    with suppress(SystemExit, KeyboardInterrupt):
        code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a call of the handler that hangs must not keep the process
