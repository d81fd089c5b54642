"""The account as everything but Pulumi asks it: what exists, in the neutral words, and its end. Needs LAMBDA_API_KEY."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from deployer.core.errors import DeployerError, PolicyError, PrerequisiteError, RemoteError
from deployer.providers import state_tag
from deployer.providers.inventory import Found, Left, ours
from deployer.providers.managers import Say

from .errors import explain
from .pricing import KEY, MACHINE, RULESET
from .program.dynamic.launch import LAUNCHED, MADE_FOR, OWNER, STATE, made_by, tags_of
from .program.dynamic.rest import Api, ApiError, NotAllowedError, NotGrantedError

LISTED_FOR_S = 1.0
"""Lambda takes one request a second, so a listing is as good as new for so long."""
PREFIX, SUFFIX = "deployer-", "-cloud-gpu"
"""Between these stands the deployment in the name of a key or a ruleset, which have no tags."""
ENDED = ("terminated", "preempted")
GONE = (*ENDED, "terminating")
LOOK_S, ENDS_S = 3.0, 600.0


@contextmanager
def understood() -> Iterator[None]:
    """Turn what Lambda refused into an error with a hint.

    Raises:
        PrerequisiteError: key, permission or network are missing.
        PolicyError: it is beyond the quota.
        RemoteError: Lambda failed.
    """
    try:
        yield
    except ApiError as error:
        raise told(error) from None


def told(error: ApiError, deployment: str = "NAME") -> DeployerError:
    """Return the error that a refusal stands for."""
    made = explain(error.words, deployment)
    if made is None:
        kinds = {NotAllowedError: PrerequisiteError, NotGrantedError: PolicyError}
        kind = next((k for own, k in kinds.items() if isinstance(error, own)), RemoteError)
        made = kind(error.words)
    made.hint = error.mend or made.hint
    return made


@dataclass
class Account:
    """What one key shows. Its listings are kept for a second."""

    api: Api = field(default_factory=Api)
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def listed(self, what: str) -> Sequence[Mapping[str, Any]]:
        """List `instances`, `firewall-rulesets` or `ssh-keys`.

        Raises:
            DeployerError: as `understood` says.
        """
        with self._lock, understood():
            at, found = self._kept.get(what, (0.0, ()))
            if not at or time.monotonic() - at > LISTED_FOR_S:
                found = self.api.get(what)
                self._kept[what] = (time.monotonic(), found)
            known: Sequence[Mapping[str, Any]] = found
            return known

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for something else; what was listed is listed again afterwards."""
        with understood():
            self._kept.clear()
            return self.api.call(method, path, body)

    def machines(self) -> list[Mapping[str, Any]]:
        """List every machine with a tag of this tool's that is not at its end, whatever its deployment."""
        found = self.listed("instances")
        return [one for one in found if OWNER in tags_of(one) and one["status"] not in GONE]

    def things(self) -> Iterator[Found]:
        """List everything of this tool, in the order of its removal."""
        for one in self.machines():
            inputs = {"instance_type": one["instance_type"]["name"]}
            tags = tags_of(one)
            where, state = one["region"]["name"], tags.get(STATE)
            yield Found(
                MACHINE,
                one["id"],
                tags[OWNER],
                tags[OWNER],
                where,
                one,
                tags,
                inputs,
                ours=made_by(one),
                owner=tags.get(MADE_FOR),
                made_at=launched_at(tags),
                state=state_tag.read(state) if state else None,
            )
        for kind, what in ((RULESET, "firewall-rulesets"), (KEY, "ssh-keys")):
            for one in self.listed(what):
                if deployment := deployment_in(one["name"]):
                    where = one["region"]["name"] if "region" in one else ""
                    yield Found(kind, one["id"], one["name"], deployment, where, one)

    def terminate(self, ids: Sequence[str]) -> None:
        """Terminate machines, all or none."""
        self.call("POST", "instance-operations/terminate", {"instance_ids": list(ids)})


def launched_at(tags: Mapping[str, str]) -> float | None:
    """Return when a machine was launched, as its tags say."""
    told = tags.get(LAUNCHED, "")
    return float(told) if re.fullmatch(r"\d{1,12}", told) else None


def deployment_in(name: str) -> str | None:
    """Return whose key or ruleset has that name; None: it is not this tool's."""
    ours = name.startswith(PREFIX) and name.endswith(SUFFIX)
    return name.removeprefix(PREFIX) if ours else None


@dataclass(frozen=True)
class Things:
    """Fulfils `deployer.providers.inventory.Inventory`: everything of one deployment."""

    deployment: str
    of: Account = field(default_factory=Account)
    taken_up: tuple[str, ...] = (MACHINE, RULESET, KEY)

    @property
    def region(self) -> None:
        """See `Inventory`: a key shows all of them."""

    def named(self, deployment: str) -> Things:
        """See `Inventory`."""
        return Things(deployment, self.of, self.taken_up)

    def found(self) -> list[Found]:
        """See `Inventory`."""
        return [one for one in self.of.things() if one.deployment == self.deployment]

    @property
    def account(self) -> None:
        """See `Inventory`: there is no other name of an account than its keys."""

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Inventory`: machines first, whose end is waited for."""
        removed, left = list[Found](), list[Left]()
        for one in sorted(ours(found), key=lambda one: (MACHINE, RULESET, KEY).index(one.type)):
            try:
                self._remove(one)
            except DeployerError as error:
                left.append(Left(one, error.message))
            else:
                removed.append(one)
                say(f"removed {one.type} {one.id}")
        return removed, left

    def _remove(self, one: Found) -> None:
        if one.type == MACHINE:
            self.of.terminate([one.id])
            self._await(one.id)
            return
        path = "firewall-rulesets" if one.type == RULESET else "ssh-keys"
        self.of.call("DELETE", f"{path}/{one.id}")

    def _await(self, id_: str) -> None:
        """Wait until it has ended: before, its ruleset cannot go."""
        until = time.monotonic() + ENDS_S
        while any(
            one["id"] == id_ and one["status"] not in ENDED for one in self.of.listed("instances")
        ):
            if time.monotonic() > until:
                raise RemoteError(f"{id_} does not end; it is still billed")
            time.sleep(LOOK_S)
