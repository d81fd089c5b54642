"""GPUs by any spelling of their names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from deployer.core.domain import Gpu
from deployer.planning.catalog.tables import rows, table, usd

_MAKER = re.compile(r"\b(nvidia|amd|apple|aws|tesla|geforce|radeon)\b")
_WORDS = re.compile(r"[^a-z0-9]+")
_PUNCTUATION = re.compile(r"[^a-z0-9]")


@cache
def every() -> tuple[Gpu, ...]:
    """All GPUs and unified-memory chips of the catalog, as they stand in the file."""
    data = table("gpus")
    return tuple(_gpu(row) for row in rows(data["columns"], data["gpus"]))


def find(name: str) -> Gpu | None:
    """Look a GPU up by name: case, spaces, dashes and the maker's name do not matter.

    A short name that several variants share means the SXM one of the usual memory: `A100` and `H100` are
    the 80 GB SXM cards, `V100` the 16 GB one. `RTX PRO 6000` alone means the workstation card.
    """
    return _by_spelling().get(spelling(name))


def family(name: str) -> tuple[Gpu, ...]:
    """Return every variant of a GPU: both `A100`s and all `H100`s, but only the L4 for `L4`.

    A name that is spelled in full, or that says more than a family, is one GPU. Nothing is found: none.
    """
    wanted = spelling(name)
    exact = [gpu for gpu in every() if spelling(gpu.name) == wanted]
    variants = exact or [gpu for gpu in every() if wanted in _beginnings(gpu.name)]
    alone = find(name)
    return tuple(variants) or ((alone,) if alone else ())


def nearest(name: str) -> tuple[str, ...]:
    """Name up to three GPUs that are spelled almost like this one."""
    from difflib import get_close_matches

    known = {found: gpu.name for found, gpu in _by_spelling().items()}
    near = get_close_matches(spelling(name), known, n=6, cutoff=0.5)
    return tuple(dict.fromkeys(known[found] for found in near))[:3]


def _beginnings(name: str) -> set[str]:
    """The spellings of a name's first word, its first two words, and so on."""
    words = _WORDS.split(_MAKER.sub("", name.lower()).strip())
    return {"".join(words[: count + 1]) for count in range(len(words)) if words[0]}


def spelling(name: str) -> str:
    """Reduce a name to what is compared: `NVIDIA RTX-4090` to `rtx4090`."""
    return _PUNCTUATION.sub("", _MAKER.sub("", name.lower().replace("+", "")))


@cache
def _by_spelling() -> Mapping[str, Gpu]:
    data = table("gpus")
    found: dict[str, Gpu] = {}
    for gpu, row in zip(every(), rows(data["columns"], data["gpus"]), strict=True):
        for name in (gpu.name, *row["aliases"]):
            found[spelling(name)] = gpu
    return found


def _gpu(row: Mapping[str, Any]) -> Gpu:
    return Gpu(
        name=row["name"],
        vram_gb=row["vram_gb"],
        bandwidth_gb_s=row["bandwidth_gb_s"],
        bf16_tflops=row["bf16_tflops"],
        fp8_tflops=row["fp8_tflops"],
        watts=row["watts"],
        list_price_usd=usd(row["list_price_usd"]),
        vendor=row["vendor"],
        source=row["source"],
        vram_mib_reported=row["vram_mib_reported"],
    )
