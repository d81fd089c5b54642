"""What a machine says of itself on port 8443 (`boot/watchdog_lambda.py`): its use, its boot.

Who has nothing but the account's key trusts it by a tag: the SHA-256 of its certificate authority.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployer.agents.idle import LOADING_S, Observation
from deployer.providers.cloud import Gap, Machine

from .program.dynamic.launch import AUTHORITY, tags_of

PORT = 8443
LIMIT_S = 5.0
AT_ONCE = 32
FRESH_S = 180.0
"""A watchdog looks every minute: what three of them missed was not seen."""
MOST_BYTES = 2**20


def observed(
    found: Sequence[tuple[Machine, Mapping[str, Any]]], now: float
) -> tuple[Mapping[str, Observation], list[Gap]]:
    """Ask machines for how long they were unused, many at once.

    One that does not answer is taken to boot for as long as that may take; an older one is a gap.
    """
    with ThreadPoolExecutor(max(1, min(AT_ONCE, len(found)))) as pool:
        answers = list(pool.map(lambda pair: _use(pair[1]), found))
    seen: dict[str, Observation] = {}
    silent: dict[str, list[str]] = {}
    for (machine, _), answer in zip(found, answers, strict=True):
        if isinstance(answer, str) and now - machine.started_at > LOADING_S:
            silent.setdefault(machine.scope, []).append(f"{machine.id} ({answer})")
        elif isinstance(answer, str) or answer is None:
            seen[machine.id] = Observation(machine.started_at)
        else:
            at = now - answer["age_s"]
            last = now if answer["age_s"] <= FRESH_S else at
            seen[machine.id] = Observation(machine.started_at, at - answer["idle_s"], last)
    why = "could not be asked for their use: look from an address that `expose` lets in"
    return seen, [Gap(scope, f"{', '.join(ids)} {why}") for scope, ids in silent.items()]


def _use(one: Mapping[str, Any]) -> Any:
    """Its use, None before its model answers, or in words why it does not say."""
    import httpx

    address, known = one.get("ip"), tags_of(one).get(AUTHORITY)
    if not address or not known:
        return "it has no address yet" if known else "its authority is not known"
    try:
        authority = _authority(address)
        if hashlib.sha256(authority.strip().encode()).hexdigest() != known:
            return "it is not the machine that its tag tells of"
        trusting = ssl.create_default_context(cadata=authority)
        told = httpx.get(f"https://{address}:{PORT}/idle", verify=trusting, timeout=LIMIT_S)
        return _read(told.raise_for_status().json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        return str(error) or type(error).__name__


def _authority(address: str) -> str:
    """Ask for the certificate that the rest is trusted by: its digest is known, so that nobody need be trusted."""
    import httpx

    url = f"https://{address}:{PORT}/ca"
    with httpx.stream("GET", url, verify=False, timeout=LIMIT_S) as answer:  # noqa: S501 - see above
        answer.raise_for_status()
        text = b""
        for piece in answer.iter_bytes():
            text += piece
            if len(text) > MOST_BYTES:
                raise ValueError("its certificate is too long")
    return text.decode()


def _read(told: Any) -> dict[str, float] | None:
    if told is None:
        return None
    read = {key: float(told[key]) for key in ("idle_s", "age_s")} if isinstance(told, dict) else {}
    if not read or any(not 0 <= value < 10**10 for value in read.values()):
        raise ValueError("what it says of its use cannot be understood")
    return read


def boot(address: str, authority: str, key: str) -> list[str]:
    """Return the last lines of its boot and of its engine; none while it cannot be asked.

    Args:
        address: the machine's.
        authority: the certificate of the deployment's authority.
        key: the deployment's key.
    """
    import httpx

    url, headers = f"https://{address}:{PORT}/boot", {"Authorization": f"Bearer {key}"}
    try:
        trusting = ssl.create_default_context(cadata=authority)
        answer = httpx.get(url, headers=headers, verify=trusting, timeout=LIMIT_S * 3)
    except (httpx.HTTPError, ValueError, OSError):
        return []
    return answer.text.splitlines() if answer.status_code == 200 else []
