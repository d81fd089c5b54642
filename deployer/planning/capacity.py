"""How much one copy answers as its engine is started, and how many copies the traffic asks for. Pure.

`plan` and `compare` both ask here, so that they tell one figure and give one warning. The engine takes
`serve.concurrency` requests at a time, and no more than its KV cache holds; what hardware would deliver with more
of them (`Sizing.saturated_tok_s`) decides nothing.
"""

from __future__ import annotations

from deployer.core.domain import Range, Sizing
from deployer.core.records import dataclass
from deployer.planning.traffic.simulation import HEADROOM, Server, copies_for
from deployer.spec import Scale, Spec

MOST_REPLICAS = 1024
"""What `serve.replicas` may be at most."""


def allowed(spec: Spec, target: str) -> int:
    """Return how many copies the spec lets there be on a target at the most."""
    return 1 if target == "local" else max(spec.serve.replicas.min, spec.serve.replicas.max)


def at_once(sizing: Sizing, concurrency: int) -> int:
    """Return how many typical requests one copy answers at a time: as many as asked, as far as its memory holds them."""
    if sizing.cpu_layers:
        return 1
    if sizing.kv_capacity_tokens is None or not sizing.input_tokens:
        held = sizing.max_concurrency
    else:
        held = int(sizing.kv_capacity_tokens / (sizing.input_tokens + (sizing.output_tokens or 0)))
        held = max(held, sizing.max_concurrency or 0)
    return concurrency if held is None else max(1, min(concurrency, held))


def seconds(sizing: Sizing, concurrency: int, output_tokens: float) -> Range | None:
    """Return how long one request takes while as many as it answers at once are answered; None: not known."""
    rate = sizing.output_tok_s
    if rate is None:
        return None
    batch = at_once(sizing, concurrency)
    return output_tokens * batch / rate[1], output_tokens * batch / rate[0]


@dataclass(frozen=True)
class Capacity:
    """What one copy answers, and what the busiest hour that is expected asks for.

    `per_hour` are the requests an hour that one copy answers, lowest and highest likely; `copies` are those that the
    busiest hour asks for, most and fewest likely.
    """

    at_once: int
    per_hour: Range
    peak: float
    copies: tuple[int, int]

    @classmethod
    def of(
        cls, sizing: Sizing, concurrency: int, peak: float, output_tokens: float
    ) -> Capacity | None:
        """Work it out for `peak` requests in the busiest hour; None where the speed is not known."""
        times = seconds(sizing, concurrency, output_tokens)
        if times is None:
            return None
        batch = at_once(sizing, concurrency)
        fast, slow = (Server(each, batch) for each in times)
        return cls(
            batch,
            (slow.per_hour, fast.per_hour),
            peak,
            (copies_for(peak, slow), copies_for(peak, fast)),
        )

    @property
    def needed(self) -> int:
        """The copies for the lower likely speed."""
        return self.copies[0]

    def shortfall(self, spec: Spec, target: str, sizing: Sizing) -> str | None:
        """Say that the busiest hour asks for more copies than the spec lets there be, and what to do; else None."""
        if self.needed <= allowed(spec, target):
            return None
        low, high = (f"{rate:,.0f}" for rate in self.per_hour)
        fewest = self.copies[1]
        many = f"{self.needed}" if fewest == self.needed else f"{fewest} to {self.needed}"
        one = "your machine" if target == "local" else "one copy"
        return (
            f"the busiest hour expects {self.peak:,.0f} requests, and {one} answers {low} to {high} an hour,"
            f" {self.at_once} at once: {many} copies, each {HEADROOM:.0%} busy, are needed; "
            + _remedy(target, spec.serve.replicas, self.needed, sizing)
        )


def _remedy(target: str, replicas: Scale, needed: int, sizing: Sizing) -> str:
    more = _more_at_once(sizing)
    if target == "local":
        return f"{more}take another target, or a faster machine"
    if needed > MOST_REPLICAS:
        return f"{more}take faster hardware (at most {MOST_REPLICAS:,} copies can be planned)"
    follows = replicas.min < replicas.max or target == "serverless"
    key = "serve.replicas.max" if follows else "serve.replicas"
    return f"{more}set {key} to {needed}"


def _more_at_once(sizing: Sizing) -> str:
    """The cheapest mend: more requests at a time on the same machine, where its memory holds them."""
    held, asked = sizing.max_concurrency, sizing.concurrency
    if held is None or asked is None or held <= asked:
        return ""
    return f"raise serve.concurrency (its memory holds {held:,} requests of {sizing.context:,} tokens), or "
