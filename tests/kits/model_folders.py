"""Model folders and GGUF files with true headers and no weights: files as long as they say, that take no disk."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 4976698672\n"
)
Shapes = Mapping[str, Iterable[int]]
_BYTES = {"BF16": 2, "F16": 2, "F32": 4}


def weights(file: Path, shapes: Shapes, dtype: str = "BF16") -> Path:
    """A safetensors file with these tensors."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(raw)) + raw)
        out.truncate(8 + len(raw) + at)
    return file


def folder(at: Path, files: Mapping[str, Shapes], **config: Any) -> Path:
    """A model folder with these weight files."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "config.json").write_text(json.dumps(CONFIG | config))
    for name, shapes in files.items():
        weights(at / name, shapes)
    return at


def adapter(at: Path, shapes: Shapes | None = None, **config: Any) -> Path:
    """A folder as PEFT writes it; without `shapes` it has no weights."""
    at.mkdir(parents=True, exist_ok=True)
    said = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none"} | config
    (at / "adapter_config.json").write_text(json.dumps(said))
    if shapes is not None:
        weights(at / "adapter_model.safetensors", shapes, "F32")
    return at


def lora(rank: int, modules: Mapping[str, tuple[int, int]], layers: int = 2) -> Shapes:
    """The tensors of a LoRA adapter: what each module takes and gives, in every layer."""
    shapes: dict[str, Iterable[int]] = {}
    for layer in range(layers):
        for name, (takes, gives) in modules.items():
            stem = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            shapes[f"{stem}.lora_A.weight"] = (rank, takes)
            shapes[f"{stem}.lora_B.weight"] = (gives, rank)
    return shapes


MODEL: Shapes = {"token_embd.weight": (64, 32), "blk.0.ffn_up.weight": (64, 64)}


def gguf(file: Path, metadata: Mapping[str, Any], shapes: Shapes | None = None) -> Path:
    """A GGUF file of version 3 with these keys and F32 tensors."""
    tensors = dict(shapes if shapes is not None else MODEL)
    body = b"".join(_text(key) + _value(value) for key, value in metadata.items())
    at, entries = 0, b""
    for name, shape in tensors.items():
        sizes = list(shape)
        entries += _text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, at)
        at += math.prod(sizes) * 4
        at += -at % 32
    raw = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + body + entries
    with file.open("wb") as out:
        out.write(raw)
        out.truncate(len(raw) + -len(raw) % 32 + at)
    return file


def keys(arch: str = "llama", **more: Any) -> dict[str, Any]:
    """The metadata of a model: `__` in a name stands for a dot."""
    said = {
        "block_count": 4,
        "embedding_length": 64,
        "attention.head_count": 8,
        "context_length": 2048,
    }
    said |= {name.replace("__", "."): value for name, value in more.items()}
    return {"general.architecture": arch, **{f"{arch}.{name}": v for name, v in said.items()}}


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    kind, form = (7, "?") if isinstance(value[0], bool) else (4, "I")
    return struct.pack(f"<IIQ{len(value)}{form}", 9, kind, len(value), *value)
