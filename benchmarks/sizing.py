"""How far the memory and speed model is off what was measured, and what it says of any file of measurements.

    python -m benchmarks.sizing                                   error tables, and held-out errors by source
    python -m benchmarks.sizing --folds                           held-out errors by model and by GPU, too
    python -m benchmarks.sizing --refit                           the constants that suit all rows best
    python -m benchmarks.sizing --record                          keep the headline for the documents
    python -m benchmarks.sizing --measurements FILE --csv OUT     predictions beside every row of a file

The headline is the held-out error by source: every source is predicted with constants fitted on the other
sources alone. The tables before it use the constants of `deployer.engines`, which have seen every bundled row.
Rows marked LOW CONFIDENCE or ANOMALOUS are left out of both. The error of a row is |predicted - measured| /
measured; speeds are all metrics but memory and time to first token.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import recording
from benchmarks.scoring import engines, tables
from benchmarks.scoring.case import Case, understand
from benchmarks.scoring.predict import SPEEDS, Prediction, of_case, predict
from benchmarks.scoring.refit import PRIOR, engines_with, group_of, refit
from benchmarks.scoring.rows import COLUMNS, Row, read
from benchmarks.scoring.tables import KV, SPEED, Scored

DATA = Path(__file__).parent / "data" / "measurements.csv"
ADDED = ("predicted_lo", "predicted", "predicted_hi", "basis", "reason")


def score(rows: Sequence[Row]) -> list[Scored]:
    """Predict every row that its collector believes."""
    known = engines.known()
    return [Scored(row, predict(row, known)) for row in rows if not row.doubtful]


def speeds(scored: Sequence[Scored]) -> list[Scored]:
    """The rows of speed, without time to first token."""
    return [s for s in scored if s.row.text("metric") in SPEED]


def cases_of(rows: Sequence[Row]) -> list[Case]:
    """The rows of speed that are understood."""
    found = (understand(row) for row in rows if not row.doubtful)
    return [case for case in found if isinstance(case, Case) and case.metric in SPEEDS]


def held_out(cases: Sequence[Case], key: Callable[[Case], str]) -> list[Scored]:
    """Predict each fold with constants fitted on the others."""
    scored = []
    for fold in sorted({key(case) for case in cases}):
        others = [case for case in cases if key(case) != fold]
        inside = [case for case in cases if key(case) == fold]
        known = {g: engines_with(g, refit(g, others)) for g in {group_of(case) for case in inside}}
        scored += [Scored(case.row, of_case(case, known[group_of(case)])) for case in inside]
    return scored


def show(scored: Sequence[Scored]) -> None:
    """Print the tables of one set of rows."""
    fast = speeds(scored)
    memory = [s for s in scored if s.row.text("metric") in ("weights_gib", *KV)]
    print(tables.table("Memory, by metric", memory, _by("metric")))
    wrong = sum(s.false_fit for s in scored)
    print(
        f'\nfalse "fits": {wrong} of {sum(s.found.low is not None for s in memory if s.row.text("metric") in KV)}\n'
    )
    for key in ("metric", "engine", "gpu"):
        print(tables.table(f"Speed, by {key}", fast, _by(key)), end="\n\n")
    _show_silent(scored)
    _show_largest([*fast, *memory])


def _by(column: str) -> Callable[[Scored], str]:
    return lambda scored: scored.row.text(column) or "(none)"


def _show_silent(scored: Sequence[Scored]) -> None:
    reasons = [s.found.reason for s in scored if s.found.value is None]
    print(f"No prediction: {len(reasons)} of {len(scored)}")
    for reason in sorted(set(reasons), key=lambda r: (-reasons.count(r), r))[:12]:
        print(f"{reasons.count(reason):>6}  {reason}")


def _show_largest(scored: Sequence[Scored]) -> None:
    known = [(abs(math.log(s.ratio)), s.ratio, s) for s in scored if s.ratio]
    print("\nLargest errors (predicted / measured)")
    for _, ratio, s in sorted(known, key=lambda k: -k[0])[:15]:
        what = " ".join(
            s.row.text(c) for c in ("model", "quant", "gpu", "n_gpu", "engine", "metric")
        )
        print(f"{ratio:>8.2f}  {what}  [{s.row.text('conditions')[:60]}]")


def show_held_out(cases: Sequence[Case], name: str, key: Callable[[Case], str]) -> None:
    """Print the held-out errors by one kind of fold."""
    found = held_out(cases, key)
    by_row = {id(case.row): key(case) for case in cases}
    print(
        f"\n{tables.table(f'Speed, each {name} held out in turn', found, lambda s: by_row[id(s.row)])}"
    )


def headline(rows: Sequence[Row]) -> recording.Tables:
    """Return the figures that the documents show: memory, held-out speed, and loads wrongly said to fit."""
    scored = score(rows)
    kv = [s for s in scored if s.row.text("metric") in KV]
    kinds = {
        "size of the weights": [s for s in scored if s.row.text("metric") == "weights_gib"],
        "KV cache capacity": kv,
        "speed (held out)": held_out(cases_of(rows), lambda case: case.row.text("source")),
    }
    sized = sum(s.found.low is not None for s in kv)
    wrong = sum(s.false_fit for s in scored)
    return {
        "error of": {name: _summary(each) for name, each in kinds.items()},
        "rows": {
            "published measurements": {
                "scored": str(len(scored)),
                "without a prediction": str(sum(s.found.value is None for s in scored)),
            }
        },
        "fit": {'said "fits", and did not start': {"loads": f"{wrong} of {sized}"}},
    }


def _summary(scored: Sequence[Scored]) -> dict[str, str]:
    found = tables.errors(scored)
    assert found is not None  # noqa: S101 - the bundled measurements have rows of every kind
    return {
        "measurements": str(found.count),
        "median": f"{found.median:.1%}",
        "90th percentile": f"{found.p90:.1%}",
        "inside the range": f"{found.covered:.0%}",
    }


def show_constants(cases: Sequence[Case]) -> None:
    """Print the constants that suit all rows best."""
    for group in PRIOR:
        found = refit(group, cases)
        print(group, ", ".join(f"{name}={value:.4g}" for name, value in found.items()))


def write(rows: Sequence[Row], out: Path) -> int:
    """Write every row, its own columns first, with what is predicted beside it. Return how many have a figure."""
    known = engines.known()
    own = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row.cells)]))
    columns = [name for name in own if name not in ADDED]
    found = [predict(row, known) for row in rows]
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*columns, *ADDED], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row.cells, **_cells(f)} for row, f in zip(rows, found, strict=True))
    return sum(f.value is not None for f in found)


def _cells(found: Prediction) -> dict[str, str]:
    figures = (found.low, found.value, found.high)
    return dict(zip(ADDED, [*(_digits(f) for f in figures), found.basis if found.value else "", found.reason],
                    strict=True))  # fmt: skip


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measurements", type=Path, default=DATA, metavar="FILE")
    parser.add_argument(
        "--csv", type=Path, metavar="OUT", help="write predictions beside every row"
    )
    parser.add_argument("--folds", action="store_true", help="hold out models and GPUs, too")
    parser.add_argument(
        "--refit", action="store_true", help="print the best constants for all rows"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the headline in benchmarks/results"
    )
    asked = parser.parse_args()
    try:
        rows = read(asked.measurements)
        if asked.csv:
            count = write(rows, asked.csv)
            print(f"{asked.csv}: {count} of {len(rows)} rows have a prediction", file=sys.stderr)
            return 0
    except (OSError, csv.Error) as error:
        parser.error(str(error))
    if asked.record:
        print(recording.record("sizing", headline(rows)))
        return 0
    cases = cases_of(rows)
    if asked.refit:
        show_constants(cases)
        return 0
    show(score(rows))
    if asked.measurements.resolve() == DATA:
        show_held_out(cases, "source", lambda case: case.row.text("source"))
    if asked.folds:
        show_held_out(cases, "model", lambda case: case.info.name)
        show_held_out(cases, "GPU", lambda case: case.gpu.name if case.gpu else "")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - whoever read us stopped reading
