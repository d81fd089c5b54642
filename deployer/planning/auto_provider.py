"""Why `auto` took one provider and not the others: what each refuses, or what it would cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.units import usd
from deployer.planning.choose import Candidate, Choice
from deployer.planning.question import Question
from deployer.providers.registry import provider


def refusals(choice: Choice) -> Iterator[str]:
    """Say why each provider that was asked cannot serve the model."""
    for name, reasons in choice.declined.items():
        yield f"{name} cannot serve it: {'; '.join(reasons)}"


def others(choice: Choice) -> Iterator[str]:
    """Say of every provider but the one taken why it was not, where the choice was left to us."""
    question = choice.question
    if question.options.provider != "auto" or question.target != "serverless":
        return
    yield from refusals(choice)
    taken = choice.ranked[0].provider.name
    for name in (place.provider.name for place in choice.places if not place.reasons):
        if name != taken:
            first = next((c for c in choice.ranked if name == c.provider.name), None)
            yield _beside(question, name, first)


def _beside(question: Question, name: str, first: Candidate | None) -> str:
    if first is None:
        region = provider(question.target, name).region(question.options.region)
        return f"{name} has no priced offer for it{f' in {region.id}' if region else ''}"
    if first.barred:
        return f"{name} cannot serve it: {first.barred}"
    where = f"{name}: {first.offer.instance_type}"
    if first.sizing.fit not in ("fits", "tight"):
        return f"{where} is too small: {first.sizing.limit}"
    if first.monthly_usd is None:
        return f"{where} would fit, unpriced"
    format_name = first.sizing.quantization
    return f"{where} would fit as {format_name}, about {usd(first.monthly_usd)} USD/month at this traffic"
