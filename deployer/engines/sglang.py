"""SGLang: safetensors on NVIDIA and AMD GPUs. Sized like vLLM, which its published figures resemble."""

from __future__ import annotations

from dataclasses import replace

from deployer.engines import vllm

ENGINE = replace(vllm.ENGINE, name="sglang", memory_fraction=0.88)
"""SGLang derives `mem_fraction_static` from the GPU; 0.88 was its choice for one GPU in 2024 and 2025."""
