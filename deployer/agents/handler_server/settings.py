"""What the server is told: a JSON file (`Settings.read`), or in an image the environment and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PORT = 8080
"""The port on which services that start containers ask `/ping` and `/invocations`, and so everybody's."""

SHORTEST_KEY = 16


class Settings(BaseModel):
    """What the server is told.

    `timeout_s` is the longest wait for an answer, or for the next piece of one; `key_file` None: no key; `socket` is a
    Unix socket that it listens on in place of host and port. `waiting` requests wait for a place, each for at most
    `waiting_s`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    handler: Path
    name: str = Field(min_length=1)
    route: Literal["chat", "predict"] = "chat"
    host: str = "127.0.0.1"
    port: int = Field(default=PORT, ge=1, le=65535)
    socket: Path | None = None
    concurrency: int = Field(default=8, ge=1)
    timeout_s: float = Field(default=60, gt=0)
    waiting: int = Field(default=2048, ge=0)
    waiting_s: float = Field(default=60, ge=0)
    max_request_bytes: int = Field(default=4 * 2**20, ge=1)
    grace_s: int = Field(default=6, ge=1)
    key_file: Path | None = None
    behind_service: bool = False

    @classmethod
    def read(cls, file: Path, *, behind_service: bool = False) -> Settings:
        """Read the file. `behind_service`: listen for the service that started it, without a key.

        Raises:
            ValueError: a setting is missing or wrong, or there is no key although one is needed.
        """
        said = cls.model_validate_json(file.read_text(encoding="utf-8"))
        if behind_service:
            changed = {"behind_service": True, "host": "0.0.0.0", "port": PORT, "key_file": None}  # noqa: S104 - only the service reaches it
            changed["socket"] = None
            return said.model_copy(update=changed)
        if said.key_file is None:
            raise ValueError("key_file is missing: only a service's own port goes without a key")
        return said

    def key(self) -> str | None:
        """Read the API key; None behind a service.

        Raises:
            ValueError: it holds a key that is empty or shorter than 16 characters.
            OSError: there is no such file.
        """
        if self.key_file is None:
            return None
        key = self.key_file.read_text(encoding="utf-8").strip()
        if len(key) < SHORTEST_KEY:
            what = f"the API key in {self.key_file} is shorter than {SHORTEST_KEY} characters"
            raise ValueError(what)
        return key
