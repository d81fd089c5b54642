"""Applying a plan and looking after it, with a runner that does what the test says."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployer.cli import main
from deployer.core.domain import Estimate, ModelInfo, Plan, Resource, Sizing
from deployer.core.errors import DeclinedError, DeployerError, RemoteError, UsageError
from deployer.running.openai_client import Endpoint, accepts, chat, open_to_all, parse_metrics
from deployer.running.store import Store
from deployer.workflows import down, status
from deployer.workflows.claims import Claim
from deployer.workflows.up import apply
from tests.kits.documents import made, printed, read
from tests.kits.processes import PATIENCE_S

NAME = "bot-local"
START, LATER = "2026-01-02T03:00:00+00:00", "2026-01-02T05:00:00+00:00"
PLAN = Plan(
    deployment=NAME,
    spec_name="bot",
    spec_digest="d1",
    target="local",
    provider="fake",
    feasible=True,
    model=ModelInfo("bot"),
    sizing=Sizing("fits", "q8_0", "llama.cpp", 0, "exact"),
    resources=(Resource("fake:index:Thing", "thing", {"size": 1}),),
    cost=Estimate((), (), Decimal("0.25"), None, None, None, None),
)


class Server(ThreadingHTTPServer):
    """An endpoint that is as healthy and as careful as it is told to be."""

    health, careful = 200, True
    key: str | None = None  # the first that it is sent
    words: Sequence[str] = ("Hel", "lo")
    broken = cut_off = False


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, code: int, text: str = "{}") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def may(self) -> bool:
        given = self.headers["Authorization"]
        self.server.key = self.server.key or given
        return not self.server.careful or (given is not None and given == self.server.key)

    def do_GET(self) -> None:
        if self.server.cut_off:
            return  # without a word
        if self.path == "/health":
            self.answer(self.server.health)
        elif self.path == "/metrics":
            self.answer(200, "# TYPE x counter\nllamacpp:tokens_predicted_total 42\n")
        else:
            self.answer(200 if self.may() else 401)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.may():
            self.answer(401, json.dumps({"error": {"message": "no key"}}))
            return
        events = [json.dumps({"choices": [{"delta": {"content": w}}]}) for w in self.server.words]
        end = [] if self.server.broken else ["[DONE]"]
        self.answer(200, "".join(f"data: {e}\n\n" for e in [*events, *end]))


class Runner:
    """Keeps in memory what exists."""

    def __init__(self, url: str) -> None:
        self.url, self.things, self.starts = url, 0, 0
        self.dies = self.stuck = False
        self.words = "out of memory"
        self.asked_for_its_words: Callable[[], None] = lambda: None

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Any) -> str:
        self.starts += 1
        self.things = 0 if self.dies else len(resources)
        return self.url

    def alive(self, deployment: str) -> bool:
        return self.things > 0

    def found(self, deployment: str) -> list[dict[str, str]]:
        return [{"type": "fake:index:Thing", "name": "thing", "id": "1"}] * self.things

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        self.asked_for_its_words()
        yield self.words

    def stop(self, deployment: str) -> list[dict[str, str]]:
        before, self.things = self.found(deployment), self.things if self.stuck else 0
        return [] if self.stuck else before


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.01,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


FILE = """
TARGET, NAME, ENGINES, PRIVACY = "local", {name!r}, ("vllm",), "nowhere"
offers = inputs = lambda *_: ()
RUNNERS = []

def runner(_home):
    return RUNNERS[0]
"""


@pytest.fixture
def runner(server: Server) -> Runner:
    return Runner(f"http://127.0.0.1:{server.server_address[1]}/v1")


@pytest.fixture
def world(tmp_path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A home, and a provider file whose runner is this test's."""
    folder = tmp_path / "stacks"
    (folder / "local").mkdir(parents=True)
    file = folder / "local" / f"fake{id(runner)}.py"
    file.write_text(FILE.format(name=file.stem))
    monkeypatch.setenv("DEPLOYER_STACKS", str(folder))
    from deployer.providers import registry

    provider = registry.provider("local", file.stem)
    assert provider.runner is not None
    vars(sys.modules[provider.runner.__module__])["RUNNERS"].append(runner)
    return SimpleNamespace(home=tmp_path / "home", provider=provider, name=file.stem, said=[])


def up(world: SimpleNamespace, plan: Plan = PLAN, **options: Any) -> Any:
    return apply(
        replace(plan, provider=world.name),
        home=world.home,
        provider=world.provider,
        say=world.said.append,
        now=lambda: START,
        **options,
    )


def shown(world: SimpleNamespace) -> dict[str, Any]:
    (one,) = made("status", status.status(world.home, [NAME], LATER))["deployments"]
    return cast(dict[str, Any], one)


def test_what_is_applied_is_healthy_and_remembered(world, runner):
    done = up(world)
    assert done.changed
    assert done.deployment.endpoint == runner.url
    assert shown(world)["state"] == "healthy"
    assert shown(world)["output_tokens"] == 42


def test_what_the_engine_downloads_is_shown_while_it_is_waited_for(world, runner, server):
    server.health, runner.words = 503, "model.safetensors:  10%|#\rmodel.safetensors:  45%|####\r"
    runner.asked_for_its_words = lambda: setattr(server, "health", 200)
    up(world)
    assert "  model.safetensors:  45%|####" in world.said


def test_how_far_the_weights_are_is_shown_while_it_is_waited_for(world, runner, server):
    held = iter((0, 3 * 10**9))

    def cached_bytes(_: str) -> int:
        at = next(held)
        server.health = 200 if at else 503
        return at

    server.health, runner.cached_bytes = 503, cached_bytes
    up(world, replace(PLAN, model=ModelInfo("bot", weights_bytes=10**10)))
    assert "  weights [######..............]  30 %  3.0 of 10.0 GB" in world.said


def test_it_has_cost_its_price_for_each_hour_since_its_start(world):
    up(world)
    assert shown(world)["usd_per_hour"] == 0.25
    assert shown(world)["cost_so_far_usd"] == 0.5


def test_a_price_that_is_not_known_is_null(world):
    up(world, replace(PLAN, cost=None))
    assert shown(world)["usd_per_hour"] is None
    assert shown(world)["cost_so_far_usd"] is None


def test_the_same_plan_twice_starts_once(world, runner):
    up(world)
    assert not up(world).changed
    assert runner.starts == 1


@pytest.mark.parametrize(
    "change", [{"spec_digest": "d2"}, {"resources": (Resource("fake:index:Thing", "other", {}),)}]
)
def test_another_plan_starts_anew(world, runner, change):
    up(world)
    assert up(world, replace(PLAN, **change)).changed
    assert runner.starts == 2


def test_one_that_does_not_answer_any_more_is_unhealthy_and_started_anew(world, runner, server):
    up(world)
    server.health = 503
    assert shown(world)["state"] == "unhealthy"
    with pytest.raises(RemoteError, match="not healthy within"):
        up(world, limit_s=0.1)
    assert runner.starts == 2


def test_one_that_is_still_loading_is_starting_and_is_waited_for(world, runner, server):
    server.health = 503
    up(world, wait=False)
    assert shown(world)["state"] == "starting"
    server.health = 200
    assert up(world).deployment.ready_at
    assert runner.starts == 1


def fails(
    world: SimpleNamespace, runner: Runner, words: str, limit_s: float = PATIENCE_S
) -> RemoteError:
    """Apply, fail, and see that nothing runs and nothing is remembered."""
    with pytest.raises(RemoteError, match=words) as caught:
        up(world, limit_s=limit_s)
    assert runner.things == 0
    assert Store(world.home).names() == []
    return caught.value


def test_an_engine_that_ends_is_reported_with_its_last_words(world, runner, server):
    runner.dies, server.health = True, 503
    assert "out of memory" in fails(world, runner, "ended before it was healthy").message


def test_an_engine_that_never_gets_healthy_is_given_up_and_stopped(world, runner, server):
    server.health = 503
    fails(world, runner, "not healthy within", 0.1)


def test_an_endpoint_that_answers_without_the_key_is_stopped(world, runner, server):
    server.careful = False
    fails(world, runner, "without the API key")


def test_an_answer_that_breaks_off_fails_the_smoke_test(world, runner, server):
    server.broken = True
    fails(world, runner, "cut off")


def test_an_interrupt_stops_what_was_started(world, runner):
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    world.said = SimpleNamespace(append=interrupt)  # it comes with the first line of progress
    with pytest.raises(KeyboardInterrupt):
        up(world)
    assert runner.starts == 1
    assert runner.things == 0
    assert Store(world.home).names() == []


def test_what_should_run_and_is_gone_has_failed(world, runner):
    up(world)
    runner.things = 0
    assert shown(world)["state"] == "failed"


def test_down_removes_it_and_twice_removes_nothing(world):
    up(world)
    assert made("down", down.down(world.home, NAME)) == {
        "schema": 1,
        "deployment": NAME,
        "removed": [{"type": "fake:index:Thing", "id": "1"}],
        "answers_cut": 0,
        "remaining": [],
        "not_asked": [],
        "kept": [],
        "record_kept": None,
    }
    assert down.down(world.home, NAME).removed == ()


def test_what_down_cannot_remove_is_named_and_not_forgotten(world, runner):
    up(world)
    runner.stuck = True
    left = made("down", down.down(world.home, NAME))["remaining"]
    assert [(one["type"], one["id"]) for one in left] == [("fake:index:Thing", "1")]
    assert left[0]["why"]
    assert Store(world.home).names() == [NAME]


@pytest.fixture
def silent_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker daemon that is set up and does not answer."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


def test_a_damaged_record_is_replaced_by_up_and_removed_by_down(world, runner, silent_docker):
    up(world)
    record = Store(world.home).folder(NAME) / "deployment.json"
    record.write_text("{")
    with pytest.raises(DeployerError):
        shown(world)
    up(world)
    assert shown(world)["state"] == "healthy"
    record.write_text("{")
    told = down.down(world.home, NAME)
    assert [one.provider for one in told.not_asked] == ["local/docker"]
    assert runner.things == 0
    assert Store(world.home).names() == []


def test_a_damaged_record_can_be_removed_while_docker_does_not_answer(
    world, runner, silent_docker, monkeypatch, capsys
):
    monkeypatch.setenv("DEPLOYER_HOME", str(world.home))
    up(world)
    (Store(world.home).folder(NAME) / "deployment.json").write_text("{")
    runner.things = 0
    assert main(["down", NAME]) == 1  # a container of it may be left
    assert "local/docker may hold more of" in capsys.readouterr().err
    assert Store(world.home).names() == []


def test_where_there_is_no_docker_there_is_nothing_to_ask_it(world, runner):
    up(world)
    (Store(world.home).folder(NAME) / "deployment.json").write_text("{")
    runner.things = 0
    assert down.down(world.home, NAME).not_asked == ()
    assert Store(world.home).names() == []


def test_what_was_not_asked_is_said_and_not_claimed_to_be_gone(
    world, silent_docker, monkeypatch, capsys
):
    monkeypatch.setenv("DEPLOYER_HOME", str(world.home))
    up(world)
    (Store(world.home).folder(NAME) / "deployment.json").write_text("{")
    assert main(["down", NAME]) == 0
    said = capsys.readouterr()
    assert "removed fake:index:Thing 1" in said.out
    assert (
        "not checked: the Docker daemon at tcp://127.0.0.1:1 (DOCKER_HOST) does not answer"
        in said.err
    )
    assert "(local/docker may hold more of" in said.err
    assert "is left" not in said.err


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("bot-loacl", "did you mean 'bot-local'?"), ("entirely-other", "deployments: bot-local")],
)
def test_a_name_that_was_never_known_is_refused_and_nothing_of_it_kept(world, runner, typed, hint):
    up(world)
    runner.things, there = 0, runner.things
    with pytest.raises(UsageError, match=typed) as caught:
        down.down(world.home, typed)
    runner.things = there
    assert hint in str(caught.value.hint)
    assert not Store(world.home).is_known(typed)
    assert shown(world)["state"] == "healthy"


def test_what_nobody_recorded_is_removed_where_it_is_found(world, runner):
    runner.things = 1
    assert [one.id for one in down.down(world.home, "lost-local").removed] == ["1"]


def test_what_is_to_be_removed_is_shown_first_and_stays_when_declined(world, runner):
    up(world)

    def decline(there: Sequence[Claim]) -> None:
        assert [one.found.id for one in there] == ["1"]
        raise DeclinedError("nothing was removed")

    with pytest.raises(DeclinedError):
        down.down(world.home, NAME, agree=decline)
    assert shown(world)["state"] == "healthy"


DAMAGES = ("{", "[]", '{"name": "x"}', "null", "[" * 100_000, "\0")


@pytest.mark.parametrize("text", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_record_hides_no_other_and_is_named(world, monkeypatch, capsys, text):
    monkeypatch.setenv("DEPLOYER_HOME", str(world.home))
    up(world)
    other = Store(world.home).folder("other-local")
    other.mkdir()
    (other / "deployment.json").write_text(text)
    assert main(["status"]) == 1
    said = capsys.readouterr()
    assert NAME in said.out
    assert "not checked: other-local: the record of other-local is damaged" in said.err
    code, document, _ = printed(capsys, "status")
    assert code == 1
    assert [one["name"] for one in document["deployments"]] == [NAME]
    assert [one["deployment"] for one in document["gaps"]] == ["other-local"]
    assert main(["down", "other-local"]) == 0
    assert main(["status"]) == 0


FIELDS = {
    "started_at": (None, 5, "yesterday", "2026-01-02T03:04:05"),
    "usd_per_hour": (5, "cheap", "NaN"),
    "planned": (None, "x", [5], [{"type": "t"}]),
    "resources": (None, {}, [5], [{"type": "t"}]),
    "outputs": (None, [], {"a": 5}),
    "target": (None, 5, []),
    "launched": ([], {"a": 5}),
    "served": (None, []),
    "more": (1,),
}


@pytest.mark.parametrize(("field", "value"), [(k, v) for k, vs in FIELDS.items() for v in vs])
def test_a_record_with_a_field_of_another_form_is_a_damaged_one(world, field, value):
    up(world)
    record = Store(world.home).folder(NAME) / "deployment.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), field: value}))
    (gap,) = status.status(world.home, None, LATER).gaps
    assert gap.deployment == NAME
    assert gap.provider is None


def test_a_refused_question_carries_the_servers_reason(runner):
    with pytest.raises(RemoteError, match="401 no key"):
        list(chat(Endpoint(runner.url, ""), "bot", [{"role": "user", "content": "Hi"}]))


@pytest.mark.parametrize("asked", [accepts, open_to_all])
def test_an_endpoint_that_is_gone_before_its_key_is_tried_is_an_error_in_words(server, asked):
    gone = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", "dk-a")
    server.cut_off = True
    with pytest.raises(RemoteError, match="did not answer"):
        asked(gone)


def test_a_key_is_not_shown_when_an_endpoint_is_printed():
    assert "dk-secret" not in repr(Endpoint("http://127.0.0.1:1/v1", "dk-secret"))


def test_metrics_with_labels_are_added_up():
    text = '# HELP a b\na{x="1 2"} 3\na{x="2"} 4.5\nb 1\n\n'
    assert parse_metrics(text) == {"a": 7.5, "b": 1}


def test_a_damaged_record_of_a_cloud_that_is_silent_stays_and_that_is_said(
    tmp_path, monkeypatch, capsys
):
    """Nobody can say whether a machine of it runs: it is named everywhere, and the exit code is 1."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAMBDA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DEPLOYER_HOME", str(tmp_path / "home"))
    folder = Store(tmp_path / "home").folder("lost-cloud-gpu")
    folder.mkdir(parents=True)
    (folder / "deployment.json").write_text("{")
    for command in (["status"], ["idle"], ["down", "lost-cloud-gpu"]):
        assert main(command) == 1, command
        assert "not checked: " in capsys.readouterr().err
    assert main(["down", "lost-cloud-gpu", "--json"]) == 1
    told = read("down", capsys.readouterr().out)
    assert (told["removed"], told["remaining"], told["record_kept"]) == ([], [], str(folder))
    assert {one["provider"] for one in told["not_asked"]} > {"cloud-gpu/aws"}
    assert folder.exists()
