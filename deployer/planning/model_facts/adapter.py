"""A LoRA adapter on this disk: a folder as PEFT writes it, or a GGUF file. Pure.

`adapter_config.json` says base, rank and method; the tensors say the rank, the size and what they fit on, and they are
the adapter, so they win. Source: peft's LoraConfig and save_pretrained, llama.cpp's convert_lora_to_gguf.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.core.adapter import Adapter
from deployer.core.errors import UsageError
from deployer.planning.model_facts import gguf_files, gguf_header, safetensors_header, strict_json
from deployer.planning.model_facts.files import look, refuse_pointers
from deployer.planning.model_facts.strict_json import Keys
from deployer.planning.model_facts.tensor_totals import Tensor

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
LARGEST_RANK = 65_536
LAYER = re.compile(r"\.(?:layers|h|blocks?|blk)\.(\d+)\.")
_SIDE = re.compile(r"\.([^.]+)\.lora_(A|B)(?:\.\w+)?\.weight$")


def describe(path: Path, said: str) -> Adapter:
    """Describe the adapter at a path. `said` is how the spec writes it.

    Raises:
        UsageError: there is nothing, or it is a model and no adapter, or it is damaged.
    """
    kind = look(path)
    if kind is None:
        raise UsageError(
            f"the adapter {path} does not exist",
            hint="model.adapter is relative to the spec's folder: correct the path, or put the adapter there",
            where=str(path),
        )
    if kind == "folder":
        return _folder(path, said)
    if kind != "file" or not gguf_files.is_gguf(path):
        raise UsageError(
            f"{path} is not an adapter",
            hint=f"an adapter is a folder with {CONFIG}, or a GGUF file for llama.cpp",
            where=str(path),
        )
    return _gguf(path, said)


def base_in(folder: Path) -> str | None:
    """Return the base model that a folder's adapter_config.json names.

    Raises:
        UsageError: that file is damaged.
    """
    return _keys(folder / CONFIG).text("base_model_name_or_path")


def _keys(path: Path) -> Keys:
    return Keys(strict_json.read(path), str(path))


def _folder(folder: Path, said: str) -> Adapter:
    if look(folder / CONFIG) != "file":
        whole = look(folder / "config.json") == "file"
        raise UsageError(
            f"{folder} is not an adapter: it has no {CONFIG}",
            hint="it is a model: set model.source to it and leave model.adapter out"
            if whole
            else f"PEFT's save_pretrained writes {CONFIG} and {WEIGHTS} into one folder: name that one",
            where=str(folder),
        )
    refuse_pointers(folder)
    found = from_config(_keys(folder / CONFIG), said)
    found = replace(found, path=str(folder))
    if look(folder / WEIGHTS) == "file":
        return with_tensors(found, safetensors_header.tensors_of(folder / WEIGHTS))
    if look(folder / PICKLED) == "file":
        return replace(found, nbytes=(folder / PICKLED).stat().st_size)
    several = any(folder.glob("adapter_model[-_]*of*"))
    why = f", in several files: save it again in one ({WEIGHTS})" if several else f" ({WEIGHTS})"
    what = "its weights" if several else "no weights"
    return replace(found, lacking=f"the adapter {said} has {what}{why}")


def from_config(keys: Keys, said: str) -> Adapter:
    """Read what adapter_config.json says, on this disk or at the model hub.

    Raises:
        UsageError: a figure is absurd or not a number.
    """
    ranks = keys.inner("rank_pattern")
    each = [ranks.whole(name, most=LARGEST_RANK) or 0 for name in ranks.values] if ranks else []
    named = keys.values.get("target_modules")
    return Adapter(
        said,
        format="peft",
        base=keys.text("base_model_name_or_path"),
        rank=max((keys.whole("r", most=LARGEST_RANK) or 0, *each)) or None,
        alpha=_number(keys.values.get("lora_alpha")),
        dora=keys.flag("use_dora"),
        targets=_names(named) if isinstance(named, list) else None,
        whole=_names(keys.items("modules_to_save") or ()),
        bias=keys.text("bias"),
        kind=keys.text("peft_type"),
    )


def _names(listed: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(one)[:120].rpartition(".")[2] for one in listed}))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def with_tensors(found: Adapter, tensors: Iterable[Tensor]) -> Adapter:
    """Add what the tensors say: the size, the ranks, and what each adapted module takes and gives."""
    nbytes, ranks, layers = 0, set[int](), set[int]()
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    dora = found.dora
    for tensor in tensors:
        nbytes += tensor.nbytes
        dora = dora or "lora_magnitude_vector" in tensor.name or None
        if (side := _SIDE.search(tensor.name)) and len(tensor.shape) == 2:
            rank, width = tensor.shape if side[2] == "A" else tensor.shape[::-1]
            ranks.add(rank)
            (inputs if side[2] == "A" else outputs)[side[1]] = width
            layers |= {int(n) + 1 for n in LAYER.findall(tensor.name)[:1]}
    return replace(
        found,
        nbytes=nbytes,
        rank=max(ranks, default=found.rank),
        dora=dora,
        widths={name: (inputs[name], outputs[name]) for name in inputs if name in outputs},
        layers=max(layers, default=None),
    )


def _gguf(path: Path, said: str) -> Adapter:
    header = gguf_header.read(path)
    if gguf_files.kind(header) != "adapter" or header.metadata.get("adapter.type") != "lora":
        raise UsageError(
            f"{path} is not a LoRA adapter",
            hint="convert one with llama.cpp's convert_lora_to_gguf.py, or set model.source to a model",
            where=str(path),
        )
    architecture = header.metadata.get("general.architecture")
    return Adapter(
        said,
        path=str(path),
        format="gguf",
        rank=header.lora_rank,
        alpha=_number(header.metadata.get("adapter.lora.alpha")),
        nbytes=header.tensor_bytes,
        architecture=architecture if isinstance(architecture, str) else None,
        base=_base_of(header.metadata),
    )


def _base_of(metadata: Mapping[str, Any]) -> str | None:
    said = metadata.get("general.base_model.0.repo_url") or metadata.get(
        "general.base_model.0.name"
    )
    return said.removeprefix("https://huggingface.co/") if isinstance(said, str) else None
