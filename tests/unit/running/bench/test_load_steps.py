"""Loads on a loopback endpoint: what is sent, what is measured, and what goes wrong."""

from __future__ import annotations

import threading

import pytest

from deployer.core.deployment import Deployment
from deployer.core.documents.bench import Run
from deployer.core.errors import DeployerError, RemoteError, UsageError
from deployer.running.bench import load_steps
from deployer.running.bench.endpoints import Subject, of_deployment
from deployer.running.bench.probe import only_model
from deployer.running.bench.samples import Load
from deployer.running.openai_client import Endpoint
from deployer.running.store import Store
from tests.kits.streaming import KEY, Behaviour, Server, said, serving


def subject(server: Server, key: str = KEY, ignores_eos: bool = False) -> Subject:
    return Subject(Endpoint(server.url, key), "fake", ignores_eos=ignores_eos)


def measured(behaviour: Behaviour, load: Load | None = None, key: str = KEY) -> tuple[Run, Server]:
    with serving(behaviour) as server:
        one = load or Load(60, 4, (1,), requests=5)
        return load_steps.measure([subject(server, key)], one, lambda *_: None)[0], server


def test_a_step_measures_as_many_requests_as_asked_and_counts_no_warm_up():
    run, server = measured(Behaviour(), Load(60, 4, (3,), requests=7))
    assert (run.requests, run.errors, run.concurrency) == (7, 0, 3)
    assert len(server.asked) == 2 + 3 + 7  # the first words, the warm-up, the step


def test_as_many_requests_as_clients_are_under_way_at_once_and_never_more():
    four = Behaviour(tokens=5, together=threading.Barrier(4))  # none is answered before four are
    run, server = measured(four, Load(60, 5, (4,), requests=8))
    assert (run.requests, run.errors) == (8, 0)
    assert server.most == 4


def test_no_prompt_begins_like_another_and_a_seed_sends_the_same_again():
    load = Load(60, 4, (2,), requests=20, seed=7)
    (_, first), (_, again), (_, other) = (
        measured(Behaviour(), one) for one in (load, load, Load(60, 4, (2,), requests=20, seed=8))
    )
    starts = [prompt[:8] for prompt in first.prompts]
    assert len(set(starts)) == len(starts)
    assert sorted(first.prompts) == sorted(again.prompts)
    assert not set(starts).intersection(prompt[:8] for prompt in other.prompts)


def test_prompts_are_as_long_as_asked_by_the_endpoints_own_count():
    run, _ = measured(Behaviour(), Load(400, 4, (1,), requests=3))
    assert run.input_tokens == pytest.approx(400, rel=0.02)


def test_no_latency_is_shorter_than_the_server_took():
    run, _ = measured(Behaviour(first_s=0.05, gap_s=0.02), Load(60, 4, (2,), requests=6))
    assert run.ttft_ms
    assert run.e2e_ms
    assert run.ttft_ms.p50 >= 0.99 * 50
    assert run.e2e_ms.p50 >= 0.99 * (50 + 3 * 20)
    assert run.output_tok_s
    assert run.output_tok_s <= 2 * 4 / 0.11 * 1.01


def test_tokens_come_from_usage_where_it_is_given_and_from_pieces_where_not():
    with_usage, _ = measured(Behaviour(tokens=4))
    without, _ = measured(Behaviour(tokens=4, usage=False))
    assert (with_usage.counted_from, with_usage.output_tokens) == ("usage", 4)
    assert (without.counted_from, without.output_tokens, without.input_tokens) == (
        "chunks",
        4,
        None,
    )


def test_an_endpoint_that_refuses_stream_options_is_asked_without():
    run, server = measured(Behaviour(refuses_usage=True))
    assert (run.requests, run.counted_from) == (5, "chunks")
    assert "stream_options" not in server.asked[-1]


@pytest.mark.parametrize("wished", [True, False])
def test_answers_are_kept_long_only_where_the_engine_knows_how(wished):
    with serving(Behaviour()) as server:
        load = Load(60, 4, (1,), requests=1)
        load_steps.measure([subject(server, ignores_eos=wished)], load, lambda *_: None)
        assert all(("ignore_eos" in body) == wished for body in server.asked)


AT = "2026-11-29T12:00:00+00:00"


@pytest.mark.parametrize(("engine", "knows"), [("vllm", True), ("fastapi", False)])
def test_whether_it_knows_how_is_what_the_deployments_engine_says(tmp_path, engine, knows):
    store, url = Store(tmp_path), "http://127.0.0.1:1/v1"
    made = Deployment("a-local", "a", "d", "local", "native", engine, "m", AT, [], endpoint=url)
    store.key(made.name)
    store.save(made)
    assert of_deployment(store, made.name).ignores_eos == knows


def test_errors_are_counted_by_kind_and_have_no_share_in_the_percentiles():
    calm = 2 + 1  # the first words and the warm-up
    statuses = [200] * calm + [429, 503, 429]
    run, _ = measured(Behaviour(statuses=statuses), Load(60, 4, (1,), requests=6))
    assert (run.requests, run.errors) == (3, 3)
    assert run.error_kinds == {"http 429": 2, "http 503": 1}


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([said({"choices": [{"delta": {"content": "a"}}]})], "broke off"),
        ([said({"choices": []}), "data: [DONE]\n\n"], "empty answer"),
        ([said({"error": {"message": "out of memory"}}), "data: [DONE]\n\n"], "engine error"),
        (["data: {nonsense\n\n"], "not understood"),
        (["data: [[[[1]]]]\n\n"], "not understood"),
        (['data: {"choices": [3]}\n\n'], "not understood"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_its_own_kind(lines, kind):
    with serving(Behaviour()) as server:

        def spoil(*_: object) -> None:
            server.behaviour.lines = lines

        run = load_steps.measure([subject(server)], Load(60, 4, (1,), requests=3), spoil)[0]
    assert run.error_kinds == {kind: 2}


def test_nothing_listening_is_said_with_a_mend():
    with serving(Behaviour()) as server:
        gone = subject(server)
    with pytest.raises(RemoteError) as caught:
        load_steps.measure([gone], Load(60, 4, (1,), requests=1), lambda *_: None)
    assert "no connection" in caught.value.message
    assert caught.value.hint


def test_a_wrong_key_is_said_and_not_shown():
    with pytest.raises(RemoteError) as caught:
        measured(Behaviour(), key="sk-wrong-1234")
    assert "rejects the key" in caught.value.message
    assert "sk-wrong-1234" not in caught.value.message
    assert "--key-env" in (caught.value.hint or "")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_so_the_key_stays_here(status):
    with serving(Behaviour()) as other:
        away = Behaviour(statuses=[status] * 9, location=f"{other.url}/chat/completions")
        with pytest.raises(RemoteError, match="redirects elsewhere"):
            measured(away)
        assert other.asked == []


def test_several_endpoints_take_turns_at_every_step():
    with serving(Behaviour()) as one, serving(Behaviour()) as two:
        both = [subject(one), subject(two)]
        runs = load_steps.measure(both, Load(60, 4, (1, 2), requests=2), lambda *_: None)
    assert [(r.concurrency, r.url) for r in runs] == [
        (1, one.url),
        (1, two.url),
        (2, one.url),
        (2, two.url),
    ]


def test_a_step_of_a_duration_ends_and_lets_what_is_under_way_come_to_its_end():
    run, server = measured(Behaviour(first_s=0.02), Load(60, 4, (2,), duration_s=0.2))
    assert run.errors == 0
    assert run.requests == len(server.asked) - 2 - 2  # without the first words and the warm-up


def test_the_only_model_of_an_endpoint_need_not_be_named():
    with serving(Behaviour(models=["one"])) as server:
        assert only_model(Endpoint(server.url, "")) == "one"
        assert server.keys == [None]
    with (
        serving(Behaviour(models=["one", "two"])) as server,
        pytest.raises(UsageError, match="no model given") as caught,
    ):
        only_model(Endpoint(server.url, ""))
    assert "one, two" in (caught.value.hint or "")


def test_a_model_that_is_not_taken_is_a_users_mistake():
    with pytest.raises(DeployerError) as caught:
        measured(Behaviour(statuses=[400] * 9))
    assert isinstance(caught.value, UsageError)
    assert KEY not in caught.value.message
