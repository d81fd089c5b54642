"""How each engine's container is run: image, arguments, and what it may touch. Pure, plain data in and out.

An order (`deployer.planning.plan.order_of`) becomes the description of one container, by the recipe of its engine
(`<engine>/container.py`). Text of the user only ever becomes one element of a list of arguments, one mount or one
label: no shell sees it as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from deployer import engines
from deployer.core.domain import GIB
from deployer.core.errors import PrerequisiteError
from deployer.core.model_source import in_bucket, on_hub
from deployer.core.order import Order
from deployer.engines.recipe import ADAPTER, ADAPTER_FILE, MODEL, Recipe, local_only, repo

PART = r"-00001-of-(\d{5})\.gguf$"
"""How the name of the first part of a split GGUF model ends; llama.cpp finds the others by it."""

AMD_DEVICES = ("/dev/kfd", "/dev/dri")
"""What ROCm computes with (rocm.docs.amd.com, "Running ROCm Docker containers")."""
ISOLATED = "isolated"
"""The network of a container that can be reached from its machine and reaches nothing outside it."""
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - of a machine that is named by the user


def recipe(name: str) -> Recipe | None:
    """Return how an engine runs in a container; None where it does not."""
    found = engines.part(name, "container")
    return None if found is None else found.RECIPE


def pulled(name: str) -> bool:
    """Whether an engine's image is pulled and not built here, so that any machine can run it."""
    found = recipe(name)
    return found is not None and found.build is None


def with_adapters() -> str:
    """Name the engines that serve adapters in a container, in words."""
    found = ((name, recipe(name)) for name in engines.with_part("container"))
    return " and ".join(name for name, one in found if one is not None and one.adapters)


def image(order: Order) -> dict[str, Any] | None:
    """Describe the image that is built for an order, in plain data; None where one is pulled."""
    found = recipe(order["engine"])
    return found.build(order) if found is not None and found.build is not None else None


def container(order: Order) -> dict[str, Any]:
    """Describe the container that serves an order, in plain data.

    Raises:
        PrerequisiteError: the engine has no image here, or cannot serve this from a container.
    """
    found, options = recipe(order["engine"]), order["options"]
    if found is None:
        raise PrerequisiteError(f"there is no container image for engine {order['engine']}")
    _servable(order, found)
    return {
        "image": _image(order, found),
        "entrypoint": ["/bin/sh", "-c", found.script, "serve"] if found.script else None,
        "command": found.arguments(order, _model(order)),
        "environment": _environment(order, found),
        "labels": {
            "deployer.deployment": order["deployment"],
            "deployer.spec-digest": order["digest"],
            "deployer.engine": order["engine"],
            "deployer.model": order["model"]["source"],
        },
        "host": _host(order),
        "port": options.get("port", "auto"),
        "container_port": found.port,
        "health": list(found.health) if found.health else None,
        "gpus": None if on_amd(order) else _gpus(order),
        "devices": list(AMD_DEVICES) if on_amd(order) else [],
        "network": ISOLATED if local_only(order) else None,
        "fetch": _fetch(order, found),
        "docker": _docker(order),
        "shm_bytes": found.shm_gib * GIB,
        "mounts": _mounts(order, found),
        "secrets": _secrets(order, found),
        "read_only": found.read_only,
    }


def _image(order: Order, recipe: Recipe) -> str:
    if recipe.build is not None:
        return str(recipe.build(order)["image"])
    own = recipe.cuda_image if _gpus(order) and recipe.cuda_image else recipe.image
    if on_amd(order):
        own = recipe.rocm_image(str(order["offer"]["gpu"])) or own
    return str(order["options"].get("image") or own)


def _fetch(order: Order, recipe: Recipe) -> dict[str, Any] | None:
    """How the model gets here before the container is cut off; None where its files are here, or it is not cut off."""
    model = order["model"]
    if not local_only(order) or model["path"] is not None:
        return None
    adapter = model.get("adapter")
    sources = [model["source"], *([adapter] if adapter else [])]
    online = [one for one in recipe.arguments(order, _model(order)) if one != "--offline"]
    return {
        "sources": [one.removeprefix("hf:") for one in sources],
        "script": recipe.fetch,
        "arguments": online if recipe.fetch else [],
    }


def on_amd(order: Order) -> bool:
    """Whether it is served on AMD GPUs: these are devices of the kernel, and no toolkit is asked for them."""
    return bool(order["gpus"]) and order["offer"].get("gpu_vendor") == "amd"


def _environment(order: Order, recipe: Recipe) -> dict[str, str]:
    """What the engine is told: not to report its use, and under local-only not to ask the model hub again."""
    served = engines.engine(order["engine"])
    told = {**served.silent, **recipe.environment}
    if local_only(order):
        told |= served.offline
    if on_amd(order) and (chosen := _gpus(order)) != "all":
        ids = chosen if isinstance(chosen, list) else map(str, range(int(chosen)))
        told["ROCR_VISIBLE_DEVICES"] = ",".join(ids)
    return told


def _host(order: Order) -> str:
    """The address that it listens on: on the machine of another daemon one that can be reached from here."""
    asked, docker = order["options"].get("expose") or LOOPBACK, order.get("docker")
    if docker is None or asked != LOOPBACK:
        return str(asked)
    try:
        return str(ip_address(docker["host"]))
    except ValueError:  # a name: which address of its machine it stands for is not known here
        return EVERYWHERE


def _servable(order: Order, recipe: Recipe) -> None:
    source, model = order["model"]["source"], order["model"]
    if in_bucket(source):
        raise PrerequisiteError(
            "provider docker does not read buckets in this version",
            hint="copy the model to a folder and give that as model.source",
            key="model.source",
        )
    if adapter := unserved_adapter(model, recipe):
        raise PrerequisiteError(
            f"adapters are served in a container with {with_adapters()}, and not {adapter}",
            hint="merge the adapter into the model",
            key="model.adapter",
        )
    if (order.get("replicas") or {"min": 1})["min"] > 1:
        raise PrerequisiteError(
            "provider docker runs one replica on this machine",
            hint="set serve.replicas: 1 and raise serve.concurrency instead",
            key="serve.replicas",
        )


def _docker(order: Order) -> str | None:
    daemon = order.get("docker")
    return None if daemon is None else daemon["url"]


def unserved_adapter(model: Mapping[str, Any], recipe: Recipe | None) -> str | None:
    """Return the adapter of an order's model that a container of a recipe could not serve, if so."""
    adapter = model.get("adapter")
    known = adapter and (adapter.startswith("hf:") or model.get("adapter_path"))
    return None if not adapter or (recipe and recipe.adapters and known) else str(adapter)


def _gpus(order: Order) -> Any:
    """What is asked of the daemon: None, "all", a count, or a list of ids."""
    if not order["gpus"]:
        return None
    asked = order["options"].get("gpus", "all")
    chosen = order["offer"].get("gpu_ids")
    if chosen:  # the machine has others besides
        return list(chosen)
    if isinstance(asked, list | tuple):
        return list(dict.fromkeys(map(str, asked)))  # Compose refuses the same one twice
    return asked


def _model(order: Order) -> str:
    """The model as the engine in the container knows it. A file's own name never gets inside."""
    path = order["model"]["path"]
    if path is None:
        return repo(order["model"]["source"])
    if not engines.engine(order["engine"]).serves_one_file:
        return MODEL
    part = re.search(PART, str(path))
    return f"{MODEL}/model{part[0] if part else '.gguf'}"


def _mounts(order: Order, recipe: Recipe) -> list[dict[str, Any]]:
    """The files of the model, or the volume that they are downloaded to; a handler's files are in its image."""
    path, adapter = order["model"]["path"], order["model"].get("adapter_path")
    one_file = engines.engine(order["engine"]).serves_one_file
    beside = [_bind(adapter, ADAPTER_FILE if one_file else ADAPTER)] if adapter else []
    volume = {"type": "volume", "source": recipe.volume, "target": recipe.cache, "read_only": False}
    if path is None or order.get("handler"):
        return [volume, *beside]
    if _on_hub(order["model"].get("adapter")):
        beside = [volume]
    part = re.search(PART, str(path)) if one_file else None
    if part is None:
        return [_bind(path, _model(order)), *beside]
    numbered = (part[0].replace("00001", f"{n:05d}", 1) for n in range(1, int(part[1]) + 1))
    stem = str(path).removesuffix(part[0])
    return [*(_bind(f"{stem}{end}", f"{MODEL}/model{end}") for end in numbered), *beside]


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "read_only": True}


def _secrets(order: Order, recipe: Recipe) -> list[str]:
    """The secret files, by name; each lies at /run/secrets/<name>."""
    model = order["model"]
    fetches = model["path"] is None or _on_hub(model.get("adapter"))
    return (
        ["api_key", "hf_token"]
        if fetches and "HF_TOKEN_PATH" in recipe.environment
        else ["api_key"]
    )


def _on_hub(adapter: str | None) -> bool:
    return adapter is not None and on_hub(adapter)
