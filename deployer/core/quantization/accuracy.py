"""What accuracy a format was published to cost, by model family. Pure.

Only what somebody measured and published: a figure stands for the model it was measured on, and its text
says which. Where there is none for a format and family, the loss is unknown and is called so.
"""

from __future__ import annotations

from collections.abc import Mapping

_FP8_LLAMA = (
    "OpenLLM v1 average 73.44 instead of 73.79 (Llama-3.1-8B-Instruct), 79.70 instead of 79.84"
    " (Llama-3.1-70B)"
)
_PAPER = "Kurtic et al., arXiv 2411.02355"
_CARDS = "model cards of neuralmagic"
_QWEN2 = "qwen.readthedocs.io, Performance of Quantized Models"
_PPL = "llama.cpp pull request 6936"
_PPL_70B = "llama.cpp, examples/perplexity/README.md"

_LOSSES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("llama", "fp8"): (_FP8_LLAMA, _CARDS),
    ("llama", "int8"): ("1 to 3 % lower accuracy on Llama 3.1, when well tuned", _PAPER),
    ("llama", "gptq"): ("4-bit weights rival 8-bit formats on Llama 3.1 (within 1 to 3 %)", _PAPER),
    ("llama", "q8_0"): ("perplexity +0.04 % on Llama-3-8B", _PPL),
    ("llama", "q6_k"): ("perplexity +0.35 % on Llama-3-8B, +0.16 % on Llama-2-70B", _PPL),
    ("llama", "q5_k_m"): ("perplexity +0.40 % on Llama-2-70B", _PPL_70B),
    ("llama", "q5_k_s"): ("perplexity +0.50 % on Llama-2-70B", _PPL_70B),
    ("llama", "q4_k_m"): ("perplexity +2.8 % on Llama-3-8B, +1.2 % on Llama-2-70B", _PPL),
    ("llama", "q4_k_s"): ("perplexity +1.6 % on Llama-2-70B", _PPL_70B),
    ("llama", "q4_0"): ("perplexity +3.6 % on Llama-2-70B", _PPL_70B),
    ("llama", "q3_k_l"): ("perplexity +3.8 % on Llama-2-70B", _PPL_70B),
    ("llama", "q3_k_m"): ("perplexity +4.7 % on Llama-2-70B", _PPL_70B),
    ("llama", "q3_k_s"): ("perplexity +7.9 % on Llama-2-70B", _PPL_70B),
    ("llama", "q2_k"): ("perplexity +56 % on Llama-3-8B, +8.8 % on Llama-2-70B", _PPL),
    ("qwen", "int8"): ("average 66.2 instead of 66.9 on Qwen2-7B (GPTQ-Int8), 80.7 of 81.3 on 72B", _QWEN2),
    ("qwen", "gptq"): ("average 64.1 instead of 66.9 on Qwen2-7B, 81.2 of 81.3 on 72B", _QWEN2),
    ("qwen", "awq"): ("average 64.1 instead of 66.9 on Qwen2-7B, 80.4 of 81.3 on 72B", _QWEN2),
}  # fmt: skip
"""(family, format) -> (what was measured on which model, where it was published)."""

_FAMILIES = ("qwen", "llama")


def accuracy_loss(format_name: str, family: str) -> str | None:
    """Return the published accuracy loss of a format in one line with its source, or None: unknown.

    `family` is a model's or an architecture's name: `Qwen/Qwen3-8B`, `LlamaForCausalLM`. The text names
    the models that were measured; they are of the same family, not always the same model.
    """
    name = family.lower().rsplit("/", 1)[-1]
    found = next((f for f in _FAMILIES if f in name), None)
    if found is None or (found, format_name) not in _LOSSES:
        return None
    what, source = _LOSSES[found, format_name]
    return f"{what} ({source})"
