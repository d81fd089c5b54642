"""Look for what is needed to run here before anything is started. An edge: it asks daemon, driver and hub.

Each check says whether it is needed for this plan, what was found, and the exact next step when it is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.documents.doctor import Check, DoctorDocument
from deployer.core.domain import CONTAINER, GIB, MIB, PROCESS, Plan
from deployer.core.errors import DeployerError, PolicyError, PrerequisiteError
from deployer.planning.sizing import files_gib
from deployer.sources import docker_address, host, host_gpus, installed

if TYPE_CHECKING:
    from deployer.engines import Engine
    from deployer.providers.api import HostGpu

CDI = (Path("/etc/cdi"), Path("/var/run/cdi"))
"""Where specifications of the Container Device Interface lie (CDI 0.8, "File locations")."""
TOOLKIT = (
    "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker"
    " && sudo systemctl restart docker"
)


@dataclass(frozen=True)
class Daemon:
    """What the Docker daemon says of itself (`GET /info`), or why it says nothing."""

    info: Mapping[str, Any]
    error: DeployerError | None = None


def ask_daemon() -> Daemon:
    """Ask the Docker daemon of this machine."""
    from deployer.running.containers import daemon

    try:
        with closing(daemon.connect()) as client, daemon.mended():
            return Daemon(client.info())
    except DeployerError as error:
        return Daemon({}, error)


def reach_daemon() -> Daemon:
    """See that the Docker daemon answers; what it says of itself takes it far longer to find out."""
    from deployer.running.containers import daemon

    try:
        daemon.connect()
    except DeployerError as error:
        return Daemon({}, error)
    return Daemon({})


def examine(
    plan: Plan | None, *, ask: Callable[[], Daemon] = ask_daemon, hub: bool = True
) -> DoctorDocument:
    """Look at everything that a plan for `local` needs, or, without a plan, at the machine."""
    seen, gpus = ask(), host_gpus.gpus()
    found = [*_machine(plan, seen, gpus)]
    if plan is not None:
        found += _of_plan(plan, seen, hub=hub)
    missing = any(check.needed and check.ok is False for check in found)
    return DoctorDocument(ok=not missing, checks=tuple(found))


def quick(plan: Plan, *, ask: Callable[[], Daemon] | None = None) -> None:
    """Refuse a plan for which something is missing, as far as that is seen at once.

    Only for a GPU, or under local-only, is the daemon asked about its machine.

    Raises:
        PrerequisiteError: the first thing that is missing.
        PolicyError: nothing may leave this machine, and the daemon's socket leads to another one.
    """
    container = _inputs(plan, CONTAINER)
    if container is None:
        return
    ask = ask or (ask_daemon if container["gpus"] or container.get("network") else reach_daemon)
    seen = ask()
    if container.get("network") and seen.info and host.same_machine(seen.info) is False:
        there = f"{seen.info.get('Name')} (kernel {seen.info.get('KernelVersion')})"
        raise PolicyError(
            f"local-only forbids this Docker daemon: its socket is here, and it runs on {there}",
            hint="use this machine's own daemon (unset DOCKER_HOST; docker context use default)",
        )
    for check in _machine(plan, seen, ()):
        if check.needed and check.ok is False:
            raise PrerequisiteError(f"{check.name}: {check.detail}", hint=check.next_step)


def _inputs(plan: Plan | None, kind: str) -> Mapping[str, Any] | None:
    found = (r.inputs for r in plan.resources if r.type == kind) if plan else iter(())
    return next(found, None)


def _machine(plan: Plan | None, seen: Daemon, gpus: tuple[HostGpu, ...]) -> Iterator[Check]:
    container = _inputs(plan, CONTAINER)
    on_gpu = bool(container and container["gpus"] and not container.get("docker"))
    driver = host_gpus.has_nvidia()
    engines = tuple(_engines({"cpu", *(gpu.vendor for gpu in gpus)})) if plan is None else ()
    serves = any(check.ok and not one.runs_handlers for one, check in engines)
    yield _docker(seen, needed=_needs_docker(plan, serves=serves and not driver))
    yield _driver(driver=driver, needed=on_gpu)
    if container and container.get("devices"):
        yield _amd_driver(container["devices"])
    if gpus:
        yield Check("GPUs", True, on_gpu, ", ".join(map(_gpu, gpus)))
    yield from (check for _, check in engines)
    if seen.error is None:
        yield from _toolkit(seen.info, needed=on_gpu or (plan is None and driver), driver=driver)


def _needs_docker(plan: Plan | None, *, serves: bool) -> bool:
    """A container needs it; without a plan, whoever has a GPU for it or nothing else to serve with (`serves`)."""
    return not serves if plan is None else _inputs(plan, CONTAINER) is not None


def _docker(seen: Daemon, *, needed: bool) -> Check:
    name = "Docker daemon"
    if seen.error:
        step = (
            seen.error.hint
            if host.has_docker()
            else "install Docker: https://docs.docker.com/engine/install"
        )
        return Check(name, False, needed, seen.error.message, step)
    said = f"version {seen.info.get('ServerVersion', 'unknown')}"
    address = docker_address.find()
    if address is not None and address.elsewhere:
        said += f", at {address}: it is reached over a network, and not known to be on this machine"
    return Check(name, True, needed, said)


def _driver(*, driver: bool, needed: bool) -> Check:
    if driver:
        return Check("NVIDIA driver", True, needed, "loaded")
    step = (
        "install the NVIDIA driver (Ubuntu: sudo ubuntu-drivers install), then restart"
        if needed
        else None
    )
    return Check("NVIDIA driver", False if needed else None, needed, "not loaded", step)


def _amd_driver(devices: Collection[str]) -> Check:
    """Whether the kernel has the devices that ROCm computes with."""
    missing = [path for path in devices if not Path(path).exists()]
    step = "install AMD's driver (amdgpu), then restart: rocm.docs.amd.com" if missing else None
    said = f"{', '.join(missing)} missing" if missing else "loaded"
    return Check("AMD driver", not missing, True, said, step)


def _gpu(one: HostGpu) -> str:
    if one.fault:
        return f"{one.name} ({one.fault})"
    if one.memory_mib is None:
        return f"{one.name} (it shares the machine's memory)"
    free = "" if one.free_mib is None else f", {one.free_mib * MIB / GIB:.1f} GiB free"
    return f"{one.name} ({one.memory_mib * MIB / GIB:.1f} GiB{free})"


def _toolkit(info: Mapping[str, Any], *, needed: bool, driver: bool) -> Iterator[Check]:
    """The toolkit shows as a runtime of the daemon or as CDI specifications; either will do."""
    runtime = "nvidia" in (info.get("Runtimes") or {})
    specs = [f for folder in CDI if folder.is_dir() for f in sorted(folder.glob("*nvidia*"))]
    ok = runtime or bool(specs)
    missing = False if needed else None
    said = (
        "the daemon has the nvidia runtime" if runtime else "by CDI" if specs else "not installed"
    )
    yield Check(
        "NVIDIA Container Toolkit",
        ok or missing,
        needed,
        said,
        None if ok or not needed else TOOLKIT,
    )
    if driver:
        step = None if specs else "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        listed = ", ".join(map(str, specs)) or "no specification in /etc/cdi"
        yield Check("CDI", bool(specs), False, listed, step)


def _of_plan(plan: Plan, seen: Daemon, *, hub: bool) -> Iterator[Check]:
    wanted = _inputs(plan, CONTAINER) or _inputs(plan, PROCESS)
    if wanted is None:
        return
    if (process := _inputs(plan, PROCESS)) is not None:
        yield _engine(process)
    if wanted.get("docker"):  # disk and port are those of another machine
        return
    yield _disk(plan, seen)
    if wanted.get("port", "auto") != "auto":
        yield _port(plan, int(wanted["port"]))
    if plan.model.name and _remote(wanted) and hub:
        yield access(_remote(wanted) or "")


def _engine(wanted: Mapping[str, Any]) -> Check:
    """What would be started without Docker, or what is missing for it."""
    from deployer.engines.launch import Job, launch

    try:
        found = launch(Job(wanted, 0, Path()), installed.here())
    except DeployerError as error:
        return Check("engine", False, True, error.message, error.hint)
    return Check("engine", True, True, found.what)


def _engines(vendors: Collection[str]) -> Iterator[tuple[Engine, Check]]:
    """The engines that run on this machine without a container, and whether they are installed."""
    from deployer.engines import engine, launch, with_part

    for name in with_part("native"):
        found, check = engine(name), f"engine {name}"
        if not any(one in found.vendors and one not in found.by_name for one in vendors):
            continue
        try:
            yield found, Check(check, True, False, launch.installed(name, installed.here()))
        except DeployerError as error:
            yield found, Check(check, None, False, error.message, error.hint)


def _remote(wanted: Mapping[str, Any]) -> str | None:
    """The model hub's repository that is downloaded, if one is."""
    source = wanted.get("source") or (wanted.get("labels") or {}).get("deployer.model", "")
    return source.removeprefix("hf:").partition("@")[0] if source.startswith("hf:") else None


def _disk(plan: Plan, seen: Daemon) -> Check:
    """Room for the weights where Docker keeps its volumes; for files that are here already none is needed."""
    wanted = _inputs(plan, CONTAINER)
    root = Path(str(seen.info.get("DockerRootDir", "/")))
    folder = root if root.exists() else Path("/")
    free = shutil.disk_usage(folder).free / GIB
    remote = plan.sizing if wanted and _remote(wanted) else None
    weights = files_gib(plan.model, remote) if remote else None
    need = weights or 0.0
    step = (
        f"free {need - free:.0f} GiB: 'docker system df' shows what Docker uses"
        if free < need
        else None
    )
    said = f"{free:.0f} GiB free in {folder}, {need:.1f} GiB of weights to download"
    return Check("disk space", free >= need, True, said, step)


def _port(plan: Plan, port: int) -> Check:
    from deployer.running.native.ports import reserved

    try:
        with reserved(port, set()):
            pass
    except PrerequisiteError as error:
        mine = plan.deployment in _holders(port)
        said = f"{port} is held by {plan.deployment} itself" if mine else error.message
        return Check("port", mine, True, said, None if mine else error.hint)
    return Check("port", True, True, f"{port} is free")


def _holders(port: int) -> set[str]:
    """The deployments in containers that are published on a port."""
    from deployer.running.containers import arguments, daemon

    try:
        with closing(daemon.connect()) as client, daemon.mended():
            found = client.containers(filters={"label": arguments.LABEL, "publish": str(port)})
    except DeployerError:
        return set()
    return {str(one["Labels"][arguments.LABEL]) for one in found}


def access(repo: str) -> Check:
    """Say whether the model hub lets this user have a model; without a network it cannot be told."""
    from deployer.sources import model_access

    hub, code = model_access.address(), model_access.status(repo)
    if code is None:
        return Check("model access", None, True, f"{hub} was not reached")
    if code in model_access.REFUSED:
        step = f"accept its terms at {hub}/{repo}, then: hf auth login"
        return Check("model access", False, True, f"{repo} is gated or private ({code})", step)
    return Check("model access", True, True, f"{repo} can be downloaded")
