"""What is known of a LoRA adapter: what it adapts, and what an engine must be able to do for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from deployer.core.records import dataclass

Format = Literal["peft", "gguf"]
USUAL_RANK = 64
"""What is planned for where an adapter's own rank is unknown: hardly any published one is above."""


@dataclass(frozen=True)
class Adapter:
    """One LoRA adapter. Every field but `source` may be unknown (None).

    `source` is the spec's `model.adapter`, `path` the folder or file it lies in on this machine. `base` is the model
    that it says it was trained for. `rank` is the largest one that any of its matrices has. `targets` are the modules
    that it adapts, by the last part of their names; `whole` those that it replaces (PEFT's `modules_to_save`).
    `nbytes` is the size of its tensors as they are stored. `widths` are inputs and outputs of modules that it adapts,
    read from its tensors; `layers` how many layers these reach. `lacking` is why no engine can load it, in words.
    """

    source: str
    path: str | None = None
    format: Format | None = None
    base: str | None = None
    rank: int | None = None
    alpha: float | None = None
    dora: bool | None = None
    targets: tuple[str, ...] | None = None
    whole: tuple[str, ...] = ()
    bias: str | None = None
    kind: str | None = None  # PEFT's name of the method, such as LORA
    nbytes: int | None = None
    widths: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    layers: int | None = None
    architecture: str | None = None  # of the base, as a GGUF file says it
    lacking: str | None = None
    notes: tuple[str, ...] = ()
