"""The engines' own images: tag, arguments, and what each needs.

Tags are pinned. They were in public use in 2026: vLLM and SGLang on Docker Hub, llama.cpp on GitHub's registry.
The API key is a file, `/run/secrets/api_key`. llama.cpp reads it itself; vLLM takes it by environment and SGLang by
a configuration file, so a one-line script in the container hands it over: it is in no argument that `ps` shows and
not in what `docker inspect` lists.

llama.cpp's root file system cannot be written to. vLLM's and SGLang's can: they compile kernels when they start and
write them to several folders of their home (torch inductor, Triton, FlashInfer), from where they are loaded as code,
and nobody has tried here, on a GPU, which of them would have to be left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

KEY_FILE = "/run/secrets/api_key"
TOKEN_FILE = "/run/secrets/hf_token"  # noqa: S105 - a path
MODEL = "/model"
CACHE_VOLUME = "deployer-models"
Order = Mapping[str, Any]

VLLM = f'VLLM_API_KEY="$(cat {KEY_FILE})"; export VLLM_API_KEY; exec vllm serve "$@"'
SGLANG = (
    f"umask 077; printf 'api-key: %s\\n' \"$(cat {KEY_FILE})\" > /tmp/key.yaml; "
    'exec python3 -m sglang.launch_server --config /tmp/key.yaml "$@"'
)


@dataclass(frozen=True)
class Recipe:
    """How one engine is run in a container.

    `cuda_image` is taken with a GPU where it differs. `cache` is where files of the model hub are kept.
    `script` is what /bin/sh runs with the arguments in "$@"; None: the image's own entry point is run.
    `read_only` says whether the engine works on a root file system that cannot be written to.
    `shm_gib` is a limit on shared memory, not a reservation: tensor parallel workers talk through it.
    `health` is the command that says inside whether it is healthy; None: curl asks its /health.
    `volume` is the named volume that `cache` lies in.
    """

    image: str
    port: int
    cache: str
    arguments: Callable[[Order, str], list[str]]
    cuda_image: str | None = None
    script: str | None = None
    read_only: bool = False
    shm_gib: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    health: tuple[str, ...] | None = None
    volume: str = CACHE_VOLUME


def _vllm(order: Order, model: str) -> list[str]:
    name, adapter = order["spec_name"], order["model"].get("adapter")
    arguments = [
        *(model, "--host", "0.0.0.0", "--port", "8000"),  # noqa: S104 - inside the container
        *("--served-model-name", f"{name}-base" if adapter else name),
        *("--max-model-len", str(order["context"])),
        *("--max-num-seqs", str(order["concurrency"])),
        *("--tensor-parallel-size", str(order["gpus"])),
        *_revision(order),
    ]
    if order["quantization"] == "fp8":
        arguments += ["--quantization", "fp8"]
    if adapter:
        arguments += ["--enable-lora", "--lora-modules", f"{name}={repo(adapter)}"]
    return arguments


def _sglang(order: Order, model: str) -> list[str]:
    arguments = [
        *("--model-path", model, "--host", "0.0.0.0", "--port", "30000"),  # noqa: S104
        *("--served-model-name", order["spec_name"]),
        *("--context-length", str(order["context"])),
        *("--max-running-requests", str(order["concurrency"])),
        *("--tp-size", str(order["gpus"])),
        *("--enable-metrics", *_revision(order)),
    ]
    return arguments + (["--quantization", "fp8"] if order["quantization"] == "fp8" else [])


def _llama_cpp(order: Order, model: str) -> list[str]:
    """llama.cpp divides its context among its slots, so it is given the product."""
    local = order["model"]["path"] is not None
    quantized = model if local else f"{model}:{order['quantization'].upper()}"
    return [
        *("--model" if local else "--hf-repo", quantized),
        *("--alias", order["spec_name"], "--host", "0.0.0.0", "--port", "8080"),  # noqa: S104
        *("--ctx-size", str(order["context"] * order["concurrency"])),
        *("--parallel", str(order["concurrency"]), "--api-key-file", KEY_FILE),
        *("--metrics", "--no-slots"),
        *(("--n-gpu-layers", "999") if order["gpus"] else ()),
    ]


RECIPES: Mapping[str, Recipe] = {
    "vllm": Recipe(
        image="vllm/vllm-openai:v0.26.0",
        port=8000,
        cache="/root/.cache/huggingface",
        arguments=_vllm,
        script=VLLM,
        shm_gib=16,
        environment={"HF_TOKEN_PATH": TOKEN_FILE},
    ),
    "sglang": Recipe(
        image="lmsysorg/sglang:v0.5.15",
        port=30000,
        cache="/root/.cache/huggingface",
        arguments=_sglang,
        script=SGLANG,
        shm_gib=32,
        environment={"HF_TOKEN_PATH": TOKEN_FILE},
    ),
    "llama.cpp": Recipe(
        image="ghcr.io/ggml-org/llama.cpp:server-b11206",
        cuda_image="ghcr.io/ggml-org/llama.cpp:server-cuda-b11243",
        port=8080,
        cache="/models",
        arguments=_llama_cpp,
        read_only=True,
        environment={"LLAMA_CACHE": "/models"},
    ),
}


def repo(source: str) -> str:
    """Return the repository of `hf:<repo>[@revision]`."""
    return source.removeprefix("hf:").partition("@")[0]


def _revision(order: Order) -> list[str]:
    source = order["model"]["source"]
    _, _, revision = source.partition("@")
    return ["--revision", revision] if source.startswith("hf:") and revision else []
