"""The scaling wall: how long an answer takes when so many people ask at the same time. Pure.

Everybody asks again when they have their answer, as `deployer bench` does. Up to the number that is answered
at once the time grows in a straight line from that of one stream alone: a step of the engine reads the weights
once, and each sequence for itself. Beyond it the rest wait, and the throughput is what it is:

    seconds = output tokens / speed of one stream + time to the first token        for one
    seconds = output tokens x users / (copies x tokens per second of one copy)     beyond the wall

the second line is the asymptote of a closed queue (Denning & Buzen, ACM Computing Surveys 10, 1978).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deployer.core.domain import Basis, Range, Sizing
from deployer.planning.capacity import allowed
from deployer.planning.compare.options import Asked, Way
from deployer.planning.compare.result import Crowd, Row, Wall
from deployer.planning.compare.service_rate import Serving
from deployer.planning.traffic.demand import Demand
from deployer.planning.traffic.simulation import Server

BEYOND = 4
"""How many times the furthest wall is shown."""
MOST_USERS = 2**20


def walls(
    asked: Asked, ways: Mapping[str, Way], rows: Sequence[Row], demand: Demand
) -> dict[str, Wall]:
    """Return the wall of each target whose speed is known."""
    known = {
        row.target: (ways[row.target], how, copies)
        for row in rows
        if (how := ways[row.target].serving(asked, demand)) and how.known
        if (copies := _copies(asked, row))
    }
    furthest = max((how.slow.batch * copies for _, how, copies in known.values()), default=1)
    users = tuple(_doubled(BEYOND * furthest))
    return {
        target: _wall(way, how, copies, demand, users)
        for target, (way, how, copies) in known.items()
    }


def _copies(asked: Asked, row: Row) -> int | None:
    most = allowed(asked.spec, row.target) if row.target == "serverless" else 1
    return None if row.copies is None else max(row.copies, most)


def _doubled(least: int) -> Iterator[int]:
    """1, 2, 4, ... up to the first that is not below `least`."""
    users = 1
    yield users
    while users < min(least, MOST_USERS):
        users *= 2
        yield users


def _wall(way: Way, how: Serving, copies: int, demand: Demand, users: Sequence[int]) -> Wall:
    alone = _alone(way.sizing, demand.output_tokens)
    points = [
        Crowd(n, (_seconds(how.fast, copies, n, alone[0]), _seconds(how.slow, copies, n, alone[1])))
        for n in users
    ]
    basis: Basis = "measured" if way.measured else "estimated"
    source = (
        way.measured.source
        if way.measured
        else "the throughput model (deployer.planning.throughput)"
    )
    return Wall(how.slow.batch * copies, tuple(points), basis, source)


def _alone(sizing: Sizing | None, tokens: float) -> tuple[float | None, float | None]:
    """Seconds for one user alone, at the higher and at the lower likely speed."""
    if sizing is None or sizing.decode_tok_s is None:
        return None, None
    first: Range = sizing.ttft_floor_ms or (0.0, 0.0)
    slow, fast = sizing.decode_tok_s
    return tokens / fast + first[0] / 1000, tokens / slow + first[1] / 1000


def _seconds(server: Server, copies: int, users: int, alone: float | None) -> float:
    """How long one answer takes when so many ask at once."""
    full, each = server.seconds or 0.0, users / copies
    if each >= server.batch or server.batch == 1:
        return full * max(1.0, each / server.batch)
    start = full if alone is None else min(alone, full)
    return start + (full - start) * max(0.0, each - 1) / (server.batch - 1)
