"""Everything with this tool's tag, over all regions in parallel. What could not be seen is named as a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from deployer.core.errors import without_secrets
from deployer.providers.cloud import Gap
from deployer.providers.inventory import Found
from stacks._aws import inventory, ownership, types
from stacks._aws.session import Clients, code_of, is_wrong_time, refused, understood
from stacks._aws.types import compute
from stacks._aws.types.record import AWS, Find

ClientsOf = Callable[[str], Clients]
"""Gives the clients of a region."""

EVERYWHERE = "global"
"""Stands for the region of what has none (IAM)."""
THREADS = 24
OFF = frozenset(
    {"AuthFailure", "OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId"}
)
"""How AWS refuses a region that the account has not enabled; credentials that work elsewhere are in order."""
BLINDING = [one.sweep for one in types.of(AWS) if one.lives]
"""The searches without whose answer nothing in a region is known to be left over: for machines and their groups."""


def regions(clients: Clients) -> list[str]:
    """Name the regions that the account has enabled.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    with understood("list the regions of your account"):
        told = clients("ec2").describe_regions(AllRegions=False)
    return sorted(one["RegionName"] for one in told["Regions"])


def sweep(
    clients_of: ClientsOf, names: Sequence[str], *, everywhere: bool = True
) -> tuple[list[Found], tuple[Gap, ...]]:
    """Look for everything that is tagged in some regions; `everywhere` adds what has no region. What failed is a gap.

    The machines come first: where even they are refused because the region is off, nothing more is asked. So
    does which types have the tag at all: of a region where nothing is, only that is asked of EC2.
    """
    clients = {name: clients_of(name) for name in names}
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.map(lambda name: _tried(compute.instances, clients[name], name), names)
        present = dict(
            zip(names, pool.map(lambda name: _id_prefixes(clients[name]), names), strict=True)
        )
        machines = dict(zip(names, first, strict=True))
        asked = [
            (search, name)
            for name in names
            if not _off(machines[name])
            for search in _searches(present[name])
        ]
        if everywhere and names:
            everywhere_alike = [one for one in types.TRACKED.values() if one.is_global]
            asked += [(one.sweep, EVERYWHERE) for one in everywhere_alike if one.sweep]
        home = clients[names[0]] if names else None
        answers = pool.map(
            lambda ask: _tried(ask[0], clients.get(ask[1], home), ask[1]),  # type: ignore[arg-type]
            asked,
        )
        return _swept([*machines.values(), *answers])


def _id_prefixes(clients: Clients) -> frozenset[str]:
    """What the ids in a region begin with; every prefix that is known when that may not be asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return inventory.id_prefixes(clients)
    except (BotoCoreError, ClientError):
        return frozenset(one.id_prefix for one in types.TRACKED.values() if one.id_prefix)


def _searches(present: frozenset[str]) -> list[Find]:
    """The searches of a region besides that for machines: those of types that may be there, each once."""
    may_be = [
        one
        for one in types.TRACKED.values()
        if not one.is_global and (one.id_prefix is None or one.id_prefix in present)
    ]
    every = dict.fromkeys(one.sweep for one in may_be if one.sweep is not None)
    return [search for search in every if search is not compute.instances]


def _swept(answers: Sequence[list[Found] | Gap]) -> tuple[list[Found], tuple[Gap, ...]]:
    found = [one for each in answers if isinstance(each, list) for one in each]
    gaps = dict.fromkeys(each for each in answers if isinstance(each, Gap))
    return ownership.judged(found), tuple(gaps)


def _off(answer: list[Found] | Gap) -> bool:
    return isinstance(answer, Gap) and answer.error.startswith("the region is not enabled")


def _tried(search: Find, clients: Clients, region: str) -> list[Found] | Gap:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return list(types.find(search, clients, None))
    except (BotoCoreError, ClientError) as error:
        return Gap(region, spelled(error), blind=search in BLINDING)


def spelled(error: Exception) -> str:
    """Say what AWS's client raised, in a line: the operation, the code, AWS's words."""
    code = code_of(error)
    if code is None:
        return f"AWS cannot be reached or asked: {without_secrets(str(error))}"
    operation = getattr(error, "operation_name", "the call")
    whole = error.response["Error"].get("Message", "")  # type: ignore[attr-defined]
    said = without_secrets(whole.partition("\n")[0])  # the lines below it quote what was signed
    if is_wrong_time(code, said):
        return refused(operation, code, said).message
    if code in OFF:
        return f"the region is not enabled for your account ({operation}: {code})"
    return f"{operation}: {code}: {said}"
