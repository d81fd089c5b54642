"""Real engines, the real command line, a real client: `local` by `native` from up to down."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deployer.running.native import process
from deployer.running.store import Store
from tests.kits import tiny_mlx
from tests.kits.documents import read
from tests.kits.parts import need
from tests.kits.processes import free_port, until

NAME = "tiny-local"
SPEC = """
name: tiny
model: {{source: {model}, context: 256}}
serve: {{engine: {engine}, concurrency: 2}}
targets: {{local: {{provider: native, port: {port}}}}}
"""
ENGINES = {"llama.cpp": "xllamacpp", "mlx": "mlx_lm"}
"""Those that are tested from up to down, and the module that each is."""
READY = {"llama.cpp": "model loaded", "mlx": "Starting httpd"}
STATUS_KEYS = {
    *("name", "target", "provider", "state", "endpoint", "started_at", "idle_since", "requests"),
    *("uptime_seconds", "gpu_memory_mib", "awake"),
    *("output_tokens", "usd_per_hour", "cost_so_far_usd", "expires_at", "resources"),
    "unkept",
}


@pytest.fixture(scope="module", autouse=True)
def _llama_cpp() -> None:
    need("xllamacpp", "the engine that is served with")


@dataclass
class Cli:
    """The command line as a process of its own, with a home and a spec of its own."""

    folder: Path
    home: Path = field(init=False)
    spec: Path = field(init=False)
    shown: str = field(init=False, default="")
    port: int = 0

    def __post_init__(self) -> None:
        self.home, self.spec = self.folder / "home", self.folder / "deployer.yaml"

    def write(self, model: Path, port: int | str, engine: str = "auto") -> None:
        self.spec.write_text(SPEC.format(model=model, port=port, engine=engine))

    def start(
        self,
        *arguments: str,
        home: Path | None = None,
        before: str = "",
    ) -> subprocess.Popen[str]:
        env = os.environ | {"DEPLOYER_HOME": str(home or self.home)}
        shell = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh"] if before else []
        command = [*shell, sys.executable, "-m", "deployer", *arguments]
        return subprocess.Popen(
            command,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **options: Any) -> tuple[int, str, str]:
        with self.start(*arguments, **options) as cli:
            out, err = cli.communicate(timeout=120)
        return cli.returncode, out, err

    def json(self, *arguments: str, code: int = 0, **options: Any) -> Any:
        is_, out, err = self.run(*arguments, "--json", **options)
        assert is_ == code, out + err
        return read(arguments[0], out, code)

    def up_json(self, *more: str, code: int = 0, **options: Any) -> Any:
        words = ("up", "-f", str(self.spec), "--target", "local", "--yes", *more)
        return self.json(*words, code=code, **options)

    def up(self, *more: str, **options: Any) -> tuple[int, str, str]:
        return self.run("up", "-f", str(self.spec), "--target", "local", "--yes", *more, **options)

    def typed(self, text: str, *arguments: str) -> tuple[int, str]:
        """Run in a terminal, type the text, and return the exit code and what came on stdout; `shown` is what the terminal shows."""
        keyboard, terminal = pty.openpty()
        command = [sys.executable, "-m", "deployer", *arguments]
        env = os.environ | {"DEPLOYER_HOME": str(self.home)}
        with subprocess.Popen(
            command, env=env, text=True, stdin=terminal, stderr=terminal, stdout=subprocess.PIPE
        ) as cli:
            os.write(keyboard, text.encode())
            out, _ = cli.communicate(timeout=120)
        os.set_blocking(keyboard, False)
        self.shown = os.read(keyboard, 65536).decode(errors="replace")
        os.close(keyboard)
        os.close(terminal)
        return cli.returncode, out

    def state(self) -> str:
        return str(self.json("status", NAME)["deployments"][0]["state"])

    @property
    def processes(self) -> list[psutil.Process]:
        return process.find(Store(self.home).folder(NAME))

    def engine(self) -> psutil.Process | None:
        """The engine itself, once it has been started."""
        return next((p for p in self.processes if not process.is_supervisor(p)), None)


@pytest.fixture
def cli(tmp_path: Path, tiny_gguf: Path) -> Iterator[Cli]:
    """A command line whose deployment is gone when the test is over."""
    one = Cli(tmp_path)
    one.write(tiny_gguf, free_port())
    yield one
    process.stop(Store(one.home).folder(NAME))


def write_for(cli: Cli, engine: str, tiny_gguf: Path) -> None:
    """Write a spec of a tiny model that an engine reads."""
    need(ENGINES[engine], "the engine that is served with")
    made = tiny_gguf if engine == "llama.cpp" else tiny_mlx.make(cli.folder / "model")
    cli.write(made, free_port(), engine)


@pytest.fixture(params=ENGINES)
def each(cli: Cli, request: pytest.FixtureRequest, tiny_gguf: Path) -> Cli:
    """The same for each engine."""
    write_for(cli, request.param, tiny_gguf)
    return cli


@pytest.fixture(scope="module", params=ENGINES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path
) -> Iterator[Cli]:
    """A command line with a tiny model up."""
    one = Cli(tmp_path_factory.mktemp("served"))
    write_for(one, request.param, tiny_gguf)
    code, out, err = one.up()
    assert code == 0, out + err
    yield one
    one.run("down", NAME)


def client_of(cli: Cli, key: str | None = None) -> Any:
    need("openai", "the official client")
    from openai import OpenAI

    env = cli.json("env", NAME)["env"]
    return OpenAI(base_url=env["OPENAI_BASE_URL"], api_key=key or env["OPENAI_API_KEY"])


def ask(client: Any, **options: Any) -> Any:
    question = [{"role": "user", "content": "Hello?"}]
    return client.chat.completions.create(model="tiny", messages=question, max_tokens=8, **options)


def test_the_official_client_gets_a_streamed_answer_with_the_key(served):
    with client_of(served) as client:
        pieces = [c.choices[0].delta.content for c in ask(client, stream=True) if c.choices]
    assert len(pieces) > 2
    assert "".join(filter(None, pieces)).strip()


def test_the_official_client_is_refused_without_the_key(served):
    from openai import AuthenticationError

    with client_of(served, key="wrong") as client, pytest.raises(AuthenticationError):
        ask(client)


def test_up_says_how_to_call_it_and_how_to_stop_it(served):
    code, out, err = served.up()
    assert code == 0
    assert "nothing to change" in err
    for words in ("http://127.0.0.1:", "deployer env tiny-local", "deployer down tiny-local"):
        assert words in out


def test_up_twice_changes_nothing(served):
    before = served.processes
    assert served.up_json()["deployments"][0]["name"] == NAME
    assert served.processes == before


def test_status_counts_tokens_and_shows_no_key(served):
    first = served.json("status")["deployments"]
    with client_of(served) as client:
        ask(client)
    (shown,) = served.json("status", "-f", str(served.spec), "--target", "local")["deployments"]
    assert set(shown) == STATUS_KEYS
    assert shown["state"] == "healthy"
    assert shown["output_tokens"] == first[0]["output_tokens"] + 8
    assert {int(r["id"]) for r in shown["resources"]} == {p.pid for p in served.processes}
    assert Store(served.home).key(NAME) not in json.dumps(shown)


def test_status_for_a_human_names_the_state_and_the_endpoint(served):
    code, out, _ = served.run("status")
    assert code == 0
    assert "tiny-local" in out
    assert "healthy" in out


def test_logs_show_what_the_engine_said(served):
    code, out, _ = served.run("logs", NAME, "--tail", "5")
    assert (code, len(out.splitlines())) == (0, 5)
    lines = served.json("logs", NAME)["lines"]
    assert any(words in line for line in lines for words in READY.values())
    assert Store(served.home).key(NAME) not in "".join(lines)


def test_followed_logs_come_as_they_are_written_until_interrupted(served):
    with served.start("logs", NAME, "--follow", "--tail", "1") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline()  # the line before: it follows from here
        with client_of(served) as client:
            ask(client)
        assert follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=120)
    assert follower.returncode == 130


def test_env_can_be_evaluated_by_a_shell(served):
    _, line, _ = served.run("env", NAME)
    shell = subprocess.run(
        ["/bin/sh", "-c", f'{line}\nprintf "%s %s" "$OPENAI_BASE_URL" "$OPENAI_API_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    )
    env = served.json("env", NAME)["env"]
    assert shell.stdout == f"{env['OPENAI_BASE_URL']} {env['OPENAI_API_KEY']}"


def test_chat_answers_a_message_from_the_command_line_or_from_stdin(served):
    code, out, _ = served.run("chat", NAME, "Hello?", "--max-tokens", "8")
    assert code == 0
    assert out.strip()
    with served.start("chat", "-f", str(served.spec), "--target", "local", "--json") as cli:
        said = read("chat", cli.communicate("Hello?", timeout=120)[0])
    assert said["message"]["role"] == "assistant"
    assert said["message"]["content"].strip()


def test_chat_in_a_terminal_goes_on_until_ctrl_d(served):
    code, out = served.typed("Hello?\nAnd then?\n\x04", "chat", NAME, "--max-tokens", "4")
    assert code == 0
    assert len(out.strip().splitlines()) >= 2


def test_it_listens_on_this_machine_alone(served):
    heard = [c.laddr for p in served.processes for c in p.net_connections() if c.status == "LISTEN"]
    assert {address.ip for address in heard} == {"127.0.0.1"}


def test_the_key_is_in_no_argument_and_no_environment(served):
    key = Store(served.home).key(NAME)
    for one in served.processes:
        assert key not in " ".join([*one.cmdline(), *one.environ().values()])


def test_a_context_is_each_requests_own(served):
    from openai import BadRequestError

    long = [{"role": "user", "content": "a " * 300}]
    with client_of(served) as client, pytest.raises(BadRequestError, match="256"):
        client.chat.completions.create(model="tiny", messages=long, max_tokens=8)


@pytest.mark.parametrize("command", ["status", "logs", "env", "chat"])
def test_an_unknown_deployment_names_the_known_ones(served, command):
    assert NAME in served.json(command, "other-local", code=2)["error"]["hint"]


def test_down_removes_everything_and_twice_is_not_an_error(each):
    assert each.up()[0] == 0
    pids = {p.pid for p in each.processes}
    first = each.json("down", NAME)
    assert {int(r["id"]) for r in first["removed"]} == pids
    assert first["remaining"] == each.processes == []
    assert each.json("down", NAME)["removed"] == []
    assert each.json("status")["deployments"] == []
    assert not Store(each.home).folder(NAME).exists()


def test_up_json_is_the_status_document_and_nothing_else(cli):
    (shown,) = cli.up_json()["deployments"]
    assert (shown["name"], shown["state"]) == (NAME, "healthy")


def test_no_wait_returns_before_the_model_answers_and_it_answers_later(cli):
    assert cli.up_json("--no-wait")["deployments"][0]["state"] in ("starting", "healthy")
    until(lambda: cli.state() == "healthy")


def test_a_changed_spec_starts_anew_under_the_same_key(cli, tiny_gguf):
    assert cli.up()[0] == 0
    key, before = Store(cli.home).key(NAME), cli.processes
    cli.spec.write_text(cli.spec.read_text().replace("concurrency: 2", "concurrency: 1"))
    assert cli.up()[0] == 0
    assert Store(cli.home).key(NAME) == key
    assert not {p.pid for p in before} & {p.pid for p in cli.processes}
    assert len(cli.processes) == 2


@contextmanager
def asked_all_the_time(cli: Cli) -> Iterator[list[int]]:
    """Ask the deployment again and again where it answers now; a call that fails is a 0."""
    env = cli.json("env", NAME)["env"]
    url, key = f"{env['OPENAI_BASE_URL']}/models", env["OPENAI_API_KEY"]
    answers, over = list[int](), threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                told = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)
                answers.append(told.status_code)
            except httpx.HTTPError:
                answers.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("port", [None, "auto"])
def test_a_changed_spec_takes_the_place_of_the_one_before_without_a_gap(cli, tiny_gguf, port):
    cli.write(tiny_gguf, port or free_port())
    assert cli.up()[0] == 0
    address = cli.json("env", NAME)["env"]["OPENAI_BASE_URL"]
    with asked_all_the_time(cli) as answers:
        for slots in (1, 3, 2):  # the second and third take over from one that took over itself
            text = re.sub(r"concurrency: \d", f"concurrency: {slots}", cli.spec.read_text())
            cli.spec.write_text(text)
            code, out, err = cli.up()
            assert code == 0, out + err
    assert answers.count(200) > len(answers) * 0.95  # a call that was on its way may be lost
    assert cli.json("env", NAME)["env"]["OPENAI_BASE_URL"] == address
    assert cli.state() == "healthy"
    assert len(cli.processes) == 2
    assert len(cli.json("down", NAME)["removed"]) == 2


def test_one_that_fails_does_not_touch_the_one_that_runs(cli, tiny_gguf):
    port = free_port()
    cli.write(tiny_gguf, port)
    assert cli.up()[0] == 0
    before, good = cli.processes, cli.spec.read_text()
    odd = cli.folder / "odd.gguf"
    odd.write_bytes(tiny_gguf.read_bytes().replace(b"output_norm.weight", b"output_nxrm.weight"))
    cli.write(odd, port)
    with asked_all_the_time(cli) as answers:
        assert cli.up()[0] == 1
    assert set(answers) == {200}
    assert cli.processes == before
    assert cli.state() == "healthy"
    cli.spec.write_text(good)
    assert cli.up()[0] == 0  # as planned: nothing to change
    assert cli.processes == before


NO_ROOM = "there is no room for two at once: stopping the running engine, which is kept"


@pytest.fixture
def on_a_gpu(cli: Cli, tiny_gguf: Path) -> Cli:
    """A deployment on a machine with a GPU, which has no room for two engines."""
    cli.port = free_port()
    on_gpu(cli, tiny_gguf)
    code, out, err = cli.up()
    assert code == 0, out + err
    return cli


def on_gpu(cli: Cli, model: Path) -> None:
    """Write a spec for a machine with a GPU."""
    cli.write(model, cli.port)
    port = f"port: {cli.port}"
    given = cli.spec.read_text().replace(port, f"{port}, hardware: {{gpu: rtx-4090}}")
    cli.spec.write_text(given)


def test_where_two_have_no_room_the_new_one_takes_the_place_of_the_one_before(on_a_gpu):
    before, key = on_a_gpu.processes, Store(on_a_gpu.home).key(NAME)
    for slots in (1, 3):  # the second takes the place of one that took another's
        text = re.sub(r"concurrency: \d", f"concurrency: {slots}", on_a_gpu.spec.read_text())
        on_a_gpu.spec.write_text(text)
        code, out, err = on_a_gpu.up()
        assert code == 0, out + err
        assert NO_ROOM in err
        assert not {p.pid for p in before} & {p.pid for p in on_a_gpu.processes}
        before = on_a_gpu.processes
        assert len(before) == 2
        env = on_a_gpu.json("env", NAME)["env"]
        assert env["OPENAI_BASE_URL"] == f"http://127.0.0.1:{on_a_gpu.port}/v1"
        assert env["OPENAI_API_KEY"] == key
    assert len(on_a_gpu.json("down", NAME)["removed"]) == 2


def test_where_two_have_no_room_the_one_before_is_started_again_when_the_new_one_fails(
    on_a_gpu, tiny_gguf
):
    before, good = on_a_gpu.processes, on_a_gpu.spec.read_text()
    odd = on_a_gpu.folder / "odd.gguf"
    odd.write_bytes(tiny_gguf.read_bytes().replace(b"output_norm.weight", b"output_nxrm.weight"))
    on_gpu(on_a_gpu, odd)
    code, _, err = on_a_gpu.up()
    assert code == 1
    assert NO_ROOM in err
    assert f"{NAME} is back as it was before" in err
    until(lambda: on_a_gpu.state() == "healthy", 60)
    assert not {p.pid for p in before} & {p.pid for p in on_a_gpu.processes}
    assert len(on_a_gpu.processes) == 2
    on_a_gpu.spec.write_text(good)
    assert on_a_gpu.up()[0] == 0  # as planned: nothing to change
    on_gpu(on_a_gpu, on_a_gpu.folder / "none.gguf")
    assert on_a_gpu.up()[0] == 2  # what cannot be started ends nothing
    assert on_a_gpu.state() == "healthy"


def test_five_at_once_in_homes_of_their_own_get_a_port_each(cli, tiny_gguf):
    cli.write(tiny_gguf, "auto")
    homes = [cli.folder / f"home-{number}" for number in range(5)]
    command = ("up", "-f", str(cli.spec), "--target", "local", "--yes")
    started = [cli.start(*command, home=home) for home in homes]
    try:
        for one in started:
            one.communicate(timeout=300)
            assert one.returncode == 0
        assert len({Store(home).get(NAME).endpoint for home in homes}) == 5
    finally:
        for home in homes:
            process.stop(Store(home).folder(NAME))


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 8, 2), ("y\n", 0, 0)])
def test_down_asks_in_a_terminal(cli, answer, code, left):
    assert cli.up()[0] == 0
    assert cli.typed(answer, "down", NAME)[0] == code
    assert f"Remove {NAME}?" in cli.shown
    assert len(cli.processes) == left


def test_a_misspelt_name_ends_nothing(cli):
    assert cli.up()[0] == 0
    error = cli.json("down", "tiny-loacl", code=2)["error"]
    assert "did you mean 'tiny-local'?" in error["hint"]
    assert cli.state() == "healthy"


def test_without_a_terminal_and_without_yes_nothing_is_applied(cli):
    code, _, err = cli.run("up", "-f", str(cli.spec), "--target", "local")
    assert code == 2
    assert "--yes" in err
    assert cli.processes == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_a_plan_that_is_declined_is_not_applied(cli, answer):
    code, out = cli.typed(answer, "up", "-f", str(cli.spec), "--target", "local")
    assert code in (8, 130)
    assert NAME in out
    assert cli.processes == []


def test_a_plan_that_is_confirmed_is_applied(cli):
    code, out = cli.typed("y\n", "up", "-f", str(cli.spec), "--target", "local")
    assert code == 0
    assert "deployer down tiny-local" in out


def test_a_second_deployer_is_refused_while_the_first_is_at_work(cli):
    with Store(cli.home).lock(NAME):
        document = cli.up_json(code=5)
    assert f"pid {os.getpid()}" in document["error"]["message"]


def test_two_ups_at_once_start_one_engine(cli):
    command = ("up", "-f", str(cli.spec), "--target", "local", "--yes")
    with cli.start(*command) as one, cli.start(*command) as other:
        one.communicate(timeout=120)
        other.communicate(timeout=120)
    assert 0 in (one.returncode, other.returncode)
    assert {one.returncode, other.returncode} <= {0, 5}
    assert len(cli.processes) == 2
    assert cli.state() == "healthy"


def refused(cli: Cli, **options: Any) -> Any:
    """Run an `up` that fails; nothing runs and nothing is recorded after it."""
    code, out, _ = cli.up("--json", **options)
    error = read("up", out, code)["error"]
    assert cli.processes == []
    assert Store(options.get("home", cli.home)).names() == []
    return error


def test_a_taken_port_is_named_with_who_has_it(cli, tiny_gguf):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cli.write(tiny_gguf, port)
        error = refused(cli)
    assert error["exit_code"] == 6
    assert f"port {port} is in use by" in error["message"]
    assert str(os.getpid()) in error["message"]


def test_auto_takes_another_port_than_one_that_is_taken(cli, tiny_gguf):
    cli.write(tiny_gguf, "auto")
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else may have it: that will do too
            first.bind(("127.0.0.1", 8080))
            first.listen()
        assert cli.up()[0] == 0
    port = int(cli.json("env", NAME)["env"]["OPENAI_BASE_URL"].split(":")[2].split("/")[0])
    assert 8080 < port < 9000


def test_a_missing_model_file_is_named(cli):
    cli.write(cli.folder / "none.gguf", free_port())
    error = refused(cli)
    assert error["exit_code"] == 2
    assert "none.gguf" in error["message"]


@pytest.mark.parametrize("content", [b"", b"not a model", b"GGUF" + b"\xff" * 500])
def test_a_file_that_is_no_model_is_refused(cli, content):
    broken = cli.folder / "broken.gguf"
    broken.write_bytes(content)
    cli.write(broken, free_port())
    error = refused(cli)
    assert error["exit_code"] == 2
    assert "broken.gguf" in json.dumps(error)


def test_a_truncated_file_is_refused_before_anything_starts(cli, tiny_gguf):
    cut = cli.folder / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:-1000])
    cli.write(cut, free_port())
    error = refused(cli)
    assert error["exit_code"] == 2
    assert "truncated" in error["message"]


def test_a_crash_during_load_shows_the_engines_last_words_and_keeps_its_log(cli, tiny_gguf):
    odd = cli.folder / "odd.gguf"
    odd.write_bytes(tiny_gguf.read_bytes().replace(b"output_norm.weight", b"output_nxrm.weight"))
    cli.write(odd, free_port())
    error = refused(cli)
    assert error["exit_code"] == 1
    assert "tensor 'output_norm.weight' not found" in error["message"]
    assert "not found" in Path(error["where"]).read_text()
    assert not (Path(error["where"]).parent / "key").exists()


def test_a_disk_that_takes_no_more_bytes_leaves_nothing_running(cli):
    error = refused(cli, before="ulimit -f 0")
    assert error["exit_code"] == 6
    assert str(cli.home) in error["message"]
    assert "DEPLOYER_HOME" in error["hint"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system without a free byte, which only root may make."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or call(
        "mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(place)
    ):
        pytest.skip("only root may mount a file system; the test before this one needs none")
    with (place / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    yield place
    assert call("umount", str(place)) == 0


def call(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_a_full_disk_is_said_in_words_and_leaves_nothing_running(cli, full_disk):
    error = refused(cli, home=full_disk)
    assert error["exit_code"] == 6
    assert "No space left on device" in error["message"]
    assert process.find(Store(full_disk).folder(NAME)) == []


def test_a_killed_engine_is_started_again_behind_the_same_endpoint(each):
    assert each.up()[0] == 0
    watcher, engine = each.processes
    env = each.json("env", NAME)
    engine.kill()
    until(lambda: each.engine() not in (None, engine))
    until(lambda: each.state() == "healthy")
    assert each.processes[0] == watcher
    assert each.json("env", NAME) == env
    with client_of(each) as client:
        assert ask(client).choices


def test_a_deployment_whose_processes_are_gone_has_failed_and_can_be_brought_up_again(cli):
    assert cli.up()[0] == 0
    for one in cli.processes:
        with suppress(psutil.NoSuchProcess):  # an engine dies with its supervisor
            one.kill()
    until(lambda: not cli.processes)
    assert cli.state() == "failed"
    assert cli.json("chat", NAME, "Hello?", code=1)["error"]["message"]
    assert cli.up()[0] == 0
    assert cli.state() == "healthy"


GATED = """
import pathlib, time
HERE = pathlib.Path(__file__).parent
def load():
    (HERE / "loading").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
def predict(model, request):
    return "Hello."
"""
GATED_SPEC = """
name: tiny
model: {{source: {folder}}}
serve: {{engine: fastapi}}
targets: {{local: {{provider: native, port: {port}}}}}
"""


@dataclass
class Loading:
    """An `up` that waits for an engine which loads until it is let go."""

    up: subprocess.Popen[str]
    folder: Path

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def kill(self) -> None:
        self.up.kill()
        self.up.communicate()


@pytest.fixture
def loading(cli: Cli) -> Iterator[Loading]:
    """An `up` whose engine is loading."""
    need("fastapi", "the handler's server")
    folder = cli.folder / "gated"
    folder.mkdir()
    (folder / "handler.py").write_text(GATED)
    cli.spec.write_text(GATED_SPEC.format(folder=folder, port=free_port()))
    with cli.start("up", "-f", str(cli.spec), "--target", "local", "--yes") as up:
        until(lambda: (folder / "loading").exists() or up.poll() is not None)
        assert up.poll() is None, "an engine is started"
        yield Loading(up, folder)
        up.kill()


def test_what_a_killed_up_left_behind_is_taken_over_by_the_next_up(cli, loading):
    left = cli.processes
    loading.kill()
    assert cli.state() == "starting"
    loading.let_go()
    assert cli.up()[0] == 0
    assert cli.state() == "healthy"
    assert cli.processes == left


def test_a_killed_up_is_cleaned_up_by_down(cli, loading):
    left = cli.processes
    loading.kill()
    assert {int(r["id"]) for r in cli.json("down", NAME)["removed"]} == {p.pid for p in left}
    assert cli.processes == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_up_stops_what_it_started(cli, loading, number):
    loading.up.send_signal(number)
    loading.up.communicate(timeout=120)
    assert loading.up.returncode == 130
    assert cli.processes == []
    assert Store(cli.home).names() == []


def test_a_deployment_is_measured_and_the_next_plan_says_measured(served):
    """The spec's own load is measured, the server's own count of tokens is exact, and the plan believes it."""
    asked = (
        "--requests",
        "6",
        "--concurrency",
        "1,2",
        "--input-tokens",
        "60",
        "--output-tokens",
        "8",
    )
    document = served.json("bench", NAME, *asked, "--seed", "1")
    for run in document["runs"]:
        assert (run["deployment"], run["requests"], run["errors"]) == (NAME, 6, 0)
        assert (run["counted_from"], run["output_tokens"]) == ("usage", 8)
        assert run["input_tokens"] == pytest.approx(60, rel=0.1)
        assert 0 < run["ttft_ms"]["p50"] <= run["e2e_ms"]["p50"] <= run["e2e_ms"]["p99"]
    longer = served.folder / "longer.yaml"
    longer.write_text(served.spec.read_text() + "traffic: {input_tokens: 60, output_tokens: 8}\n")
    plan = served.json("plan", "-f", str(longer), "--target", "local")["plans"][0]
    names = {figure["figure"] for figure in plan["sizing"]["measured"]}
    assert names == {"decode_tok_s", "output_tok_s", "tpot_ms", "ttft_ms"}
    code, out, _ = served.run("plan", "-f", str(longer), "--target", "local")
    assert code == 0
    assert "(measured)" in out


def test_a_cold_start_is_timed_and_leaves_the_deployment_up(cli):
    code, out, err = cli.up()
    assert code == 0, out + err
    before = cli.engine()
    asked = "--requests", "1", "--concurrency", "1", "--input-tokens", "60", "--output-tokens", "4"
    document = cli.json("bench", NAME, "--cold", *asked)
    (start,) = document["cold_starts"]
    assert start["deployment"] == NAME
    assert start["first_answer_s"] > 0
    assert cli.state() == "healthy"
    after = cli.engine()
    assert before
    assert after
    assert after.pid != before.pid
