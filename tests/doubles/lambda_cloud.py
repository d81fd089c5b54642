"""A double of Lambda's API on loopback, whose machines are processes (`lambda_machine.py`) at loopback addresses.

Where the test kit is, every request and every answer is held against the published OpenAPI description: a request that it
does not allow is answered 400 and noted in `broken`, an answer that it does not allow too. There is no stop: a machine
costs from its launch until it is terminated, whatever its process does.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.doubles.openapi import Description

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "tests" / "doubles" / "lambda_machine.py"
KEY = "secret_canary_5e1f.0123456789abcdef"
WHEN = "2026-01-01T00:00:00.000Z"
PRICES = {"gpu_1x_a10": 129, "gpu_1x_a6000": 109, "gpu_1x_gh200": 229, "gpu_4x_a10": 516}
DESCRIPTIONS = {"us-east-1": "Virginia, USA", "europe-central-1": "Germany"}
ENDS_S = 0.3
Answer = tuple[int, Any]
CODES = {
    401: ("global/invalid-api-key", "API key was invalid, expired, or deleted."),
    404: ("global/object-does-not-exist", "It does not exist."),
}


class Lambda:
    """One account. `free` are the regions with machines to spare by type; `boots_s` is how long a boot takes."""

    def __init__(self, folder: Path, *, described: Description | None = None) -> None:
        self.folder, self.described = folder, described
        self.instances: dict[str, dict[str, Any]] = {}
        self.rulesets: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.since: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.user_data: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.free: dict[str, list[str]] = {name: [*DESCRIPTIONS] for name in PRICES}
        self.prices = dict(PRICES)
        self.faults: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.broken: list[str] = []
        self.key, self.quota, self.boots_s, self.url = KEY, 8, 0.2, ""
        self._lock = threading.Lock()

    # what a test asks and does

    @property
    def living(self) -> list[dict[str, Any]]:
        """The machines that are billed, each where it is by now."""
        for id_, one in self.instances.items():
            if one["status"] == "booting" and time.time() - self.since[id_] > self.boots_s:
                one["status"] = "active"
            if one["status"] == "terminating" and time.time() - self.ended[id_] > ENDS_S:
                one["status"] = "terminated"
        return [one for one in self.instances.values() if one["status"] != "terminated"]

    def left(self) -> dict[str, list[str]]:
        """Everything that is there, by kind."""
        found = {
            "machines": [one["id"] for one in self.living],
            "rulesets": [*self.rulesets],
            "keys": [*self.keys],
        }
        return {kind: ids for kind, ids in found.items() if ids}

    def cents(self, id_: str) -> float:
        """What a machine has cost until now or its end."""
        price = self.instances[id_]["instance_type"]["price_cents_per_hour"]
        return price * (self.ended.get(id_, time.time()) - self.since[id_]) / 3600  # type: ignore[no-any-return]

    def tag(self, id_: str, key: str, value: str) -> None:
        """Let a machine have been launched with another tag."""
        for tag in self.instances[id_]["tags"]:
            if tag["key"] == key:
                tag["value"] = value

    def unused_for(self, id_: str, seconds: float) -> None:
        """Let a machine have been launched, and last used, so long ago."""
        self.tag(id_, "deployer:launched-at", str(int(time.time() - seconds)))
        (self.folder / id_ / "idle").write_text(str(seconds))

    def fail(
        self, call: str, *, status: int = 0, code: str = "", times: int = 1, **more: Any
    ) -> None:
        """Let calls such as "POST instance-operations/launch" fail: `text` is a page, `late` after it was done."""
        fault = {"call": call, "status": status, "code": code, "times": times, **more}
        self.faults.append(fault)

    def poweroff(self, id_: str) -> None:
        """Let a machine shut itself down, which changes nothing for Lambda."""
        self._stopped(id_)

    def shut_down(self) -> None:
        """End every machine's process."""
        for id_ in self.processes:
            self._stopped(id_)

    # what is asked by the API

    def answer(self, method: str, path: str, body: Any, token: str | None) -> Answer | None:
        """Answer one request; None: the connection is cut."""
        call = f"{method} {path}"
        with self._lock:
            self.calls.append(call)
            fault = next((f for f in self.faults if re.fullmatch(f["call"], call)), None)
            if fault is not None:
                fault["times"] -= 1
                if not fault["times"]:
                    self.faults.remove(fault)
                if fault.get("late"):
                    self._answered(method, path, body, token)
                return self._failed(fault)
            return self._answered(method, path, body, token)

    @staticmethod
    def _failed(fault: dict[str, Any]) -> Answer | None:
        if not fault["status"]:
            return None
        if "text" in fault:
            return fault["status"], fault["text"]
        said = {"code": fault["code"], "message": "made by the test", "suggestion": "none"}
        return fault["status"], {"error": said}

    def _answered(self, method: str, path: str, body: Any, token: str | None) -> Answer:
        if token != self.key:
            return _error(401)
        if wrong := self.described and self.described.request(method, path, body):
            self.broken.append(wrong)
            return 400, {"error": {"code": "global/invalid-parameters", "message": wrong}}
        made = self._done(method, path, body)
        wrong = self.described and self.described.answer(method, path, *made)
        self.broken += [wrong] if wrong else []
        return made

    def _done(self, method: str, path: str, body: Any) -> Answer:
        kind, _, id_ = path.partition("/")
        if path == "instance-types":
            return 200, {"data": {name: self._type(name) for name in self.prices}}
        if path == "images":
            return 200, {"data": list(_images())}
        if path == "instance-operations/launch":
            return self._launched(body)
        if path == "instance-operations/terminate":
            return self._terminated(body["instance_ids"])
        if kind == "instances":
            return self._machines(method, id_, body)
        things = {"firewall-rulesets": self.rulesets, "ssh-keys": self.keys}[kind]
        return self._things(things, method, id_, body)

    def _things(self, things: dict[str, Any], method: str, id_: str, body: Any) -> Answer:
        if method == "GET":
            return 200, {"data": [*things.values()]}
        if method == "POST":
            made = {**body, "id": secrets.token_hex(16)}
            if things is self.rulesets:
                made |= {"region": _region(body["region"]), "created": WHEN, "instance_ids": []}
            things[made["id"]] = made
            return 200, {"data": made}
        if id_ not in things:
            return _error(404)
        if method == "PATCH":
            things[id_] |= body
            return 200, {"data": things[id_]}
        used = [m for m in self.living if {"id": id_} in m["firewall_rulesets"]]
        if things is self.rulesets and used:
            code = "firewall-rulesets/firewall-ruleset-in-use"
            return 400, {"error": {"code": code, "message": "In use.", "suggestion": "Wait."}}
        del things[id_]
        return 200, {"data": {}}

    def _machines(self, method: str, id_: str, body: Any) -> Answer:
        found = self.living
        if not id_:
            return 200, {"data": found}
        if id_ not in self.instances:
            return _error(404)
        if method == "POST":
            self.instances[id_] |= body
        return 200, {"data": self.instances[id_]}

    def _launched(self, body: Any) -> Answer:
        kind, region = body["instance_type_name"], body["region_name"]
        if region not in self.free.get(kind, ()):
            code = "instance-operations/launch/insufficient-capacity"
            return 400, {"error": {"code": code, "message": "Not enough capacity."}}
        if len(self.living) >= self.quota:
            said = {"code": "global/quota-exceeded", "message": "Quota exceeded."}
            return 400, {"error": {**said, "suggestion": "Contact Support."}}
        rules = [one["id"] for one in body["firewall_rulesets"]]
        names = [one["name"] for one in self.keys.values()]
        there = all(
            r in self.rulesets and self.rulesets[r]["region"]["name"] == region for r in rules
        )
        if not there or body["ssh_key_names"] != [n for n in names if n in body["ssh_key_names"]]:
            said = {"code": "global/object-does-not-exist", "message": "A key or ruleset."}
            return 404, {"error": {**said, "suggestion": "Make it."}}
        return 200, {"data": {"instance_ids": [self._made(body)]}}

    def _made(self, body: Any) -> str:
        id_, number = secrets.token_hex(16), secrets.randbelow(250 * 250)
        address = f"127.77.{1 + number // 250}.{1 + number % 250}"
        free = {"available": True}
        actions = ("migrate", "rebuild", "restart", "cold_reboot", "terminate")
        self.instances[id_] = {
            "id": id_,
            "name": body["name"],
            "ip": address,
            "status": "booting",
            "ssh_key_names": body["ssh_key_names"],
            "file_system_names": [],
            "region": _region(body["region_name"]),
            "instance_type": self._type(body["instance_type_name"])["instance_type"],
            "actions": dict.fromkeys(actions, free),
            "tags": body["tags"],
            "firewall_rulesets": body["firewall_rulesets"],
        }
        self.since[id_], self.user_data[id_] = time.time(), body["user_data"]
        self.images[id_] = body["image"]["id"]
        self._start(id_, address)
        return id_

    def _start(self, id_: str, address: str) -> None:
        folder = self.folder / id_
        folder.mkdir(parents=True)
        (folder / "user-data").write_text(self.user_data[id_])
        with (folder / "log").open("wb") as log:
            self.processes[id_] = subprocess.Popen(
                [sys.executable, str(MACHINE), str(folder), address],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _terminated(self, ids: list[str]) -> Answer:
        if any(id_ not in self.instances for id_ in ids):
            return _error(404)
        for id_ in ids:
            self.instances[id_]["status"] = "terminating"
            self.ended.setdefault(id_, time.time())
            self._stopped(id_)
        return 200, {"data": {"terminated_instances": [self.instances[id_] for id_ in ids]}}

    def _stopped(self, id_: str) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[id_].pid, signal.SIGKILL)
        self.processes[id_].wait()

    def _type(self, name: str) -> Any:
        gpus = int(name.removeprefix("gpu_").partition("x")[0])
        specs = {"vcpus": 30 * gpus, "memory_gib": 226 * gpus, "storage_gib": 1400, "gpus": gpus}
        said = {"name": name, "description": name, "gpu_description": name.rpartition("_")[2]}
        price = {"price_cents_per_hour": self.prices[name], "specs": specs}
        free = [_region(region) for region in self.free.get(name, ())]
        return {"instance_type": said | price, "regions_with_capacity_available": free}


def _error(status: int) -> Answer:
    code, words = CODES[status]
    return status, {"error": {"code": code, "message": words, "suggestion": "Check it."}}


def _region(name: str) -> dict[str, str]:
    return {"name": name, "description": DESCRIPTIONS.get(name, name)}


def _images() -> Iterator[dict[str, Any]]:
    for region in DESCRIPTIONS:
        for version, when in (("1", "2026-01-01T00:00:00Z"), ("2", "2026-02-01T00:00:00Z")):
            for processor in ("x86_64", "arm64"):
                yield {
                    "id": f"{region}-{processor}-{version}",
                    "created_time": when,
                    "updated_time": when,
                    "name": "Lambda Stack 24.04",
                    "description": "Ubuntu with drivers",
                    "family": "lambda-stack-24-04",
                    "version": version,
                    "architecture": processor,
                    "region": _region(region),
                }
