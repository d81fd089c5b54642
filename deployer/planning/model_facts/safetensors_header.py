"""Sizes of a model from the headers of its safetensors files. Pure; the weights themselves are not read.

A file is 8 bytes of header length (little endian), the header (JSON: name -> dtype, shape, data_offsets),
then the tensors. Nothing in it is believed: lengths are checked against the file, sizes against shapes.
Format: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from deployer.core.errors import quoted
from deployer.planning.model_facts import strict_json
from deployer.planning.model_facts.files import few, listed, look, opened
from deployer.planning.model_facts.strict_json import bad
from deployer.planning.model_facts.tensor_totals import BITS, Tensor
from deployer.planning.model_facts.weight_files import (
    FileSet,
    Selection,
    is_optimizer_state,
    refuse_missing_shards,
    select,
)

HEADER_CAP = 32 * 2**20
"""Longest header (and index) read, in bytes: that of 200,000 tensors. The format's own reader takes 100 MB,
which would cost Python more memory than a plan may take."""

ALL_HEADERS_CAP = 128 * 2**20
"""Longest headers of one model together, in bytes: they take a few seconds."""

FEW = 0.01
"""Share of the tensors that an index may name in vain."""

LONGEST_NAME = 255
"""Longest name of a file, as file systems have it."""

INDEX = "model.safetensors.index.json"


class FolderWeights:
    """The weights of a model in a folder, one tensor of each name. `notes` says what was passed over, once they are read."""

    def __init__(
        self, folder: Path, selection: Selection, indexed: frozenset[str] = frozenset()
    ) -> None:
        self.folder, self.selection, self.indexed = folder, selection, indexed
        self.notes: list[str] = list(selection.notes)
        self._headers = 0

    def tensors(self) -> Iterator[Tensor]:
        """Read the headers of all files.

        Raises:
            UsageError: as `tensors_of`, or they are longer together than `ALL_HEADERS_CAP`, a file repeats the others
                of its numbering, or the index names tensors that are in no file.
        """
        known: set[str] = set()
        for files in self.selection.sets:
            before = len(known)
            for name in files.names:
                held = len(known)
                yield from self._new(self.folder / name, known)
                if before < held == len(known):
                    raise bad(str(self.folder / name), "repeats what the files before it hold")
            if before == len(known):
                said = files.names[0] + (" and the others of it" if len(files.names) > 1 else "")
                self.notes.append(f"{said}: no weights that are not counted already")
        self._refuse_unheld(known)

    def _new(self, path: Path, known: set[str]) -> Iterator[Tensor]:
        """Read one file, and add to `known` what it has and the files before it have not."""
        with opened(path) as (file, size):
            self._headers += min(int.from_bytes(file.read(8), "little"), size)
        if self._headers > ALL_HEADERS_CAP:
            raise bad(
                str(path), f"and those before it have headers above {ALL_HEADERS_CAP:,} bytes"
            )
        for tensor in tensors_of(path):
            if not is_optimizer_state(tensor.name) and tensor.name not in known:
                known.add(tensor.name)
                yield tensor

    def _refuse_unheld(self, known: set[str]) -> None:
        """Some indexes name a tensor or two that were left out; where many are gone, a file is not what it is called."""
        gone = sorted(self.indexed - known)
        if len(gone) > len(self.indexed) * FEW:
            raise bad(
                str(self.folder / INDEX),
                f"names {len(gone):,} tensors that are in no file: {quoted(gone[0])}",
            )


def tensors_of(path: Path) -> Iterator[Tensor]:
    """Read one file's header.

    Raises:
        UsageError: it is missing, truncated, longer than the cap, or contradicts itself.
    """
    header, room = _header(path)
    used = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        tensor, end = _tensor(name, entry, str(path))
        if end > room:
            raise bad(
                str(path), f"is truncated: {quoted(name)} ends {end - room:,} bytes after the file"
            )
        used += tensor.nbytes
        yield tensor
    if used > room:
        raise bad(str(path), "has tensors that overlap")


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header, and how many bytes of tensors follow it."""
    where = str(path)
    with opened(path) as (file, size):
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise bad(where, f"is truncated: its header says {length:,} bytes, it has {size:,}")
        if length > HEADER_CAP:
            raise bad(where, f"has a header of {length:,} bytes, above {HEADER_CAP:,}")
        raw = file.read(length)
    return strict_json.parse(raw, where), size - 8 - length


def _tensor(name: str, entry: object, where: str) -> tuple[Tensor, int]:
    """Return a tensor and where it ends, having compared its size with its shape."""
    wrong = bad(where, f"has an invalid tensor: {quoted(name)}")
    if not isinstance(entry, dict):
        raise wrong
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise bad(where, f"has a tensor of unknown type {quoted(dtype)}: {quoted(name)}")
    shape, offsets = _naturals(entry.get("shape")), _naturals(entry.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2 or len(shape) > 32:
        raise wrong
    begin, end = offsets
    elements = prod(shape)
    if end - begin != elements * BITS[dtype] // 8:
        raise wrong
    return Tensor(name, dtype, elements, tuple(shape)), end


def _naturals(value: object) -> list[int] | None:
    if isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value):
        return value
    return None


def weights_in(folder: Path) -> FolderWeights | None:
    """Return a folder's weights: those its index names, or else one copy of what lies there; None without any.

    Raises:
        UsageError: the index is damaged, names a file outside the folder, or one that is not there; or a shard is missing.
    """
    index = folder / INDEX
    if look(index) is not None:
        names, tensors = _named(folder, index)
        return FolderWeights(folder, Selection((FileSet("model", names),)), tensors)
    found = select((path.name for path in listed(folder, ".safetensors")), str(folder))
    return FolderWeights(folder, found) if found.sets else None


def _named(folder: Path, index: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the files that an index names, and the tensors."""
    said = strict_json.read(index, HEADER_CAP).get("weight_map")
    if not isinstance(said, dict) or not said or not all(isinstance(n, str) for n in said.values()):
        raise bad(str(index), "has no weight_map")
    names = sorted(set(said.values()))
    few(len(names), index)
    for name in names:
        if Path(name).name != name or len(name) > LONGEST_NAME:
            raise bad(str(index), f"names something that is not a file next to it: {quoted(name)}")
        if look(folder / name) != "file":
            raise bad(str(index), f"names {quoted(name)}, which does not exist")
    refuse_missing_shards(names, str(index))
    return tuple(names), frozenset(said)
