"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deployer.core.documents.down import DownDocument, Remaining, Removed
from deployer.core.errors import DeployerError, UsageError
from deployer.providers import registry
from deployer.providers.api import Finder, Keeper, Rester, Say
from deployer.running.lookup import applied_by_engine, keeper_for, keeper_of, silent
from deployer.running.store import Store


def down(home: Path, name: str, say: Say = silent) -> DownDocument:
    """Remove a deployment and everything that belongs to it; return what was removed and what is left.

    Nothing there is not an error. What is left keeps its record, so that it is not lost from sight.

    Raises:
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        removed: list[Removed] = []
        left: list[Remaining] = []
        for keeper in _asked(list(_keepers_of(name, store, say)), name, say):
            removed += [Removed(type=one["type"], id=one["id"]) for one in keeper.stop(name)]
            left += [
                Remaining(type=one["type"], id=one["id"], why=_why(keeper, one))
                for one in keeper.found(name)
            ]
        if not left:
            store.forget(name)
    return DownDocument(deployment=name, removed=tuple(removed), remaining=tuple(left))


def rest(home: Path, name: str) -> None:
    """Put a serverless deployment to rest, so that no call wakes it; `up` ends that.

    Raises:
        UsageError: it is not there, or cannot be paused.
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        keeper = keeper_for(store.get(name), home)
        if not isinstance(keeper, Rester):
            raise UsageError(
                f"{name} is not paused by name",
                hint=f"'deployer idle stop' stops machines that nobody uses; 'deployer down {name}' removes it",
            )
        keeper.rest(name)


def _asked(keepers: Sequence[Keeper], name: str, say: Say) -> Iterator[Keeper]:
    """Those that can be asked. Where several clouds may have it, one that does not answer is said, no error."""
    clouds = [keeper for keeper in keepers if isinstance(keeper, Finder)]
    refused = dict(_refusals(clouds, name)) if len(clouds) > 1 else {}
    if refused and len(refused) == len(clouds):
        raise next(iter(refused.values()))
    for refusal in refused.values():
        say(f"not looked at: {refusal.message}")
    yield from (keeper for keeper in keepers if id(keeper) not in refused)


def _refusals(keepers: Sequence[Keeper], name: str) -> Iterator[tuple[int, DeployerError]]:
    for keeper in keepers:
        try:
            keeper.found(name)
        except DeployerError as error:
            yield id(keeper), error


def _why(keeper: Keeper, one: Mapping[str, str]) -> str:
    why = keeper.why(one["type"], one["id"]) if isinstance(keeper, Finder) else None
    return why or "it did not end when it was told to"


def _keepers_of(name: str, store: Store, say: Say) -> Iterator[Keeper]:
    """What the record names; without a readable record, all that may have made something of that name."""
    try:
        record = store.load(name)
    except DeployerError:
        record = None
    if record is not None:
        yield keeper_for(record, store.home, say)
        return
    for where, provider in registry.every_provider():
        found = registry.provider(where, provider)
        # a cloud is asked only for what is named after its target
        named = applied_by_engine(found) and name.endswith(f"-{where}")
        if named or hasattr(found, "runner"):
            yield keeper_of(found, store.home, say)
