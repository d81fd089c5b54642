"""The roofline of one model on one kind of hardware. Pure.

    step    = sqrt(memory^2 + compute^2) + fixed + layers x communication (llama.cpp: memory + compute)
    memory  = weights read / (share x bandwidth x tp) + KV read / (share x bandwidth x tp / copies)
    compute = 2 x batch x active parameters / (share x FLOPS x tp)
    fixed   = step + layers x layer + batch x sequence, microseconds each
    prefill = 2 x tokens x active / (share x FLOPS x tp) + attention + layers x communication

A mixture of experts reads its shared part and experts x (1 - (1 - k/E)^batch). The table of embeddings is
looked up and not read. Communication is two all-reduces a layer, each a fixed time and 2 x (tp - 1) / tp of
the activations over the GPUs' link. llama.cpp puts whole layers on each GPU, so that bandwidths do not add up.
Form and first values: fact sheet, "Throughput (roofline)"; constants: `deployer.engines`.
"""

from __future__ import annotations

import math

from deployer.core.domain import Gpu, ModelInfo
from deployer.core.gpu_traits import PCIE_GB_S, before_ampere, generation, link_gb_s, memory
from deployer.core.quantization import FORMATS, expert_params
from deployer.core.records import dataclass
from deployer.engines import Engine, Speed
from deployer.planning.sizing import kv_copies, sequence_bytes

TIED_BELOW = 5_000_000_000
"""Models smaller than this use one matrix as embedding and head as a rule (Llama 3.2, Qwen, Gemma)."""
PNORM = 4
"""How sharply prefill turns from one ceiling (FLOPS) to the other (power)."""


@dataclass(frozen=True)
class Roofline:
    """One model in one format on `gpus` GPUs. Times are in seconds; `weights` in bytes."""

    info: ModelInfo
    engine: Engine
    speed: Speed
    gpu: Gpu
    gpus: int
    weights: float
    form: str

    @property
    def tp(self) -> int:
        """Over how many GPUs each layer is spread."""
        return self.gpus if self.engine.split == "tensor" else 1

    def step(self, batch: float, tokens: float) -> float:
        """Return seconds of one decoding step of `batch` sequences of `tokens` tokens each."""
        read = self.weights_read(batch) / (self._memory_share() * self._bandwidth())
        read += batch * self._cache_read(tokens) / self._bandwidth()
        work = 2 * self._worked() / (self.speed.decode * self._flops() * self.tp)
        fixed = self._fixed(batch) + self._talk(batch)
        if self.speed.columns:
            return read + (batch - 1) * work + fixed
        return math.hypot(read, batch * work) + fixed

    def prefill(self, tokens: float) -> float:
        """Return seconds of one prompt on idle hardware, beside its first step: the floor of the TTFT."""
        work = 2 * tokens * self._prompt_params() / (self._prefill_flops() * self.tp)
        info, wide = self.info, (self.info.attn_heads or 0) * (self.info.head_dim or 0)
        attention = 2 * tokens * tokens * wide * (info.layers or 0)
        work += attention / (self.speed.attention * self._flops16() * self.tp)
        if self.engine.split == "layer":
            return work + self._fixed(1) * max(1.0, tokens / 512)
        return work + self._talk(tokens) - self._talk(0)

    def sequence(self, tokens: float) -> float:
        """Return the KV cache of one sequence in bytes, as the engine keeps it."""
        share = self.engine.kv_share(self.info, self.form)
        return sequence_bytes(self.info, tokens, share) or 0

    def weights_read(self, batch: float) -> float:
        """Return the bytes of weights that a step reads on all GPUs together."""
        experts = expert_params(self.info)
        whole = self.weights - self._looked_up()
        if experts is None:
            return whole
        held = experts * self._expert_bits() / 8
        share = (self.info.experts_per_token or 0) / (self.info.experts or 1)
        idle: float = (1 - share) ** batch
        return max(whole - held * idle, 0.0)

    def _expert_bits(self) -> float:
        """Bits of one parameter of an expert; what a format leaves at 16 bits is elsewhere."""
        if self.form.startswith("mxfp4"):
            return FORMATS["mxfp4"].bits
        embedding, total = self.info.embedding_params or 0, self.info.params_total or 1
        if FORMATS[self.form].embeddings_at_16:
            return 8 * (self.weights - 2 * embedding) / (total - embedding)
        return 8 * self.weights / total

    def _looked_up(self) -> float:
        """Bytes of the embedding, of which a step reads one row: half of it and the head, where they are two."""
        if self._tied():
            return 0.0
        form = FORMATS[self.form]
        bits = 16.0 if form.embeddings_at_16 or form.name == "mxfp4" else form.bits
        if form.edges:
            bits = form.edges[0]
        return (
            (self.info.embedding_params or 0) / 2 * (8.5 if form.name == "mxfp4_moe" else bits) / 8
        )

    def _tied(self) -> bool:
        small = (self.info.params_total or 0) < TIED_BELOW
        return small or "gemma" in f"{self.info.name} {self.info.architecture}".lower()

    def _worked(self) -> float:
        """Parameters that one token is multiplied with."""
        embedding = 0 if self._tied() else (self.info.embedding_params or 0) / 2
        return float(self.info.params_active or self.info.params_total or 0) - embedding

    def _prompt_params(self) -> float:
        """The same for a prompt, of which only the last token goes through the head."""
        return float(self.info.params_active or self.info.params_total or 0) - (
            self.info.embedding_params or 0
        )

    def _bandwidth(self) -> float:
        return (self.gpu.bandwidth_gb_s or 0) * 1e9 * self.tp

    def _memory_share(self) -> float:
        by_kind = {
            "hbm": self.speed.memory_hbm,
            "gddr": self.speed.memory_gddr,
            "unified": self.speed.memory_unified,
        }
        slow = before_ampere(self.gpu) and self.form in ("awq", "gptq")
        return by_kind[memory(self.gpu)] * (self.speed.no_marlin if slow else 1.0)

    def _cache_read(self, tokens: float) -> float:
        copies = kv_copies(self.info, self.engine, self.gpus)
        if not self.speed.grouped_kv and self.info.kv_heads:
            copies *= (self.info.attn_heads or 1) / self.info.kv_heads
        return self.sequence(tokens) * copies / self.speed.kv

    def _flops16(self) -> float:
        return (self.gpu.bf16_tflops or 0) * 1e12

    def _eight_bit(self) -> bool:
        return self.form == "int8" or (self.form == "fp8" and self.gpu.fp8_tflops is not None)

    def _four_bit(self) -> bool:
        return self.form == "nvfp4" and generation(self.gpu) == "blackwell"

    def _flops(self) -> float:
        """Dense peak of one GPU in the format that its tensor cores then work in."""
        if self._four_bit():
            return 2 * (self.gpu.fp8_tflops or 2 * (self.gpu.bf16_tflops or 0)) * 1e12
        return self._flops16() * (2 if self._eight_bit() else 1)

    def _prefill_flops(self) -> float:
        speed, share = self.speed, self.speed.prefill
        if self._eight_bit():
            share = speed.prefill_8bit
        elif self._four_bit():
            share = speed.prefill_8bit * speed.prefill_4bit
        rate = float(self._flops() * share)
        ceiling = speed.tflops_per_watt.get(generation(self.gpu), 0.0) * (self.gpu.watts or 0)
        if ceiling:
            rate = 1 / math.pow(rate**-PNORM + (ceiling * 1e12) ** -PNORM, 1 / PNORM)
        rate *= speed.prefill_moe if self.info.experts else 1.0
        rate *= speed.prefill_blackwell if generation(self.gpu) == "blackwell" else 1.0
        return rate * (speed.prefill_packed if FORMATS[self.form].packed else 1.0)

    def _fixed(self, batch: float) -> float:
        speed = self.speed
        layer = speed.layer_us + (speed.moe_us if self.info.experts else 0.0)
        us = speed.step_us + (self.info.layers or 0) * layer + batch * speed.sequence_us
        if self.engine.split == "layer":
            us += (self.gpus - 1) * speed.hop_us
        return us * 1e-6

    def _talk(self, tokens: float) -> float:
        """Seconds of the all-reduces of one pass of `tokens` tokens through all layers."""
        if self.tp == 1:
            return 0.0
        sent = 4 * tokens * (self.info.hidden or 0) * 2 * (self.tp - 1) / self.tp
        link = link_gb_s(self.gpu)
        start = self.speed.tp_us * 1e-6 * (self.speed.unlinked if link <= PCIE_GB_S else 1.0)
        return (self.info.layers or 0) * (start + sent / (self.speed.link * link * 1e9))
