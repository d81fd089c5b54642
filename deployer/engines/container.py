"""How each engine's container is run: image, arguments, and what it may touch. Pure, plain data in and out.

    recipes.py   the engines' own images
    handler.py   the image that is built of a handler of the user's own

An order (`deployer.planning.plan.order_of`) becomes the description of one container. Text of the user only ever becomes
one element of a list of arguments, one mount or one label: no shell sees it as code.
"""

from __future__ import annotations

from typing import Any

from deployer.core.domain import GIB
from deployer.core.errors import PrerequisiteError
from deployer.core.model_source import in_bucket
from deployer.engines.recipe import KEY_FILE, MODEL, RECIPES, SGLANG, VLLM, Order, Recipe, repo

__all__ = ["KEY_FILE", "MODEL", "RECIPES", "SGLANG", "VLLM", "Order", "Recipe", "container", "of"]


def container(order: Order) -> dict[str, Any]:
    """Describe the container that serves an order from its engine's own image, in plain data.

    Raises:
        PrerequisiteError: the engine has no image here, or cannot serve this from a container.
    """
    recipe, options = RECIPES.get(order["engine"]), order["options"]
    if recipe is None:
        raise PrerequisiteError(f"there is no container image for engine {order['engine']} yet")
    image = recipe.cuda_image if _gpus(order) and recipe.cuda_image else recipe.image
    return of(order, recipe, options.get("image") or image)


def of(order: Order, recipe: Recipe, image: str) -> dict[str, Any]:
    """Describe the container that serves an order by a recipe, from an image, in plain data.

    Raises:
        PrerequisiteError: this cannot be served from a container.
    """
    _servable(order)
    options = order["options"]
    return {
        "image": image,
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
        "health": list(recipe.health) if recipe.health else None,
        "gpus": _gpus(order),
        "shm_bytes": recipe.shm_gib * GIB,
        "mounts": _mounts(order, recipe),
        "secrets": _secrets(order, recipe),
        "read_only": recipe.read_only,
    }


def _servable(order: Order) -> None:
    source, adapter = order["model"]["source"], order["model"].get("adapter")
    if in_bucket(source):
        raise PrerequisiteError(
            "provider docker does not read buckets in this version",
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
    if isinstance(asked, list | tuple):
        return list(dict.fromkeys(map(str, asked)))  # Compose refuses the same one twice
    return asked


def _model(order: Order) -> str:
    """The model as the engine in the container knows it. A file's own name never gets inside."""
    path = order["model"]["path"]
    if path is None:
        return repo(order["model"]["source"])
    return f"{MODEL}/model.gguf" if str(path).endswith(".gguf") else MODEL


def _mounts(order: Order, recipe: Recipe) -> list[dict[str, Any]]:
    """The files of the model, or the volume that they are downloaded to; a handler's files are in its image."""
    path = order["model"]["path"]
    if path is None or order.get("handler"):
        volume = {"type": "volume", "source": recipe.volume, "target": recipe.cache}
        return [{**volume, "read_only": False}]
    return [{"type": "bind", "source": path, "target": _model(order), "read_only": True}]


def _secrets(order: Order, recipe: Recipe) -> list[str]:
    """The secret files, by name; each lies at /run/secrets/<name>."""
    gated = order["model"]["path"] is None and "HF_TOKEN_PATH" in recipe.environment
    return ["api_key", "hf_token"] if gated else ["api_key"]
