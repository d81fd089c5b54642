"""How a spec names a model: on the model hub, in a bucket, or on this machine. Pure."""

from __future__ import annotations

import re

HUB = "hf:"
SEPARATOR = "://"
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<repo>[\w.-]+/[\w.-]+?)/?"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>[\w.-]+)(?:/.*)?)?(?:[?#].*)?"
)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")


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
    if page := _PAGE.fullmatch(text):
        revision = page["revision"]
        return HUB + page["repo"] + (f"@{revision}" if revision not in (None, "main") else "")
    return HUB + text if _REPO.fullmatch(text) and not text.startswith(".") else None


def on_hub(source: str) -> bool:
    """Whether it is a repository of the model hub."""
    return source.startswith(HUB)


def on_this_machine(source: str) -> bool:
    """Whether it is a path."""
    return not on_hub(source) and not in_bucket(source)
