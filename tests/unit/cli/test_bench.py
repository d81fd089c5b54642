"""`deployer bench` from the command line, and what the next plan makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from tests.kits.documents import printed
from tests.kits.streaming import KEY, Behaviour, Server, serving

SPEC = """
name: bot
model: {source: hf:Qwen/Qwen3-8B}
serve: {concurrency: 2}
traffic: {input_tokens: 80, output_tokens: 6}
"""
LONG = "--requests", "4", "--concurrency", "1,2"


@pytest.fixture
def spec(tmp_path) -> str:
    file = tmp_path / "deployer.yaml"
    file.write_text(SPEC)
    return str(file)


@pytest.fixture
def fake(monkeypatch, home):
    monkeypatch.setenv("FAKE_KEY", KEY)
    with serving(Behaviour(tokens=6, first_s=0.01, gap_s=0.01)) as server:
        yield server


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def bench(capsys, server: Server, *more: str, code: int = 0) -> Any:
    asked = ("bench", "--url", server.url, "--key-env", "FAKE_KEY", *more)
    is_, document, err = printed(capsys, *asked)
    assert is_ == code, f"{document} {err}"
    return document


def plan(capsys, spec: str, target: str = "cloud-gpu") -> Any:
    code, document, _ = printed(capsys, "plan", "-f", spec, "--target", target, "--offline")
    assert code == 0
    return document["plans"][0]["sizing"]


def test_any_openai_url_is_measured_without_a_spec(capsys, fake):
    document = bench(capsys, fake, *LONG, "--input-tokens", "50", "--output-tokens", "6")
    assert [r["concurrency"] for r in document["runs"]] == [1, 2]
    assert all(r["requests"] == 4 and r["errors"] == 0 for r in document["runs"])
    assert document["load"]["input_tokens"] == 50
    assert fake.asked[0]["model"] == "fake"


def test_what_was_measured_is_in_the_next_plan_beside_its_estimate(capsys, fake, spec):
    before = plan(capsys, spec)
    assert before["measured"] == []
    document = bench(capsys, fake, "-f", spec, "--target", "cloud-gpu", *LONG)
    after = plan(capsys, spec)
    found = {figure["figure"]: figure for figure in after["measured"]}
    assert set(found) == {"decode_tok_s", "output_tok_s", "tpot_ms", "ttft_ms"}
    rate = document["runs"][1]["output_tok_s"]
    assert after["output_tok_s"] == [pytest.approx(rate, rel=1e-3)] * 2
    low, high = before["output_tok_s"]
    assert found["output_tok_s"]["estimate"] == pytest.approx([low, high])
    assert found["output_tok_s"]["error"] == pytest.approx((low * high) ** 0.5 / rate - 1, rel=1e-3)
    assert after["ttft_ms"][0] == pytest.approx(document["runs"][1]["ttft_ms"]["p50"], rel=1e-3)
    _, out, _ = run(capsys, "plan", "-f", spec, "--target", "cloud-gpu", "--offline")
    assert "(measured)" in out
    assert "deployer bench" in out


def test_a_measurement_counts_for_no_other_hardware_format_load_or_model(capsys, fake, spec):
    bench(capsys, fake, "-f", spec, "--target", "cloud-gpu", *LONG)
    assert plan(capsys, spec)["measured"]
    others = {
        "hardware": SPEC + "targets: {cloud-gpu: {instance: g5.xlarge}}",
        "format": SPEC.replace("Qwen3-8B}", "Qwen3-8B, quantization: fp8}"),
        "load": SPEC.replace("output_tokens: 6", "output_tokens: 600"),
        "model": SPEC.replace("Qwen3-8B", "Qwen2.5-7B-Instruct"),
    }
    for what, text in others.items():
        Path(spec).write_text(text)
        assert not plan(capsys, spec)["measured"], what


def test_the_file_that_is_kept_says_what_of_and_by_whom_and_holds_no_key(capsys, fake, spec):
    document = bench(capsys, fake, "-f", spec, "--target", "cloud-gpu", *LONG)
    (file,) = document["kept"]
    text = Path(file).read_text()
    kept = json.loads(text)
    assert kept["served"]["model"] == "Qwen/Qwen3-8B"
    assert kept["served"]["engine"] == plan(capsys, spec)["engine"]
    assert kept["served"]["gpu"]
    assert len(kept["spec_digest"]) == 64
    assert kept["version"]
    assert KEY not in text
    assert Path(file).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 1}', '{"served": 3, "speeds": 4}'])
def test_a_damaged_measurement_is_left_aside(capsys, fake, spec, damage):
    document = bench(capsys, fake, "-f", spec, "--target", "cloud-gpu", *LONG)
    Path(document["kept"][0]).write_text(damage)
    assert plan(capsys, spec)["measured"] == []


def test_the_newest_measurement_counts(capsys, fake, spec):
    first = bench(capsys, fake, "-f", spec, "--target", "cloud-gpu", *LONG)["kept"][0]
    old = json.loads(Path(first).read_text())
    old["at"], old["speeds"][1]["output_tok_s"] = "2020-01-01T00:00:00+00:00", 1.0
    Path(first).with_name("20200101T000000-x.json").write_text(json.dumps(old))
    assert plan(capsys, spec)["output_tok_s"][0] > 1.0


def test_a_table_names_the_errors_and_says_how_tokens_were_counted(capsys, fake):
    fake.behaviour.usage = False
    fake.behaviour.statuses = [200] * 3 + [429]
    asked = "bench", "--url", fake.url, "--requests", "3", "--concurrency", "1"
    code, out, err = run(capsys, *asked)
    assert code == 0
    assert "1x http 429" in out
    assert "counted by streamed chunks" in out
    assert "1 client: 1 requests" in err


def test_a_step_without_any_answer_exits_1_after_showing_it(capsys, fake):
    fake.behaviour.statuses = [200] * 3 + [500] * 4
    asked = ("bench", "--url", fake.url, "--requests", "4", "--concurrency", "1")
    code, document, _ = printed(capsys, *asked)
    assert code == 1
    assert document["runs"][0]["error_kinds"] == {"http 500": 4}


def test_nothing_listening_exits_1_with_a_mend(capsys, home):
    code, _, err = run(capsys, "bench", "--url", "http://127.0.0.1:1/v1", "--model", "m")
    assert code == 1
    assert "hint:" in err


def test_a_wrong_key_exits_1_and_is_not_shown(capsys, fake, monkeypatch):
    monkeypatch.setenv("FAKE_KEY", "sk-wrong-77")
    document = bench(capsys, fake, "--model", "fake", *LONG, code=1)
    assert "rejects the key" in document["error"]["message"]
    assert "sk-wrong-77" not in json.dumps(document)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--url", "x"], 2),
        (["--url", "http://h/v1", "name"], 2),
        (["--url", "http://h/v1", "--cold"], 2),
        (["--url", "http://h/v1", "--key-env", "NOBODY_SET_THIS"], 6),
        (["--url", "http://h/v1", "--requests", "1", "--duration", "1"], 2),
        (["--key-env", "K"], 2),
        (["nobody-local"], 2),
        ([], 2),
        (["--concurrency", "0", "--url", "http://h/v1"], 2),
        (["--concurrency", "1,x", "--url", "http://h/v1"], 2),
        (["--requests", "0", "--url", "http://h/v1"], 2),
    ],
)
def test_a_mistake_on_the_command_line_is_named_before_anything_is_asked(
    capsys, home, arguments, code
):
    is_, document, _ = printed(capsys, "bench", *arguments)
    assert is_ == code
    assert document["error"]["message"]
