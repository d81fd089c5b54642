"""A model on this disk: a folder with config.json and safetensors files, or a GGUF file. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import (
    gguf_header,
    safetensors_header,
    strict_json,
    tensor_totals,
)
from deployer.planning.model_facts.consistency import check
from deployer.planning.model_facts.files import few, listed, look
from deployer.planning.model_facts.gguf_facts import to_info
from deployer.planning.model_facts.hf_config import from_config
from deployer.planning.model_facts.provenance import with_origin

HANDLER = "handler.py"
QUANT_CONFIG = "hf_quant_config.json"
_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


def describe(path: Path, said: str) -> ModelInfo:
    """Describe the model at a path. `said` is how the spec writes it.

    Raises:
        UsageError: there is nothing, or not a whole model, or a damaged one.
    """
    info = _described(path, said)
    check(info, str(path))
    return info


def _described(path: Path, said: str) -> ModelInfo:
    kind = look(path)
    if kind == "folder":
        return _folder(path, said)
    if kind is None:
        raise UsageError(
            f"{path} does not exist", hint=_hint(path), where=str(path), key="model.source"
        )
    if path.suffix.lower() != ".gguf" or kind != "file":
        raise UsageError(
            f"{path} is neither a folder nor a .gguf file",
            hint="model.source: hf:<repo>, ./folder, ./file.gguf or <scheme>://bucket/prefix",
            where=str(path),
            key="model.source" if kind == "file" else None,
        )
    return _gguf(path, said)


def handler(folder: Path) -> ModelInfo:
    """Describe a folder with a handler.py of the user's own: of what it loads nothing is known.

    Raises:
        UsageError: there is no such file.
    """
    if look(folder / HANDLER) != "file":
        raise UsageError(
            f"{folder} has no {HANDLER}",
            hint="write one with load() and predict(model, request), as in examples/handler",
            where=str(folder),
            key="model.source",
        )
    note = f"{HANDLER} loads what it needs: its size and speed are unknown"
    return ModelInfo(folder.name, file_format="handler", native_dtype="none", notes=(note,))


def code_digest(folder: Path) -> str:
    """Return the SHA-256 of a handler's code: its requirements and every Python file under its folder, with its name."""
    told = hashlib.sha256()
    for file in sorted((*folder.rglob("*.py"), *folder.glob("requirements.txt"))):
        told.update(f"{file.relative_to(folder)}\0".encode())
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()


def _hint(path: Path) -> str:
    generate = path.parent / "generate.py"
    if look(generate) != "file":
        return "model.source is relative to the spec's folder: correct the path, or put the model there"
    here = Path.cwd()
    shown = generate.relative_to(here) if generate.is_relative_to(here) else generate
    return f"create it: python {shown}"


def _gguf(path: Path, said: str) -> ModelInfo:
    headers = list(_headers(path))
    sizes: dict[int, int] = {}
    for header in headers:
        for kind, nbytes in header.bytes_by_type.items():
            sizes[kind] = sizes.get(kind, 0) + nbytes
    whole = replace(
        headers[0],
        params=sum(h.params for h in headers),
        expert_params=sum(h.expert_params for h in headers),
        embedding_params=sum(h.embedding_params for h in headers),
        bytes_by_type=sizes,
    )
    return with_origin(to_info(whole, path.name, str(path)), f"GGUF header of {said}")


def _headers(path: Path) -> Iterator[gguf_header.GgufHeader]:
    tensors = 0
    for part in _parts(path):
        yield (header := gguf_header.read(part))
        tensors += header.tensors
        if tensors > gguf_header.MOST_TENSORS:
            raise strict_json.bad(
                str(path), f"has more than {gguf_header.MOST_TENSORS:,} tensors in its parts"
            )


def _parts(path: Path) -> Iterator[Path]:
    """Return every file of a model that was split (`x-00001-of-00003.gguf`), the first one first."""
    match = _PART.fullmatch(path.name)
    if match is None:
        yield path
        return
    stem, this, last = match.groups()
    if not 1 <= int(this) <= int(last):
        raise strict_json.bad(str(path), f"is part {int(this)} of {int(last)} by its name")
    few(int(last), path)
    for number in range(1, int(last) + 1):
        part = path.with_name(f"{stem}-{number:05d}-of-{last}.gguf")
        if look(part) != "file":
            raise strict_json.bad(
                str(path), f"is one of {int(last)} parts, and {part.name} is missing"
            )
        yield part


def _folder(folder: Path, said: str) -> ModelInfo:
    config = folder / "config.json"
    if look(config) is None and look(folder / HANDLER) == "file":
        return handler(folder)
    if look(config) is None:
        return _only_gguf(folder, said)
    info = _configured(folder, said)
    files = safetensors_header.files_in(folder)
    if files:
        tensors = safetensors_header.tensors_in(files)
        sums = tensor_totals.add_up(tensors, info.native_dtype, info.experts)
        summed = tensor_totals.with_sums(info, sums)
        return with_origin(summed, f"safetensors headers in {said}", since=info)
    if listed(folder, ".bin"):
        note = "its weights are pickled .bin files, whose size cannot be read: convert them to safetensors"
        return replace(info, notes=(*info.notes, note))
    raise _lacks(folder, "no weights (*.safetensors)")


def _configured(folder: Path, said: str) -> ModelInfo:
    """Describe a model by its config.json, and by hf_quant_config.json where it lies beside it."""
    config, quant = folder / "config.json", folder / QUANT_CONFIG
    read = strict_json.config(config)
    info = with_origin(from_config(folder.name, read, str(config)), f"config.json in {said}")
    if look(quant) is None:
        return info
    both = from_config(folder.name, read, str(config), strict_json.config(quant))
    both = replace(both, origins=info.origins)
    return with_origin(both, f"{QUANT_CONFIG} in {said}", since=info)


def _only_gguf(folder: Path, said: str) -> ModelInfo:
    """Describe a folder that holds one GGUF model and no config.json."""
    found = listed(folder, ".gguf")
    first = [f for f in found if not _PART.fullmatch(f.name) or "-00001-of-" in f.name]
    if len(first) == 1:
        return _gguf(first[0], f"{said}/{first[0].name}")
    if first:
        names = ", ".join(f.name for f in first[:5])
        raise UsageError(
            f"{folder} holds several GGUF files: {names}",
            hint="set model.source to one of them",
            where=str(folder),
        )
    raise _lacks(folder, "no config.json")


def _lacks(folder: Path, what: str) -> UsageError:
    return UsageError(
        f"{folder} is not a model folder: it has {what}",
        hint="a model folder has config.json and *.safetensors; a GGUF model is named by its file",
        where=str(folder),
    )
