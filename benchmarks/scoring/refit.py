"""Refits the few constants of the roofline on some rows, so that the others can judge them.

Robust least squares on logarithms of predicted / measured, by Gauss-Newton steps with damping, plain Python.
Each constant starts at a round value and is drawn back to it weakly, so that what the rows say nothing
of (GPUs of another kind) stays where physics puts it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.scoring.case import Case
from benchmarks.scoring.engines import Engines, with_speeds
from benchmarks.scoring.predict import of_case
from deployer.engines import Speed, engine

PRIOR: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "server": {
        "memory": (0.9, 0.6, 0.95),
        "layer_us": (20, 1, 100),
        "moe_us": (50, 1, 200),
        "step_us": (2000, 100, 5000),
        "tp_us": (24, 3, 120),
        "decode": (0.6, 0.2, 0.9),
        "prefill_8bit": (0.6, 0.2, 0.9),
        "prefill_moe": (0.34, 0.1, 1.0),
        "prefill_blackwell": (0.44, 0.2, 1.0),
    },
    "cuda": {
        "memory_gddr": (0.79, 0.5, 0.95),
        "memory_hbm": (0.55, 0.3, 0.95),
        "memory_unified": (0.79, 0.5, 0.95),
        "layer_us": (32, 5, 200),
        "decode": (0.2, 0.02, 0.9),
        "prefill_packed": (0.9, 0.4, 1.0),
        "prefill_moe": (0.34, 0.1, 1.0),
        "ampere": (0.44, 0.05, 1.0),
        "ada": (0.44, 0.05, 1.0),
        "hopper": (0.44, 0.05, 1.0),
    },
    "metal": {
        "memory_unified": (0.74, 0.4, 0.95),
        "layer_us": (109, 5, 300),
        "cache": (0.7, 0.1, 1.0),
        "prefill": (0.77, 0.3, 0.95),
        "prefill_packed": (0.9, 0.4, 1.0),
    },
}
"""Where each constant starts, and what physics allows: (start, least, most).

Starts are the fact sheet's constants where it has one of the kind (its 71 us a layer of vLLM are split here into
a step's and a layer's; its 64 us of llama.cpp are those of old builds; 155 TFLOPS on a card of 350 W), else round.
"""

PULL = 0.1
ROBUST = 0.1
"""Errors above 10 % count linearly and not squared."""
ROUNDS = 8

Constants = dict[str, float]


def group_of(case: Case) -> str:
    """Which constants a row depends on."""
    if case.engine != "llama.cpp":
        return "server"
    return "metal" if case.vendor == "apple" else "cuda"


def speed_of(group: str, values: Mapping[str, float]) -> Speed:
    """The speed of an engine with some constants."""
    if group == "server":
        memory = {"memory_gddr": values["memory"], "memory_hbm": values["memory"]}
        return _with(engine("vllm").speed["nvidia"], {**values, **memory})
    base = engine("llama.cpp").speed["apple" if group == "metal" else "nvidia"]
    watts = {k: values[k] for k in ("ampere", "ada", "hopper") if k in values}
    return replace(_with(base, values), tflops_per_watt={**base.tflops_per_watt, **watts})


def _with(speed: Speed, values: Mapping[str, float]) -> Speed:
    """Set those constants that a speed has by that name."""
    own: dict[str, Any] = {k: v for k, v in values.items() if hasattr(speed, k)}
    return replace(speed, **own)


def engines_with(group: str, values: Mapping[str, float]) -> Engines:
    """All engines, those of one group with some constants."""
    speeds = {
        "server": engine("vllm").speed["nvidia"],
        "cuda": engine("llama.cpp").speed["nvidia"],
        "metal": engine("llama.cpp").speed["apple"],
    }
    speeds[group] = speed_of(group, values)
    return with_speeds(speeds["server"], speeds["cuda"], speeds["metal"], values.get("cache"))


@dataclass(frozen=True)
class _Problem:
    """The rows of one group, and their errors at given logarithms of its constants."""

    group: str
    cases: Sequence[Case]

    @property
    def start(self) -> list[float]:
        return [math.log(start) for start, _, _ in PRIOR[self.group].values()]

    def values(self, at: Sequence[float]) -> Constants:
        names = PRIOR[self.group].items()
        return {
            n: min(max(math.exp(x), low), most)
            for x, (n, (_, low, most)) in zip(at, names, strict=True)
        }

    def errors(self, at: Sequence[float]) -> list[float]:
        engines = engines_with(self.group, self.values(at))
        own = [_error(case, engines) for case in self.cases]
        return own + [PULL * (x - start) for x, start in zip(at, self.start, strict=True)]


def _error(case: Case, engines: Engines) -> float:
    found, measured = of_case(case, engines), case.row.value
    if not found.value or not measured:
        return 0.0
    off = math.log(found.value / measured)
    soft = math.sqrt(2 * (math.sqrt(1 + (off / ROBUST) ** 2) - 1)) * ROBUST
    return math.copysign(soft, off)


def refit(group: str, cases: Sequence[Case]) -> Constants:
    """Return the constants of one group that suit some rows best."""
    problem = _Problem(group, [c for c in cases if group_of(c) == group])
    at, damping = problem.start, 1e-3
    errors = problem.errors(at)
    for _ in range(ROUNDS):
        step = _step(problem, at, errors, damping)
        there = [x + d for x, d in zip(at, step, strict=True)]
        new = problem.errors(there)
        if _sum(new) < _sum(errors):
            at, errors, damping = there, new, damping / 5
        else:
            damping *= 10
    return problem.values(at)


def _sum(errors: Sequence[float]) -> float:
    return sum(e * e for e in errors)


def _step(
    problem: _Problem, at: Sequence[float], errors: Sequence[float], damping: float
) -> list[float]:
    tiny = 1e-4
    slopes = []
    for i in range(len(at)):
        moved = problem.errors([x + tiny * (i == j) for j, x in enumerate(at)])
        slopes.append([(m - e) / tiny for m, e in zip(moved, errors, strict=True)])
    normal = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in slopes] for p in slopes]
    for i, row in enumerate(normal):
        row[i] += damping * (1 + row[i])
    return solve(normal, [-sum(a * e for a, e in zip(p, errors, strict=True)) for p in slopes])


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve a small system of linear equations by elimination with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, size):
            share = rows[r][i] / rows[i][i]
            rows[r] = [a - share * b for a, b in zip(rows[r], rows[i], strict=True)]
    found = [0.0] * size
    for i in reversed(range(size)):
        known = sum(rows[i][j] * found[j] for j in range(i + 1, size))
        found[i] = (rows[i][size] - known) / rows[i][i]
    return found
