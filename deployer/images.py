"""How each engine's container is run: image, arguments, and what it may touch. Pure, plain data in and out.

An order (`deployer.plan.order_of`) becomes the description of one container. Text of the user only ever becomes
one element of a list of arguments, one mount or one label: no shell sees it as code.

Tags are pinned. They were in public use in 2026: vLLM and SGLang on Docker Hub, llama.cpp on GitHub's registry.
The API key is a file, `/run/secrets/api_key`. llama.cpp reads it itself; vLLM takes it by environment and SGLang by
a configuration file, so a one-line script in the container hands it over: it is in no argument that `ps` shows and
not in what `docker inspect` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployer.errors import PrerequisiteError
from deployer.words import GIB

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
        arguments += ["--enable-lora", "--lora-modules", f"{name}={_repo(adapter)}"]
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


def container(order: Order) -> dict[str, Any]:
    """Describe the container that serves an order, in plain data.

    Raises:
        PrerequisiteError: the engine has no image here, or cannot serve this from a container.
    """
    recipe, options = RECIPES.get(order["engine"]), order["options"]
    if recipe is None:
        raise PrerequisiteError(f"there is no container image for engine {order['engine']} yet")
    _servable(order)
    gpus = _gpus(order)
    image = recipe.cuda_image if gpus and recipe.cuda_image else recipe.image
    return {
        "image": options.get("image") or image,
        "entrypoint": ["/bin/sh", "-c", recipe.script, "serve"] if recipe.script else None,
        "command": recipe.arguments(order, _model(order)),
        "environment": dict(recipe.environment),
        "labels": {
            "deployer.deployment": order["deployment"],
            "deployer.spec-digest": order["digest"],
            "deployer.engine": order["engine"],
            "deployer.model": order["model"]["source"],
        },
        "host": options.get("expose") or "127.0.0.1",
        "port": options.get("port", "auto"),
        "container_port": recipe.port,
        "gpus": gpus,
        "shm_bytes": recipe.shm_gib * GIB,
        "mounts": _mounts(order, recipe),
        "secrets": _secrets(order, recipe),
        "read_only": recipe.read_only,
    }


def _servable(order: Order) -> None:
    source, adapter = order["model"]["source"], order["model"].get("adapter")
    if source.startswith("s3:"):
        raise PrerequisiteError(
            "provider docker does not read s3: sources in this version",
            hint="copy the model to a folder and give that as model.source",
        )
    if adapter and not (order["engine"] == "vllm" and adapter.startswith("hf:")):
        raise PrerequisiteError(
            f"provider docker serves adapters with vllm and from the model hub, not {adapter}",
            hint="merge the adapter into the model, or publish it and write hf:<repo>",
        )
    if (order.get("replicas") or {"min": 1})["min"] > 1:
        raise PrerequisiteError(
            "provider docker runs one replica on this machine",
            hint="set serve.replicas: 1 and raise serve.concurrency instead",
        )


def _gpus(order: Order) -> Any:
    """What is asked of the daemon: None, "all", a count, or a list of ids."""
    if not order["gpus"]:
        return None
    asked = order["options"].get("gpus", "all")
    return [str(one) for one in asked] if isinstance(asked, list | tuple) else asked


def _model(order: Order) -> str:
    """The model as the engine in the container knows it. A file's own name never gets inside."""
    path = order["model"]["path"]
    if path is None:
        return _repo(order["model"]["source"])
    return f"{MODEL}/model.gguf" if str(path).endswith(".gguf") else MODEL


def _mounts(order: Order, recipe: Recipe) -> list[dict[str, Any]]:
    path = order["model"]["path"]
    if path is None:
        volume = {"type": "volume", "source": CACHE_VOLUME, "target": recipe.cache}
        return [{**volume, "read_only": False}]
    return [{"type": "bind", "source": path, "target": _model(order), "read_only": True}]


def _secrets(order: Order, recipe: Recipe) -> list[str]:
    """The secret files, by name; each lies at /run/secrets/<name>."""
    gated = order["model"]["path"] is None and "HF_TOKEN_PATH" in recipe.environment
    return ["api_key", "hf_token"] if gated else ["api_key"]


def _repo(source: str) -> str:
    return source.removeprefix("hf:").partition("@")[0]


def _revision(order: Order) -> list[str]:
    source = order["model"]["source"]
    _, _, revision = source.partition("@")
    return ["--revision", revision] if source.startswith("hf:") and revision else []
