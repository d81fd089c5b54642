"""What a launch is asked with, and what it is known by afterwards. Pure, but for the time."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

OWNER, ATTEMPT, LAUNCHED = "deployer:deployment", "deployer:attempt", "deployer:launched-at"
AUTHORITY = "deployer:authority"
"""The SHA-256 of the certificate by which the machine is known to who has nothing but the account's key."""
MADE_FOR, STATE = "deployer:owner", "deployer:state"
"""Tags: who made it, and where Pulumi's state of it lies if others may share that."""
LOOSE = ("deployer:spec-digest", MADE_FOR, STATE, "deployer:expires-after")
"""Tags whose change needs no other machine: Lambda lets tags be written at the launch alone."""
LONGEST_VALUE = 128
SECRET_FILE = "/etc/deployer/secret.json"  # noqa: S105 - a path
FILES = "\nwrite_files:\n"


def request(props: Mapping[str, Any], attempt: str, image: str) -> dict[str, Any]:
    """Return the body of a launch. What is known by then alone stands in tags, which cannot be changed later."""
    own = {ATTEMPT: attempt, AUTHORITY: _authority(props), LAUNCHED: str(int(time.time()))}
    tags = {**props["tags"], **own}
    return {
        "region_name": props["region"],
        "instance_type_name": props["instance_type"],
        "ssh_key_names": [props["key_name"]],
        "name": props["deployment"],
        "image": {"id": image},
        "user_data": user_data(props["user_data"], props["secret"]),
        "tags": [{"key": k, "value": str(v)[:LONGEST_VALUE]} for k, v in sorted(tags.items())],
        "firewall_rulesets": [{"id": props["ruleset_id"]}],
    }


def user_data(text: str, secret: str) -> str:
    """What the machine is started with: the plan's text, and the file of its secrets, which root alone may read."""
    head, found, tail = text.partition(FILES)
    if not found:
        raise ValueError("the user data has no list of files")
    entry = f'  - {{path: {SECRET_FILE}, owner: "root:root", permissions: "0600", encoding: b64, content: '
    return f"{head}{FILES}{entry}{base64.b64encode(secret.encode()).decode()}}}\n{tail}"


def firm(tags: Any) -> dict[str, Any]:
    """Return the tags that a machine must have been launched with."""
    return {k: v for k, v in (tags or {}).items() if k not in LOOSE}


def identity(secret: Any) -> Any:
    """Return what the callers of a machine know it by: the key, and the certificate of its authority."""
    told = json.loads(secret or "{}")
    return told.get("api_key"), told.get("ca_certificate")


def _authority(props: Mapping[str, Any]) -> str:
    text = str(identity(props["secret"])[1] or "").strip()
    return hashlib.sha256(text.encode()).hexdigest()


def attempt_of(props: Mapping[str, Any]) -> str:
    """What a launch is known by: the same for the same machine, so that an interrupted one is found again."""
    what = [props[k] for k in ("deployment", "region", "instance_type", "user_data")]
    told = json.dumps([*what, firm(props["tags"]), identity(props["secret"])], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def key_of(deployment: str) -> str:
    """Return the name of a deployment's SSH key, and of its firewall ruleset."""
    return f"deployer-{deployment}"


def made_by(one: Mapping[str, Any]) -> bool:
    """Whether a machine that has our tags was launched by us: with the key that is made for its deployment alone."""
    return key_of(tags_of(one).get(OWNER, "")) in (one.get("ssh_key_names") or ())


def tags_of(one: Mapping[str, Any]) -> dict[str, str]:
    """Return a machine's tags by their keys."""
    return {tag["key"]: tag["value"] for tag in one.get("tags") or ()}
