"""What a container shows of privacy: who reaches it, what it reaches, what it was told, where its weights came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.agents import egress_probe
from deployer.core.documents.privacy import Finding
from deployer.running import egress
from deployer.running.containers import arguments, network
from deployer.running.containers.daemon import mended
from deployer.running.findings import listening, told
from deployer.sources import docker_address, host

if TYPE_CHECKING:
    from docker import APIClient

NOT_THERE = (126, 127)
"""Exit codes of a command that the image does not have."""
NO_WAY = (5, 6, 7, 28)
"""Exit codes of curl that say that nothing was reached (curl(1): proxy, name, connection, time)."""
NOTES = "cat ~/.cache/huggingface/deployer/*.json"


@dataclass(frozen=True)
class Look:
    """One container that runs, as its daemon shows it."""

    client: APIClient
    seen: Mapping[str, Any]
    wanted: Mapping[str, Any]

    @property
    def ident(self) -> str:
        """Its id."""
        return str(self.seen["Id"])

    def findings(self) -> Iterator[Finding]:
        """Look at everything, one after the other."""
        yield self.machine()
        yield self.listens()
        yield self.egress()
        yield from told(_environment(self.seen), str(self.wanted["labels"]["deployer.engine"]))
        yield self.weights()

    def machine(self) -> Finding:
        """Whether it runs on this machine."""
        address = docker_address.find()
        with mended():
            info = self.client.info()
        same = host.same_machine(info)
        elsewhere = bool(self.wanted.get("docker")) or address is None or address.elsewhere
        said = (
            f"docker daemon: {self.wanted.get('docker') or (address.url if address else 'unknown')}",
            f"its machine: {info.get('Name')}, {info.get('OperatingSystem')}, kernel {info.get('KernelVersion')}",
        )
        holds = False if elsewhere or same is False else same
        detail = {
            True: "its Docker daemon is reached by a socket, and its machine is this one",
            None: "its Docker daemon is reached by a socket; it runs in a virtual machine, as it says, on this machine",
            False: "its Docker daemon is reached over a network, or its machine is another one",
        }[holds]
        return Finding("machine", "it runs on this machine", holds, detail, said)

    def listens(self) -> Finding:
        """Whether the published ports are of addresses that only this machine reaches."""
        ports = self.seen["NetworkSettings"]["Ports"] or {}
        bound = [(b["HostIp"], b["HostPort"]) for given in ports.values() for b in given or ()]
        return listening([f"{ip or '0.0.0.0'}:{port}" for ip, port in bound])  # noqa: S104

    def egress(self, names: bool = True) -> Finding:
        """Whether what runs inside reaches anything outside the machine."""
        statement = "it reaches nothing outside this machine"
        with egress.targets() as aims:
            tried = aims.addresses if names else [a for a in aims.addresses if a != egress.HUB]
            answers = self._attempt(tried)
        cut = self._cut_off()
        if not answers:
            detail = "the image has neither Python nor curl to try it with"
            return Finding("egress", statement, None, detail, cut)
        seen = [
            f"{a}: {'REACHED' if why is None else f'not reached ({why})'}"
            for a, why in answers.items()
        ]
        seen += [f"this machine itself reaches {a}" for a in sorted(aims.controls)]
        reached = [a for a, why in answers.items() if why is None]
        if reached:
            return Finding(
                "egress", statement, False, f"it reached {', '.join(reached)}", (*seen, *cut)
            )
        if not cut and not aims.controls:
            detail = (
                "no attempt got out, but this machine reaches nothing either: that proves nothing"
            )
            return Finding("egress", statement, None, detail, tuple(seen))
        detail = f"{len(answers)} attempts from inside failed"
        return Finding("egress", statement, True, detail, (*seen, *cut))

    def _attempt(self, addresses: Sequence[str]) -> dict[str, str | None]:
        """Try from inside, by the image's Python or else its curl."""
        program = Path(egress_probe.__file__).read_text(encoding="utf-8")
        code, said = self._run(["python3", "-c", program, *addresses])
        if code == 0:
            with suppress(ValueError):
                return dict(json.loads(said.splitlines()[-1]))
        answers: dict[str, str | None] = {}
        for address in addresses:
            code, _ = self._run(["curl", "-sS", "-m", "4", "-o", "/dev/null", f"http://{address}/"])
            if code in NOT_THERE:
                return {}
            answers[address] = f"curl: exit code {code}" if code in NO_WAY else None
        return answers

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        with mended():
            made = self.client.exec_create(self.ident, list(command), stderr=False)
            said = self.client.exec_start(made["Id"]).decode(errors="replace")
            return int(self.client.exec_inspect(made["Id"])["ExitCode"]), said

    def _cut_off(self) -> tuple[str, ...]:
        """What of its networks keeps it in; nothing where it has one that leads out."""
        joined = self.seen["NetworkSettings"]["Networks"]
        mine = network.name(str(self.wanted["labels"][arguments.LABEL]))
        if set(joined) != {mine}:
            return ()
        gateway = joined[mine].get("Gateway")
        return (
            f"its only network is {mine}, whose default gateway ({gateway}) is an address that nobody has",
            f"it finds names by {', '.join(self.seen['HostConfig']['Dns'] or ())}, which nobody has either",
            f"capabilities dropped: {', '.join(self.seen['HostConfig']['CapDrop'] or ())}",
        )

    def weights(self) -> Finding:
        """Where the weights came from: files of this machine, or a model hub, with the commit."""
        source = str(self.wanted["labels"].get("deployer.model", "unknown"))
        binds = [
            m
            for m in self.seen["Mounts"]
            if m["Type"] == "bind" and "/run/secrets" not in m["Destination"]
        ]
        statement = "where the weights came from is known"
        if binds:
            seen = tuple(f"{m['Source']} at {m['Destination']}, writable: {m['RW']}" for m in binds)
            return Finding("weights", statement, True, f"files of the machine: {source}", seen)
        if not source.startswith("hf:"):
            return Finding(
                "weights",
                statement,
                True,
                f"files in its image: {source}",
                (str(self.seen["Config"]["Image"]),),
            )
        code, said = self._run(["/bin/sh", "-c", NOTES])
        if code or not said.strip():
            return Finding(
                "weights",
                statement,
                None,
                f"the model hub ({source}); no note of the download was found",
            )
        return Finding(
            "weights", statement, True, f"the model hub ({source})", tuple(said.splitlines())
        )


def _environment(seen: Mapping[str, Any]) -> dict[str, str]:
    return dict(one.partition("=")[::2] for one in seen["Config"]["Env"] or ())
