"""What was measured goes before what is estimated, where it is of the same model, format, engine and hardware. Pure.

    kv_capacity_tokens       what the engine said when it started
    decode_tok_s             a step of the ladder with one client
    tpot_ms, ttft_ms,        a step with the spec's concurrency
    output_tok_s

Speeds count where the requests were as long as the spec's, within 15 %; of several the newest does.
The fit follows from the measured cache: what runs is not said to be too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import sqrt
from typing import Any

from deployer.core.domain import MeasuredFigure, ModelInfo, Offer, Range, Sizing
from deployer.planning.sizing import Load

LENGTH_TOLERANCE = 0.15
"""How far the tokens of measured requests may be from the spec's: prompts are made of words, not of tokens."""
MILLI = 1000.0


@dataclass(frozen=True)
class Served:
    """What is measured: a model in a format, by an engine, on hardware. Without a GPU the machine counts."""

    model: str
    quantization: str
    engine: str
    gpu: str | None
    gpu_count: int
    instance_type: str | None
    vcpus: int | None

    @classmethod
    def by(cls, info: ModelInfo, sizing: Sizing, offer: Offer) -> Served:
        """What a plan would serve."""
        return cls(
            model=info.name,
            quantization=sizing.quantization,
            engine=sizing.engine,
            gpu=offer.gpu if offer.gpu_fraction is None else offer.gpu_words,
            gpu_count=sizing.gpus if offer.gpu else 0,
            instance_type=offer.instance_type,
            vcpus=offer.vcpus,
        )

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Served | None:
        """Read it back from plain data; None where anything is missing."""
        try:
            return cls(**{f.name: plain[f.name] for f in fields(cls)})
        except (KeyError, TypeError):
            return None

    def like(self, other: Served) -> bool:
        """Whether figures of the one hold for the other."""
        mine = (self.model, self.quantization, self.engine, self.gpu, self.gpu_count)
        theirs = (other.model, other.quantization, other.engine, other.gpu, other.gpu_count)
        here = (self.instance_type, self.vcpus) == (other.instance_type, other.vcpus)
        return mine == theirs and (self.gpu is not None or here)

    @property
    def hardware(self) -> str:
        """The hardware in words."""
        if self.gpu:
            return f"{self.gpu_count}x {self.gpu}"
        cpus = f" with {self.vcpus} CPUs" if self.vcpus else ""
        return f"{self.instance_type or 'a CPU'}{cpus}"


@dataclass(frozen=True)
class Speed:
    """What one step of a ladder came to. Latencies are (p50, p95) in milliseconds."""

    concurrency: int
    input_tokens: float
    output_tokens: float
    requests: int
    errors: int
    output_tok_s: float
    tpot_ms: Range | None
    ttft_ms: Range | None


@dataclass(frozen=True)
class Measurement:
    """What was measured of one endpoint, once. `served` None: of something unknown, kept for its owner.

    `context` is the longest conversation that the engine was set to. `source` says how it was measured.
    """

    at: str  # ISO 8601 in UTC
    source: str
    version: str  # of deployer
    served: Served | None
    deployment: str | None = None
    spec_digest: str | None = None
    context: int | None = None
    kv_capacity_tokens: int | None = None
    engine_said: Mapping[str, float] | None = None  # figures of its start-up log, as it calls them
    speeds: tuple[Speed, ...] = ()


def plain(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as plain data."""
    return asdict(measurement)


def read(data: Any) -> Measurement | None:
    """Return a measurement from plain data, or None where it is none."""
    try:
        served = data["served"]
        speeds = tuple(_speed(each) for each in data["speeds"])
        known = {f.name: data[f.name] for f in fields(Measurement)}
        made = Measurement(**known | {"served": served and Served.of(served), "speeds": speeds})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    right = isinstance(made.at, str) and _whole(made.kv_capacity_tokens)
    return made if right else None


def _whole(figure: Any) -> bool:
    return figure is None or (isinstance(figure, int) and figure > 0)


def _speed(data: Mapping[str, Any]) -> Speed:
    pairs = {name: _pair(data[name]) for name in ("tpot_ms", "ttft_ms")}
    numbers = {f.name: data[f.name] for f in fields(Speed) if f.name not in pairs}
    if not all(isinstance(number, int | float) and number >= 0 for number in numbers.values()):
        raise ValueError
    both: dict[str, Any] = {**numbers, **pairs}
    return Speed(**both)


def _pair(data: Any) -> Range | None:
    if data is None:
        return None
    low, high = data
    return float(low), float(high)


def with_measured_memory(
    sizing: Sizing, served: Served, load: Load, kept: Iterable[Measurement]
) -> Sizing:
    """Put the measured size of the KV cache in place of the estimated one."""
    told = (m for m in kept if m.kv_capacity_tokens and _is_of(m, served))
    found = max(told, key=lambda m: m.at, default=None)
    if found is None or found.kv_capacity_tokens is None:
        return sizing
    tokens = found.kv_capacity_tokens
    held = tokens // load.context
    figure = _figure("kv_capacity_tokens", tokens, sizing.kv_capacity_range, found, "tokens")
    fits = held >= load.concurrency
    short = f"holds {held} of {load.concurrency} requests of {load.context} tokens at once"
    return replace(
        sizing,
        fit="fits" if fits else "tight",
        limit=None if fits else short,
        basis="measured",
        kv_capacity_tokens=tokens,
        kv_capacity_range=(tokens, tokens),
        max_concurrency=held,
        measured=(*sizing.measured, figure),
    )


def with_measured_speed(
    sizing: Sizing, served: Served, load: Load, kept: Iterable[Measurement]
) -> Sizing:
    """Put measured speeds in place of the estimated ones."""
    steps = [(m, s) for m in kept if _is_of(m, served) for s in m.speeds if _as_long(s, load)]
    alone = _newest_step(steps, 1)
    asked = _newest_step(steps, load.concurrency)
    found = (*_alone(sizing, alone), *_asked(sizing, asked))
    if not found:
        return sizing
    values: dict[str, Any] = {figure.figure: (figure.value, figure.value) for figure in found}
    if asked and asked[1].ttft_ms:
        values["ttft_ms"] = asked[1].ttft_ms
    return replace(sizing, **values, measured=(*sizing.measured, *found))


Step = tuple[Measurement, Speed]


def _alone(sizing: Sizing, step: Step | None) -> Iterator[MeasuredFigure]:
    if step and step[1].tpot_ms and step[1].tpot_ms[0] > 0:
        rate = MILLI / step[1].tpot_ms[0]
        yield _figure("decode_tok_s", rate, sizing.decode_tok_s, step[0], "tok/s")


def _asked(sizing: Sizing, step: Step | None) -> Iterator[MeasuredFigure]:
    if step is None:
        return
    found, speed = step
    yield _figure("output_tok_s", speed.output_tok_s, sizing.output_tok_s, found, "tok/s")
    if speed.tpot_ms:
        yield _figure("tpot_ms", speed.tpot_ms[0], sizing.tpot_ms, found, "ms")
    if speed.ttft_ms:
        yield _figure("ttft_ms", speed.ttft_ms[0], None, found, "ms")


def _figure(
    name: str, value: float, estimate: Range | None, found: Measurement, unit: str
) -> MeasuredFigure:
    """A figure beside its estimate, whose middle is the geometric one: bands are ratios."""
    middle = sqrt(estimate[0] * estimate[1]) if estimate else 0.0
    error = middle / value - 1 if middle and value else None
    return MeasuredFigure(name, value, unit, estimate, error, found.at, found.source)


def _is_of(measurement: Measurement, served: Served) -> bool:
    return measurement.served is not None and measurement.served.like(served)


def _as_long(speed: Speed, load: Load) -> bool:
    return _near(speed.input_tokens, load.input_tokens) and _near(
        speed.output_tokens, load.output_tokens
    )


def _near(is_: float, asked: float) -> bool:
    return abs(is_ - asked) <= LENGTH_TOLERANCE * asked


def _newest_step(steps: Sequence[Step], concurrency: int) -> Step | None:
    of = (s for s in steps if s[1].concurrency == concurrency and s[1].output_tok_s > 0)
    return max(of, key=lambda s: s[0].at, default=None)
