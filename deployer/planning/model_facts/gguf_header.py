"""The header of a GGUF file (versions 2 and 3, little endian). Pure; the weights are not read.

Our own reader and not the `gguf` package's: that one needs numpy (0.1 s of start-up), maps the whole file
and believes its counts. This one reads in small steps, keeps no token list, and every length is compared
with what is left of the file before anything is allocated. Format: ggml's docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from deployer.core.errors import UsageError, quoted
from deployer.core.quantization import GGML_TYPES
from deployer.planning.model_facts.byte_reader import Skipped, Source
from deployer.planning.model_facts.files import opened
from deployer.planning.model_facts.strict_json import bad

_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST_PAIRS, _KEPT_ITEMS = 2000, 1024
MOST_TENSORS = 200_000
"""Most tensors of one model; the largest published ones have a few thousand, experts being stacked."""


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself. Long values of `metadata` are `Skipped`.

    `params` counts the elements of all tensors, `bytes_by_type` their bytes by ggml type;
    `expert_params` are those of routed experts, `embedding_params` of the embedding and the head.
    """

    version: int
    metadata: Mapping[str, Any]
    tensors: int
    params: int
    expert_params: int
    embedding_params: int
    bytes_by_type: Mapping[int, int]
    data_offset: int

    @property
    def tensor_bytes(self) -> int:
        """The size of all tensors in bytes."""
        return sum(self.bytes_by_type.values())


def read(path: Path) -> GgufHeader:
    """Read a GGUF file's header and check that the file holds all its tensors.

    Raises:
        UsageError: it is missing, is no GGUF file, is truncated, or contradicts itself.
    """
    with opened(path) as (file, size):
        return _read(Source(file, size, str(path)))


def _read(source: Source) -> GgufHeader:
    version, tensors, pairs = _start(source)
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = source.name()
        if key in metadata:
            raise bad(source.where, f"has a duplicate key {quoted(key)}")
        metadata[key] = _value(source, source.scalar("<I"))
    return _with_tensors(source, version, metadata, tensors)


def _start(source: Source) -> tuple[int, int, int]:
    if source.size < 24 or source.take(4) != b"GGUF":
        raise UsageError(
            f"{source.where} is not a GGUF file",
            hint="set model.source to a .gguf file, or to a folder with config.json and safetensors files",
            where=source.where,
        )
    version = source.scalar("<I")
    if version not in (2, 3):
        raise bad(
            source.where,
            f"is GGUF version {version}; versions 2 and 3 (little endian) are supported",
        )
    tensors, pairs = source.scalar("<Q"), source.scalar("<Q")
    if tensors > MOST_TENSORS or pairs > _MOST_PAIRS:
        raise bad(source.where, f"claims to have {tensors:,} tensors and {pairs:,} keys")
    return version, tensors, pairs


def _value(source: Source, kind: int) -> Any:
    if kind in _SCALARS:
        return source.scalar(_SCALARS[kind])
    if kind == _STRING:
        return source.text()
    if kind == _ARRAY:
        return _array(source, source.scalar("<I"), source.scalar("<Q"))
    raise bad(source.where, f"has a value of unknown type {kind}")


def _array(source: Source, kind: int, count: int) -> Any:
    if kind == _STRING:
        source.skip_texts(count)
        return Skipped(count)
    if kind not in _SCALARS:
        raise bad(source.where, f"has a list of unknown type {kind}")
    size = struct.calcsize(_SCALARS[kind])
    if count > _KEPT_ITEMS:
        source.skip(count * size)
        return Skipped(count)
    return list(struct.unpack(f"<{count}{_SCALARS[kind][1]}", source.take(count * size)))


def _with_tensors(
    source: Source, version: int, metadata: Mapping[str, Any], tensors: int
) -> GgufHeader:
    sizes: Counter[int] = Counter()
    params: Counter[str] = Counter()
    names: set[str] = set()
    end = 0
    for _ in range(tensors):
        name, kind, elements, nbytes, offset = _tensor(source)
        names.add(name)
        sizes[kind] += nbytes
        params["all"] += elements
        params["experts"] += elements if "_exps." in name else 0
        params["embedding"] += elements if name in ("token_embd.weight", "output.weight") else 0
        end = max(end, offset + nbytes)
    start = source.at + -source.at % _alignment(source, metadata)
    if len(names) != tensors:
        raise bad(source.where, "has a duplicate tensor name")
    if start + max(end, sizes.total()) > source.size:
        missing = start + max(end, sizes.total()) - source.size
        raise bad(
            source.where, f"is truncated: the last {missing:,} bytes of its tensors are missing"
        )
    counts = (params["all"], params["experts"], params["embedding"])
    return GgufHeader(version, metadata, tensors, *counts, dict(sizes), start)


def _tensor(source: Source) -> tuple[str, int, int, int, int]:
    """Return a tensor's name, type, elements, bytes and offset."""
    name, rank = source.name(), source.scalar("<I")
    if rank > 8:
        raise bad(source.where, f"has a tensor of {rank} dimensions: {quoted(name)}")
    shape = [source.scalar("<Q") for _ in range(rank)]
    kind, offset = source.scalar("<I"), source.scalar("<Q")
    if kind not in GGML_TYPES:
        what = f"has a tensor of unknown type {kind}: {quoted(name)}"
        raise bad(source.where, what)
    _, block, nbytes = GGML_TYPES[kind]
    elements = prod(shape)
    if shape and shape[0] % block:
        raise bad(
            source.where, f"has a tensor that is not a whole number of blocks: {quoted(name)}"
        )
    return name, kind, elements, elements // block * nbytes, offset


def _alignment(source: Source, metadata: Mapping[str, Any]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 8 <= value <= 2**20 or value & (value - 1):
        raise bad(source.where, f"has general.alignment = {quoted(value)}")
    return value
