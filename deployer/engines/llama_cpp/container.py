"""llama.cpp's own image, of GitHub's registry, in public use in 2026.

It reads its API key from a file, and works on a root file system that cannot be written to.
"""

from __future__ import annotations

from deployer.core.order import Order
from deployer.engines.recipe import ADAPTER_FILE, KEY_CHECK, KEY_FILE, Recipe, local_only


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
        *(("--offline",) if local_only(order) and not local else ()),
    ]


SCRIPT = f'{KEY_CHECK}exec /app/llama-server "$@"'

FETCH = (
    'mark="/models/.fetched-$(echo "$@" | cksum | tr " " -)"; [ -e "$mark" ] && exit 0; [ -z "$LOOK" ] || exit 3; '
    '/app/llama-server "$@" & server=$!; until curl -fs -o /dev/null http://127.0.0.1:8080/health; do '
    'kill -0 $server || exit 1; sleep 1; done; kill $server; wait $server; : > "$mark"'
)
"""It has no command that only downloads: it serves until it is healthy. Its image has curl, and no Python."""

RECIPE = Recipe(
    image="ghcr.io/ggml-org/llama.cpp:server-b11206",
    cuda_image="ghcr.io/ggml-org/llama.cpp:server-cuda-b11243",
    rocm_image=lambda _gpu: "ghcr.io/ggml-org/llama.cpp:server-rocm-b11243",
    port=8080,
    cache="/models",
    arguments=arguments,
    read_only=True,
    adapters=True,
    fetch=FETCH,
    script=SCRIPT,
    environment={"LLAMA_CACHE": "/models"},
)
