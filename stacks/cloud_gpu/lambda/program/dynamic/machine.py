"""The machine. A launch has no token that would make it safe to repeat: a machine is searched by its tags first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CreateResult, ReadResult

from .base import ENDS_S, LOOK_S, LambdaResource, say
from .launch import ATTEMPT, OWNER, attempt_of, firm, identity, made_by, request, tags_of
from .rest import Api, ApiError

LIMIT_S = 1800.0
"""The longest that a machine may take to boot."""
GONE = ("terminated", "terminating", "preempted")


class MachineError(Exception):
    """The machine did not become what was asked for."""


class Machine(LambdaResource):
    """One machine. Nothing of it can be changed: what differs needs another one."""

    same = ("deployment", "region", "instance_type", "user_data", "secret", "tags", "ruleset_id")
    loose = ("ip", "status", "instance_id", "image_family", "architecture", "key_name")

    def differs(self, key: str, old: Any, new: Any) -> bool:
        """A newer image, another hub token or another owner do not end a machine that runs."""
        if key == "tags":
            return firm(old) != firm(new)
        if key == "secret":
            return bool(identity(old) != identity(new))
        return bool(old != new)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Launch it and wait until it has booted; what an interrupted run launched is taken over."""
        attempt = attempt_of(props)
        found = self._ours(props["deployment"])
        rules = {"id": props["ruleset_id"]}
        same = [
            one
            for one in found
            if tags_of(one).get(ATTEMPT) == attempt and rules in one.get("firewall_rulesets", ())
        ]
        for other in (one for one in found if one not in same[:1]):
            say(f"lambda: ending {other['id']}, which an interrupted run left behind")
            self._end(other["id"])
        id_ = same[0]["id"] if same else self._launched(props, attempt)
        return CreateResult(id_, {**props, **self._awaited(id_)})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at it; without an id it has ended, or somebody ended it."""
        found = self._seen(id_)
        return ReadResult("", {}) if found is None else ReadResult(id_, {**props, **_state(found)})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Terminate it and wait for its end: the firewall ruleset cannot go before."""
        self._end(_id)

    def _ours(self, deployment: str) -> list[Any]:
        listed = self.api.get("instances")
        mine = [one for one in listed if tags_of(one).get(OWNER) == deployment and made_by(one)]
        return [one for one in mine if one["status"] not in GONE]

    def _launched(self, props: Mapping[str, Any], attempt: str) -> str:
        body = request(props, attempt, self._image(props))
        try:
            return str(self.api.call("POST", "instance-operations/launch", body)["instance_ids"][0])
        except ApiError as error:
            if error.status in range(400, 500):
                raise
            for _ in range(3):  # nothing was heard: it may have been launched
                self.sleep(LOOK_S)
                for one in self._ours(props["deployment"]):
                    if tags_of(one).get(ATTEMPT) == attempt:
                        return str(one["id"])
            raise

    def _image(self, props: Mapping[str, Any]) -> Any:
        """The newest image of the family for the processor, in the machine's region."""
        wanted = (props["region"], props["image_family"], props["architecture"])
        found = [
            one
            for one in self.api.get("images")
            if (one["region"]["name"], one["family"], one["architecture"]) == wanted
        ]
        if not found:
            region, family, processor = wanted
            raise MachineError(
                f"Lambda has no image {family} for {processor} in {region}."
                " Mend: name another targets.cloud-gpu.region"
            )
        return max(found, key=lambda one: one["created_time"])["id"]

    def _awaited(self, id_: str) -> dict[str, Any]:
        waited = 0.0
        while True:
            found = self._seen(id_)
            if found is None:
                raise MachineError(f"the machine {id_} ended while it booted. Mend: run it again")
            if found["status"] == "active" and found.get("ip"):
                return _state(found)
            if waited >= LIMIT_S:
                raise MachineError(f"the machine {id_} did not boot within {LIMIT_S:.0f} s")
            if waited % 60 < LOOK_S:
                say(f"lambda: {id_} is {found['status']}, {waited:.0f} s")
            self.sleep(LOOK_S)
            waited += LOOK_S

    def _seen(self, id_: str) -> Any:
        try:
            found = self.api.get(f"instances/{id_}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return None if found["status"] in GONE else found

    def _end(self, id_: str) -> None:
        if self._seen(id_) is not None:
            self.api.call("POST", "instance-operations/terminate", {"instance_ids": [id_]})
        waited = 0.0
        while self._seen(id_) is not None:
            if waited >= ENDS_S:
                raise MachineError(f"the machine {id_} does not end; it is still billed")
            self.sleep(LOOK_S)
            waited += LOOK_S


def _state(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"ip": found.get("ip"), "status": found["status"], "instance_id": found["id"]}


__all__ = ["Api", "Machine"]
