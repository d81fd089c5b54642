"""What AWS refused, as Pulumi's plugin or boto3 writes it in an error's text, as an error with a hint."""

from __future__ import annotations

import re

from deployer.core.errors import DeployerError, NoCapacityError
from deployer.running.stack.failures import first_line
from stacks._aws.session import refused

API_ERROR = re.compile(
    r"(?:api error |RequestID: [\w-]*, )(?P<code>\w+): *(?P<words>.*)", re.DOTALL
)
"""How AWS's SDK for Go writes what was refused; an error that its service's model names is without "api error"."""
CLIENT_ERROR = re.compile(r"An error occurred \((?P<code>\w+)\).*?operation[^:]*: (?P<words>.*)")
"""How boto3 writes it."""
CODE = re.compile(r"(?P<code>[A-Z]\w+Exception): (?P<words>.*)")
"""How the code of our own resources writes it, at the beginning."""
CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",  # "your requested instance type is not supported in your requested zone"
    }
)
ATTEMPT = re.compile(r"\b(creat|updat|delet|modify|read|attach|stopp?|start)ing ([^:(]{3,60})")
VERBS = {"creat": "create", "updat": "update", "delet": "delete", "stopp": "stop"}


def explain(said: str, deployment: str) -> DeployerError | None:
    """Fulfils `Provider.explain`; None where the text holds no refusal of AWS."""
    found = API_ERROR.search(said) or CLIENT_ERROR.search(said) or CODE.match(said)
    if found is None:
        return None
    what, words = _attempt(said) or f"bring up {deployment}", first_line(found["words"])
    if found["code"] in CAPACITY:
        return NoCapacityError(
            f"AWS has no capacity to {what}: {words}",
            hint=f"try again later, another targets.cloud-gpu.region or instance; "
            f"'deployer down {deployment}' removes what was made so far",
        )
    return refused(what, found["code"], words)


def _attempt(said: str) -> str | None:
    """What was tried, in the plugin's words: "creating EC2 Instance" becomes "create EC2 Instance"."""
    found = ATTEMPT.search(said)
    return f"{VERBS.get(found[1], found[1])} {found[2].strip()}" if found else None
