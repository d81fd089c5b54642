"""Which GGUF files are a model: one file, or all parts of one that was split, and no file of another kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deployer.core.errors import UsageError, quoted
from deployer.planning.model_facts import gguf_header, strict_json
from deployer.planning.model_facts.files import few, listed, look, opened
from deployer.planning.model_facts.gguf_header import GgufHeader

PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
NUMBERED = re.compile(r"[-_.]\d{1,6}[-_]of[-_]\d{1,6}$", re.IGNORECASE)
MAGIC = b"GGUF"
MOST_LOOKED_INTO = 8
"""How many files of a folder are opened to see which one is the model."""

_WHOLE = "set model.source to the file of the whole model"
_SERVED_WITH = "it is loaded beside a model: set model.source to the model's own file"
_OTHERS = {
    "mmproj": ("the projector of a vision or audio model", _SERVED_WITH),
    "adapter": ("a LoRA adapter", "set model.source to its base model, and model.adapter to this file"),
    "imatrix": ("an importance matrix, made for quantizing", "set model.source to the model itself"),
    "controlvector": ("a control vector", _SERVED_WITH),
    "draft": ("a draft model for speculative decoding", _SERVED_WITH),
}  # fmt: skip
"""Kinds of GGUF files that are not models: what each is, and what to do."""
_BY_ARCHITECTURE = {
    "clip": "mmproj", "imatrix": "imatrix", "controlvector": "controlvector", "eagle": "draft", "eagle3": "draft",
}  # fmt: skip


def is_gguf(path: Path) -> bool:
    """Whether a file is one by its name, or by its first bytes (Ollama names its files by their digest)."""
    if path.suffix.lower() == ".gguf":
        return True
    with opened(path) as (file, _):
        return file.read(len(MAGIC)) == MAGIC


def served(path: Path) -> Path:
    """Return the file that an engine is given: the first part of a split model, the one model of a folder.

    Raises:
        UsageError: a folder holds none or several.
    """
    if look(path) == "folder":
        return only_model(path)
    match = PART.fullmatch(path.name)
    return path.with_name(_part(match[1], match[3], 1)) if match else path


def only_model(folder: Path) -> Path:
    """Return the one model among the GGUF files of a folder: projectors and adapters beside it do not count.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = listed(folder, ".gguf")
    first = [f for f in found if not PART.fullmatch(f.name) or "-00001-of-" in f.name]
    if 1 < len(first) <= MOST_LOOKED_INTO:
        first = [f for f in first if kind(gguf_header.read(f)) is None] or first
    if len(first) == 1:
        return first[0]
    names = ", ".join(f.name for f in first[:5]) or "only later parts of split models"
    if found:
        raise UsageError(
            f"{folder} holds several GGUF files: {names}" if first else f"{folder} holds {names}",
            hint="set model.source to one of them",
            where=str(folder),
        )
    raise UsageError(f"{folder} holds no GGUF file", where=str(folder))


def whole(path: Path) -> GgufHeader:
    """Read a model, all its parts added up.

    Raises:
        UsageError: a part is missing or damaged, or it is not a model but something beside one.
    """
    headers = list(_headers(path))
    sizes: dict[int, int] = {}
    for header in headers:
        for one, nbytes in header.bytes_by_type.items():
            sizes[one] = sizes.get(one, 0) + nbytes
    total = replace(
        headers[0],
        tensors=sum(h.tensors for h in headers),
        params=sum(h.params for h in headers),
        expert_params=sum(h.expert_params for h in headers),
        embedding_params=sum(h.embedding_params for h in headers),
        bytes_by_type=sizes,
        layers=frozenset[int]().union(*(h.layers for h in headers)),
    )
    _refuse_others(total, str(path))
    return total


def kind(header: GgufHeader) -> str | None:
    """Return what a file is that is not a model (a key of `_OTHERS`, or its own `general.type`); None for a model."""
    said = header.metadata.get("general.type")
    architecture = header.metadata.get("general.architecture")
    if isinstance(said, str) and said not in ("", "model"):
        return said[:40]
    if header.lora_rank:
        return "adapter"  # as converters wrote it before there was a general.type
    return _BY_ARCHITECTURE.get(architecture) if isinstance(architecture, str) else None


def _refuse_others(header: GgufHeader, where: str) -> None:
    if other := kind(header):
        what, hint = _OTHERS.get(other, (f"of type {quoted(other)}", _WHOLE))
        raise UsageError(f"{where} is {what}, not a model", hint=hint, where=where)
    if not header.tensors:
        words = any(key.startswith("tokenizer.") for key in header.metadata)
        raise UsageError(
            f"{where} holds {'a vocabulary and no weights' if words else 'no weights'}",
            hint=_WHOLE,
            where=where,
        )


def _headers(path: Path) -> Iterator[GgufHeader]:
    tensors, said = 0, None
    for number, part in enumerate(parts(path)):
        header = gguf_header.read(part)
        said = said or header.metadata.get("split.tensors.count")
        _refuse_misplaced(header, part, number, said)
        yield header
        tensors += header.tensors
        if tensors > gguf_header.MOST_TENSORS:
            raise strict_json.bad(
                str(path), f"has more than {gguf_header.MOST_TENSORS:,} tensors in its parts"
            )
        _refuse_renamed(header, part)
    if type(said) is int and said != tensors:
        raise strict_json.bad(
            str(path), f"has {tensors:,} tensors in its parts, of {said:,} that it was split from"
        )


def _refuse_misplaced(header: GgufHeader, path: Path, number: int, tensors: object) -> None:
    """A part under the name of another one: a copy, two that were exchanged, one of another model.

    llama.cpp compares these numbers too, as it loads a part.
    """
    match = PART.fullmatch(path.name)
    if match is None or "split.no" not in header.metadata:
        return
    held = [header.metadata.get(f"split.{key}") for key in ("no", "count", "tensors.count")]
    if held != [number, int(match[3]), held[2] if tensors is None else tensors]:
        own = f"part {held[0] + 1} of {held[1]}" if type(held[0]) is int else "no such part"
        raise UsageError(
            f"{path} is {own} of a split model by its header, with {quoted(held[2])} tensors in all:"
            f" it is not part {number + 1} of {int(match[3])} of this one",
            hint="fetch the parts again, all of one model, and leave their names as they are",
            where=str(path),
        )


def _refuse_renamed(header: GgufHeader, path: Path) -> None:
    """A part that is not named as one: llama.cpp finds the others by its name."""
    count, number = (header.metadata.get(f"split.{key}") for key in ("count", "no"))
    if type(count) is not int or count < 2 or PART.fullmatch(path.name):
        return
    which = number + 1 if type(number) is int else 1
    stem = NUMBERED.sub("", path.stem)
    raise UsageError(
        f"{path} is part {which} of {count} of a split model, and is not named as one",
        hint=f"name the parts as they were: {stem}-{which:05d}-of-{count:05d}.gguf",
        where=str(path),
    )


def parts(path: Path) -> Iterator[Path]:
    """Return every file of a model that was split (`x-00001-of-00003.gguf`), the first one first.

    Raises:
        UsageError: one is missing.
    """
    match = PART.fullmatch(path.name)
    if match is None:
        yield path
        return
    stem, this, last = match.groups()
    if not 1 <= int(this) <= int(last):
        raise strict_json.bad(str(path), f"is part {int(this)} of {int(last)} by its name")
    few(int(last), path)
    for number in range(1, int(last) + 1):
        part = path.with_name(_part(stem, last, number))
        if look(part) != "file":
            raise strict_json.bad(
                str(path), f"is one of {int(last)} parts, and {part.name} is missing"
            )
        yield part


def _part(stem: str, last: str, number: int) -> str:
    return f"{stem}-{number:05d}-of-{last}.gguf"
