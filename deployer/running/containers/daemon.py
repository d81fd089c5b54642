"""Reach the Docker daemon, and turn what it refuses into what the user can do."""

from __future__ import annotations

import atexit
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deployer.core.errors import (
    DeployerError,
    PrerequisiteError,
    RemoteError,
    system_error,
    without_secrets,
)
from deployer.running.containers import ssh
from deployer.sources import docker_address
from deployer.sources.docker_address import DockerAddress

if TYPE_CHECKING:
    from docker import APIClient

LIMIT_S = 60
"""How long the daemon may take for one answer."""

TOOLKIT = (
    "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker"
    " && sudo systemctl restart docker; 'deployer doctor' checks it"
)
HINTS = (
    (r"could not select device driver|nvidia-container-cli|unresolvable CDI", TOOLKIT),
    (
        r"port is already allocated|address already in use",
        "stop the process that listens there, or set targets.local.port to another or to auto",
    ),
    (
        r"cannot assign requested address",
        "set targets.local.expose to an address that this machine has",
    ),
    (
        r"no such image|manifest unknown|not found: manifest|pull access denied",
        "correct targets.local.image, or 'docker login' if it is private",
    ),
    (
        r"no such host|dial tcp|TLS handshake|Client\.Timeout|connection refused",
        "the image cannot be downloaded from here: check the network, or load it with 'docker load'",
    ),
    (
        r"no space left on device",
        "free some disk space: 'docker system df' shows what Docker uses, 'docker image prune' removes images",
    ),
    (
        r"bind source path does not exist",
        "correct model.source: the daemon must see the same files",
    ),
    (
        r"is already in use by container",
        "'docker rm' that container, or give the spec another name",
    ),
)
"""What the daemon's words mean for the user, by a pattern that they match."""


UNREADABLE = (AttributeError, EOFError, LookupError, TypeError, ValueError)
"""What the SDK stumbles with over what is no daemon's answer."""

_CLIENTS: dict[str, tuple[DockerAddress, APIClient]] = {}
"""By URL. One for the whole process: each new one asks the daemon for its version first."""


def connect(url: str | None = None, limit_s: float = LIMIT_S) -> APIClient:
    """Return the client of a daemon that answers. It may be closed; it connects again when it is used.

    `url` is that of another machine where a deployment is known to be; None: the one that Docker's own commands use.

    Raises:
        PrerequisiteError: it does not answer.
    """
    address = docker_address.find()
    if url is not None and (address is None or address.url != url):
        address = DockerAddress(url, "where it was deployed to")
    if address is None:
        raise absent(docker_address.named())
    if address.url not in _CLIENTS:
        _CLIENTS[address.url] = address, _new(address, limit_s)
    return _CLIENTS[address.url][1]


def _new(address: DockerAddress, limit_s: float) -> APIClient:
    import docker

    try:
        client = docker.APIClient(timeout=limit_s, **_settings(address))
    except DeployerError:
        raise
    except Exception as error:  # noqa: BLE001 - its transports raise what they like
        raise unreachable(str(error) or type(error).__name__, address) from None
    client.timeout = LIMIT_S
    atexit.register(client.close)
    return client


def _settings(address: DockerAddress) -> dict[str, Any]:
    """How the client reaches an address: with the certificates of the environment or of its context, or by ssh."""
    import docker

    if address.scheme == "ssh":
        return {"base_url": ssh.socket_to(address)}
    if address.certificates is not None:
        keys = address.certificates
        pair = (
            (str(keys / "cert.pem"), str(keys / "key.pem")) if (keys / "key.pem").exists() else None
        )
        authority = str(keys / "ca.pem") if (keys / "ca.pem").exists() else None
        tls = docker.tls.TLSConfig(
            client_cert=pair, ca_cert=authority, verify=authority is not None
        )
        return {"base_url": address.url, "tls": tls}
    return {**docker.utils.kwargs_from_env(), "base_url": address.url}


def absent(named: DockerAddress | None) -> PrerequisiteError:
    """Return the error where no socket is: that of the daemon which is named, or none at all."""
    if named is None:
        return unreachable("no socket was found")
    return PrerequisiteError(
        f"the Docker daemon at {named} does not answer: its socket does not exist",
        hint="start it, or go back to the usual one: unset DOCKER_HOST; docker context use default",
        where=named.url,
    )


def unreachable(why: str, address: DockerAddress | None = None) -> PrerequisiteError:
    """Return the error of a daemon that does not answer, by the reason it gave."""
    if address is not None and address.elsewhere:
        return PrerequisiteError(
            f"the Docker daemon at {address} does not answer: {why[:200]}",
            hint="start it there, or go back to this machine's: unset DOCKER_HOST; docker context use default",
            where=address.url,
        )
    if re.search(r"permission denied", why, re.IGNORECASE):
        return PrerequisiteError(
            "this user is not allowed to use Docker",
            hint="sudo usermod -aG docker $USER, then log in again",
        )
    return PrerequisiteError(
        f"the Docker daemon does not answer: {why[:200]}",
        hint="start it (sudo systemctl start docker, or open Docker Desktop), or set"
        " targets.local.provider: native",
    )


@contextmanager
def mended(except_for: type[Exception] | None = None) -> Iterator[None]:
    """Turn a refusal of the daemon into an error with a hint; one that is expected passes through.

    The SDK raises errors of its own, of requests and of urllib3, and stumbles over what is no daemon's answer.
    """
    from docker.errors import DockerException, StreamParseError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except DockerException as error:
        if except_for is not None and isinstance(error, except_for):
            raise
        said = getattr(error, "explanation", None) or str(error) or type(error).__name__
        raise refusal(without_secrets(str(said))) from None
    except (RequestException, HTTPError) as error:
        raise unreachable(
            without_secrets(str(error)) or type(error).__name__, _asked(error)
        ) from None
    except OSError as error:
        if error.filename:
            raise system_error(error) from error
        raise unreachable(str(error) or type(error).__name__) from None
    except (StreamParseError, *UNREADABLE) as error:
        raise RemoteError(
            f"the Docker daemon's answer cannot be read ({type(error).__name__})",
            hint="check that DOCKER_HOST names a Docker daemon: 'docker version' asks it",
        ) from error


def _asked(error: Exception) -> DockerAddress | None:
    """Whose answer did not come, where the error says which request it was."""
    url = str(getattr(getattr(error, "request", None), "url", None) or "")
    asked = (address for address, client in _CLIENTS.values() if url.startswith(client.base_url))
    return next(asked, None)


def refusal(said: str) -> DeployerError:
    """Return the error for what the daemon said; the hint is known for the usual ones."""
    for pattern, hint in HINTS:
        if re.search(pattern, said, re.IGNORECASE):
            return PrerequisiteError(f"Docker refused: {said.strip()}", hint=hint)
    return RemoteError(f"Docker refused: {said.strip()}")
