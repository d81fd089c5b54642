"""The docker provider's `Runner`: one container on this machine.

A container that is replaced is stopped and kept as `<deployment>-previous` until the new one is healthy. Two
engines at once would want the memory of the same GPU, and the same port.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from deployer.core.documents.privacy import Finding
from deployer.core.errors import DeployerError
from deployer.core.files import write_private
from deployer.core.owner import owner
from deployer.engines.recipe import BUILT
from deployer.providers.inventory import Found as Owned
from deployer.providers.managers import Say
from deployer.running.containers import (
    arguments,
    build,
    daemon,
    fetching,
    inspection,
    network,
    other_machine,
    pull,
)
from deployer.running.containers.evidence import Look
from deployer.running.containers.inspection import Found
from deployer.running.native import gpu
from deployer.running.native.ports import Reservation
from deployer.running.store import Store
from deployer.sources import docker_address

if TYPE_CHECKING:
    from docker import APIClient

CONTAINER = "local:index:Container"
IMAGE = "local:index:Image"
PREVIOUS = "-previous"
LAST_LINES = 1000
"""How many lines of a removed container's log are kept for whoever asks why it failed."""


class DockerRunner:
    """Serves a model from a container."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Create and start the container, in place of one that runs, and return the base URL.

        Raises:
            PrerequisiteError: no daemon, no image, no GPU for containers, a taken port, no such file.
            RemoteError: the image of a handler cannot be built.
        """
        wanted = next(r for r in resources if r["type"] == CONTAINER)["inputs"]
        url = wanted.get("docker")
        if url is None:
            inspection.readable(wanted)
        client = daemon.connect(url)
        if url is not None:
            say(f"by the Docker daemon at {url}, which is not known to be on this machine")
        with daemon.mended():
            _have_image(client, resources, say)
            folder = self._secrets(deployment, wanted)
            fetching.ensure(client, deployment, wanted, folder, say)
            with self._set_aside(client, deployment, wanted, say) as held:
                made = self._create(client, deployment, wanted, held.port)
                say(
                    f"starting container {deployment} on {wanted['host']}:{held.port or 'a free port'}"
                )
                client.start(made)
        if url is None:
            return f"http://{inspection.reached_at(wanted['host'])}:{held.port}/v1"
        return inspection.endpoint_there(client, made, wanted, url)

    def _create(
        self, client: APIClient, deployment: str, wanted: Mapping[str, Any], port: int
    ) -> str:
        """Create the container on its network, with its secrets; return its id."""
        url, folder = wanted.get("docker"), self.store.folder(deployment) / "secrets"
        if wanted.get("network"):
            network.ensure(client, deployment)
        config = arguments.create(wanted, port, folder)
        config["Labels"] = {**config["Labels"], arguments.OWNER: owner(self.store.home)}
        if url is not None:
            config = other_machine.without_binds(config, deployment)
        _prepare_to_ask()
        made = client.create_container_from_config(config, deployment)
        if url is not None:
            values = {name: (folder / name).read_text() for name in wanted["secrets"]}
            other_machine.send(client, made["Id"], values)
        return str(made["Id"])

    def alive(self, deployment: str) -> bool:
        """Whether its container runs; one that ended before it was ever healthy does not count."""
        with self._containers(deployment) as (client, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            if client is None or current is None:
                return False
            seen = client.inspect_container(current["Id"])
        state = seen["State"]
        if self._loading(deployment):
            return (
                bool(state["Running"]) and not seen["RestartCount"] and not inspection.sick(state)
            )
        return bool(state["Running"] or state["Restarting"])

    def _loading(self, deployment: str) -> bool:
        record = self.store.load(deployment)
        return record is not None and record.ready_at is None

    def claimed(self, deployment: str) -> Sequence[Owned]:
        """Return its containers, running or not, with who made each: others may share the daemon."""
        with self._containers(deployment) as (_, found):
            return [inspection.owned(CONTAINER, one, deployment) for one in found]

    def account_of(self, deployment: str) -> None:
        """Say that there is but one account: the daemon's users share it."""

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Return its containers, running or not."""
        return [one.plain for one in self.claimed(deployment)]

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield the lines of its log."""
        with self._containers(deployment) as (client, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            if client is not None and current is not None:
                yield from inspection.lines(client, current["Id"], follow=follow, tail=tail)

    def gpu_memory_mib(self, deployment: str) -> int | None:
        """Return the GPU memory that its processes hold, in MiB; None where there is no NVIDIA driver."""
        with self._containers(deployment) as (client, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            if client is None or current is None:
                return None
            pids = inspection.pids_of(client.top(current["Id"]))
        return gpu.memory_of(pids)

    def cached_bytes(self, deployment: str) -> int | None:
        """Return what the volume of the model cache holds; None where it has none."""
        with self._containers(deployment) as (client, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            if client is None or current is None:
                return None
            return inspection.cached_bytes(client, current["Id"])

    def evidence(self, deployment: str) -> Iterator[Finding]:
        """Look at the container that runs, and say what that proves."""
        with self._look(deployment) as look:
            if look is not None:
                yield from look.findings()

    def way_out(self, deployment: str) -> str | None:
        """Return what was reached from inside of a container that was to be cut off; None: nothing was."""
        with self._look(deployment) as look:
            if look is None or not look.wanted.get("network"):
                return None
            tried = look.egress(names=False)
        return tried.detail if tried.holds is False else None

    @contextmanager
    def _look(self, deployment: str) -> Iterator[Look | None]:
        """The container as its daemon shows it, and as it was planned; None where none runs."""
        record = self.store.load(deployment)
        made = record.planned if record else ()
        wanted = next((r["inputs"] for r in made if r["type"] == CONTAINER), None)
        with self._containers(deployment) as (client, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            if client is None or current is None or wanted is None:
                yield None
                return
            yield Look(client, client.inspect_container(current["Id"]), wanted)

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove its containers, their unnamed volumes and what was built for it; the model cache stays."""
        removed = []
        with self._containers(deployment) as (client, found):
            if client is None:
                return ()
            fetching.forget(client, deployment)
            for one in found:
                self._remove(client, deployment, one)
                removed.append({"type": CONTAINER, "id": one["Id"][:12]})
            removed += [{"type": network.TYPE, "id": i} for i in network.forget(client, deployment)]
            removed += [{"type": IMAGE, "id": i} for i in build.forget(client, deployment)]
            inspection.forget_volume(client, other_machine.volume(deployment))
        return removed

    def settle(self, deployment: str) -> None:
        """Remove the container that was kept, and the image that was built for it."""
        with self._containers(deployment) as (client, found):
            if client is None:
                return
            for one in found:
                if inspection.name(one) != deployment:
                    client.remove_container(one["Id"], v=True, force=True)
            current = next((c["Image"] for c in found if inspection.name(c) == deployment), "")
            if current.startswith(BUILT):
                build.forget(client, deployment, keep=current)
            list(network.forget(client, deployment))  # the daemon keeps one that is in use

    def put_back(self, deployment: str) -> bool:
        """Remove the new container and start the one it was to replace."""
        with self._containers(deployment) as (client, found):
            kept = next((c for c in found if inspection.name(c) == deployment + PREVIOUS), None)
            if client is None or kept is None:
                return False
            for one in found:
                if one is not kept:
                    self._remove(client, deployment, one)
            with daemon.mended():
                client.rename(kept["Id"], deployment)
                client.start(kept["Id"])
            build.forget(client, deployment, keep=kept["Image"])
        return True

    @contextmanager
    def _containers(self, deployment: str) -> Iterator[tuple[APIClient | None, list[Found]]]:
        """The daemon and the deployment's containers; none where there is no Docker and no record of one."""
        try:
            client = daemon.connect(self._daemon_of(deployment))
        except DeployerError:
            if docker_address.find() is not None or self._is_recorded(deployment):
                raise
            yield None, []
            return
        with daemon.mended():
            label = f"{arguments.LABEL}={deployment}"
            found = client.containers(all=True, filters={"label": label})
            yield client, sorted(found, key=inspection.name)

    def _daemon_of(self, deployment: str) -> str | None:
        """The daemon of another machine that the deployment was made by; None: this machine's."""
        with suppress(DeployerError):
            record = self.store.load(deployment)
            made = record.planned if record else ()
            urls = (r["inputs"].get("docker") for r in made if r["type"] == CONTAINER)
            return next(urls, None)
        return None

    def _is_recorded(self, deployment: str) -> bool:
        """Whether its record says that it has a container; one that cannot be read says nothing."""
        try:
            record = self.store.load(deployment)
        except DeployerError:
            return False
        return record is not None and any(r["type"] == CONTAINER for r in record.planned)

    @contextmanager
    def _set_aside(
        self, client: APIClient, deployment: str, wanted: Mapping[str, Any], say: Say
    ) -> Iterator[Reservation]:
        """Stop what runs and keep it; hold the port for what comes."""
        with self._containers(deployment) as (_, found):
            current = next((c for c in found if inspection.name(c) == deployment), None)
            kept = next((c for c in found if inspection.name(c) != deployment), None)
        with inspection.port(client, wanted, current or kept) as held:
            if (
                current is not None and kept is not None
            ):  # a killed `up`: what it kept was the healthy one
                client.remove_container(current["Id"], v=True, force=True)
            elif current is not None:
                say(
                    f"setting the running container {deployment} aside until the new one is healthy"
                )
                client.stop(current["Id"], timeout=arguments.STOP_S)
                client.rename(current["Id"], deployment + PREVIOUS)
            yield held

    def _remove(self, client: APIClient, deployment: str, one: Found) -> None:
        """Stop and remove a container; its last lines stay where the deployment's files are."""
        with daemon.mended():
            client.stop(one["Id"], timeout=arguments.STOP_S)
            folder = self.store.folder(deployment)
            if folder.exists() and inspection.name(one) == deployment:
                lines = inspection.lines(client, one["Id"], follow=False, tail=LAST_LINES)
                write_private(folder / "engine.log", "\n".join(lines))
            client.remove_container(one["Id"], v=True, force=True)

    def _secrets(self, deployment: str, wanted: Mapping[str, Any]) -> Path:
        """Write the secret files. Their folder is the owner's alone; the container's user must read them."""
        folder = self.store.folder(deployment) / "secrets"
        values = {"api_key": lambda: self.store.key(deployment), "hf_token": inspection.hub_token}
        for name in wanted["secrets"]:
            write_private(folder / name, values[name]())
            (folder / name).chmod(0o444)
        return folder


def _prepare_to_ask() -> None:
    """Load what the engine will be asked with while the daemon is at work."""
    Thread(target=import_module, args=("httpx",), daemon=True).start()


def _have_image(client: APIClient, resources: Sequence[Mapping[str, Any]], say: Say) -> None:
    """Build the image that is built here, pull one that is not."""
    built = next((r["inputs"] for r in resources if r["type"] == IMAGE), None)
    if built is not None:
        build.ensure(client, built, say)
        return
    pull.ensure(
        client, next(r for r in resources if r["type"] == CONTAINER)["inputs"]["image"], say
    )
