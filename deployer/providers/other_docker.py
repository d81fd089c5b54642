"""A Docker daemon of another machine, as data. Pure."""

from __future__ import annotations

from deployer.core.records import dataclass


@dataclass(frozen=True)
class OtherDocker:
    """A Docker daemon that is reached over a network, and what it says of its machine (None: it was not asked).

    `url` is its address, `named_by` where that stands, `host` the name or address of its machine. `gpus` says whether
    it can give GPUs to containers; their names it does not tell. `problem` says why it did not answer.
    """

    url: str
    named_by: str
    host: str
    cpus: int | None = None
    memory_bytes: int | None = None
    gpus: bool | None = None
    problem: str | None = None

    def __str__(self) -> str:
        return f"the Docker daemon at {self.url} ({self.named_by})"
