"""What `local` by `docker` costs beside Docker itself, on this machine's own daemon.

    python -m benchmarks.local [--runs 5]

Time: from the start of `deployer up` to the first token of an answer, beside a plain `docker run` of the same image
with the same arguments and the same question, taking turns; what is more is the median of the pairs' differences.
Requests: at the engine's own address in its container, at the port that a plain `docker run -p` publishes, and at our
endpoint; what Docker's publishing costs is so told from what we cost. The image is that of the Docker tests, with
the tiny model.

The processor time is that of the commands themselves, without the daemon's and the engine's: unlike the seconds,
it does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from deployer.running.containers import daemon
from deployer.running.store import Store
from tests.kits import docker_image

ROOT = Path(__file__).parent.parent
DEPLOYER = str(Path(sys.executable).with_name("deployer"))
TINY = ROOT / "examples" / "tiny" / "tiny.gguf"
NAME = "bench-tiny"
DEPLOYMENT = f"{NAME}-local"
KEY = "dk-benchmark"
REQUESTS, STREAMS = 100, 2
MOST_OVERHEAD_S = 1.0
SPEC = """
name: {name}
model: {{source: {model}, context: 256}}
serve: {{concurrency: {streams}}}
targets: {{local: {{provider: docker, image: "{image}", port: {port}}}}}
"""


def ask(url: str, key: str, *, stream: bool) -> urllib.request.Request:
    """Return a request for a chat completion of eight tokens."""
    question = {"model": NAME, "stream": stream, "max_tokens": 8}
    body = question | {"messages": [{"role": "user", "content": "Hello?"}]}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return urllib.request.Request(  # noqa: S310 - an address of this machine
        f"{url}/v1/chat/completions", json.dumps(body).encode(), headers
    )


def first_token(url: str, key: str) -> None:
    """Wait for the first piece of a streamed answer."""
    with urllib.request.urlopen(ask(url, key, stream=True)) as answer:  # noqa: S310 - of this machine
        while b'"content"' not in answer.readline():
            pass


def until_healthy(url: str) -> None:
    """Wait until the engine is ready, looking every 10 ms."""
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()  # noqa: S310 - of this machine
        except OSError:
            time.sleep(0.01)
        else:
            return


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that some work takes, and those of processor time of the commands in it."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def start_plain(folder: Path, image: str, port: int) -> str:
    """Run the engine by `docker run` and return its address once it is healthy."""
    (folder / "key").write_text(KEY)
    mounts = ["-v", f"{TINY}:/model/model.gguf:ro", "-v", f"{folder}/key:/run/secrets/api_key:ro"]
    flags = ["--model", "/model/model.gguf", "--alias", NAME, "--host", "0.0.0.0"]  # noqa: S104 - inside
    flags += ["--port", "8080", "--ctx-size", "512", "--parallel", "2"]
    flags += ["--api-key-file", "/run/secrets/api_key", "--metrics", "--no-slots"]
    options = ["--detach", "--init", "--name", f"{NAME}-plain", "-p", f"127.0.0.1:{port}:8080"]
    run("docker", "run", *options, *mounts, image, *flags)
    until_healthy(f"http://127.0.0.1:{port}")
    return f"http://127.0.0.1:{port}"


def stop_plain() -> None:
    """Remove what `start_plain` started."""
    run("docker", "rm", "--force", f"{NAME}-plain")


def by_docker(folder: Path, image: str, port: int) -> tuple[float, float]:
    """Measure from `docker run` to the first token."""
    took = timed(lambda: first_token(start_plain(folder, image, port), KEY))
    stop_plain()
    return took


def by_deployer(folder: Path, port: int) -> tuple[float, float]:
    """Measure from the start of `deployer up` to the first token."""

    def work() -> None:
        up(folder)
        first_token(f"http://127.0.0.1:{port}", Store(folder).key(DEPLOYMENT))

    took = timed(work)
    deployer(folder, "down", DEPLOYMENT)
    return took


def up(folder: Path) -> None:
    """Bring the model up."""
    deployer(folder, "up", "-f", str(folder / "deployer.yaml"), "--target", "local", "--yes")


def run(*command: str, **environment: str) -> None:
    """Run a command that must not fail."""
    env = os.environ | environment
    subprocess.run(command, check=True, capture_output=True, env=env)


def deployer(folder: Path, *arguments: str) -> None:
    """Run deployer with a home of the benchmark's own."""
    run(DEPLOYER, *arguments, DEPLOYER_HOME=str(folder))


def per_second(url: str, key: str) -> tuple[float]:
    """Return the requests a second that are answered, `STREAMS` at a time."""

    def one(_: int) -> None:
        with urllib.request.urlopen(ask(url, key, stream=False)) as answer:  # noqa: S310 - of this machine
            answer.read()

    start = time.perf_counter()
    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(one, range(REQUESTS)))
    return (REQUESTS / (time.perf_counter() - start),)


def inside() -> str:
    """Return the engine's own address, past everything that publishes it."""
    with closing(daemon.connect()) as client:
        seen: Any = client.inspect_container(DEPLOYMENT)
    return f"http://{seen['NetworkSettings']['IPAddress']}:8080"


def turns(runs: int, *ways: Callable[[], tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    """Measure the ways in turn; return for each way each figure's values, turn by turn."""
    measured = [[way() for way in ways] for _ in range(runs)]
    return [list(zip(*column, strict=True)) for column in zip(*measured, strict=True)]


def over(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of what one is more than the other in the same turn."""
    return statistics.median(a - b for a, b in zip(values, others, strict=True))


def share(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of what one is of the other in the same turn."""
    return statistics.median(a / b for a, b in zip(values, others, strict=True))


def main() -> int:
    """Measure, print, and return 1 when the overhead is more than is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    image = docker_image.image()
    with tempfile.TemporaryDirectory() as made:
        folder, port = Path(made), free_port()
        spec = SPEC.format(name=NAME, model=TINY, streams=STREAMS, image=image, port=port)
        (folder / "deployer.yaml").write_text(spec)
        first = measure_start(folder, image, port, runs)
        measure_rates(folder, image, port, runs)
    return int(first > MOST_OVERHEAD_S)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def measure_start(folder: Path, image: str, port: int, runs: int) -> float:
    """Measure the time to the first token; return the seconds that we take more."""
    ways = (lambda: by_docker(folder, image, port), lambda: by_deployer(folder, port))
    (plain, cpu), (ours, our_cpu) = turns(runs, *ways)
    more, median = over(ours, plain), statistics.median
    print(f"{'first token, docker run':26}{median(plain):6.2f} s {median(cpu):6.2f} s of processor")
    print(
        f"{'first token, deployer up':26}{median(ours):6.2f} s {median(our_cpu):6.2f} s of processor,"
        f" {more:+.2f} s (asked: under {MOST_OVERHEAD_S:.0f} s; {runs} pairs)"
    )
    return more


def measure_rates(folder: Path, image: str, port: int, runs: int) -> None:
    """Measure the requests a second, with a plain container beside ours."""
    up(folder)
    plain_url = start_plain(folder, image, free_port())
    key, url = Store(folder).key(DEPLOYMENT), f"http://127.0.0.1:{port}"
    named = {
        "engine alone": lambda: per_second(inside(), key),
        "docker run -p": lambda: per_second(plain_url, KEY),
        "our endpoint": lambda: per_second(url, key),
    }
    rates = [rate for (rate,) in turns(runs, *named.values())]
    stop_plain()
    deployer(folder, "down", DEPLOYMENT)
    for name, rate in zip(named, rates, strict=True):
        print(
            f"{f'requests/s, {name}':26}{statistics.median(rate):6.1f}"
            f" {share(rate, rates[0]):6.0%} of the engine alone"
        )
    print(f"our endpoint beside docker run -p: {share(rates[2], rates[1]):.0%}")


if __name__ == "__main__":
    sys.exit(main())
