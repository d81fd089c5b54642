"""Take a deployment down, or put it to rest. What is reported was looked up, not remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.documents.down import DownDocument, Kept, NotAsked, Remaining, Removed
from deployer.core.errors import DeployerError, UsageError
from deployer.core.owner import owner
from deployer.providers.inventory import Found, ours
from deployer.providers.managers import Drains, Manager, Say, SupportsLookup, SupportsPause
from deployer.running import ownership
from deployer.running.lookup import manager_for, silent
from deployer.running.native import environments
from deployer.running.store import Store
from deployer.workflows.claims import Claim, check_owner, gathered, priced, strangers
from deployer.workflows.holders import by_their_state, holders_of

Agree = Callable[[Sequence[Claim]], None]
"""Is shown what is to be removed; raises `DeclinedError` when it must not be."""
DRAIN_S = 60.0
"""How long answers that are being given have to end, unless it is said otherwise."""


@dataclass(frozen=True)
class Request:
    """What a user says of a deployment that is to be removed, besides its name.

    `owner` is whose it is, where somebody else made it; `state` where its state lies, as its spec says; `drain_s` how
    long answers that are being given have to end.
    """

    owner: str | None = None
    state: str | None = None
    drain_s: float = DRAIN_S


def down(
    home: Path,
    name: str,
    say: Say = silent,
    agree: Agree | None = None,
    asked: Request = Request(),
) -> DownDocument:
    """Remove a deployment and everything that belongs to it, in every place where it was ever made.

    What it is answering may end first. What is left keeps its record, so that it is not lost from sight; nothing left
    of a known one is not an error. Without a readable record every provider that may hold it is asked; one that does
    not answer does not keep the others from being removed. A record stays where a place that it names did not answer,
    and a damaged one where nothing was found and a cloud did not: what it is of may be billed. What this home has no
    record of is listed first, with its owner, age and cost. `agree` is shown what is to be removed, and may refuse it
    by an error. What only carries the deployment's tag is kept.

    Returns:
        The document: what was removed, what is left or kept, and which providers could not be asked.

    Raises:
        UsageError: no deployment was ever known by that name, and none was found.
        PolicyError: somebody else made it, and `asked.owner` does not say so.
        StaleError: another process is working on it.
        DeployerError: who holds it does not answer.
    """
    store = Store(home)
    if not store.is_known(name):
        _check_exists(name, store, say, asked)
    with store.lock(name):
        who = holders_of(name, store, say, asked.state)
        there = gathered(name, [one.manager for one in who.answering], owner(store.home))
        made = ours(there)
        _check(name, made, _Asking(store, who.record, say, agree, asked.owner))
        removed: list[Removed] = []
        left: list[Remaining] = []
        cut = 0
        for holder in by_their_state(who.answering, made):
            cut += _drained(holder.manager, name, asked.drain_s, say)
            removed += [Removed(type=r["type"], id=r["id"]) for r in holder.manager.stop(name)]
            left += [
                Remaining(type=one["type"], id=one["id"], why=_why(holder.manager, one))
                for one in holder.manager.found(name)
            ]
        known = who.record is not None
        # what was removed as a whole is known: whoever is silent holds nothing of it
        not_asked = () if not known and store.is_gone(name) else who.silent
        stays = bool(not_asked) and (
            known or (not removed and any(one.holder.is_cloud for one in not_asked))
        )
        if not left and not stays:
            store.forget(name)
            environments.sweep(store)
            if not not_asked:
                store.mark_gone(name)
    folder = store.folder(name)
    return DownDocument(
        deployment=name,
        removed=tuple(removed),
        remaining=tuple(left),
        not_asked=tuple(
            NotAsked(provider=one.holder.name, why=one.error.message, known=known)
            for one in not_asked
        ),
        kept=_kept([one for one in there if not one.ours], store.home),
        record_kept=str(folder) if stays and folder.exists() else None,
        answers_cut=cut,
    )


def _drained(manager: Manager, name: str, limit_s: float, say: Say) -> int:
    """Let what is being answered end; return how many answers are cut off now."""
    return manager.drain(name, limit_s, say) if isinstance(manager, Drains) else 0


@dataclass(frozen=True)
class _Asking:
    store: Store
    record: Deployment | None
    say: Say
    agree: Agree | None
    owner: str | None


def _check(name: str, made: Sequence[Found], by: _Asking) -> None:
    """List what this home has no record of; refuse somebody else's; ask."""
    if not made:
        return
    own = ownership.own_names(by.store.home, by.record)
    listed: list[Claim] = []

    def shown() -> Sequence[Claim]:
        if not listed:
            listed.extend(priced(made, by.store.home))
            by.say(f"found of {name}:")
            for one in listed:
                by.say(f"  {one.line(time.time())}")
        return listed

    others = strangers(made, own, by.record)
    check_owner(name, others, by.owner, shown)
    if by.record is None or others:
        shown()
    if by.agree is not None:
        by.agree(listed or [Claim(one) for one in made])


def _kept(strange: Sequence[Found], home: Path) -> tuple[Kept, ...]:
    claims = priced(strange, home) if strange else []
    return tuple(
        Kept(
            type=one.found.type,
            id=one.found.id,
            region=one.found.region,
            monthly_usd=one.monthly_usd,
        )
        for one in claims
    )


def _check_exists(name: str, store: Store, say: Say, asked: Request) -> None:
    """See that a name which is not known here belongs to something all the same."""
    unknown = store.unknown(name)
    try:
        who = holders_of(name, store, say, asked.state)
    except DeployerError as error:
        unknown.hint = f"{unknown.hint}; nobody was asked: {error.message}"
        raise (unknown if store.nearest(name) else error) from None
    if any(one.manager.found(name) for one in who.answering):
        return
    quiet = "; ".join(f"{one.holder.name} was not asked: {one.error.message}" for one in who.silent)
    unknown.hint = "; ".join(filter(None, (unknown.hint, quiet)))
    raise unknown


def rest(home: Path, name: str) -> None:
    """Put a serverless deployment to rest, so that no call wakes it; `up` ends that.

    Raises:
        UsageError: it is not there, or cannot be paused.
        StaleError: another process is working on it.
    """
    store = Store(home)
    with store.lock(name):
        manager = manager_for(store.get(name), home)
        if not isinstance(manager, SupportsPause):
            raise UsageError(
                f"{name} cannot be paused by name",
                hint=f"'deployer idle stop' stops machines that nobody uses; 'deployer down {name}' removes it",
            )
        manager.rest(name)


def _why(manager: Manager, one: Mapping[str, str]) -> str:
    why = manager.why(one["type"], one["id"]) if isinstance(manager, SupportsLookup) else None
    return why or "it did not end when asked to"
