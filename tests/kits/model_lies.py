"""Model folders and files that are not what they say: each writes one under a folder of its own."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
ENTRY = {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
MIB = 2**20


def config(folder: Path, text: str | bytes) -> None:
    """A config.json of this text beside weights that are right."""
    (folder / "config.json").write_bytes(text.encode() if isinstance(text, str) else text)
    header(folder, json.dumps({"w": ENTRY}).encode(), 12)


def shape(folder: Path, **keys: Any) -> None:
    """A config.json with these keys besides."""
    config(folder, json.dumps(CONFIG | keys))


def header(folder: Path, raw: bytes, data: int = 0, length: int | None = None) -> None:
    """A safetensors file with this header, beside a config.json if there is none."""
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text(json.dumps(CONFIG))
    said = struct.pack("<Q", len(raw) if length is None else length)
    (folder / WEIGHTS).write_bytes(said + raw + bytes(data))


def index(folder: Path, weight_map: Any) -> None:
    """An index beside weights that are right."""
    shape(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))


def many(text: str, size: int) -> bytes:
    """One JSON object of about that many bytes, of keys that differ."""
    each = len(text % 0) + 1
    return ("{" + ",".join(text % n for n in range(size // each)) + "}").encode()


def sparse(folder: Path) -> None:
    """A file of a terabyte that takes no disk, which is all header by its own word."""
    header(folder, b"{}", length=2**40 - 8)
    os.truncate(folder / WEIGHTS, 2**40)


def linked(folder: Path, name: str, to: str) -> None:
    """A model folder where one file is a link."""
    shape(folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(to)


def piped(folder: Path, name: str) -> None:
    """A model folder where one file is a pipe that nobody writes to."""
    shape(folder)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)


def foldered(folder: Path, name: str) -> None:
    """A model folder where one file is a folder."""
    shape(folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()


def crowded(folder: Path) -> None:
    """A folder with more weight files than any model has."""
    shape(folder)
    for number in range(1001):
        (folder / f"{number}.safetensors").hardlink_to(folder / WEIGHTS)


def long_together(folder: Path) -> None:
    """Fifty links to one file with a header of 4 MB."""
    raw = json.dumps({"w": ENTRY} | {"__metadata__": {"x": "y" * 4 * MIB}}).encode()
    header(folder, raw, 12)
    for number in range(50):
        (folder / f"{number}.safetensors").symlink_to(WEIGHTS)


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(
    folder: Path, *pairs: bytes, tensors: int = 0, name: str = "m.gguf", count: int = 0
) -> Path:
    """A GGUF file of an architecture with these pairs of metadata; `count` is what it says it has."""
    every = (_text("general.architecture") + struct.pack("<I", 8) + _text("llama"), *pairs)
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, count or len(every))
    raw = head + b"".join(every)
    (folder / name).write_bytes(raw + bytes(-len(raw) % 32 + 32))
    return folder / name


def figure(key: str, value: int) -> bytes:
    """One number of the metadata."""
    return _text(f"llama.{key}") + struct.pack("<IQ", 10, value)


def endless(folder: Path) -> None:
    """A list of two billion empty texts, in a file that takes no disk."""
    start = struct.pack("<IIQ", 9, 8, 2**31)
    path = gguf(folder, _text("tokenizer.ggml.tokens") + start)
    os.truncate(path, 2**35)


def blocks(folder: Path, count: int, guessing: int = 0) -> None:
    """A GGUF file with so many layers by its word."""
    more = figure("embedding_length", 64), figure("attention.head_count", 8)
    gguf(folder, figure("block_count", count), figure("nextn_predict_layers", guessing), *more)


DEEP = 10**6
KEYS, WIDE = '"a key of twenty %010d":0', '"\U0001f642%08d":0'

LIES: dict[str, Callable[[Path], object]] = {
    "layers are NaN": lambda f: config(f, '{"num_hidden_layers": NaN}'),
    "layers are negative": lambda f: shape(f, num_hidden_layers=-2),
    "layers are a billion": lambda f: shape(f, num_hidden_layers=10**9),
    "layers are 1e999": lambda f: config(f, '{"num_hidden_layers": 1e999}'),
    "layers have ten thousand digits": lambda f: config(f, '{"num_hidden_layers": %s}' % ("9" * 10_000)),
    "the hidden size is text": lambda f: shape(f, hidden_size="\x1b[31m" * 1000),
    "more experts are asked than there are": lambda f: shape(f, num_experts=4, num_experts_per_tok=8),
    "fewer layer types than layers": lambda f: shape(f, layer_types=["full_attention"]),
    "a key stands twice": lambda f: config(f, '{"hidden_size": 1, "hidden_size": 2}'),
    "config.json is no JSON": lambda f: config(f, "\xff\xfe{".encode("latin-1")),
    "config.json is empty": lambda f: config(f, ""),
    "config.json is a list": lambda f: config(f, "[]"),
    "config.json is a million lists deep": lambda f: config(f, "[" * DEEP + "]" * DEEP),
    "config.json is a million objects deep": lambda f: config(f, '{"a":' * DEEP + "1" + "}" * DEEP),
    "config.json has 9 MB of keys": lambda f: config(f, b'{"a":0' + b',"a":0' * (9 * MIB // 6) + b"}"),
    "config.json is a folder": lambda f: foldered(f, "config.json"),
    "config.json is a pipe": lambda f: piped(f, "config.json"),
    "config.json is endless": lambda f: linked(f, "config.json", "/dev/zero"),
    "config.json is a link to itself": lambda f: linked(f, "config.json", "config.json"),
    "the weights are truncated": lambda f: header(f, json.dumps({"w": ENTRY}).encode(), 11),
    "the weights are empty": lambda f: header(f, b"", length=0),
    "a header of a terabyte": lambda f: header(f, b"{}", length=2**40),
    "a header of a terabyte that is there": sparse,
    "a header of NaN": lambda f: header(f, b'{"w": NaN}'),
    "a header a million lists deep": lambda f: header(f, b'{"w": ' + b"[" * DEEP),
    "a header of 100 MB of keys": lambda f: header(f, b'{"a":0' + b',"a":0' * (17 * MIB) + b"}"),
    "a header of 30 MB of short keys": lambda f: header(f, b'{"a":0' + b',"a":0' * (5 * MIB) + b"}"),
    "a header of a million keys": lambda f: header(f, many(KEYS, 28 * MIB)),
    "a header of wide keys": lambda f: header(f, many(WIDE, 6 * MIB)),
    "a header of 31 MB of one text": lambda f: header(f, b'{"\xf0\x9f\x99\x82%s": 0}' % (b"a" * 31 * MIB)),
    "a shape is negative": lambda f: header(f, json.dumps({"w": ENTRY | {"shape": [-6]}}).encode(), 12),
    "tensors overlap": lambda f: header(f, json.dumps({"w": ENTRY, "v": ENTRY}).encode(), 12),
    "the weights are a folder": lambda f: foldered(f, WEIGHTS),
    "the weights are a pipe": lambda f: piped(f, WEIGHTS),
    "the weights are endless": lambda f: linked(f, WEIGHTS, "/dev/zero"),
    "the weights are in a thousand files": crowded,
    "the headers are long together": long_together,
    "the index is a pipe": lambda f: piped(f, INDEX),
    "the index leads out": lambda f: index(f, {"w": "../../../../etc/passwd"}),
    "the index leads to the root": lambda f: index(f, {"w": "/etc/passwd"}),
    "the index leads up": lambda f: index(f, {"w": ".."}),
    "the index names what cannot be a name": lambda f: index(f, {"w": "a\0b"}),
    "the index names what is too long": lambda f: index(f, {"w": "a" * 5000}),
    "the index names 900 files that are not there": lambda f: index(f, {f"{n}": f"{n}.st" for n in range(900)}),
    "the index names 90,000 files": lambda f: index(f, {f"{n}": f"{n}.st" for n in range(90_000)}),
    "the index has 400,000 keys": lambda f: index(f, {f"{n}": 0 for n in range(400_000)}),
    "a GGUF file is something else": lambda f: (f / "m.gguf").write_bytes(b"PK\x03\x04" * 100),
    "a GGUF file is truncated": lambda f: os.truncate(gguf(f, figure("block_count", 2)), 40),
    "a GGUF file has 2**60 keys": lambda f: gguf(f, count=2**60),
    "a GGUF file has 2**60 tensors": lambda f: gguf(f, tensors=2**60),
    "a GGUF file has a billion layers": lambda f: blocks(f, 10**9),
    "a GGUF file has fewer layers than it skips": lambda f: blocks(f, 2, 5),
    "a GGUF file has two billion texts": endless,
    "a GGUF file is a pipe": lambda f: os.mkfifo(f / "m.gguf"),
    "a GGUF file is part 0 of 0": lambda f: gguf(f, name="m-00000-of-00000.gguf"),
    "a GGUF file is one of 99999": lambda f: gguf(f, name="m-00001-of-99999.gguf"),
    "there is nothing": lambda f: None,
}  # fmt: skip


def tell(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write every lie, and yield what it is and the path that a spec would name."""
    for number, (name, lie) in enumerate(LIES.items()):
        own = folder / f"lie-{number}"
        own.mkdir()
        lie(own)
        files = sorted(own.glob("m*.gguf"))
        yield name, files[0] if files else own
