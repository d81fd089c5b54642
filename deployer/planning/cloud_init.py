"""What a rented machine does when it starts, as cloud-init's user data. Pure: text out of an order, no secret in it.

The parts are in `templates/cloud`: scripts, systemd units, the reverse proxy's configuration. Text of the user only
ever gets there through the filter of its format: quoted for the shell, for YAML, as JSON.
What differs from machine to machine (its address, its secret's value) is asked by the machine itself when it boots.
What differs from cloud to cloud is in the provider's `BootDialect`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployer import agents
from deployer.core.model_source import in_bucket
from deployer.core.order import Order
from deployer.core.records import dataclass
from deployer.core.templates import folder, render
from deployer.engines import Metrics, engine
from deployer.engines import container as images
from deployer.engines.recipe import MODEL
from deployer.providers.api import Provider
from deployer.providers.boot import BootDialect

USER_DATA = "user-data"
PROGRAMS = ("idle", "watchdog")
"""The modules of `deployer.agents` that the machine gets."""
SCRIPTS = ("prepare", "certificate", "proxy", "ready", "start")
STORE = "/var/lib/deployer/store"
SECRETS = "/run/deployer/secrets"
LIBRARY = "/opt/deployer/lib"
CLOUD = "deployer_cloud"
"""What the module of the provider's own is called there that the watchdog loads."""
LIMITS = ("--ulimit=memlock=-1", "--ulimit=stack=67108864")
"""What NVIDIA advises for containers with a GPU."""


@dataclass(frozen=True)
class File:
    """One file that cloud-init writes, owned by root."""

    path: str
    text: str
    mode: str = "0644"


def unservable(order: Order, provider: Provider) -> str | None:
    """Say why a rented machine of the provider could not serve an order, or None."""
    model = order["model"]
    name = order["engine"]
    if not images.pulled(name):
        return f"engine {name} has no container image that could be pulled there"
    if engine(name).metrics is None:
        return f"engine {name} has no metrics, so the machine cannot see whether it is used"
    if model["path"] is not None:
        there = " or ".join(f"{scheme}://bucket/folder" for scheme in provider.reads)
        hint = f"copy it to a bucket and write {there}" if there else "publish it on the model hub"
        return f"{model['source']} is on this machine: {hint}"
    adapter = images.unserved_adapter({**model, "adapter_path": None}, images.recipe(name))
    if adapter:
        return f"adapters are served with {images.with_adapters()} and from the model hub, not {adapter}"
    return None


def files(order: Order, provider: Provider) -> dict[str, str]:
    """Return the texts that a rented machine starts from, by name; none where it could not serve."""
    if provider.boot is None or unservable(order, provider):
        return {}
    parts = list(written(order, provider.boot))
    return {USER_DATA: render("cloud/user-data.yaml.j2", files=parts)}


def written(order: Order, dialect: BootDialect) -> Iterator[File]:
    """Yield every file that the machine gets."""
    container = images.container(_as_seen_there(order))
    port = container["container_port"]
    values = {
        "deployment": order["deployment"],
        "weights": _weights(order),
        "engine_port": port,
        "health_path": engine(order["engine"]).health_path,
        "region": order["offer"]["region"],
    }
    yield File("/etc/deployer/settings", render("cloud/settings.sh.j2", **values))
    yield File("/etc/deployer/watchdog.json", _watchdog(order, port, dialect))
    yield File("/opt/deployer/common.sh", _static("common.sh"))
    yield File("/opt/deployer/cloud.sh", dialect.script.read_text(encoding="utf-8"))
    yield File("/opt/deployer/engine", _engine(order, container), "0755")
    yield File("/opt/deployer/nginx.conf", render("cloud/nginx.conf.j2", **values))
    for name in SCRIPTS:
        yield File(f"/opt/deployer/{name}", _static(name), "0755")
    yield from _units(dialect)
    yield from _library(dialect)


def _static(name: str) -> str:
    return (folder() / "cloud" / name).read_text(encoding="utf-8")


def _units(dialect: BootDialect) -> Iterator[File]:
    for unit in sorted((folder() / "cloud" / "units").iterdir()):
        text = render(f"cloud/units/{unit.name}", proxy_image=dialect.proxy_image)
        yield File(f"/etc/systemd/system/{unit.name.removesuffix('.j2')}", text)


def _library(dialect: BootDialect) -> Iterator[File]:
    """The watchdog: the very modules that are tested here, as a package of their own on the machine."""
    if dialect.watchdog:
        yield File(f"{LIBRARY}/{CLOUD}.py", dialect.watchdog.read_text(encoding="utf-8"))
    for package in ("", "agents/"):
        yield File(f"{LIBRARY}/deployer/{package}__init__.py", "")
    for name in PROGRAMS:
        text = Path(agents.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        yield File(f"{LIBRARY}/deployer/agents/{name}.py", text)


def _weights(order: Order) -> str:
    """Where the machine fetches the weights itself; empty where the engine does, from the model hub."""
    source = str(order["model"]["source"])
    return source if in_bucket(source) else ""


def _as_seen_there(order: Order) -> Order:
    """Turn the order into that of the container on the machine: a bucket's weights are a folder there."""
    model = order["model"]
    if _weights(order):
        single = engine(order["engine"]).serves_one_file
        path = f"{STORE}/model/model.gguf" if single else f"{STORE}/model"
        model = {**model, "path": path, "source": path}
    return {**order, "model": model, "options": {}, "replicas": None}


def _engine(order: Order, container: Mapping[str, Any]) -> str:
    gguf = f"{MODEL}/model.gguf" if _weights(order) else ""
    return render(
        "cloud/engine.sh.j2",
        engine=order["engine"],
        gguf=gguf if gguf in container["command"] else "",
        options=_options(container),
        mounts=list(_mounts(order, container)),
        image=container["image"],
        arguments=[*(container["entrypoint"] or [])[1:], *container["command"]],
    )


def _options(container: Mapping[str, Any]) -> list[str]:
    """The options of `docker run` that do not depend on the machine."""
    port = container["container_port"]
    options = [f"--publish=127.0.0.1:{port}:{port}", "--cap-drop=ALL"]
    options += ["--security-opt=no-new-privileges:true", f"--shm-size={container['shm_bytes']}"]
    if container["gpus"]:
        options += ["--gpus=all", *LIMITS]
    if container["read_only"]:
        options += ["--read-only", "--tmpfs=/tmp"]
    if container["entrypoint"]:
        options.append(f"--entrypoint={container['entrypoint'][0]}")
    return options + [f"--env={k}={v}" for k, v in container["environment"].items()]


def _mounts(order: Order, container: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each with what it is on the machine, in the container, and whether it may be written."""
    if _weights(order):
        yield f"{STORE}/model", MODEL, "ro"
    else:
        (cache,) = (one["target"] for one in container["mounts"])
        yield f"{STORE}/cache", cache, "rw"
    for name in container["secrets"]:
        yield f"{SECRETS}/{name}", f"/run/secrets/{name}", "ro"


def _watchdog(order: Order, port: int, dialect: BootDialect) -> str:
    """The policy of the watchdog, as the machine reads it."""
    idle, metrics = order["policy"]["idle"], engine(order["engine"]).metrics or Metrics(())
    told = {
        "deployment": order["deployment"],
        "region": order["offer"]["region"],
        "cloud": CLOUD if dialect.watchdog else None,
        "metrics": {"running": metrics.running, "finished": metrics.finished},
        "url": f"http://127.0.0.1:{port}",
        "key_file": f"{SECRETS}/api_key",
        "idle_after_s": idle["after"],
        "action": "destroy" if order["offer"]["billing"] == "spot" else idle["action"],
        "fleet": fleet(order),
    }
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def fleet(order: Order) -> bool:
    """Whether there are, or may be, several machines behind one address."""
    replicas = order.get("replicas") or {"min": 1, "max": 1}
    options = order["options"]
    return bool(order["offer"]["billing"] == "spot" or options.get("domain")) or (
        (replicas["min"], replicas["max"]) != (1, 1)
    )
