"""A model on this disk: a folder with config.json and safetensors files, or a GGUF file. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from deployer.core.domain import ModelInfo
from deployer.core.errors import UsageError
from deployer.planning.model_facts import (
    gguf_files,
    safetensors_header,
    strict_json,
    tensor_totals,
    weight_files,
)
from deployer.planning.model_facts.adapter import CONFIG as ADAPTER
from deployer.planning.model_facts.adapter import base_in
from deployer.planning.model_facts.consistency import check
from deployer.planning.model_facts.files import listed, look, opened, refuse_pointers
from deployer.planning.model_facts.gguf_facts import to_info
from deployer.planning.model_facts.hf_config import from_config
from deployer.planning.model_facts.provenance import with_origin
from deployer.planning.model_facts.purpose import has_layers_without_weights, other_than_text
from deployer.planning.model_facts.seen_layers import SeenLayers, refuse_missing

HANDLER = "handler.py"
QUANT_CONFIG = "hf_quant_config.json"
MODULES = "modules.json"
MOSTLY = 0.9


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
    if kind != "file" or not gguf_files.is_gguf(path):
        raise UsageError(
            f"{path} is neither a folder nor a .gguf file",
            hint="set model.source to the folder that it lies in"
            if path.suffix in (".safetensors", ".json", ".bin")
            else "model.source: hf:<repo>, ./folder, ./file.gguf or <scheme>://bucket/prefix",
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
    first = gguf_files.served(path)
    info = to_info(gguf_files.whole(path), first.name, str(path))
    if first != path:
        note = f"{path.name} is a later part of a split model: it is served from the first, {first.name}"
        info = replace(info, notes=(*info.notes, note))
    return with_origin(info, f"GGUF header of {said}")


def _folder(folder: Path, said: str) -> ModelInfo:
    config = folder / "config.json"
    if look(config) is None and look(folder / HANDLER) == "file":
        return handler(folder)
    if look(config) is None:
        return _only_gguf(folder, said)
    refuse_pointers(folder)
    info = _configured(folder, said)
    weights = safetensors_header.weights_in(folder)
    if weights is not None:
        seen = SeenLayers()
        sums = tensor_totals.add_up(
            seen.passing(weights.tensors()), info.native_dtype, info.experts
        )
        if info.other_use is None and not has_layers_without_weights(info.architecture):
            refuse_missing(seen.of_text(), info.layers, str(folder))
        if info.layers and seen.none and sums.embedding_params > MOSTLY * (sums.params or 0) > 0:
            raise _lacks(folder, "an embedding and no layers", said)
        summed = tensor_totals.with_sums(info, sums)
        summed = replace(summed, notes=(*summed.notes, *weights.notes))
        return with_origin(summed, f"safetensors headers in {said}", since=info)
    if weight_files.pickled((f.name for f in listed(folder, ".bin")), str(folder)):
        note = "its weights are pickled .bin files, whose size cannot be read: convert them to safetensors"
        return replace(info, notes=(*info.notes, note))
    if listed(folder, ".gguf"):
        return _only_gguf(folder, said)
    raise _lacks(folder, "no weights (*.safetensors)", said)


def _configured(folder: Path, said: str) -> ModelInfo:
    """Describe a model by its config.json, and by hf_quant_config.json where it lies beside it."""
    config, quant = folder / "config.json", folder / QUANT_CONFIG
    read = strict_json.config(config)
    info = with_origin(from_config(folder.name, read, str(config)), f"config.json in {said}")
    info = replace(info, other_use=other_than_text(info.architecture) or _pools(folder))
    if look(quant) is None:
        return info
    both = from_config(folder.name, read, str(config), strict_json.config(quant))
    both = replace(both, origins=info.origins, other_use=info.other_use)
    return with_origin(both, f"{QUANT_CONFIG} in {said}", since=info)


def _pools(folder: Path) -> str | None:
    """Say that sentence-transformers embeds with a model, by the list of its modules; vLLM then does so too."""
    if look(folder / MODULES) != "file":
        return None
    with opened(folder / MODULES) as (file, _):
        pools = b".Pooling" in file.read(strict_json.CONFIG_CAP)
    return f"a model that embeds ({MODULES} has a pooling layer)" if pools else None


def _only_gguf(folder: Path, said: str) -> ModelInfo:
    """Describe a folder that holds one GGUF model and no config.json."""
    refuse_pointers(folder)
    if not listed(folder, ".gguf"):
        raise _lacks(folder, "no config.json", said)
    model = gguf_files.only_model(folder)
    return _gguf(model, f"{said}/{model.name}")


def _lacks(folder: Path, what: str, said: str) -> UsageError:
    if look(folder / ADAPTER) == "file":
        base = base_in(folder)
        source = f"hf:{base}" if base and base.count("/") == 1 and base[0] not in "./" else base
        return UsageError(
            f"{folder} is a LoRA adapter{f' of {base}' if base else ''}, not a model",
            hint=f"set model.source to its base{f', {source},' if source else ''} and model.adapter to {said}",
            where=str(folder),
        )
    trained = weight_files.unmerged(folder)
    return UsageError(
        f"{folder} is not a model folder: it has {what}",
        hint=trained
        or "a model folder has config.json and *.safetensors; a GGUF model is named by its file",
        where=str(folder),
    )
