"""SGLang's own image, of Docker Hub, in public use in 2026.

It takes its API key by a configuration file, which a script in the container writes. As with vLLM, its root file
system can be written to: it compiles kernels when it starts.
"""

from __future__ import annotations

from deployer.core.order import Order
from deployer.engines.recipe import KEY_CHECK, KEY_FILE, TOKEN_FILE, Recipe, revision

SCRIPT = (
    f"{KEY_CHECK}umask 077; printf 'api-key: %s\\n' \"$(cat {KEY_FILE})\" > /tmp/key.yaml; "
    'exec python3 -m sglang.launch_server --config /tmp/key.yaml "$@"'
)


def arguments(order: Order, model: str) -> list[str]:
    """Return the arguments of `sglang.launch_server`."""
    named = revision(order["model"]["source"])
    return [
        *("--model-path", model, "--host", "0.0.0.0", "--port", "30000"),  # noqa: S104
        *("--served-model-name", order["spec_name"]),
        *("--context-length", str(order["context"])),
        *("--max-running-requests", str(order["concurrency"])),
        *("--tp-size", str(order["gpus"])),
        "--enable-metrics",
        *(("--revision", named) if named else ()),
        *(("--quantization", order["quantize"]) if order.get("quantize") else ()),
    ]


ROCM = (("MI30", "mi30x"), ("MI32", "mi30x"), ("MI35", "mi35x"))
"""What the name of an AMD GPU begins with, and the image that is made for it; there are none for Radeon cards."""


def rocm_image(gpu: str) -> str | None:
    """Return SGLang's image for an AMD GPU; None where it has none."""
    found = (kind for start, kind in ROCM if gpu.startswith(start))
    return next((f"lmsysorg/sglang:v0.5.15.post1-rocm720-{kind}" for kind in found), None)


RECIPE = Recipe(
    image="lmsysorg/sglang:v0.5.15",
    rocm_image=rocm_image,
    port=30000,
    cache="/root/.cache/huggingface",
    arguments=arguments,
    script=SCRIPT,
    shm_gib=32,
    # It takes the length before YaRN for the longest one; the plan has compared the context with the one after it.
    environment={"HF_TOKEN_PATH": TOKEN_FILE, "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN": "1"},
)
