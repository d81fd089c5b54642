"""How an engine is run in a container: what its `container.py` says, as the record `RECIPE`.

Image tags are pinned. The API key is a file, `/run/secrets/api_key`. An engine that cannot read it from there gets it
from a one-line script in the container: it is in no argument that `ps` shows and not in what `docker inspect` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from deployer.core.order import Order
from deployer.core.records import dataclass

KEY_FILE = "/run/secrets/api_key"
KEY_CHECK = (
    f'read -r key <{KEY_FILE} || :; [ "${{#key}}" -ge 16 ] || '
    '{ echo "the API key is shorter than 16 characters"; exit 6; }; '
)
"""What a script in a container does before it serves: with an empty key an engine would answer anybody."""
TOKEN_FILE = "/run/secrets/hf_token"  # noqa: S105 - a path
MODEL = "/model"
ADAPTER = "/adapter"
"""Where an adapter that lies on this machine is in the container; a file of one has a name of ours below it."""
ADAPTER_FILE = f"{ADAPTER}/adapter.gguf"
CACHE_VOLUME = "deployer-models"
BUILT = "localhost/deployer/"
"""What the name of an image begins with that is built here. No registry has such a host, so it is never pulled."""


@dataclass(frozen=True)
class Recipe:
    """How one engine is run in a container.

    `image` is pulled; `cuda_image` takes its place with a GPU where it differs, and with one of AMD's what
    `rocm_image` returns for its name (None: there is none that serves on it). With `build`, which describes an image
    in plain data (its name at the key `image`), that one is built here for each order and `image` is what it is
    built on. `arguments` are those of an order and of the model as it is known inside: a path or a repository of the
    model hub.
    `cache` is where files of the model hub are kept, `volume` the named volume that it lies in.
    `script` is what /bin/sh runs with the arguments in "$@"; None: the image's own entry point is run.
    `read_only` says whether the engine works on a root file system that cannot be written to.
    `adapters` says whether `arguments` serves an adapter: `order["model"]["adapter"]`, with "adapter_path" where it
    lies on this machine and is mounted at `ADAPTER`, and "adapter_rank".
    `shm_gib` is a limit on shared memory, not a reservation: tensor parallel workers talk through it.
    `fetch` is the script that /bin/sh runs with the same arguments to bring a model of the hub into `cache`, as a
    step of its own before the container is cut off from the network: with LOOK set, it only says by its exit code
    whether all is there. None: deployer.agents.fetch_weights does it, with the image's own Python.
    `health` is the command that says inside whether it is healthy; None: curl asks its /health.
    """

    image: str
    port: int
    cache: str
    arguments: Callable[[Order, str], list[str]]
    build: Callable[[Order], dict[str, Any]] | None = None
    cuda_image: str | None = None
    rocm_image: Callable[[str], str | None] = lambda _gpu: None
    script: str | None = None
    read_only: bool = False
    adapters: bool = False
    shm_gib: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    health: tuple[str, ...] | None = None
    fetch: str | None = None
    volume: str = CACHE_VOLUME


def local_only(order: Order) -> bool:
    """Whether nothing may leave the machine once the weights are there (`policy.privacy: local-only`)."""
    return bool((order.get("policy") or {}).get("privacy") == "local-only")


def repo(source: str) -> str:
    """Return the repository of `hf:<repo>[@revision]`."""
    return source.removeprefix("hf:").partition("@")[0]


def revision(source: str) -> str | None:
    """Return the revision of `hf:<repo>@<revision>`; None where it names none."""
    _, _, named = source.partition("@")
    return named if source.startswith("hf:") and named else None
