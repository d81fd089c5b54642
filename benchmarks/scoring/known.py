"""Which model, GPU and format a row of measurements speaks of. What is not recognised is None.

The bundled catalog comes first; `benchmarks/data/models.json` and `gpus.json` add what only the
measurements need. Names are compared without maker, case, punctuation, "Instruct" and the like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from deployer.core.domain import Gpu, ModelInfo
from deployer.core.quantization import FORMATS, normal
from deployer.planning.catalog import gpus, models

DATA = Path(__file__).parents[1] / "data"

_TUNING = re.compile(
    r"[-_. ](instruct|chat|hf|it|gguf|base|text|fp8[-_]?(dynamic|block|kv)?|[fb][pf]?16|nvfp4|fp4|mxfp4|"
    r"awq|gptq([-_]?int[48])?|bnb|unsloth|[248][-_]?bit|int[48]|w[48]a(8|16)([-_]?(int|fp)8?)?|"
    r"quantized|dynamic|marlin|i?q\d(_[\dkxsml]+)*|ud|imatrix|2507|v\d+:\d+|latest)(?=[-_. /]|$)"
)
_SPLIT_FILE = re.compile(r"-\d{5}-of-\d{5}")
_MAKER = re.compile(r"^meta[-_. ]?(?=llama)")
_PUNCTUATION = re.compile(r"[^a-z0-9]")


def short(name: str) -> str:
    """Reduce a model's name to what tells models apart: `unsloth/Meta-Llama-3-8B-Q4_K_M.gguf` to llama38b."""
    text = name.strip().lower().rsplit("/", 1)[-1].partition("@")[0].removesuffix(".gguf")
    text = _MAKER.sub("", _SPLIT_FILE.sub("", text).replace(":", "-"))
    previous = None
    while previous != text:
        previous, text = text, _TUNING.sub("", text)
    return _PUNCTUATION.sub("", text)


@cache
def _models() -> Mapping[str, ModelInfo]:
    own = json.loads((DATA / "models.json").read_text(encoding="utf-8"))["models"]
    bundled = [info for name in models.names() if (info := models.model(name))]
    found: dict[str, ModelInfo] = {}
    for info in [*bundled, *map(_info, own)]:
        found.setdefault(info.name.lower(), info)
        found.setdefault(short(info.name), info)
    for name, same in ALIASES.items():
        found.setdefault(short(name), found[short(same)])
    return found


def _info(row: Mapping[str, Any]) -> ModelInfo:
    names = {f.name for f in fields(ModelInfo)} - {"origins", "notes"}
    return ModelInfo(**{k: v for k, v in row.items() if k in names})


ALIASES = {
    "Qwen2.5-Coder-7B": "Qwen2.5-7B-Instruct",
    "Qwen2.5-Coder-14B": "Qwen2.5-14B-Instruct",
    "Qwen2.5-Coder-32B": "Qwen2.5-32B-Instruct",
    "Qwen2.5-Coder-1.5B": "Qwen2.5-1.5B-Instruct",
    "Qwen2.5-Coder-3B": "Qwen2.5-3B-Instruct",
    "DeepSeek-R1-0528": "DeepSeek-R1",
    "DeepSeek-V3-0324": "DeepSeek-V3",
    "DeepSeek-V3.1": "DeepSeek-V3",
    "Qwen3-30B-A3B-Thinking": "Qwen3-30B-A3B",
    "Qwen3-235B-A22B-Thinking": "Qwen3-235B-A22B",
    "Qwen3-4B-Thinking": "Qwen3-4B",
    "Llama-3.1-Nemotron-70B": "Llama-3.1-70B-Instruct",
    "Mistral-7B-v0.1": "Mistral-7B-Instruct-v0.2",
    "Mistral-Small-24B-Base-2501": "Mistral-Small-24B-Instruct-2501",
    "Mistral-7B": "Mistral-7B-Instruct-v0.2",
    "Mixtral-8x7B": "Mixtral-8x7B-Instruct-v0.1",
    "Mixtral-8x22B": "Mixtral-8x22B-Instruct-v0.1",
    "CodeLlama-7b": "Llama-2-7b-hf",
    "CodeLlama-13b": "Llama-2-13b-hf",
    "CodeLlama-70b": "Llama-2-70b-hf",
    "Kimi-K2-Thinking": "Kimi-K2-Instruct",
    "gpt-oss-20b-mxfp4": "gpt-oss-20b",
    "Phi-3-mini-128k-instruct": "Phi-3-mini-4k-instruct",
    "Phi-3.5-mini-instruct": "Phi-3-mini-4k-instruct",
    "vicuna-7b-v1.5": "Llama-2-7b-hf",
    "vicuna-13b-v1.5": "Llama-2-13b-hf",
    "Hermes-3-Llama-3.1-8B": "Llama-3.1-8B-Instruct",
    "Llama-7b": "Llama-2-7b-hf",
    "Llama-13b": "Llama-2-13b-hf",
}
"""Names that stand for the same shape as another model's."""


def model(name: str) -> ModelInfo | None:
    """Return the model that a row names, in any spelling, or None."""
    known = _models()
    exact = known.get(name.strip().lower())
    found = exact or known.get(short(name))
    return None if found is None else replace(found, name=name.strip())


_BITS = (
    (re.compile(r"(^|[^a-z0-9])(nvfp4|nv[-_]?fp4)"), "nvfp4"),
    (re.compile(r"mxfp4"), "mxfp4"),
    (re.compile(r"gptq|gptq[-_]?marlin"), "gptq"),
    (re.compile(r"awq|w4a16|int4|4[-_ ]?bit"), "awq"),
    (re.compile(r"w8a8[-_]?fp8|fp8|f8_?e4m3"), "fp8"),
    (re.compile(r"w8a8|w8a16|int8|smoothquant"), "int8"),
    (re.compile(r"bf16|bfloat16"), "bf16"),
    (re.compile(r"f16|fp16|float16|half|none|unquantized"), "fp16"),
    (re.compile(r"f32|fp32|float32"), "fp32"),
)
_GGUF = re.compile(r"(?<![a-z0-9])(i?q\d(?:_[a-z0-9]+)*|tq\d_0)")


def form(text: str, info: ModelInfo | None) -> str | None:
    """Return the format that a row names, or None. An empty cell means the format as published."""
    name = normal(text)
    if name in FORMATS:
        return name
    if not name or name in ("auto", "default", "native"):
        return info.native_dtype if info else None
    if (found := _GGUF.search(name)) and normal(found[1]) in FORMATS:
        return normal(found[1])
    if name == "fp4":
        return "mxfp4" if info and info.native_dtype == "mxfp4" else "nvfp4"
    return next((kind for pattern, kind in _BITS if pattern.search(name)), None)


@cache
def _more_gpus() -> Mapping[str, Gpu]:
    data = json.loads((DATA / "gpus.json").read_text(encoding="utf-8"))
    found: dict[str, Gpu] = {}
    for row in data["gpus"]:
        said = dict(zip(data["columns"], row, strict=True))
        gpu = Gpu(**said, list_price_usd=None, source=f"{data['about']}")
        found[gpus.spelling(gpu.name)] = gpu
    return found


_FORM = re.compile(r"sxm\d?|pcie|nvl(?:ink)?|hgx|dgx|oam")
_MEMORY = re.compile(r"(\d+)\s*(?:gb|gib|g)\b")
_CORES = re.compile(r"[ -]?\d+[- ]?core(?: gpu)?")


def gpu(name: str) -> Gpu | None:
    """Return the GPU that a row names, in any spelling, or None. `unstated 24GB` is a GPU without speed."""
    for spelled in _spellings(name.strip().lower()):
        if found := _one(spelled):
            return found
    memory = _MEMORY.search(name.lower())
    if memory and re.match(r"unstated|unknown|some|any|gpu\b|\d", name.strip().lower()):
        gib = float(memory[1])
        return Gpu(name, gib, 0, None, None, None, None, "nvidia", "the row itself")
    return None


def _one(name: str) -> Gpu | None:
    spelled = gpus.spelling(name)
    return (gpus.find(name) or _more_gpus().get(spelled)) if spelled else None


def _spellings(name: str) -> Iterator[str]:
    """The name itself, then ever shorter ones: memory and form put in the catalog's order, then left out."""
    if specific := _more_gpus().get(gpus.spelling(name)):
        yield specific.name
    yield name
    name = re.sub(r"^\d+\s*x\s*|\(.*?\)|\bgpu\b|-gpu\b|\bhbm\d\w?\b|\d+\s*gb/s", " ", name)
    yield name
    memory, form_ = _MEMORY.search(name), _FORM.search(name)
    bare = _FORM.sub(" ", _MEMORY.sub(" ", name)).strip()
    gb = f"-{memory[1]}gb" if memory else ""
    if form_:
        kind = form_[0].rstrip("0123456789")
        yield from (f"{bare}{gb} {f}" for f in (form_[0], kind, f"{kind}4", f"{kind}5", f"{kind}2"))
        yield f"{bare} {kind}"
    yield f"{bare}{gb}"
    if gb:
        yield from (f"{bare}{gb} sxm4", f"{bare}{gb} sxm2")
    yield bare
    chip = _CORES.sub("", bare)
    yield chip
    if "apple" in chip or re.match(r"m\d", chip):
        plain = gpus.spelling(chip)
        yield from (g.name for k, g in _more_gpus().items() if re.match(rf"{plain}\d+core$", k))
