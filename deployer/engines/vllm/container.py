"""vLLM's own images, of Docker Hub, in public use in 2026: for CUDA, and for ROCm (tried on no AMD GPU here).

It takes its API key by environment, so a script in the container hands it over. Its root file system can be written
to: it compiles kernels when it starts and writes them to several folders of its home (torch inductor, Triton,
FlashInfer), from where they are loaded as code, and nobody has tried here, on a GPU, which of them would have to be
left open.
"""

from __future__ import annotations

from deployer.core.order import Order
from deployer.engines.recipe import (
    ADAPTER,
    KEY_CHECK,
    KEY_FILE,
    TOKEN_FILE,
    Recipe,
    local_only,
    repo,
    revision,
)
from deployer.engines.vllm import max_lora_rank

SCRIPT = f'{KEY_CHECK}VLLM_API_KEY="$(cat {KEY_FILE})"; export VLLM_API_KEY; exec vllm serve "$@"'


def arguments(order: Order, model: str) -> list[str]:
    """Return the arguments of `vllm serve`."""
    name, adapter = order["spec_name"], order["model"].get("adapter")
    named = revision(order["model"]["source"])
    return [
        *(model, "--host", "0.0.0.0", "--port", "8000"),  # noqa: S104 - inside the container
        *("--served-model-name", f"{name}-base" if adapter else name),
        *("--max-model-len", str(order["context"])),
        *("--max-num-seqs", str(order["concurrency"])),
        *("--tensor-parallel-size", str(order["gpus"])),
        *(("--revision", named) if named else ()),
        *(("--max-log-len", "0") if local_only(order) else ()),
        *(("--quantization", order["quantize"]) if order.get("quantize") else ()),
        *(_lora(order, name, repo(adapter)) if adapter else ()),
    ]


def _lora(order: Order, name: str, hub: str) -> list[str]:
    where = ADAPTER if order["model"].get("adapter_path") else hub
    rank = max_lora_rank(order["model"].get("adapter_rank"))
    return [
        *("--enable-lora", "--lora-modules", f"{name}={where}"),
        *("--max-loras", "1", "--max-lora-rank", str(rank)),
    ]


RECIPE = Recipe(
    image="vllm/vllm-openai:v0.26.0",
    rocm_image=lambda _gpu: "vllm/vllm-openai-rocm:v0.23.0",
    port=8000,
    cache="/root/.cache/huggingface",
    arguments=arguments,
    script=SCRIPT,
    adapters=True,
    shm_gib=16,
    environment={"HF_TOKEN_PATH": TOKEN_FILE},
)
