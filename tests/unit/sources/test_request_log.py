"""Real logs: what is read of them, and how a bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.errors import UsageError
from deployer.sources.request_log import Trace, read

HEAD = "timestamp,input_tokens,output_tokens\n"
MONDAY = "2026-01-05T"


@pytest.fixture
def log(tmp_path):
    def make(text: str | bytes) -> Trace:
        file = tmp_path / "requests.csv"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return read(file)

    return make


def test_requests_are_counted_by_their_hour_from_midnight(log):
    seen = log(
        HEAD + f"{MONDAY}10:15:00Z,700,300\n{MONDAY}10:59:59Z,900,100\n{MONDAY}22:00:00Z,800,200\n"
    )
    assert seen.requests == 3
    assert len(seen.demand.rates) == 24
    assert (seen.demand.rates[10], seen.demand.rates[22], sum(seen.demand.rates)) == (2, 1, 3)
    assert (seen.demand.input_tokens, seen.demand.output_tokens) == (800, 200)
    assert seen.skipped == ()


@pytest.mark.parametrize(
    "time",
    [
        f"{MONDAY}10:00:00",
        f"{MONDAY}10:00:00+00:00",
        f"{MONDAY}12:00:00+02:00",
        "2026-01-05 10:00:00",
        "1767607200",
        "1767607200.5",
        "1767607200000",
    ],
)
def test_times_may_be_written_in_many_ways(log, time):
    assert log(HEAD + f"{time},1,1\n").demand.rates[10] == 1


@pytest.mark.parametrize(
    "head",
    [
        "Timestamp, Input Tokens, Output Tokens",
        "user,time,prompt_tokens,completion_tokens",
        "\ufeffts,promptTokens,outputTokens",
        "OUTPUT_TOKENS,INPUT_TOKENS,CREATED_AT",
    ],
)
def test_columns_may_be_called_otherwise_and_stand_in_any_order(log, head):
    cells = {"t": f"{MONDAY}10:00:00", "i": "700", "o": "300"}
    kinds = {"timestamp": "t", "time": "t", "ts": "t", "createdat": "t", "user": "i"}
    names = ["".join(c for c in n.lower() if c.isalnum()) for n in head.split(",")]
    row = [cells[kinds.get(n, "i" if "input" in n or "prompt" in n else "o")] for n in names]
    seen = log(f"{head}\n{','.join(row)}\n").demand
    assert (seen.rates[10], seen.input_tokens, seen.output_tokens) == (1, 700, 300)


def test_bad_rows_are_left_out_and_named_by_their_lines(log):
    good = f"{MONDAY}10:00:00,1,1\n"
    seen = log(HEAD + good * 4 + "yesterday,1,1\n" + "\n" + f"{MONDAY}10:00:00,-1,1\n" + "1,2\n")
    assert seen.requests == 4
    assert [line.split(":")[0] for line in seen.skipped] == ["line 6", "line 8", "line 9"]
    assert "yesterday" in seen.skipped[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column timestamp"),
        ("time,input_tokens\n1,2\n", "no column output_tokens"),
        (HEAD, "no requests"),
        (HEAD + "x,1,1\n", "line 2"),
        (HEAD + "nan,1,1\n", "line 2"),
        (HEAD + f"{MONDAY}10:00:00,1,1\nx,1,1\ny,1,1\n", "2 of 3 rows"),
        (HEAD + f"0,1,1\n{MONDAY}10:00:00,1,1\n", "days"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_log_that_is_none_is_refused_with_the_mend(log, text, said):
    with pytest.raises(UsageError, match=said) as refused:
        log(text)
    assert refused.value.where


def test_a_log_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.csv")


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda t: (HEAD + t).encode()))
def test_no_file_ends_in_anything_but_a_log_or_a_named_mistake(tmp_path_factory, content):
    file: Path = tmp_path_factory.mktemp("log") / "l.csv"
    file.write_bytes(content)
    try:
        seen = read(file)
    except UsageError as error:
        mistake = error
    else:
        assert seen.requests > 0
        return
    assert mistake.where
