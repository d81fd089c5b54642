"""The Hugging Face cache of this machine, which engines without a container download to."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Where it is, by the variables that the Hugging Face libraries read."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def held(cache: Path, source: str) -> int:
    """Return the bytes that are there of a repository (`org/name`, `org/name@revision`), unfinished files too."""
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=source.partition("@")[0], repo_type="model")
    return sum(map(_size, (cache / name / "blobs").glob("*")))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # a part that was just given its last name
        return 0
