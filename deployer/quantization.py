"""The formats that weights come in: their names, bits per weight, and how lossy they are. Pure.

Bits per weight of bf16 to GPTQ and of q4_k_m, q5_k_m, q6_k and q8_0 are those of the project's fact sheet
("Sizing, in formulas"). The other GGUF formats mix tensor types: their bits are what llama.cpp measured on
Llama-3.1-8B (tools/quantize/README.md), or what one block takes (q4_0 to q5_1, mxfp4_moe, tq*, q1_0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deployer.words import ModelInfo


@dataclass(frozen=True)
class Format:
    """One format of weights.

    `bits` is bits per weight, scales included. `loss_rank` orders formats by accuracy lost: 0 is a 16-bit
    (or wider) model, higher is more lossy; it says nothing of how much. `embeddings_at_16` formats leave
    the embedding and the head at 16 bits.
    """

    name: str
    bits: float
    loss_rank: int
    family: Literal["safetensors", "gguf"]
    embeddings_at_16: bool = False


def _formats() -> Mapping[str, Format]:
    safetensors = (
        Format("bf16", 16, 0, "safetensors"),
        Format("fp16", 16, 0, "safetensors"),
        Format("fp32", 32, 0, "safetensors"),
        Format("fp8", 8, 1, "safetensors"),
        Format("int8", 8, 2, "safetensors"),
        Format("nvfp4", 4.5, 5, "safetensors"),
        Format("mxfp4", 4.25, 6, "safetensors"),
        Format("awq", 4.156, 5, "safetensors", embeddings_at_16=True),
        Format("gptq", 4.156, 6, "safetensors", embeddings_at_16=True),
    )
    gguf = (Format(name, bits, rank, "gguf") for name, bits, rank in _GGUF)
    return {f.name: f for f in (*safetensors, *gguf)}


_GGUF = (  # name, bits per weight, loss rank
    ("q8_0", 8.5, 1),
    ("q6_k", 6.56, 2),
    ("q5_k_m", 5.69, 3),
    ("q5_k_s", 5.5704, 3),
    ("q5_1", 6.0, 4),
    ("q5_0", 5.5, 4),
    ("q4_k_m", 4.87, 5),
    ("mxfp4_moe", 4.25, 6),
    ("q4_k_s", 4.6672, 6),
    ("iq4_nl", 4.6818, 6),
    ("iq4_xs", 4.4597, 6),
    ("q4_1", 5.0, 7),
    ("q4_0", 4.5, 7),
    ("q3_k_l", 4.2979, 8),
    ("q3_k_m", 4.0, 8),  # not in that table: published files of the same model take 4.02 GB
    ("iq3_m", 3.7628, 8),
    ("iq3_s", 3.6606, 9),
    ("q3_k_s", 3.6429, 9),
    ("iq3_xs", 3.4977, 9),
    ("iq3_xxs", 3.2548, 10),
    ("q2_k", 3.1593, 10),
    ("q2_k_s", 2.9697, 11),
    ("iq2_m", 2.9294, 11),
    ("iq2_s", 2.7403, 11),
    ("iq2_xs", 2.5882, 12),
    ("iq2_xxs", 2.3824, 12),
    ("iq1_m", 2.146, 13),
    ("tq2_0", 2.0625, 13),
    ("iq1_s", 2.0042, 13),
    ("tq1_0", 1.6875, 14),
    ("q1_0", 1.125, 14),
)

FORMATS: Mapping[str, Format] = _formats()
"""Every format by name. mxfp4_moe is llama.cpp's name for MXFP4 in a GGUF file. A GGUF file of plain 16-bit or 32-bit tensors is "fp16", "bf16" or "fp32"."""

_SAME = {
    "f16": "fp16",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
    "f32": "fp32",
    "float": "fp32",
    "float32": "fp32",
    "float8": "fp8",
    "fp8_e4m3": "fp8",
    "f8_e4m3": "fp8",
    "float8_e4m3fn": "fp8",
    "f8_e5m2": "fp8",
    "i8": "int8",
    "q3_k": "q3_k_m",  # as llama-quantize itself reads these three
    "q4_k": "q4_k_m",
    "q5_k": "q5_k_m",
}


def normal(text: str) -> str:
    """Return a format's name in its own spelling: `Q4-K-M` is q4_k_m, `F16` is fp16.

    What is no format comes back in lower case; look it up in `FORMATS`.
    """
    name = text.strip().lower().replace("-", "_").removeprefix("torch.")
    return _SAME.get(name, name)


def weights_bytes(info: ModelInfo, fmt: str) -> int | None:
    """Return the bytes of a model's weights in a format, or None where that is unknown.

    Exact in the format that the model is published in (bf16 where that is not said), else parameters x
    bits / 8. AWQ and GPTQ leave the embedding and the head at 16 bits, so their size is unknown where
    `embedding_params` is.
    """
    if fmt == (info.native_dtype or "bf16") and info.weights_bytes is not None:
        return info.weights_bytes
    form = FORMATS.get(fmt)
    if form is None or info.params_total is None:
        return None
    if not form.embeddings_at_16:
        return round(info.params_total * form.bits / 8)
    if info.embedding_params is None:
        return None
    rest = max(info.params_total - info.embedding_params, 0)
    return round(rest * form.bits / 8 + info.embedding_params * 2)


GGML_TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("fp32", 1, 4),
    1: ("fp16", 1, 2),
    2: ("q4_0", 32, 18),
    3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34),
    9: ("q8_1", 32, 40),
    10: ("q2_k", 256, 84),
    11: ("q3_k_m", 256, 110),
    12: ("q4_k_m", 256, 144),
    13: ("q5_k_m", 256, 176),
    14: ("q6_k", 256, 210),
    15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18),
    21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136),
    24: ("int8", 1, 1),
    25: ("int16", 1, 2),
    26: ("int32", 1, 4),
    27: ("int64", 1, 8),
    28: ("fp64", 1, 8),
    29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66),
    39: ("mxfp4_moe", 32, 17),
    40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
}
"""GGUF tensor types: the format that a file of mostly this type has, elements and bytes of one block.

From ggml's own table, as the `gguf` package has it (GGML_QUANT_SIZES).
"""

GGUF_FILE_TYPES: Mapping[int, str] = {
    0: "fp32", 1: "fp16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_k",
    11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l", 14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m",
    18: "q6_k", 19: "iq2_xxs", 20: "iq2_xs", 21: "q2_k_s", 22: "iq3_xs", 23: "iq3_xxs", 24: "iq1_s",
    25: "iq4_nl", 26: "iq3_s", 27: "iq3_m", 28: "iq2_s", 29: "iq2_m", 30: "iq4_xs", 31: "iq1_m",
    32: "bf16", 36: "tq1_0", 37: "tq2_0", 38: "mxfp4_moe", 40: "q1_0",
}  # fmt: skip
"""`general.file_type` of a GGUF file to the format's name (llama.cpp's `llama_ftype`)."""
