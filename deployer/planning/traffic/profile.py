"""What the spec's traffic asks of a deployment in a month of 730 h. Pure.

The profile spreads the week's requests over its 168 hours; within an hour they arrive at random (Poisson).

    requests a month = requests a day x 365 / 12
    m(t)             = requests expected in the window before t that keeps an endpoint awake:
                       the time to scale to zero plus the time one request takes
    awake(t)         = 1 - 1 / (exp(m(t)) + rate(t) x cold start)
    busy(t)          = 1 - exp(-m(t)), the window being the time one request takes

`awake` is the share of an alternating renewal process: asleep for 1/rate on average; then a cold start and
the busy period of a queue with servers enough (M/D/inf), (exp(m) - 1) / rate. Both are averaged over the week.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from math import ceil, cos, exp, pi
from typing import Any

from deployer.core.domain import HOURS_PER_MONTH, Range, Usage

HOURS = 168
STEPS = 4
"""Looks at the week every quarter of an hour."""
DAYS_PER_MONTH = Decimal(365) / 12
COLD_START_MINUTES = (1.0, 5.0)
"""Taken for the start of an endpoint where a provider does not say; paid like any other minute."""
UNKNOWN_SECONDS = (0.0, 120.0)
"""How long one request takes when the speed is not known."""
STREAMED_BYTES_PER_TOKEN = 200
"""An estimate: one token streamed as one JSON chunk of the OpenAI protocol; the text itself is 4 to 6 bytes."""
LOG_BYTES_PER_REQUEST = 1000
LOG_BYTES_PER_HOUR = 72_000
"""An estimate: an engine logs a line of 200 bytes every ten seconds, and two or three for a request."""
GB = Decimal(2**30)

WORKING_HOURS = range(9, 18)
SPIKES = (10, 16)


def usage(
    traffic: Any,
    *,
    scale_to_zero_minutes: float,
    seconds_per_request: Range | None,
    cold_start_minutes: Range = COLD_START_MINUTES,
) -> Usage:
    """Work out the month from the traffic's requests a day, tokens and profile.

    Args:
        traffic: a mapping or an object with requests_per_day, input_tokens, output_tokens, profile.
        scale_to_zero_minutes: how long an endpoint stays awake after its last request.
        seconds_per_request: how long one request takes, lowest and highest likely; None is unknown.
        cold_start_minutes: how long it takes to wake up, lowest and highest likely.
    """
    per_day = Decimal(str(_field(traffic, "requests_per_day")))
    rates = hourly_rates(float(per_day), _field(traffic, "profile"))
    times = seconds_per_request or UNKNOWN_SECONDS
    kept = [scale_to_zero_minutes / 60 + seconds / 3600 for seconds in times]
    cold = [minutes / 60 for minutes in cold_start_minutes]
    awake = [_month(_awake(rates, window, start)) for window, start in zip(kept, cold, strict=True)]
    busy = [_month(_awake(rates, seconds / 3600, 0.0)) for seconds in times]
    most = Decimal(HOURS_PER_MONTH) if per_day else Decimal(0)
    return month(
        per_day * DAYS_PER_MONTH,
        (_field(traffic, "input_tokens"), _field(traffic, "output_tokens")),
        active_hours=(awake[0], awake[1]),
        busy_hours=(busy[0], busy[1]) if seconds_per_request else (Decimal(0), most),
    )


def month(
    requests: Decimal,
    tokens: tuple[Any, Any],
    *,
    active_hours: tuple[Decimal, Decimal],
    busy_hours: tuple[Decimal, Decimal],
) -> Usage:
    """Return the month of so many requests, of so many input and output tokens each."""
    given, made = (requests * Decimal(str(count)) for count in tokens)
    return Usage(
        requests=requests,
        input_tokens=given,
        output_tokens=made,
        egress_gb=made * STREAMED_BYTES_PER_TOKEN / GB,
        log_gb=(requests * LOG_BYTES_PER_REQUEST + HOURS_PER_MONTH * LOG_BYTES_PER_HOUR) / GB,
        active_hours=active_hours,
        busy_hours=busy_hours,
    )


def hourly_rates(requests_per_day: float, profile: str | Sequence[Any]) -> tuple[float, ...]:
    """Return the requests an hour, for each hour of a week from Monday 0:00.

    - steady: the same in every hour.
    - office-hours: Monday to Friday, 9 to 18 h; none at other times.
    - diurnal: every day a wave, from a tenth of the mean at 3 h to 1.9 times the mean at 15 h.
    - spiky: 60 % in ten hours of the week (Monday to Friday at 10 and at 16 h), the rest spread evenly.
    - 24 numbers: weights of the hours of every day.
    """
    weights = list(_weights(profile))
    total = sum(weights)
    week = requests_per_day * 7
    return tuple(week * weight / total if total else 0.0 for weight in weights)


def _weights(profile: str | Sequence[Any]) -> Iterator[float]:
    for hour in range(HOURS):
        day, time = divmod(hour, 24)
        if not isinstance(profile, str):
            yield float(profile[time])
        else:
            yield _weight(profile, weekday=day < 5, time=time)


def _weight(profile: str, *, weekday: bool, time: int) -> float:
    if profile == "office-hours":
        return float(weekday and time in WORKING_HOURS)
    if profile == "diurnal":
        return 1 - 0.9 * cos(2 * pi * (time - 3) / 24)
    if profile == "spiky":
        return 0.4 / HOURS + (0.6 / (5 * len(SPIKES)) if weekday and time in SPIKES else 0)
    return 1.0


def _awake(rates: Sequence[float], window: float, cold_start: float) -> float:
    """The share of the week with a request in the last `window` hours, or a start going on.

    What an hour contributes follows from its own rate and from those of the hours that the window reaches back into:
    most hours of a profile are alike in these, and are looked at once.
    """
    sums = (0.0, *accumulate(rates))
    total = 0.0
    for hour, count in _alike(tuple(rates), min(ceil(window), HOURS)):
        times = [hour + (step + 0.5) / STEPS for step in range(STEPS)]
        expected = (_until(time, sums) - _until(time - window, sums) for time in times)
        starting = rates[hour] * cold_start
        total += count * sum(_share(each, starting) for each in expected)
    return total / (HOURS * STEPS)


@lru_cache(maxsize=16)
def _alike(rates: tuple[float, ...], reach: int) -> Sequence[tuple[int, int]]:
    """One hour of each kind, with how many there are: alike in their own rate and in those of `reach` hours before."""
    before = (*rates[HOURS - reach :], *rates)
    pasts = [before[hour : hour + reach + 1] for hour in range(HOURS)]
    first = {past: hour for hour, past in enumerate(pasts)}
    return [(first[past], count) for past, count in Counter(pasts).items()]


def _share(expected: float, starting: float) -> float:
    asleep = exp(-expected)  # the formula above, with exp(m) in its denominator turned over
    return 1 - asleep / (1 + starting * asleep)


def _until(time: float, sums: Sequence[float]) -> float:
    """The requests expected from Monday 0:00 until `time` in hours; weeks repeat both ways."""
    weeks, hours = divmod(time, HOURS)
    whole = int(hours)
    part = (hours - whole) * (sums[min(whole + 1, HOURS)] - sums[min(whole, HOURS)])
    return weeks * sums[-1] + sums[min(whole, HOURS)] + part


def _month(share: float) -> Decimal:
    return Decimal(str(round(min(1.0, max(0.0, share)) * HOURS_PER_MONTH, 6)))


def _field(traffic: Any, name: str) -> Any:
    return traffic[name] if isinstance(traffic, Mapping) else getattr(traffic, name)
