"""The header of a GGUF file (versions 2 and 3, little endian). Pure; the weights are not read.

Our own reader and not the `gguf` package's: that one needs numpy (0.1 s of start-up), maps the whole file
and believes its counts. This one reads in small steps, keeps no token list, and every length is compared
with what is left of the file before anything is allocated. Format: ggml's docs/gguf.md.
"""

from __future__ import annotations

import re
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
_BLOCK = re.compile(r"blk\.(\d{1,5})\.")
_OLDER = (b"lmgg", b"fmgg", b"tjgg")
"""What files in the formats before GGUF begin with: GGML, GGMF and GGJT, least byte first."""
REMOVED = {
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
    36: "IQ4_NL_4_4 (or I2_S of bitnet.cpp)", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}  # fmt: skip
"""Tensor types that llama.cpp had and took out again (ggml.h)."""
FORK = range(97, 400)
"""Tensor types of ik_llama.cpp, a fork with quantizations of its own (its ggml.h); llama.cpp has none above 96."""
MOST_TENSORS = 200_000
"""Most tensors of one model; the largest published ones have a few thousand, experts being stacked."""


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself. Long values of `metadata` are `Skipped`.

    `params` counts the elements of all tensors, `bytes_by_type` their bytes by ggml type;
    `expert_params` are those of routed experts, `embedding_params` of the embedding and the head. `lora_rank` is the
    largest rank of an adapter's matrices; None in a model. `layers` are the numbers of those that it has tensors of.
    """

    version: int
    metadata: Mapping[str, Any]
    tensors: int
    params: int
    expert_params: int
    embedding_params: int
    bytes_by_type: Mapping[int, int]
    data_offset: int
    lora_rank: int | None = None
    layers: frozenset[int] = frozenset()

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
    magic = source.take(4) if source.size >= 24 else b""
    if magic != b"GGUF":
        raise _not_gguf(magic, source.where)
    version = source.scalar("<I")
    if version not in (2, 3):
        raise _other_version(version, source.where)
    tensors, pairs = source.scalar("<Q"), source.scalar("<Q")
    if tensors > MOST_TENSORS or pairs > _MOST_PAIRS:
        raise bad(source.where, f"claims to have {tensors:,} tensors and {pairs:,} keys")
    return version, tensors, pairs


def _not_gguf(magic: bytes, where: str) -> UsageError:
    hint = "set model.source to a .gguf file, or to a folder with config.json and safetensors files"
    if magic in _OLDER:
        hint = (
            "it is in llama.cpp's older format GGML: fetch the model as GGUF, or convert it again"
        )
    return UsageError(f"{where} is not a GGUF file", hint=hint, where=where)


def _other_version(version: int, where: str) -> UsageError:
    if version == 1:
        what, hint = (
            "GGUF version 1",
            "llama.cpp reads versions 2 and 3: convert the model again, or fetch a newer file",
        )
    elif int.from_bytes(version.to_bytes(4, "little"), "big") in (1, 2, 3):
        what = "a big-endian file (for s390x)"
        hint = "fetch the little-endian file of the model, or turn it with gguf_convert_endian.py"
    else:
        what, hint = (
            f"GGUF version {version}",
            "versions 2 and 3 are supported: update deployer, or convert the model again",
        )
    return UsageError(f"{where} is {what}", hint=hint, where=where)


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
    layers: set[int] = set()
    end = rank = 0
    for _ in range(tensors):
        name, kind, shape, nbytes, offset = _tensor(source)
        elements = prod(shape)
        if name.endswith(".lora_a") and len(shape) > 1:
            rank = max(rank, shape[1])
        names.add(name)
        if block := _BLOCK.match(name):
            layers.add(int(block[1]))
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
    return GgufHeader(
        version,
        metadata,
        tensors,
        *counts,
        bytes_by_type=dict(sizes),
        data_offset=start,
        lora_rank=rank or None,
        layers=frozenset(layers),
    )


def _tensor(source: Source) -> tuple[str, int, list[int], int, int]:
    """Return a tensor's name, type, shape, bytes and offset."""
    name, rank = source.name(), source.scalar("<I")
    if rank > 8:
        raise bad(source.where, f"has a tensor of {rank} dimensions: {quoted(name)}")
    shape = [source.scalar("<Q") for _ in range(rank)]
    kind, offset = source.scalar("<I"), source.scalar("<Q")
    if kind not in GGML_TYPES:
        raise _other_type(kind, name, source.where)
    _, block, nbytes = GGML_TYPES[kind]
    if shape and shape[0] % block:
        raise bad(
            source.where, f"has a tensor that is not a whole number of blocks: {quoted(name)}"
        )
    return name, kind, shape, prod(shape) // block * nbytes, offset


def _other_type(kind: int, name: str, where: str) -> UsageError:
    if kind in REMOVED:
        what = (
            f"has tensors of type {REMOVED[kind]}, which llama.cpp no longer reads: {quoted(name)}"
        )
        again = "iq4_nl" if "NL" in REMOVED[kind] else "q4_0"
        hint = f"quantize the model again, to {again}: llama.cpp repacks that for the CPU as it loads it"
        return UsageError(f"{where} {what}", hint=hint, where=where)
    if kind in FORK:
        what = f"has tensors of type {kind}, of the fork ik_llama.cpp: {quoted(name)}"
        hint = "llama.cpp does not read it: take a file in one of llama.cpp's own formats, such as q4_k_m"
        return UsageError(f"{where} {what}", hint=hint, where=where)
    what = f"has a tensor of unknown type {kind}: {quoted(name)}"
    if kind > max(FORK):
        return bad(where, what)
    hint = "a newer llama.cpp or another program wrote it: take a file in a common format, such as q4_k_m"
    return UsageError(f"{where} {what}", hint=hint, where=where)


def _alignment(source: Source, metadata: Mapping[str, Any]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or not 8 <= value <= 2**20 or value & (value - 1):
        raise bad(source.where, f"has general.alignment = {quoted(value)}")
    return value
