"""The watchdog on the machine: what it reads, keeps and does. Its decision is tested with `deployer.agents.idle`."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from deployer import engines
from deployer.agents import watchdog
from deployer.agents.idle import Observation
from deployer.agents.watchdog import Sample, State, after, moved, read
from deployer.engines import Metrics
from deployer.providers import registry
from stacks.cloud_gpu.aws.boot import watchdog_aws
from tests.kits.loopback import served

START = State("boot", "198.51.100.7", Observation(started_at=100.0))
VLLM = """# HELP vllm:num_requests_running Number of requests
vllm:num_requests_running{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:request_success_total{finished_reason="stop"} 3.0
vllm:request_success_total{finished_reason="length"} 4.0
vllm:generation_tokens_total{model_name="m"} 100.0
"""


@pytest.mark.parametrize(
    ("engine", "text", "found"),
    [
        ("vllm", VLLM, Sample(3, 107)),
        ("llama.cpp", "llamacpp:requests_processing 1\nllamacpp:tokens_predicted_total 7\n", Sample(1, 7)),
        ("sglang", "sglang:num_running_reqs{a=\"b\"} 0\nsglang:num_requests_total{a=\"b\"} 5\n", Sample(0, 5)),
        ("fastapi", "handler_requests_running 2.0\nhandler_request_success_total 9.0\n", Sample(2, 9)),
        ("vllm", "up 1\n", None),
        ("vllm", "", None),
    ],
)  # fmt: skip
def test_what_engines_say_of_themselves(engine, text, found):
    names = metrics(engine)
    assert read(text, names.running, names.finished) == found


def metrics(name: str) -> Metrics:
    found = engines.engine(name).metrics
    assert found
    return found


def test_every_engine_that_a_rented_machine_runs_has_its_metrics():
    providers = [registry.provider("cloud-gpu", name) for name in registry.providers("cloud-gpu")]
    run = {name for provider in providers for name in registry.engines_of(provider)}
    assert run
    for name in run:
        assert metrics(name).running
        assert metrics(name).finished


LLAMA_CPP = metrics("llama.cpp")


def seen(*samples: tuple[Sample | None, float]) -> State:
    state = START
    for sample, now in samples:
        state = after(state, sample, now)
    return state


@pytest.mark.parametrize(
    ("samples", "used_at"),
    [
        ([(Sample(0, 0), 200.0)], None),
        ([(Sample(0, 0), 200.0), (Sample(1, 0), 260.0)], 260.0),
        ([(Sample(0, 5), 200.0), (Sample(0, 5), 260.0)], 200.0),
        ([(Sample(0, 5), 200.0), (Sample(0, 6), 260.0)], 260.0),
        ([(Sample(0, 5), 200.0), (Sample(0, 0), 260.0)], 200.0),  # the engine was started again
        ([(Sample(0, 5), 200.0), (Sample(0, 2), 260.0)], 260.0),  # and used since
        ([(Sample(0, 5), 200.0), (None, 260.0), (None, 320.0)], 200.0),
        ([(Sample(3, 0), 200.0), (Sample(0, 0), 260.0)], 200.0),
    ],
)
def test_use_is_what_runs_and_what_was_finished_since_the_last_look(samples, used_at):
    assert seen(*samples).seen.used_at == used_at


def test_the_wait_begins_when_the_model_is_loaded():
    state = seen((None, 500.0), (None, 900.0), (Sample(0, 0), 1000.0))
    assert state.seen == Observation(started_at=1000.0, used_at=None, seen_at=1000.0, running=0)


def test_times_of_an_earlier_boot_keep_their_distance():
    old = Observation(started_at=10.0, used_at=50.0, seen_at=None)
    assert moved(old, -40.0) == Observation(started_at=-30.0, used_at=10.0, seen_at=None)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where the state is kept, in a folder of the test's own."""
    made = (tmp_path / "run" / "state.json", tmp_path / "lib" / "watchdog.json")
    for file in made:
        file.parent.mkdir()
    monkeypatch.setattr(watchdog, "KEPT", made)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    return made


def test_what_was_kept_is_found_again(places):
    state = replace(seen((Sample(1, 3), 200.0)), boot=watchdog.this_boot())
    watchdog.keep(state)
    assert watchdog.remembered(300.0, watchdog_aws) == state


@pytest.mark.parametrize("lost", [0, 1])
def test_one_place_is_enough(places, lost):
    """A full disk, or memory that was cleared."""
    places[lost].parent.rmdir()
    state = replace(START, boot=watchdog.this_boot())
    watchdog.keep(state)
    assert watchdog.remembered(300.0, watchdog_aws) == state


def test_what_the_first_release_kept_is_read(places):
    """Word for word as it was written before the names of metrics came from outside."""
    boot = watchdog.this_boot()
    for file in places:
        file.write_text(
            f'{{"boot": "{boot}", "address": "198.51.100.7", "seen": {{"started_at": 100.0, "used_at": 200.0,'
            ' "seen_at": 260.0, "running": 1.0}, "finished": 7.0, "looked_at": 260.0}'
        )
    old = Observation(started_at=100.0, used_at=200.0, seen_at=260.0, running=1.0)
    assert watchdog.remembered(300.0) == State(boot, "198.51.100.7", old, 7.0, 260.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}', '{"seen": {"x": 1}}', "\0"])
def test_a_broken_file_is_as_none(places, text):
    for file in places:
        file.write_text(text)
    assert watchdog.remembered(300.0, watchdog_aws).seen == Observation(started_at=300.0)


class Imds(BaseHTTPRequestHandler):
    """A metadata service of a machine, and an engine's metrics."""

    address = "198.51.100.7"
    metrics = "llamacpp:requests_processing 0\n"

    def do_PUT(self) -> None:
        self.answer("token")

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self.answer(self.metrics)
        elif self.headers.get("X-aws-ec2-metadata-token") != "token":
            self.send_error(401)
        else:
            self.answer("i-0123" if self.path.endswith("instance-id") else self.address)

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with served(Imds) as url:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        yield url


@pytest.mark.parametrize(
    ("address", "used_at"), [("198.51.100.7", 260.0), ("203.0.113.9", None)], ids=["rebooted", "woken"]
)  # fmt: skip
def test_time_before_a_reboot_counts_and_before_a_stop_does_not(places, service, address, used_at):
    """The kept look was at 1000 s of the boot before, with the last use 40 s earlier; now it is 300 s."""
    old = Observation(started_at=10.0, used_at=960.0, seen_at=1000.0)
    watchdog.keep(State("another boot", address, old, 7.0, looked_at=1000.0))
    assert watchdog.remembered(300.0, watchdog_aws).seen.used_at == used_at


AWS = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
  *describe-auto-scaling-instances*) echo the-group ;;
  *$REFUSED*) echo "UnauthorizedOperation" >&2; exit 254 ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of an AWS CLI and a systemctl that only note what they are asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("aws", AWS), ("systemctl", '#!/bin/sh\necho systemctl "$@" >> "$CALLS"\n')):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    noted = tmp_path / "calls"
    noted.touch()
    monkeypatch.setenv("CALLS", str(noted))
    monkeypatch.setenv("REFUSED", "nothing")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return noted


def run(tmp_path: Path, service: str, **told: Any) -> str:
    """Run the watchdog as systemd does."""
    (tmp_path / "key").write_text("sk")
    told = {
        "metrics": {"running": LLAMA_CPP.running, "finished": LLAMA_CPP.finished},
        "url": service,
        "key_file": str(tmp_path / "key"),
        "idle_after_s": 0,
        "action": "stop",
        "fleet": False,
        "cloud": watchdog_aws.__name__,
        **told,
    }
    (tmp_path / "told.json").write_text(json.dumps(told))
    done = subprocess.run(
        [sys.executable, "-m", "deployer.agents.watchdog", str(tmp_path / "told.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("told", "made"),
    [
        ({}, ["ec2 stop-instances --instance-ids i-0123"]),
        ({"action": "destroy"}, ["ec2 terminate-instances --instance-ids i-0123"]),
        ({"action": "none"}, ["cloudwatch put-metric-data"]),
        ({"idle_after_s": 10**6}, ["cloudwatch put-metric-data"]),
        (
            {"fleet": True},
            [
                "autoscaling describe-auto-scaling-instances --instance-ids i-0123",
                "autoscaling update-auto-scaling-group --auto-scaling-group-name=the-group --min-size=0",
                "autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0123",
            ],
        ),
    ],
)
def test_it_does_what_the_policy_says_with_the_machines_own_role(
    tmp_path, service, calls, told, made
):
    run(tmp_path, service, **told)
    noted = calls.read_text().splitlines()
    assert len(noted) == len(made)
    for line, start in zip(noted, made, strict=True):
        assert line.startswith(start)


def test_where_aws_refuses_the_system_is_shut_down(tmp_path, service, calls, monkeypatch):
    monkeypatch.setenv("REFUSED", "stop-instances")
    said = run(tmp_path, service)
    assert calls.read_text().splitlines()[-1] == "systemctl poweroff"
    assert "UnauthorizedOperation" in said
    assert "shutting down" in said


@pytest.mark.parametrize("cloud", [None, "no.such.module"])
def test_without_a_module_of_its_cloud_the_system_is_shut_down(tmp_path, service, calls, cloud):
    assert "shutting down" in run(tmp_path, service, cloud=cloud)
    assert calls.read_text().splitlines() == ["systemctl poweroff"]


def test_without_a_metadata_service_the_system_is_shut_down(tmp_path, service, calls, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    run(tmp_path, service)
    assert calls.read_text().splitlines() == ["systemctl poweroff"]


def test_a_request_that_runs_keeps_the_machine_whatever_the_limit(
    tmp_path, service, calls, monkeypatch
):
    monkeypatch.setattr(Imds, "metrics", "llamacpp:requests_processing 1\n")
    run(tmp_path, service, idle_after_s=0.001)
    assert "stop" not in calls.read_text()


@pytest.mark.parametrize("metrics", ["nonsense", "a b c\n", "llamacpp:requests_processing x\n"])
def test_nonsense_is_no_answer(tmp_path, service, calls, monkeypatch, metrics):
    monkeypatch.setattr(Imds, "metrics", metrics)
    run(tmp_path, service, loading_s=10**6)
    assert calls.read_text() == "", "it is given time to load, and no idle time is told"


RUNNING = b"llamacpp:requests_processing 1\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
ODD = {
    "no status": b"garbage\r\n\r\n",
    "no version": b"HTTP/9.9.9 200 OK\r\n\r\n" + RUNNING,
    "no answer": b"",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "an endless line": b"HTTP/1.1 200 " + b"a" * 70_000,
    "an endless header": HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    "too many headers": HEAD + b"X: y\r\n" * 200 + b"\r\n" + RUNNING,
    "a cut body": HEAD + b"Content-Length: 4000\r\n\r\n" + RUNNING,
    "a cut chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + RUNNING,
    "a chunk that is no number": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + RUNNING,
    "a length below 0": HEAD + b"Content-Length: -5\r\n\r\n",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[::\r\n\r\n",
    "a redirect to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "no text": HEAD + b"\r\n\xff\xfe\x00" + RUNNING,
    "infinity": HEAD + b"\r\nllamacpp:requests_processing +Inf\n",
    "more than a number holds": HEAD + b"\r\nllamacpp:requests_processing 1e999\n",
    "no number": HEAD + b"\r\nllamacpp:requests_processing NaN\n",
    "less than none": HEAD + b"\r\nllamacpp:requests_processing -1\n",
    "endlessly many finished": HEAD
    + b"\r\nllamacpp:requests_processing 0\nllamacpp:tokens_predicted_total +Inf\n",
}


class Odd(socketserver.BaseRequestHandler):
    """Answers whatever is asked with the same bytes."""

    answer = b""

    def handle(self) -> None:
        self.request.recv(65_536)
        with contextlib.suppress(OSError):
            self.request.sendall(self.answer)


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_no_answer_however_odd_keeps_the_machine_running(tmp_path, service, calls, answer):
    made = type("Bound", (Odd,), {"answer": answer})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), made) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        run(tmp_path, service, url=url, loading_s=0)
        server.shutdown()
    assert calls.read_text().splitlines() == ["ec2 stop-instances --instance-ids i-0123"]


@pytest.mark.parametrize("fails", ["address", "publish", "end"])
def test_a_module_of_the_cloud_that_fails_ends_nothing_but_itself(
    tmp_path, service, calls, monkeypatch, fails
):
    lines = {
        "address": "def address(): return '198.51.100.7'",
        "publish": "def publish(idle_s): pass",
        "end": "def end(action, *, fleet): return False",
    }
    lines[fails] = lines[fails].partition(":")[0] + ": raise KeyError('odd')"
    (tmp_path / "failing_cloud.py").write_text("\n".join(lines.values()))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    assert "shutting down" in run(tmp_path, service, cloud="failing_cloud")
    assert calls.read_text().splitlines() == ["systemctl poweroff"]
    run(tmp_path, service, cloud="failing_cloud", idle_after_s=10**6)


def test_a_figure_may_carry_its_time():
    text = 'vllm:num_requests_running{model_name="a b"} 0 1764400000000\n'
    names = metrics("vllm")
    assert read(text, names.running, names.finished) == Sample(0, 0)
