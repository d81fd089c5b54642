"""The formats that weights come in: their names, bits per weight, and how lossy they are. Pure.

Bits per weight of bf16 to GPTQ are those of the project's fact sheet ("Sizing, in formulas"). Formats
of 8 and 4 bits for servers quantize the layers only: the embedding and the head stay at 16 bits (a boot
log of vLLM shows 67.72 GiB for Llama-3.1-70B in INT8: 65.7 GiB of parameters and 2.0 more of these).

GGUF formats mix tensor types: their bits are what llama.cpp measured on Llama-3.1-8B
(tools/quantize/README.md), or what one block takes (q4_0 to q5_1, mxfp4_moe, tq*, q1_0). Of that model's
parameters 13 % are embedding and head, which the K-quants keep at other types than the layers; where a model's
own share is known, `weights_bytes` counts them apart.

MLX's formats (`mlx_4bit`, as `mlx_lm.convert` makes them) keep a scale and an offset of 16 bits for each 64
weights, so half a bit more than their name says, in the embedding and the head too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from deployer.core.domain import ModelInfo
from deployer.core.quantization.accuracy import accuracy_loss
from deployer.core.quantization.gguf import GGML_TYPES, GGUF_FILE_TYPES
from deployer.core.records import dataclass

__all__ = [
    "FAMILIES",
    "FORMATS",
    "GGML_TYPES",
    "GGUF_FILE_TYPES",
    "UNKNOWN",
    "Format",
    "accuracy_loss",
    "expert_params",
    "normal",
    "weights_bytes",
]


UNKNOWN = "unknown"
"""What a format is called that cannot be named. It is sized by the model's files, and never taken for another one."""

FAMILIES = {"safetensors": "safetensors", "gguf": "GGUF", "mlx": "MLX"}
"""The families of formats, as they are written."""


@dataclass(frozen=True)
class Format:
    """One format of weights.

    `bits` is bits per weight, scales included. `loss_rank` orders formats by accuracy lost: 0 is a 16-bit
    (or wider) model, higher is more lossy; it says nothing of how much. `embeddings_at_16` formats leave
    the embedding and the head at 16 bits. `edges` are the bits of the embedding and of the head where
    these differ from the layers' (GGUF), and then `bits` holds for Llama-3.1-8B as a whole.
    """

    name: str
    bits: float
    loss_rank: int
    family: Literal["safetensors", "gguf", "mlx"]
    embeddings_at_16: bool = False
    edges: tuple[float, float] | None = None

    @property
    def packed(self) -> bool:
        """Whether weights are unpacked before a prompt is computed with them."""
        return self.family in ("gguf", "mlx")


def _formats() -> Mapping[str, Format]:
    safetensors = (
        Format("bf16", 16, 0, "safetensors"),
        Format("fp16", 16, 0, "safetensors"),
        Format("fp32", 32, 0, "safetensors"),
        Format("fp8", 8, 1, "safetensors", embeddings_at_16=True),
        Format("int8", 8, 2, "safetensors", embeddings_at_16=True),
        Format("nvfp4", 4.5, 5, "safetensors", embeddings_at_16=True),
        Format("mxfp4", 4.25, 6, "safetensors"),
        Format("awq", 4.156, 5, "safetensors", embeddings_at_16=True),
        Format("gptq", 4.156, 6, "safetensors", embeddings_at_16=True),
    )
    gguf = (Format(n, bits, rank, "gguf", edges=_EDGES.get(n)) for n, bits, rank in _GGUF)
    mlx = (Format(f"mlx_{n}bit", n + 0.5, rank, "mlx") for n, rank in _MLX)
    return {f.name: f for f in (*safetensors, *gguf, *mlx)}


_MLX = ((8, 1), (6, 2), (5, 3), (4, 5), (3, 8), (2, 11))  # bits, loss rank


_GGUF = (  # name, bits per weight, loss rank
    ("q8_0", 8.5, 1),
    ("q6_k", 6.5633, 2),
    ("q5_k_m", 5.7036, 3),
    ("q5_k_s", 5.5704, 3),
    ("q5_1", 6.0, 4),
    ("q5_0", 5.5, 4),
    ("q4_k_m", 4.8944, 5),
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

_Q2, _Q3, _Q4, _Q5, _Q6 = 2.625, 3.4375, 4.5, 5.5, 6.5625
_EDGES = {
    "q2_k": (_Q2, _Q6),
    "q3_k_s": (_Q3, _Q6),
    "q3_k_m": (_Q3, _Q6),
    "q3_k_l": (_Q3, _Q6),
    "q4_k_s": (_Q4, _Q6),
    "q4_k_m": (_Q4, _Q6),
    "q5_k_s": (_Q5, _Q6),
    "q5_k_m": (_Q5, _Q6),
    "iq4_xs": (4.25, _Q6),
    "q4_0": (_Q4, _Q6),
}
"""Bits of the token embedding and of the head, by file type: llama.cpp keeps the head at Q6_K."""
_MEASURED_PARAMS, _MEASURED_EDGES = 8_030_261_248, 1_050_673_152
"""Llama-3.1-8B, on which the bits were measured: all parameters, and those of embedding and head."""

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
    bits / 8. AWQ, GPTQ, INT8, FP8 and NVFP4 leave the embedding and the head at 16 bits; where their size is
    not known, that of a small model in 4 bits is unknown, and in 8 bits it is at most some percent low.
    """
    if fmt == (info.native_dtype or "bf16") and info.weights_bytes is not None:
        return info.weights_bytes
    form = FORMATS.get(fmt)
    if form is None or info.params_total is None:
        return None
    if form.name == "mxfp4_moe":
        return _mxfp4_gguf(info)
    embedding = info.embedding_params or _usual_embedding(info)
    if embedding is None:
        unknown = form.embeddings_at_16 and form.bits < 8
        return None if unknown else round(info.params_total * form.bits / 8)
    return _with_edges(form, info.params_total, embedding)


LARGE, USUAL_VOCABULARY = 30_000_000_000, 131_072
"""Above so many parameters the vocabulary matters little: at this size of it, half or twice as many words
change a 4-bit model's bytes by less than 2 %."""


def _usual_embedding(info: ModelInfo) -> int | None:
    if info.hidden is None or (info.params_total or 0) < LARGE:
        return None
    return 2 * USUAL_VOCABULARY * info.hidden


def _with_edges(form: Format, params: int, embedding: int) -> int:
    """Count the embedding and the head apart from the layers. One matrix that serves as both takes the mean."""
    rest = max(params - embedding, 0)
    if form.embeddings_at_16:
        return round(rest * form.bits / 8 + embedding * 2)
    if form.edges is None:
        return round(params * form.bits / 8)
    edge = sum(form.edges) / 2
    whole = form.bits * _MEASURED_PARAMS - edge * _MEASURED_EDGES
    layers = whole / (_MEASURED_PARAMS - _MEASURED_EDGES)
    return round((rest * layers + embedding * edge) / 8)


def _mxfp4_gguf(info: ModelInfo) -> int | None:
    """The experts in MXFP4 and everything else in Q8_0, as the published GGUF files of gpt-oss are."""
    experts = expert_params(info)
    if experts is None or info.params_total is None:
        return None
    rest = info.params_total - experts
    return round(experts * 4.25 / 8 + rest * 8.5 / 8)


def expert_params(info: ModelInfo) -> float | None:
    """Return the parameters of all routed experts, or None for a dense model or an unknown one.

    A token uses all but the experts that it is not sent to: active = total - experts x (1 - k / E).
    """
    total, active = info.params_total, info.params_active
    if not (info.experts and info.experts_per_token and total and active):
        return None
    idle = 1 - info.experts_per_token / info.experts
    return min(float(total), (total - active) / idle) if idle > 0 else None
