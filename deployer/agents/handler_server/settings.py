"""What the server is told: a JSON file (`Settings.read`), or in an image the environment and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PORT = 8080
"""SageMaker's port for `/ping` and `/invocations`, and so everybody's."""


class Settings(BaseModel):
    """`timeout_s` is the longest wait for an answer, or for the next piece of one; `key_file` None: no key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    handler: Path
    name: str = Field(min_length=1)
    route: Literal["chat", "predict"] = "chat"
    host: str = "127.0.0.1"
    port: int = Field(default=PORT, ge=1, le=65535)
    concurrency: int = Field(default=8, ge=1)
    timeout_s: float = Field(default=60, gt=0)
    max_request_bytes: int = Field(default=4 * 2**20, ge=1)
    grace_s: int = Field(default=6, ge=1)
    key_file: Path | None = None
    sagemaker: bool = False

    @classmethod
    def read(cls, file: Path, *, sagemaker: bool = False) -> Settings:
        """Read the file. `sagemaker`: listen on SageMaker's port, without a key.

        Raises:
            ValueError: a setting is missing or wrong, or there is no key although one is needed.
        """
        said = cls.model_validate_json(file.read_text(encoding="utf-8"))
        if sagemaker:
            changed = {"sagemaker": True, "host": "0.0.0.0", "port": PORT, "key_file": None}  # noqa: S104 - SageMaker's network is private
            return said.model_copy(update=changed)
        if said.key_file is None:
            raise ValueError("key_file is missing: only SageMaker's port works without a key")
        return said

    def key(self) -> str | None:
        """Read the API key; None for SageMaker.

        Raises:
            ValueError: the file is empty.
            OSError: there is no such file.
        """
        if self.key_file is None:
            return None
        key = self.key_file.read_text(encoding="utf-8").strip()
        if not key:
            raise ValueError(f"{self.key_file} is empty: it must hold the API key")
        return key
