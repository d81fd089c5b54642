"""llama.cpp's own image, of GitHub's registry, in public use in 2026.

It reads its API key from a file, and works on a root file system that cannot be written to.
"""

from __future__ import annotations

from deployer.engines.recipe import ADAPTER_FILE, KEY_FILE, Order, Recipe


def arguments(order: Order, model: str) -> list[str]:
    """Return the arguments of `llama-server`. It divides its context among its slots, so it is given the product."""
    local = order["model"]["path"] is not None
    quantized = model if local else f"{model}:{order['quantization'].upper()}"
    return [
        *("--model" if local else "--hf-repo", quantized),
        *("--alias", order["spec_name"], "--host", "0.0.0.0", "--port", "8080"),  # noqa: S104
        *("--ctx-size", str(order["context"] * order["concurrency"])),
        *("--parallel", str(order["concurrency"]), "--api-key-file", KEY_FILE),
        *("--metrics", "--no-slots"),
        *(("--lora", ADAPTER_FILE) if order["model"].get("adapter_path") else ()),
        *(("--n-gpu-layers", "999") if order["gpus"] else ()),
    ]


RECIPE = Recipe(
    image="ghcr.io/ggml-org/llama.cpp:server-b11206",
    cuda_image="ghcr.io/ggml-org/llama.cpp:server-cuda-b11243",
    port=8080,
    cache="/models",
    arguments=arguments,
    read_only=True,
    adapters=True,
    environment={"LLAMA_CACHE": "/models"},
)
