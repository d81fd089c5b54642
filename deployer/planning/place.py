"""Which region a plan is for: the one that was named, or else its provider's default. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployer.planning.choose import Candidate
from deployer.planning.policy import LOCAL_ONLY, Reach
from deployer.planning.question import Question
from deployer.providers.regions import Region
from deployer.providers.registry import provider
from deployer.spec.serialize import to_plain


def place_of(question: Question, best: Candidate | None) -> Region | None:
    """Return where the data would go; `best` None: as far as the spec alone tells."""
    wanted = getattr(question.options, "region", None)
    if best is not None:
        return best.provider.region(wanted)
    name = question.options.provider
    if name != "auto":
        return provider(question.target, name).region(wanted)
    return Region(wanted) if wanted else None


def reach_of(question: Question, best: Candidate | None) -> Reach:
    """Return where the data of the `local` target goes; `best` None: as far as the spec alone tells.

    Under local-only an address that others can reach counts even where the provider would not open it.
    """
    if question.target != "local":
        return Reach()
    options = question.options
    named = options.provider if best is None else best.provider.name
    where = None if named == "auto" else provider(question.target, named)
    contained = where is not None and where.runs == "container"
    open_on = contained or question.spec.policy.privacy == LOCAL_ONLY
    return Reach(
        question.host.other_docker if contained else None, options.expose if open_on else None
    )


def with_region(
    taken: Mapping[str, Any], question: Question, place: Region | None
) -> dict[str, Any]:
    """Add the region to the defaults that were taken, where none was named."""
    if place is None or getattr(question.options, "region", place.id) is not None:
        return dict(taken)
    return {**taken, f"targets.{question.target}.region": place.id}


def options_in(question: Question, place: Region | None) -> dict[str, Any]:
    """Return the spec's section for the target, with the region that is used."""
    options: dict[str, Any] = to_plain(question.options)
    return {**options, "region": place.id} if place else options
