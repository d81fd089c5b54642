"""Percentiles and rates of requests whose times are written down, and the events of a stream in pieces."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loading import pooled
from benchmarks.loading.independent import nearest_rank
from benchmarks.loading.pooled import Round
from deployer.core.documents.bench import Percentiles
from deployer.core.errors import UsageError
from deployer.running.bench.endpoints import Subject, checked_key, checked_url
from deployer.running.bench.samples import Sample
from deployer.running.bench.sse_client import Events, LineTooLongError
from deployer.running.bench.statistics import percentile, percentiles_ms, summed_up
from deployer.running.openai_client import Endpoint

SUBJECT = Subject(Endpoint("http://127.0.0.1:1/v1", "k"), "m")


def sample(started: float, first: float, *more: float, error: str | None = None) -> Sample:
    """A request whose pieces came at the given times, two tokens a piece by the server's count."""
    times = (first, *more)
    gaps = tuple(b - a for a, b in itertools.pairwise(times))
    return Sample(started, times[-1], first, times[-1], gaps, 100, 2 * len(times), "usage", error)


def test_figures_are_those_worked_out_by_hand():
    samples = [sample(10.0, 10.2, 10.3, 10.4), sample(10.0, 10.4, 10.6, 11.0)]
    run = summed_up(SUBJECT, 2, samples, began=10.0, cpu_s=0.1)
    assert run.ttft_ms
    assert run.e2e_ms
    assert run.itl_ms
    assert run.tpot_ms
    assert run.ttft_ms.p50 == pytest.approx(300)  # of 200 and 400
    assert run.ttft_ms.p95 == pytest.approx(390)
    assert run.e2e_ms.p50 == pytest.approx(700)  # of 400 and 1000
    assert run.itl_ms.p50 == pytest.approx(150)  # of 100, 100, 200, 400
    assert run.tpot_ms.p50 == pytest.approx((40 + 120) / 2)  # 200 and 600 ms over 5 tokens
    assert run.output_tok_s == pytest.approx(12 / 1.0)
    assert (run.seconds, run.client_cpu_share) == (1.0, 0.1)


def test_a_failed_request_counts_as_an_error_and_nowhere_else():
    good, bad = sample(0.0, 1.0, 2.0), sample(0.0, 50.0, 90.0, error="broke off")
    run = summed_up(SUBJECT, 1, [good, bad], began=0.0, cpu_s=0.0)
    assert (run.requests, run.errors, run.error_kinds) == (1, 1, {"broke off": 1})
    assert run.e2e_ms == Percentiles(2000, 2000, 2000)


def test_of_nothing_but_errors_no_latency_is_known():
    run = summed_up(SUBJECT, 1, [Sample(0, 1, error="timeout")], began=0.0, cpu_s=0.0)
    assert (run.requests, run.errors) == (0, 1)
    assert (run.ttft_ms, run.e2e_ms, run.itl_ms, run.output_tok_s) == (None, None, None, None)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=300))
def test_percentiles_are_those_of_the_standard_library(values):
    ordered = sorted(values)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    for percent in (50, 95, 99):
        assert percentile(ordered, percent / 100) == pytest.approx(cuts[percent - 1], abs=1e-6)


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=300))
def test_percentiles_rise_and_are_next_to_those_of_the_other_generator(values):
    found = percentiles_ms(values)
    assert found
    assert found.p50 <= found.p95 <= found.p99 <= 1000 * max(values) * 1.000001
    ordered = sorted(1000 * v for v in values)
    for ours, percent in ((found.p50, 50), (found.p95, 95), (found.p99, 99)):
        rank = max(0, math.ceil(percent / 100 * len(values)) - 1)
        assert nearest_rank(ordered, percent / 100) == ordered[rank]
        low, high = ordered[max(0, rank - 1)], ordered[min(len(ordered) - 1, rank + 1)]
        assert low * 0.999 <= ours <= high * 1.001


@given(st.lists(st.binary(max_size=20), max_size=8), st.integers(1, 30), st.booleans())
def test_events_are_the_same_in_whatever_pieces_their_bytes_come(payloads, size, windows):
    clean = [p.replace(b"\n", b"").replace(b"\r", b"").strip() for p in payloads]
    end = b"\r\n\r\n" if windows else b"\n\n"
    stream = b": ping" + end + b"".join(b"data: " + p + end for p in clean)
    events = Events()
    pieces = (stream[i : i + size] for i in range(0, len(stream), size))
    assert [e for piece in pieces for e in events.feed(piece)] == clean


def test_a_line_without_an_end_is_not_kept_for_ever():
    events = Events()
    assert list(events.feed(b"x" * 2**20)) == []
    with pytest.raises(LineTooLongError):
        list(events.feed(b"x" * 2**24))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000/v1",
        "ftp://h/v1",
        "http:///v1",
        "http://h:0/v1",
        "http://h:x/v1",
        "http://[/",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError):
        checked_url(url)


@pytest.mark.parametrize(
    "url", ["https://me:secret9@h/v1", "https://h/v1?key=secret9", "http://h/#secret9"]
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError) as caught:
        checked_url(url)
    assert "secret9" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("key", ["", " ", "two words", "line\nbreak-s3cret", "ключ"])
def test_a_key_that_no_header_takes_is_refused_and_not_shown(key):
    with pytest.raises(UsageError) as caught:
        checked_key(key, "MY_KEY")
    assert not key.strip() or key not in f"{caught.value.message}{caught.value.hint}"


def test_a_key_that_was_read_from_a_file_may_end_its_line():
    assert checked_key("sk-1\n", "MY_KEY") == "sk-1"


def test_the_ratio_of_two_generators_is_theirs_and_lies_in_its_interval():
    rounds = [
        Round([1.1 * (n + i) for i in range(20)], [float(n + i) for i in range(20)])
        for n in range(1, 9)
    ]
    for share in (0.5, 0.95, 0.99):
        found = pooled.compare(rounds, share, nearest_rank, nearest_rank)
        assert found.ratio == pytest.approx(1.1)
        assert list(found.within) == pytest.approx([1.1, 1.1])


def test_a_round_that_was_disturbed_widens_the_interval_and_not_the_ratio_of_the_medians():
    quiet = [Round([1.0] * 20, [1.0] * 20)] * 9
    found = pooled.compare(
        [*quiet, Round([9.0] * 20, [1.0] * 20)], 0.95, nearest_rank, nearest_rank
    )
    assert found.within[0] == 1
    assert found.within[1] > 1
    assert pooled.compare(quiet, 0.5, nearest_rank, nearest_rank).ratio == 1
