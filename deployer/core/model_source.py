"""How a spec names a model: on the model hub, in a bucket, or on this machine. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

HUB = "hf:"
SEPARATOR = "://"
REPO_NAME = r"(?!(?:datasets|spaces)/)[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*"
"""A repository of the model hub, as the hub allows its names."""
REPO = REPO_NAME + r"(@[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)?"
"""The same with a revision, where one is named."""
_HOSTS = r"(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)"
_PAGE = re.compile(
    rf"(?:https?://)?(?:[^/@\s]+@)?{_HOSTS}(?:/api/models)?/(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:/(?:tree|resolve|blob|raw|commit)/(?P<revision>[^/?#]+)(?:/(?P<file>[^?#]+))?)?(?:[/?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_SSH = re.compile(rf"(?:ssh://)?git@{_HOSTS}[:/](?P<repo>[\w.-]+/[\w.-]+)", re.ASCII)
_NO_OWNERS = (
    "api",
    "blog",
    "collections",
    "datasets",
    "docs",
    "learn",
    "models",
    "organizations",
    "papers",
    "spaces",
)
"""What an address of the hub begins with that is not the page of a model."""


@dataclass(frozen=True)
class HubPage:
    """A repository that an address leads to; `revision` None: its main branch."""

    repo: str
    revision: str | None = None
    file: str | None = None

    @property
    def source(self) -> str:
        """The repository as a spec names it."""
        return HUB + self.repo + (f"@{self.revision}" if self.revision else "")


def hub_page(text: str) -> HubPage | None:
    """Return the repository that the address of a page or file of the hub leads to; None where it leads to none."""
    match = _PAGE.fullmatch(text) or _SSH.fullmatch(text)
    if match is None:
        return None
    repo = match["repo"].removesuffix(".git")
    if repo.partition("/")[0].lower() in _NO_OWNERS:
        return None
    said = match.groupdict()
    revision = unquote(said.get("revision") or "") or None
    return HubPage(repo, None if revision == "main" else revision, said.get("file"))


def in_bucket(source: str) -> bool:
    """Whether it lies in a bucket, which a provider reads by its URL (`scheme://bucket/prefix`)."""
    return SEPARATOR in source


def scheme(source: str) -> str:
    """Return what a bucket's URL begins with, before `://`."""
    return source.partition(SEPARATOR)[0]


def meant_on_hub(text: str) -> str | None:
    """Return the source that the address of a page of the hub, or a bare `<org>/<name>`, stands for; None for all else.

    `https://huggingface.co/Qwen/Qwen3-8B/tree/v1` is `hf:Qwen/Qwen3-8B@v1`.
    """
    if page := hub_page(text):
        return page.source
    return HUB + text if re.fullmatch(REPO, text) else None


def on_hub(source: str) -> bool:
    """Whether it is a repository of the model hub."""
    return source.startswith(HUB)


def on_this_machine(source: str) -> bool:
    """Whether it is a path."""
    return not on_hub(source) and not in_bucket(source)
