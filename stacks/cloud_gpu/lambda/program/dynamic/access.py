"""Who gets at a machine: its SSH key, which a launch needs, and its firewall ruleset.

Neither has tags: they are found by their names. One of that name that is there already is taken over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from .base import ENDS_S, LOOK_S, LambdaResource
from .rest import Api, ApiError


class Key(LambdaResource):
    """An SSH key, which a launch needs. Its private half is thrown away: nobody logs in."""

    same = ("name",)
    loose = ("key_id",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Add it; one of this name that is there is taken over."""
        found = self._named(props["name"])
        if found is None:
            body = {"name": props["name"], "public_key": _public_key()}
            try:
                found = self.api.call("POST", "ssh-keys", body)
            except ApiError:
                found = self._named(props["name"])
                if found is None:
                    raise
        return CreateResult(found["id"], {**props, "key_id": found["id"]})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look for it; without an id it was deleted by hand."""
        there = any(one["id"] == id_ for one in self.api.get("ssh-keys"))
        return ReadResult(id_, props) if there else ReadResult("", {})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove it, if it is still there."""
        self.gone(f"ssh-keys/{_id}")

    def _named(self, name: str) -> Any:
        return next((one for one in self.api.get("ssh-keys") if one["name"] == name), None)


class Ruleset(LambdaResource):
    """The firewall of one deployment: who may connect to its ports."""

    same = ("name", "region")
    loose = ("ruleset_id",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make it; one of this name in this region that is there is taken over."""
        body = {"name": props["name"], "region": props["region"], "rules": _rules(props)}
        found = self._named(props)
        if found is None:
            try:
                found = self.api.call("POST", "firewall-rulesets", body)
            except ApiError:
                found = self._named(props)
                if found is None:
                    raise
        else:
            self._patched(found["id"], props)
        return CreateResult(found["id"], {**props, "ruleset_id": found["id"]})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at it; without an id it was deleted by hand."""
        found = next((r for r in self.api.get("firewall-rulesets") if r["id"] == id_), None)
        if found is None:
            return ReadResult("", {})
        sources, ports = _read(found["rules"])
        asked = (sorted(props["sources"]), sorted(props["ports"]))
        now = {} if (sources, ports) == asked else {"sources": sources, "ports": ports}
        return ReadResult(id_, {**props, **now})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Let others in."""
        self._patched(_id, _news)
        return UpdateResult({**_news, "ruleset_id": _id})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove it once no machine has it any more."""
        waited = 0.0
        while True:
            try:
                self.gone(f"firewall-rulesets/{_id}")
            except ApiError as error:
                if "in-use" not in error.code or waited >= ENDS_S:
                    raise
            else:
                return
            self.sleep(LOOK_S)
            waited += LOOK_S

    def _patched(self, id_: str, props: Mapping[str, Any]) -> None:
        self.api.call("PATCH", f"firewall-rulesets/{id_}", {"rules": _rules(props)})

    def _named(self, props: Mapping[str, Any]) -> Any:
        listed = self.api.get("firewall-rulesets")
        where = (props["name"], props["region"])
        return next((r for r in listed if (r["name"], r["region"]["name"]) == where), None)


def _rules(props: Mapping[str, Any]) -> list[dict[str, Any]]:
    made = {"protocol": "tcp", "description": "deployer"}
    return [
        {**made, "port_range": [int(port)] * 2, "source_network": source}
        for source in props["sources"]
        for port in props["ports"]
    ]


def _read(rules: Any) -> tuple[list[str], list[int]]:
    """Who may connect, and to which ports. Rules that are not ours make it differ."""
    blocks = (rule["source_network"] for rule in rules)
    sources = sorted({block if "/" in block else f"{block}/32" for block in blocks})
    return sources, sorted({p for rule in rules for p in rule.get("port_range") or (0,)})


def _public_key() -> str:
    """A new key for OpenSSH; what would open it is not kept."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    public = ed25519.Ed25519PrivateKey.generate().public_key()
    form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{public.public_bytes(*form).decode()} deployer-{secrets.token_hex(4)}"


__all__ = ["Api", "Key", "Ruleset"]
