"""The scored benchmark: what it understands of a row, what it reaches on the bundled ones, and strange files."""

from __future__ import annotations

import csv
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scoring import engines, known, tables
from benchmarks.scoring.case import Case, understand
from benchmarks.scoring.predict import predict
from benchmarks.scoring.refit import PRIOR, solve
from benchmarks.scoring.rows import COLUMNS, Row, conditions, read
from benchmarks.scoring.tables import KV, Errors, Scored
from benchmarks.sizing import ADDED, DATA, cases_of, held_out, score, speeds

ROOT = Path(__file__).parents[3]
ROWS = read(DATA)


@cache
def scored() -> tuple[Scored, ...]:
    return tuple(score(ROWS))


def errors(*metrics: str) -> Errors:
    found = tables.errors(s for s in scored() if s.row.text("metric") in metrics)
    assert found
    return found


def row(**cells: str) -> Row:
    return Row({"model": "Qwen/Qwen3-8B", "quant": "bf16", "gpu": "H100", "n_gpu": "1", "engine": "vllm",
                "metric": "tpot_ms", "value": "8", "unit": "ms", "conditions": "conc=1;isl=512;osl=128",
                "source": "test", **cells})  # fmt: skip


def case(**cells: str) -> Case:
    found = understand(row(**cells))
    assert isinstance(found, Case)
    return found


# What it reaches. Errors are computed, not timed: the same figures on every machine.


def test_weights_are_within_a_percent():
    assert errors("weights_gib").median < 0.005
    assert errors("weights_gib").p90 < 0.01


def test_the_kv_cache_is_within_ten_percent_in_the_median():
    assert errors(*KV).count == 9
    assert errors(*KV).median < 0.10


def test_no_load_that_was_seen_not_to_fit_is_called_a_plain_fits():
    assert not [s.row.cells for s in scored() if s.false_fit]


def test_speeds_are_within_the_targets():
    found = tables.errors(speeds(scored()))
    assert found
    assert found.count >= 280
    assert found.median < 0.15
    assert found.p90 < 0.45


@pytest.mark.parametrize("engine", ["llama.cpp", "vllm", "sglang", "trtllm"])
def test_no_engine_is_carried_by_the_others(engine):
    found = tables.errors(s for s in speeds(scored()) if s.row.text("engine") == engine)
    assert found
    assert found.median < 0.15
    assert found.p90 < 0.45


def test_speeds_of_a_source_that_was_held_out_are_within_the_targets():
    # one of the ten folds; `benchmarks/sizing` prints all: 13.6 % in the median, 33.9 % at the 90th percentile
    held = "https://github.com/ggml-org/llama.cpp/blob/master/benches/dgx-spark.md"
    others = [c for c in cases_of(ROWS) if c.vendor == "nvidia" and c.engine == "llama.cpp"]
    folds = held_out(others, lambda c: str(c.row.text("source") == held))
    found = tables.errors(s for s in folds if s.row.text("source") == held)
    assert found
    assert found.median < 0.15
    assert found.p90 < 0.45


def test_ranges_hold_at_least_four_fifths_of_what_was_measured():
    found = tables.errors(speeds(scored()))
    assert found
    assert found.covered >= 0.8


def test_every_row_without_a_prediction_says_why():
    silent = [s for s in scored() if s.found.value is None]
    assert all(s.found.reason for s in silent)
    assert {s.row.text("metric") for s in silent} <= {"ttft_ms", "tpot_ms"}


def test_no_time_to_first_token_is_predicted():
    times = [s for s in scored() if s.row.text("metric") == "ttft_ms"]
    assert times
    assert all(s.found.value is None and "measure" in s.found.reason for s in times)


def test_every_bundled_row_has_a_source_and_the_form_of_the_others():
    assert all(set(r.cells) == set(COLUMNS) for r in ROWS)
    assert all(r.text("source").startswith("https://") and r.value for r in ROWS)


# What it understands.


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama318b"),
        ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "llama318b"),
        ("Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama318b"),
        ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "llama318b"),
        ("neuralmagic/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", "llama3170b"),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", "llama3370b"),
        ("nvidia/DeepSeek-R1-FP4", "deepseekr1"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3235ba22b"),
        ("TheBloke/Llama-2-7B-Chat-GGUF", "llama27b"),
        ("qwen3:8b", "qwen38b"),
    ],
)
def test_a_model_is_known_under_the_names_of_its_copies(said, meant):
    assert known.short(said) == meant
    assert known.model(said)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("NVIDIA H100 80GB HBM3", "H100-80GB SXM5"),
        ("H100 PCIe 80GB", "H100-80GB PCIe"),
        ("H100 NVL 94GB", "H100-NVL 94GB"),
        ("NVIDIA A100-PCIE-40GB", "A100-40GB PCIe"),
        ("A100-SXM4-80GB", "A100-80GB SXM4"),
        ("Tesla V100 SXM2 16GB", "V100-16GB SXM2"),
        ("NVIDIA GeForce RTX 4090 24GB", "RTX 4090"),
        ("RTX 4070 Ti SUPER", "RTX 4070 Ti Super"),
        ("Apple M2 Ultra 76-core", "Apple M2 Ultra 76-core"),
        ("8xH100", "H100-80GB SXM5"),
        ("B200 SXM 180GB", "B200 SXM (HGX)"),
    ],
)
def test_a_gpu_is_known_in_every_spelling(said, meant):
    found = known.gpu(said)
    assert found
    assert found.name == meant


@pytest.mark.parametrize("said", ["", "Xeon 8480", "RTX 9090", "TPU v5e"])
def test_a_gpu_that_is_not_known_is_not_guessed(said):
    assert known.gpu(said) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [("awq-4bit", "awq"), ("gptq-4bit", "gptq"), ("w8a8-int8", "int8"), ("FP8 (dynamic)", "fp8"),
     ("W4A16", "awq"), ("bfloat16", "bf16"), ("f16", "fp16"), ("Q4_K_M", "q4_k_m"), ("nvfp4", "nvfp4"),
     ("UD-Q4_K_M", "q4_k_m"), ("", "bf16"), ("nonsense", None)],
)  # fmt: skip
def test_a_format_is_known_in_every_spelling(said, meant):
    assert known.form(said, known.model("Qwen/Qwen3-8B")) == meant


def test_conditions_are_read_in_any_order_and_form():
    found = conditions(
        "llama-bench tg32 @ d4096;ctx_avg=4112;util=0.90 default;isl~200;osl<=600;n=4k"
    )
    assert found.phase == "tg"
    assert found.depth == 4096
    assert found.numbers["util"] == 0.9
    assert found.numbers["isl"] == 200
    assert found.numbers["osl"] == 600
    assert found.numbers["n"] == 4096


def test_old_builds_of_llama_cpp_are_told_from_new_ones():
    assert engines.before_flash("llama-bench tg1024;May 2024")
    assert not engines.before_flash("llama-bench tg32;fa=1;May 2024")
    assert not engines.before_flash("b5540;closed loop")


def test_tensor_parallel_counts_where_it_says_more_than_the_number_of_gpus():
    assert case(conditions="conc=1;isl=1;tp=4 assumed").gpus == 4


def test_replicas_share_the_requests():
    found = case(n_gpu="8", conditions="conc=64;isl=100;osl=100;tp=2;dp=4")
    assert (found.gpus, found.replicas, found.load.concurrency) == (2, 4, 16)


def test_units_are_those_of_the_row():
    known_engines = engines.known()
    ms, s = (predict(row(unit=unit), known_engines).value for unit in ("ms", "s"))
    assert ms
    assert s
    assert ms == pytest.approx(1000 * s)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"model": "nobody/none"}, "unknown model"),
        ({"gpu": "RTX 9090"}, "unknown GPU"),
        ({"quant": "int3.5"}, "unknown format"),
        ({"engine": "tgi"}, "unknown engine"),
        ({"metric": "joules"}, "no model of joules"),
        ({"gpu": "MI300X"}, "no speed is known of this GPU"),
        ({"model": "google/gemma-4-31B-it"}, "no speed is known of this model"),
        ({"model": "Qwen/Qwen3-235B-A22B"}, "does not fit as described"),
        ({"conditions": "isl=512"}, "gives no concurrency"),
        ({"conditions": "conc=32"}, "gives no input length"),
    ],
)
def test_what_cannot_be_predicted_stays_empty_with_the_reason(cells, reason):
    found = predict(row(**cells), engines.known())
    assert found.value is None
    assert reason in found.reason


STRANGE = st.text(max_size=40) | st.sampled_from(
    ["1e300", "-1", "nan", "inf", "tp=1e99;conc=1e99;isl=1e300;osl=0", "util=9;max_model_len=1e30", "Q4_K_M",
     "fp4", "H100", "Apple M3", "unstated 999999999999GB", "vllm", "llama.cpp", "decode_tok_s", "weights_gib",
     "kv_cache_tokens", "dp=7;tp=3", "total_gib=1e30", "tg99999999999999999999 @ d99999999999999999"]
)  # fmt: skip


@given(cells=st.dictionaries(st.sampled_from(COLUMNS), STRANGE))
def test_no_row_is_too_strange(cells):
    found = predict(row(**cells), engines.known())
    assert (found.value is None) == (found.basis == "unknown")
    assert found.value is not None or found.reason


# The command.


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "benchmarks" / "sizing", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_any_file_of_the_form_gets_its_own_rows_back_with_predictions(tmp_path):
    lines = [",".join([*COLUMNS, "remark"]), "Qwen/Qwen3-8B,bf16,H100,1,vllm,tpot_ms,8,ms,conc=1;isl=9;osl=9,s,mine",
             "?,?,?,?,?,?,?,?,?,?,?", "short"]  # fmt: skip
    (tmp_path / "mine.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run("--measurements", "mine.csv", "--csv", "out.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == 3
    assert list(written[0]) == [*COLUMNS, "remark", *ADDED]
    assert written[0]["remark"] == "mine"
    low, value, high = (float(written[0][name]) for name in ADDED[:3])
    assert low < value < high
    assert all(w["predicted"] == "" and w["reason"] for w in written[1:])


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path):
    done = run("--measurements", "nowhere.csv", "--csv", "out.csv", folder=tmp_path)
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr


# The arithmetic.


def test_linear_equations_are_solved():
    assert solve([[0.0, 2.0], [4.0, 1.0]], [6.0, 11.0]) == pytest.approx([2.0, 3.0])


def test_every_constant_starts_within_its_bounds():
    assert all(
        low < start < most for group in PRIOR.values() for start, low, most in group.values()
    )


def test_quantiles_lie_between_values():
    assert tables.quantile([0.0, 1.0], 0.9) == pytest.approx(0.9)
    assert tables.quantile([5.0], 0.9) == 5.0
