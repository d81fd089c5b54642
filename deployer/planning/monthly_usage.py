"""What a month of the spec's traffic asks of the offer that was chosen; of what sleeps, simulated. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from deployer.core.domain import Range, Usage
from deployer.planning import capacity
from deployer.planning.catalog.target_traits import cold_start_source
from deployer.planning.choose import Candidate
from deployer.planning.question import Question
from deployer.planning.traffic.profile import COLD_START_MINUTES
from deployer.planning.traffic.profile import usage as usage_of

if TYPE_CHECKING:
    from deployer.planning.traffic.month import Month


def month_of(
    question: Question, best: Candidate, inputs: Mapping[str, Any]
) -> tuple[Usage, tuple[str, ...]]:
    """The month's usage; of what sleeps, simulated, with what that means for those who call."""
    traffic, serve = question.spec.traffic, question.spec.serve
    seconds = capacity.seconds(best.sizing, serve.concurrency, traffic.output_tokens)
    sleep = best.provider.sleep
    cold = sleep.cold_start_minutes if sleep else COLD_START_MINUTES
    keep = float(inputs.get("scale_to_zero_minutes", 0))
    if not keep or (sleep is not None and sleep.always_runs(inputs)):
        used = usage_of(
            traffic,
            scale_to_zero_minutes=keep,
            seconds_per_request=seconds,
            cold_start_minutes=cold,
        )
        return used, ()
    from deployer.planning.traffic.month import (
        Sleeper,
        of_sleeper,
    )  # late: only what sleeps needs it

    window = sleep.window_minutes if sleep else 0.0
    batch = capacity.at_once(best.sizing, serve.concurrency)
    most = None if best.managed else capacity.allowed(question.spec, question.target)
    month = of_sleeper(traffic, Sleeper(keep, cold, seconds, batch, window, most))
    return month.usage, tuple(_cold(month, cold, best.provider.name))


def _cold(month: Month, minutes: Range, provider: str) -> Iterator[str]:
    """What share of the requests meets a cold start, how long it takes, and who says so."""
    if not month.usage.requests:
        return
    low, high = (f"{share:.1%}" for share in month.cold_share)
    share = low if low == high else f"{low} to {high}"
    yield (
        f"{share} of the requests wait for a cold start of {minutes[0]:g} to {minutes[1]:g} minutes: simulated over "
        f"{month.weeks} weeks, hour by hour with bursts{_by(provider)}"
    )


def _by(provider: str) -> str:
    told = cold_start_source(provider)
    return "" if told is None else f"; {told}"
