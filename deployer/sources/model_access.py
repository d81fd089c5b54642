"""Whether this user may fetch a model of the hub: asked before anything is made that would fetch it. An edge.

The token is the one of `HF_TOKEN` or of `hf auth login`, as engines and libraries find it.
"""

from __future__ import annotations

import os

from deployer.core.errors import DeployerError, PrerequisiteError

LIMIT_S = 10.0
REFUSED = (401, 403)


def address() -> str:
    """Where the hub is: HF_ENDPOINT, or its own address."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def status(repo: str) -> int | None:
    """Ask for a file of a repository and return the HTTP status; None where the hub cannot be reached."""
    from huggingface_hub import get_token

    from deployer.sources import web  # late: only what is about to fetch a model asks

    file = f"{address()}/{repo}/resolve/main/config.json"
    try:
        token = get_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with web.client(headers=headers, timeout=LIMIT_S) as client:
            return client.head(file).status_code
    except DeployerError:
        return None
    except web.failures():
        return None


def refuse_locked(repo: str) -> None:
    """Refuse a gated model that this user may not fetch. `repo` may end in `@<revision>`.

    Raises:
        PrerequisiteError: there is no token, or the hub refuses it.
    """
    from huggingface_hub import get_token

    name = repo.partition("@")[0]
    found = status(name)
    if found in REFUSED or (found is None and get_token() is None):
        raise PrerequisiteError(
            f"{name} is gated, and the model hub does not let this user fetch it",
            hint=f"accept its terms at {address()}/{name}, then set HF_TOKEN, or: hf auth login",
            where=f"{address()}/{name}",
        )
