"""Which files of a folder are its model's weights: one copy of them, whole, and nothing else. Pure.

What trainers and publishers leave beside the weights would be counted with them: a copy in the format of Mistral's own
loader (`consolidated.safetensors`), a variant (`model.fp16.safetensors`), an adapter, the state of an optimizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.errors import UsageError

_SHARD = re.compile(r"(.+)-(\d{5,6})-of-(\d{5,6})(\.\w+)")
_BESIDE = (
    (re.compile(r"adapter_model\b"), "an adapter"),
    (re.compile(r"(optimizer|optim_states|scheduler|rng_state|random_states|training_args)"),
     "the state of a training"),
)  # fmt: skip
_MISTRAL = re.compile(r"consolidated\b")
_OPTIMIZER = re.compile(
    r"(^|\.)(exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer|optimizer|optim)(\.|$)"
)
"""Names under which optimizers (Adam, SGD) save a tensor for each of the model's."""


@dataclass(frozen=True)
class FileSet:
    """Files that are one set of weights: a single file, or all shards of one numbering."""

    stem: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The sets to read, the model's own first, and a note on each file that is passed over."""

    sets: tuple[FileSet, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All files to read."""
        return tuple(name for one in self.sets for name in one.names)


def select(names: Iterable[str], where: str) -> Selection:
    """Sort the weight files of one folder into sets. `where` names the folder in errors.

    Raises:
        UsageError: a shard that the numbering of the others names is missing.
    """
    kept, beside = [], []
    for name in sorted(names):
        kind = next((said for form, said in _BESIDE if form.match(name)), None)
        if kind is None:
            kept.append(name)
        else:
            beside.append(f"{name} is {kind} and not counted")
    own = [name for name in kept if not _MISTRAL.match(name)]
    if own and len(own) < len(kept):
        copies = ", ".join(name for name in kept if _MISTRAL.match(name))
        beside.append(f"{copies}: a second copy of the weights, in Mistral's format, not counted")
    sets = sorted(_sets(own or kept, where), key=lambda one: (one.stem != "model", len(one.names)))
    return Selection(tuple(sets), tuple(beside))


def _sets(names: Sequence[str], where: str) -> Iterable[FileSet]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name in names:
        match = _SHARD.fullmatch(name)
        stem, _, total, suffix = match.groups() if match else (name.rpartition(".")[0], "", "", "")
        found.setdefault((stem, total, suffix), []).append(name)
    for (stem, total, suffix), listed in found.items():
        if total:
            refuse_gaps(listed, stem, total, suffix, where)
        yield FileSet(stem, tuple(listed))


def refuse_gaps(names: Sequence[str], stem: str, total: str, suffix: str, where: str) -> None:
    """Refuse shards of which one is missing.

    Raises:
        UsageError: it names up to three of those that are missing.
    """
    most = int(total)
    numbers = {int(match[2]) for name in names if (match := _SHARD.fullmatch(name))}
    gaps = (n for n in range(1, min(most, len(numbers) + 3) + 1) if n not in numbers)
    first = [
        f"{stem}-{n:0{len(total)}d}-of-{total}{suffix}"
        for _, n in zip(range(3), gaps, strict=False)
    ]
    if first:
        more = "" if most - len(numbers) <= len(first) else " and more"
        raise UsageError(
            f"{where} has {len(numbers)} of {most} weight files: {', '.join(first)}{more} missing",
            hint="fetch the model again: a part of its weights would be taken for the whole",
            where=where,
        )


def is_optimizer_state(tensor: str) -> bool:
    """Whether a tensor of this name is what an optimizer keeps of another one."""
    return _OPTIMIZER.search(tensor) is not None


def pickled(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the pickled weights (`*.bin`) among the files of a folder.

    Raises:
        UsageError: a shard that the numbering of the others names is missing.
    """
    return select((name for name in names if name.endswith(".bin")), where).names


def unmerged(folder: Path) -> str | None:
    """Say what a folder is that has no weights in it but was trained, and how they come about; None for another."""
    checkpoints = sorted(folder.glob("checkpoint-[0-9]*"), key=lambda p: (len(p.name), p.name))
    if checkpoints:
        return f"its checkpoints are models of their own: name one, such as {checkpoints[-1].name}"
    if (folder / "zero_to_fp32.py").is_file():
        return (
            "it holds DeepSpeed's shards: run its zero_to_fp32.py with --safe_serialization first"
        )
    if any(folder.glob("pytorch_model_fsdp*")) or any(folder.glob("*.distcp")):
        return "it holds FSDP's shards: run accelerate merge-weights first"
    return None
