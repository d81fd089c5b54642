"""How this copy was installed, and the commands that add to it or install the same copy elsewhere.

`deployer` on the public Python index is another project, so no hint and no rendered file names it. What is
named instead is what the installer recorded: `direct_url.json` beside the metadata (PEP 610), and the
receipts that pipx and uv leave in the environments of their tools.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from deployer import __version__

DISTRIBUTION = "model-deployer"
"""The name that an index knows it by; the command and the import are `deployer`."""
_CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """Where a copy came from, and the environment that it is in."""

    version: str = __version__
    direct_url: Mapping[str, Any] | None = None
    """What PEP 610 records; None for a copy that came from an index."""
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    python: str = field(default_factory=lambda: sys.executable)
    has_pip: bool = True
    pip_on_path: str | None = None
    """The `pip` that a shell would start."""

    def add_extra(self, extra: str) -> str:
        """Return the shell command that adds one of this package's extras to this copy."""
        options, source = self._source(extra)
        if (self.prefix / "uv-receipt.toml").is_file():
            return shlex.join(["uv", "tool", "install", "--force", *options, source])
        return self._installing([*options, source])

    def add_package(self, name: str) -> str:
        """Return the shell command that adds another package to this copy's environment."""
        return self._installing([name])

    def elsewhere(self) -> str | None:
        """Return the pinned requirement that installs the same copy on another machine.

        None where that machine could not fetch it: a folder or a file of this one, or an address that asks
        for a key or a password.
        """
        told = self.direct_url
        if told is None:
            return f"{DISTRIBUTION}=={self.version}"
        address = urlsplit(told["url"])
        if address.scheme != "https" or "@" in address.netloc or "dir_info" in told:
            return None
        pin = "" if "vcs_info" in told else _digest(told)
        if pin is None:
            return None
        return f"{self._source(None)[1]}{pin}"

    def _source(self, extra: str | None) -> tuple[list[str], str]:
        """Return the options of an installer, and what it is told to install."""
        told, wanted = self.direct_url, f"[{extra}]" if extra else ""
        if told is None:
            return [], f"{DISTRIBUTION}{wanted}=={self.version}"
        if "dir_info" in told:
            folder = unquote(urlsplit(told["url"]).path)
            return ["-e"] if told["dir_info"].get("editable") else [], f"{folder}{wanted}"
        address = _without_credentials(told["url"])
        if vcs := told.get("vcs_info"):
            address = f"{vcs['vcs']}+{address}@{vcs['commit_id']}"
            if inside := told.get("subdirectory"):
                address += f"#subdirectory={inside}"
        return [], f"{DISTRIBUTION}{wanted} @ {address}"

    def _installing(self, words: list[str]) -> str:
        if (self.prefix / "pipx_metadata.json").is_file():
            return shlex.join(["pipx", "runpip", self.prefix.name, "install", *words])
        if not self.has_pip:
            return shlex.join(["uv", "pip", "install", "--python", self.python, *words])
        here = Path(self.python).parent
        if self.pip_on_path is not None and Path(self.pip_on_path).parent == here:
            return shlex.join(["pip", "install", *words])
        return shlex.join([self.python, "-m", "pip", "install", *words])


def this() -> Installation:
    """Return how the copy that is running was installed; one that was not installed counts as a checkout."""
    return Installation(
        direct_url=_direct_url(),
        has_pip=find_spec("pip") is not None,
        pip_on_path=shutil.which("pip"),
    )


def add_extra(extra: str) -> str:
    """Return the shell command that adds one of this package's extras to the copy that is running."""
    return this().add_extra(extra)


def _direct_url() -> Mapping[str, Any] | None:
    from importlib import metadata  # late: it costs a tenth of a plan

    try:
        told = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return {"url": _CHECKOUT.as_uri(), "dir_info": {"editable": True}}
    found: Mapping[str, Any] | None = json.loads(told) if told else None
    return found


def _without_credentials(url: str) -> str:
    """Keep who logs in by SSH, which is no secret, and names of environment variables, as PEP 610 does."""
    address = urlsplit(url)
    user, at, host = address.netloc.rpartition("@")
    secret = address.scheme not in ("ssh", "git+ssh") or ":" in user
    if at and secret and not re.fullmatch(r"\$\{\w+\}(:\$\{\w+\})?", user):
        address = address._replace(netloc=host)
    return urlunsplit(address._replace(query=""))


def _digest(told: Mapping[str, Any]) -> str | None:
    """Return what pins an archive; None where the installer recorded no digest."""
    digest = told.get("archive_info", {}).get("hashes", {}).get("sha256")
    return f"#sha256={digest}" if digest else None
