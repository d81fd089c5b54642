"""In which format the weights of a model are published, and its KV cache. Pure.

It stands in `quantization_config` of config.json, or in hf_quant_config.json beside it (NVIDIA's ModelOpt). A
method that is not one of `deployer.core.quantization` keeps its own name (`bnb_4bit`, `gptq_3bit`, `aqlm`): it is
never taken for another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployer.core.quantization import FORMATS, UNKNOWN, normal
from deployer.planning.model_facts.strict_json import Keys

_QUANT = {
    "fp8": "fp8",
    "fbgemm-fp8": "fp8",
    "mxfp4": "mxfp4",
    "modelopt-fp4": "nvfp4",
    "petit-nvfp4": "nvfp4",
}
_WEIGHTS = {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "gptq", ("float", 4): "nvfp4"}
_TORCHAO = (("float8", "fp8"), ("int8dynamicactivationint8", "int8"), ("int8weight", "int8"))
_ALGORITHMS = (("nvfp4", "nvfp4"), ("fp8", "fp8"), ("w4a16_awq", "awq"), ("w8a8_sq", "int8"))
"""How a name of ModelOpt begins, and the format that it is."""


@dataclass(frozen=True)
class Published:
    """The format of the weights, and whether the checkpoint asks for a KV cache of 8 bits; notes are on the cache."""

    dtype: str | None = None
    kv_8bit: bool = False
    notes: tuple[str, ...] = ()


def published(top: Keys, text: Keys, beside: Keys | None = None) -> Published:
    """Read the format from config.json and, where there is one, from hf_quant_config.json (`beside`).

    Raises:
        UsageError: a key is of the wrong kind.
    """
    quant = _quantization(top, text)
    own = beside.inner("quantization") if beside else None
    if quant is None and own is None:
        said = normal(top.text("dtype", "torch_dtype") or text.text("dtype", "torch_dtype") or "")
        return Published(said if said in FORMATS else None)
    name = _named(quant) if quant else None
    if own and name in (None, UNKNOWN):
        name = _algorithm(own) or _smallest(own) or _own_name(own.text("quant_algo") or "", None)
    inner = quant.inner("quantization") if quant else None
    eight, notes = _kv([keys for keys in (quant, inner, own) if keys])
    return Published(name or UNKNOWN, eight, notes)


def _quantization(top: Keys, text: Keys) -> Keys | None:
    for keys in (top, text):
        for name in ("quantization_config", "compression_config"):
            if (found := keys.inner(name)) is not None:
                return found
    if isinstance(top.values.get("quantization"), Mapping):
        return top.inner("quantization")  # where older versions of MLX write it
    return None


def _named(quant: Keys) -> str:
    """Return the format's name, or `UNKNOWN` where no method is named that could be one."""
    method = (quant.text("quant_method") or "").lower().replace("_", "-")
    nested = isinstance(quant.values.get("quantization"), Mapping)
    if method.startswith("modelopt") or quant.text("quant_algo") or nested:
        return _modelopt(quant, method)
    if quant.flag("load_in_4bit") or quant.flag("load_in_8bit"):
        return _bitsandbytes(quant)
    if not method:
        return _mlx(quant)
    if (read := _METHODS.get(method)) is not None:
        return read(quant)
    return _QUANT.get(method) or _own_name(method, _whole_bits(quant))


def _bits(quant: Keys) -> int | None:
    return quant.whole("bits", "nbits", "w_bit", most=64)


def _whole_bits(quant: Keys) -> int | None:
    """Return the bits of a method that may have a fraction of one (exl2), where it has none."""
    said = quant.values.get("bits")
    return None if isinstance(said, float) else _bits(quant)


def _modelopt(quant: Keys, method: str) -> str:
    said = quant.inner("quantization") or quant
    found = _algorithm(said) or _smallest(quant) or _QUANT.get(method)
    return found or _own_name(said.text("quant_algo") or "", None)


def _gptq(quant: Keys) -> str:
    bits = _packed_bits(quant)
    return {4: "gptq", 8: "int8"}.get(bits, f"gptq_{bits}bit")


def _awq(quant: Keys) -> str:
    bits = _packed_bits(quant)
    return "awq" if bits == 4 else f"awq_{bits}bit"


def _packed_bits(quant: Keys) -> int:
    """Return the bits of GPTQ and AWQ: 4 where it is not said.

    Raises:
        UsageError: it is said, and none.
    """
    bits = _bits(quant)
    if bits == 0:
        raise quant.wrong("bits", bits, "a whole number from 1 to 64")
    return bits or 4


def _bitsandbytes(quant: Keys) -> str:
    return "bnb_8bit" if quant.flag("load_in_8bit") else "bnb_4bit"


def _own_name(method: str, bits: int | None) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", method.lower())[:40].strip("_")
    return f"{plain}_{bits}bit" if plain and bits else plain or UNKNOWN


def _auto_round(quant: Keys) -> str:
    packing = (quant.text("packing_format", "backend") or "gptq").lower()
    if "awq" in packing:
        return _awq(quant)
    return _gptq(quant) if "gptq" in packing else _own_name("auto_round", _bits(quant))


def _torchao(quant: Keys) -> str:
    said: Any = quant.values.get("quant_type")
    if isinstance(said, Mapping):
        said = said.get("default", said)
    if isinstance(said, Mapping):
        said = said.get("_type")
    kind = str(said or "").lower().replace("_", "")
    for start, name in _TORCHAO:
        if kind.startswith(start):
            return name
    return "torchao_int4" if kind.startswith("int4weight") else "torchao"


def _algorithm(quant: Keys) -> str | None:
    """Return the format of a name of ModelOpt's; a mixture is named by its groups, and by the files."""
    said = (quant.text("quant_algo") or "").lower()
    if said in FORMATS:
        return said
    return next((name for start, name in _ALGORITHMS if said.startswith(start)), None)


def _mlx(quant: Keys) -> str:
    """Return the format of `mlx_lm.convert`, which names no method: bits of a group of weights."""
    bits = quant.whole("bits", most=64) if quant.whole("group_size", most=4096) else None
    name = f"mlx_{bits}bit"
    return name if name in FORMATS else UNKNOWN


def _smallest(quant: Keys) -> str | None:
    """Return the format of the group of weights with the fewest bits, where groups are listed."""
    groups = quant.inner("config_groups")
    found: list[tuple[int, str]] = []
    for name in sorted(groups.values) if groups else ():
        group = groups.inner(name) if groups else None
        weights = group.inner("weights") if group else None
        if weights is not None:
            found.append((weights.whole("num_bits", most=64) or 0, weights.text("type") or "int"))
    if not found:
        return None
    bits, kind = min(found)
    if "mxfp4" in (quant.text("format") or ""):
        return "mxfp4"
    return _WEIGHTS.get((kind, bits)) or f"compressed_{kind}{bits}"


def _kv(quants: list[Keys]) -> tuple[bool, tuple[str, ...]]:
    """Whether the checkpoint asks for an 8-bit KV cache, which the engine then keeps without being told to."""
    for quant in quants:
        scheme = quant.values.get("kv_cache_scheme")
        if isinstance(scheme, Mapping):
            keys = Keys(scheme, quant.where)
            bits, kind = keys.whole("num_bits", most=64), keys.text("type") or "float"
            eight = (bits, kind) == (8, "float")
            return eight, () if eight or bits in (16, None) else (_narrow(f"{kind}{bits}"),)
        said = (quant.text("kv_cache_quant_algo", "kv_cache_scheme") or "").lower()
        if said and said not in ("none", "auto"):
            return said == "fp8", () if said == "fp8" else (_narrow(said),)
    return False, ()


def _narrow(said: str) -> str:
    return f"its checkpoint asks for a KV cache in {said}, which few engines have: it is counted at 16 bits"


_METHODS: Mapping[str, Callable[[Keys], str]] = {
    **dict.fromkeys(("gptq", "gptq-marlin"), _gptq),
    **dict.fromkeys(("awq", "awq-marlin"), _awq),
    **dict.fromkeys(("auto-round", "intel/auto-round", "inc"), _auto_round),
    "bitsandbytes": _bitsandbytes,
    "compressed-tensors": lambda quant: _smallest(quant) or UNKNOWN,
    "torchao": _torchao,
}
"""Methods whose format stands in further keys."""
