"""Why `auto` took one provider and not the others: what each refuses, or what it would cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.core.units import usd
from deployer.planning.choose import Candidate, Question, declined
from deployer.providers.registry import provider, providers


def refusals(question: Question) -> Iterator[str]:
    """Say why each provider that was asked cannot serve the model."""
    for name, reasons in declined(question).items():
        yield f"{name} cannot serve it: {'; '.join(reasons)}"


def others(question: Question, found: Sequence[Candidate]) -> Iterator[str]:
    """Say of every provider but the one taken why it was not, where the choice was left to us."""
    if question.options.provider != "auto" or question.target != "serverless":
        return
    yield from refusals(question)
    taken, refused = found[0].provider.name, declined(question)
    for name in providers(question.target):
        if name != taken and name not in refused:
            first = next((c for c in found if name == c.provider.name), None)
            yield _beside(question, name, first)


def _beside(question: Question, name: str, first: Candidate | None) -> str:
    if first is None:
        region = provider(question.target, name).region(question.options.region)
        return f"{name} has no priced offer for it{f' in {region.id}' if region else ''}"
    where = f"{name}: {first.offer.instance_type}"
    if first.sizing.fit not in ("fits", "tight"):
        return f"{where} does not hold it: {first.sizing.limit}"
    if first.monthly_usd is None:
        return f"{where} would do, unpriced"
    format_name = first.sizing.quantization
    return f"{where} would do as {format_name}, about {usd(first.monthly_usd)} USD/month at this traffic"
