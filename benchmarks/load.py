"""How many good answers a second: a handler behind its guard beside plain FastAPI, and what the guard adds.

    python -m benchmarks.load [--seconds 4] [--clients 1,100,500]

All in one run, in turns, by one load generator (`benchmarks.loading.closed`: raw HTTP, each client asks again when it has
its answer). `plain` is FastAPI and uvicorn as their documents show them, with the same function; `deployer` is what
`deployer up` starts. Good is an answer with status 200 that is whole; a streamed one has 10 pieces. Exits 1 when a goal
is missed: 0.8 of plain FastAPI's good answers, 1.5 times its 99th percentile, 1 ms added in the median by the guard.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployer.agents.guard.sockets import listening
from deployer.running.native import process

ROOT = Path(__file__).parent.parent
KEY = "dk-" + "k" * 32
PLACES = 8
LEAST_SHARE, MOST_P99, MOST_ADDED_MS = 0.8, 1.5, 1.0
HANDLER = """
def load():
    return None
def predict(model, request):
    return "Hello!"
def stream(model, request):
    for number in range(10):
        yield f"{number} "
"""
PLAIN = """
import json
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

class Message(BaseModel):
    role: str
    content: str

class Chat(BaseModel):
    messages: list[Message]
    stream: bool = False

app = FastAPI()

def pieces():
    for number in range(10):
        said = {"choices": [{"index": 0, "delta": {"content": f"{number} "}}]}
        yield f"data: {json.dumps(said)}\\n\\n"
    yield "data: [DONE]\\n\\n"

@app.get("/health")
def health():
    return {"status": "ok"}

@app.post("/v1/chat/completions")
def chat(asked: Chat):
    if asked.stream:
        return StreamingResponse(pieces(), media_type="text/event-stream")
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}}]}
"""


@dataclass(frozen=True)
class Row:
    """What one server did with so many clients."""

    server: str
    asked: str
    clients: int
    good_s: float
    other: int
    p50_ms: float
    p99_ms: float


def free() -> int:
    """Return a port that is free now."""
    with listening("127.0.0.1", 0) as line:
        return int(line.getsockname()[1])


@contextmanager
def plain(folder: Path) -> Iterator[int]:
    """Serve plain FastAPI."""
    (folder / "plain.py").write_text(PLAIN)
    port = free()
    command = (sys.executable, "-m", "uvicorn", "plain:app", "--port", str(port))
    quiet = ("--log-level", "warning", "--no-access-log")
    with subprocess.Popen([*command, *quiet], cwd=folder) as server:
        try:
            yield port
        finally:
            server.terminate()


@contextmanager
def guarded(folder: Path) -> Iterator[int]:
    """Serve the handler as `deployer up` does."""
    from deployer.engines.fastapi.native import launch
    from deployer.engines.launch import Job
    from deployer.sources import installed

    (folder / "handler.py").write_text(HANDLER)
    (folder / "key").write_text(KEY)
    wanted = {
        "model": str(folder),
        "source": str(folder),
        "model_name": "hello",
        "concurrency": PLACES,
        "handler": {"route": "chat", "timeout": 60, "max_request_mb": 4},
    }
    job = Job(wanted, 0, folder)
    run, port = launch(job, installed.here()), free()
    job.config_file.write_text(json.dumps(run.config))
    supervised = process.Supervised(
        run.command,
        port,
        folder / "key",
        engine_key=job.key_file,
        limits={"places": PLACES, **run.limits},
    )
    process.start(folder, supervised)
    try:
        yield port
    finally:
        process.stop(folder)


def ready(port: int) -> None:
    """Wait until a server is healthy."""
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def measured(server: str, asked: str, port: int, clients: int, seconds: float) -> Row:
    """Load a server by a process of its own."""
    command = (sys.executable, "-m", "benchmarks.loading.closed", str(port), str(clients))
    words = [*command, str(seconds), asked, KEY]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    took = sorted(said["ms"]) or [float("nan")]
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    good = len(said["ms"]) / seconds
    return Row(server, asked, clients, good, said["other"], statistics.median(took), p99)


def verdicts(rows: list[Row]) -> Iterator[tuple[str, bool]]:
    """Compare the rows in pairs."""
    by = {(row.server, row.asked, row.clients): row for row in rows}
    for (server, asked, clients), ours in by.items():
        if server != "deployer":
            continue
        theirs = by["plain", asked, clients]
        if clients == 1:
            if asked == "whole":  # a stream's figure is of ten pieces: the table has it
                added = ours.p50_ms - theirs.p50_ms
                yield f"1 client: {added:+.2f} ms in the median", added <= MOST_ADDED_MS
            continue
        share, slower = ours.good_s / theirs.good_s, ours.p99_ms / theirs.p99_ms
        good = share >= LEAST_SHARE and slower <= MOST_P99
        yield f"{asked}, {clients} clients: {share:.2f} of plain, p99 x {slower:.2f}", good


def main() -> int:
    """Measure all, print the table, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description="The goodput of what deployer serves.")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--clients", default="1,100,500")
    asked = parser.parse_args()
    rows = list[Row]()
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as two,
        plain(Path(one)) as theirs,
        guarded(Path(two)) as ours,
    ):
        for port in (theirs, ours):
            ready(port)
        for clients in map(int, asked.clients.split(",")):
            for kind in ("whole", "stream"):
                for server, port in (("plain", theirs), ("deployer", ours)):
                    rows.append(measured(server, kind, port, clients, asked.seconds))
    print(
        f"{'server':10}{'answer':8}{'clients':>8}{'good/s':>9}{'other':>7}{'p50 ms':>9}{'p99 ms':>9}"
    )
    for row in rows:
        figures = f"{row.good_s:>9,.0f}{row.other:>7,}{row.p50_ms:>9.2f}{row.p99_ms:>9.1f}"
        print(f"{row.server:10}{row.asked:8}{row.clients:>8,}{figures}")
    found = list(verdicts(rows))
    for said, good in found:
        print(f"{'ok  ' if good else 'MISS'} {said}")
    return 0 if all(good for _, good in found) else 1


if __name__ == "__main__":
    sys.exit(main())
