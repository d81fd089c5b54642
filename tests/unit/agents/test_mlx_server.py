"""The gate before mlx_lm.server: what a request may ask for, what is counted, what must be installed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.agents.mlx_server import arguments
from deployer.agents.mlx_server.gate import Gate
from deployer.agents.mlx_server.installed import NEEDED, look
from deployer.agents.mlx_server.request_filter import Refused, checked
from deployer.running.openai_client import parse_metrics
from tests.kits.processes import until

CONFIG = {"alias": "bot", "context": 10, "host": "127.0.0.1", "port": 8081, "concurrency": 3}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@dataclass(frozen=True)
class Piece:
    finish_reason: str | None = None


@dataclass
class Context:
    """What mlx_lm hands out for a request."""

    prompt: list[int]
    stopped: bool = False
    given: list[Piece] = field(default_factory=list)

    def stop(self) -> None:
        self.stopped = True

    def pieces(self, count: int) -> Iterator[Piece]:
        yield from (Piece("stop" if n == count else None) for n in range(1, count + 1))


def counted(gate: Gate) -> dict[str, float]:
    return {
        name.removeprefix("mlx_"): v
        for name, v in parse_metrics(gate.meter.text().decode()).items()
    }


def refused(asked: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        checked(asked if isinstance(asked, bytes) else json.dumps(asked).encode(), "bot")
    return caught.value


def test_a_request_without_a_model_is_for_the_one_that_is_served():
    assert checked(b'{"messages": []}', "bot") == {"messages": [], "model": "bot"}


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b"7", b'"x"', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw):
    assert refused(raw).status == 400


@pytest.mark.parametrize("name", ["bot2", "", "default_model", None, 7, ["bot"], "mlx-community/x"])
def test_every_other_model_is_refused(name):
    error = refused({"model": name})
    assert (error.status, error.code) == (404, "model_not_found")


@pytest.mark.parametrize(
    "url", ["http://a/x", "HTTP://a/x", "https://a", "file:///etc/passwd", "/etc/passwd", None]
)
@pytest.mark.parametrize("kind", ["image_url", "input_image", "image", "text"])
def test_no_link_to_an_image_is_followed(url, kind):
    for part in ({"type": kind, "image_url": {"url": url}}, {"type": kind, "image_url": url}):
        asked = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]}
        assert refused(asked).status == 400


def test_an_image_in_the_request_itself_is_let_through():
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    asked = {"model": "bot", "messages": [{"role": "user", "content": [part]}]}
    assert checked(json.dumps(asked).encode(), "bot") == asked


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "adapters", "draft_model", "chat_template_kwargs"]),
        JSON,
    )
)
def test_whatever_is_asked_it_is_the_one_model_or_refused(asked):
    try:
        let = checked(json.dumps(asked).encode(), "bot")
    except Refused:
        return
    assert let["model"] == "bot"
    assert not {"adapters", "draft_model"} & set(let)


def test_tokens_and_requests_are_counted_as_they_come():
    gate = Gate(CONFIG, "key")
    context = Context([1, 2])
    with gate.meter.one():
        assert counted(gate)["requests_running"] == 1
        pieces = gate.limited(context, context.pieces(3))
        next(pieces)
        assert counted(gate)["completion_tokens_total"] == 1
        assert counted(gate)["request_success_total"] == 0
        list(pieces)
    found = counted(gate)
    assert (found["requests_running"], found["request_success_total"]) == (0, 1)
    assert (found["prompt_tokens_total"], found["completion_tokens_total"]) == (2, 3)


def test_an_answer_that_nobody_waits_for_is_no_success():
    gate, context = Gate(CONFIG, "key"), Context([1])
    pieces = gate.limited(context, context.pieces(3))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined] # it is a generator
    assert counted(gate)["request_success_total"] == 0


def test_an_answer_ends_with_the_context_and_says_so():
    gate, context = Gate(CONFIG, "key"), Context([0] * 7)
    given_out = list(gate.limited(context, context.pieces(50)))
    assert [piece.finish_reason for piece in given_out] == [None, None, "length"]
    assert context.stopped


@pytest.mark.parametrize("length", [10, 11])
def test_a_prompt_that_fills_the_context_is_refused_and_computed_no_further(length):
    gate, context = Gate(CONFIG, "key"), Context([0] * length)
    with pytest.raises(Refused, match=f"{length} tokens"):
        gate.limited(context, context.pieces(1))
    assert context.stopped


def test_it_ends_after_the_answers_that_are_being_given():
    gate, left = Gate(CONFIG, "key"), list[int]()
    with gate.meter.one():
        end = threading.Thread(target=gate.end, args=(left.append, 3600))
        end.start()
        until(lambda: gate.ending)
        assert left == []
    end.join()
    assert left == [0]


def test_it_waits_for_no_answer_for_ever():
    gate, left = Gate(CONFIG, "key"), list[int]()
    with gate.meter.one():
        gate.end(left.append, 0)
    assert left == [0]


def test_mlx_lm_is_told_one_origin_and_as_many_requests_as_the_spec_says():
    said = arguments(CONFIG, "/models/a")
    assert said[said.index("--allowed-origins") + 1] == "http://127.0.0.1:8081"
    assert said[said.index("--decode-concurrency") + 1] == "3"
    assert said[said.index("--max-tokens") + 1] == "10"


def package(folder: Path, server: str) -> None:
    (folder / "mlx_lm").mkdir()
    (folder / "mlx_lm" / "__init__.py").touch()
    (folder / "mlx_lm" / "server.py").write_text(server)
    info = folder / "mlx_lm-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlx-lm\nVersion: 0.1\n")


@pytest.mark.parametrize(
    ("server", "lacks"),
    [
        ("", set(NEEDED)),
        ("def main(): ...\nclass APIHandler:\n    def do_GET(self): ...\n", set(NEEDED) - {"main", "APIHandler.do_GET"}),
        ("class APIHandler:\n    def main(self): ...\n", set(NEEDED)),
    ],
)  # fmt: skip
def test_what_an_older_mlx_lacks_is_seen_without_running_it(server, lacks, tmp_path, monkeypatch):
    package(tmp_path, f"{server}\nraise SystemExit('it was run')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = look()
    assert found["version"] == "0.1"
    assert set(found["missing"]) == lacks
