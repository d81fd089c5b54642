"""How long each machine has been idle, from CloudWatch: 500 metrics a call, never a call for one machine.

The watchdog on the machine writes `IdleSeconds` once a minute, as long as the engine answers it. Where it is
silent, what EC2 itself writes every five minutes (data that came in, processor) gives an estimate, which is
said to be one: below `QUIET_BYTES` and `QUIET_PERCENT` nobody asked anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployer.agents.idle import Observation
from deployer.providers.cloud import Gap, Machine
from stacks._aws.session import Clients
from stacks._aws.sweep import spelled

NAMESPACE, IDLE = "Deployer", "IdleSeconds"
QUERIES = 500
"""The most that one GetMetricData takes (CloudWatch API reference)."""
RECENT_S, FRESH_S, MINUTE, FIVE = 900, 300, 60, 300
"""How far back the watchdog's word is looked for, and how old it may be to count as of now."""
BACK_S = 12 * 3600
"""How far back an estimate looks: 144 values of each metric, 72,000 a call of the 100,800 that it gives."""
QUIET_BYTES = 500_000.0
"""Data in, in five minutes, of a machine that only answers health checks and Systems Manager: rough."""
QUIET_PERCENT = 10.0
"""Processor of a machine whose engine waits: rough."""

Series = Mapping[str, Sequence[tuple[float, float]]]
"""By instance: (time, value), the newest first."""


@dataclass(frozen=True)
class Metric:
    """One metric to read, over one stretch of time, of machines or of what else `dimension` names."""

    namespace: str
    name: str
    statistic: str
    period_s: int
    back_s: int
    dimension: str = "InstanceId"


WORD = Metric(NAMESPACE, IDLE, "Minimum", MINUTE, RECENT_S)
DATA_IN = Metric("AWS/EC2", "NetworkIn", "Sum", FIVE, BACK_S)
PROCESSOR = Metric("AWS/EC2", "CPUUtilization", "Maximum", FIVE, BACK_S)


def observe(
    clients: Clients, machines: Sequence[Machine], now: float
) -> tuple[Mapping[str, Observation], list[Gap]]:
    """Observe the machines of one region. One whose metrics could not be asked for is in no observation."""
    told, gaps = read(clients, WORD, [m.id for m in machines if m.running], now)
    starts = {m.id: m.started_at for m in machines}
    silent = [i for i, series in told.items() if not _fresh(series, starts[i], now)]
    data, more = read(clients, DATA_IN, silent, now)
    work, most = read(clients, PROCESSOR, silent, now)
    seen = {
        m.id: _observed(m, told[m.id], data.get(m.id, ()), work.get(m.id, ()), now)
        for m in machines
        if m.id in told and (m.id not in silent or (m.id in data and m.id in work))
    }
    return seen, list(dict.fromkeys([*gaps, *more, *most]))


def _fresh(series: Sequence[tuple[float, float]], started_at: float, now: float) -> bool:
    """Whether the watchdog said something of this run in the last minutes."""
    return bool(series) and series[0][0] >= now - FRESH_S and series[0][0] + MINUTE > started_at


def _observed(
    of: Machine,
    told: Sequence[tuple[float, float]],
    data: Sequence[tuple[float, float]],
    work: Sequence[tuple[float, float]],
    now: float,
) -> Observation:
    """The watchdog's word when it is fresh, else an estimate, else what was last heard of it."""
    heard, used = None, None
    if told and told[0][0] + MINUTE > of.started_at:  # what it said before it was woken is over
        heard = min(now, told[0][0] + MINUTE)
        used = heard - told[0][1]
        if _fresh(told, of.started_at, now):
            return Observation(min(of.started_at, used), used, now, state=of.state)
    if not data and not work:
        return Observation(of.started_at, used, heard, state=of.state)
    busy = [t for t, v in data if v > QUIET_BYTES] + [t for t, v in work if v > QUIET_PERCENT]
    last = max(busy, default=now - BACK_S - FIVE) + FIVE
    known = max(min(now, last), used or 0.0)
    return Observation(of.started_at, known, now, state=of.state, estimated=True)


def read(
    clients: Clients, metric: Metric, ids: Sequence[str], now: float
) -> tuple[dict[str, Sequence[tuple[float, float]]], list[Gap]]:
    """Read a metric of many instances. What CloudWatch did not tell is missing and named as a gap."""
    batches = [ids[start : start + QUERIES] for start in range(0, len(ids), QUERIES)]
    with ThreadPoolExecutor(max(1, min(4, len(batches)))) as pool:
        answers = pool.map(lambda batch: _batch(clients, metric, batch, now), batches)
        told: dict[str, Sequence[tuple[float, float]]] = {}
        gaps: list[Gap] = []
        for answer in answers:
            if isinstance(answer, Gap):
                gaps.append(answer)
            else:
                told.update(answer)
    return told, gaps


def _batch(clients: Clients, metric: Metric, ids: Sequence[str], now: float) -> Series | Gap:
    from botocore.exceptions import BotoCoreError, ClientError

    asked = {
        "MetricDataQueries": [_query(metric, at, one) for at, one in enumerate(ids)],
        "StartTime": datetime.fromtimestamp(now - metric.back_s, UTC),
        "EndTime": datetime.fromtimestamp(now + MINUTE, UTC),
        "ScanBy": "TimestampDescending",
    }
    series: dict[str, list[tuple[float, float]]] = {one: [] for one in ids}
    try:
        for page in clients("cloudwatch").get_paginator("get_metric_data").paginate(**asked):
            for result in page["MetricDataResults"]:
                if result.get("StatusCode") in ("InternalError", "Forbidden"):
                    return Gap(clients.region, f"GetMetricData: {result['StatusCode']}")
                series[ids[int(result["Id"][1:])]] += _points(result)
    except (BotoCoreError, ClientError) as error:
        return Gap(clients.region, spelled(error))
    return {one: sorted(points, reverse=True) for one, points in series.items()}


def _points(result: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
        yield at.timestamp(), value


def _query(metric: Metric, at: int, identity: str) -> dict[str, Any]:
    named = {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": metric.dimension, "Value": identity}],
    }
    return {
        "Id": f"m{at}",
        "MetricStat": {"Metric": named, "Period": metric.period_s, "Stat": metric.statistic},
    }
