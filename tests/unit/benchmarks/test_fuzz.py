"""Specs that nobody should write: a document and an exit code that are promised, and no traceback.

`benchmarks/fuzz` asks the same of 10,000 of them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.fuzzing.check import Bench
from benchmarks.fuzzing.specs import SPECS
from deployer.core.domain import TARGETS

HEAD = "name: bot\nmodel: {source: hf:Qwen/Qwen3-8B}\n"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("bench")
        patched.setenv("DEPLOYER_HOME", str(folder / "home"))
        yield Bench(folder)


@example(HEAD + "traffic: {requests_per_day: 5.0e-324}\n", None)
@example(HEAD + "traffic: {requests_per_day: !!int ''}\n", "local")
@example(HEAD + "policy: {expires: !!timestamp x}\n", "local")
@example(HEAD + "serve: {replicas: {[a]: 1}}\n", "local")
@example(HEAD + "targets: {local: {hardware: {gpu: rtx-4090, idle_watts: 9999}}}\n", "local")
@example("name: bot\nmodel: {source: hf:Qwen/Qwen3-8B, facts: {active_params: 1}}\n", "cloud-gpu")
@example("name: bot\nmodel: {source: ./~nobody/x}\n", "local")
@example("name: bot\nmodel: {source: ./" + "a" * 300 + "}\n", "local")
@example("[" * 400_000, "local")
@settings(
    max_examples=150,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
@given(spec=SPECS, target=st.sampled_from((None, *TARGETS)))
def test_every_spec_is_planned_or_refused_as_promised(bench, spec, target):
    bench.check(spec, target)


def test_the_specs_are_both_planned_and_refused(bench):
    """The test above would say little if all of its specs were refused at the door."""
    codes: set[int] = set()

    @settings(
        max_examples=60, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
    )
    @given(spec=SPECS)
    def planned(spec: str | bytes) -> None:
        bench.forget()
        bench.check(spec, "serverless")
        codes.update(bench.codes)

    planned()
    assert {0, 2, 3} <= codes


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("broken", "Traceback"),
        ("bool", "not of the schema"),
    ],
)
def test_the_check_fails_on_an_answer_that_is_not_promised(
    bench, spec, says, monkeypatch, tmp_path
):
    """A provider that breaks, or that offers what no document may say, is seen."""
    offers = {
        "broken": "return 1 / 0",
        "bool": "return [O('x', None, 'y', None, -1, None, None, 'owned', '', None)]",
    }
    file = tmp_path / "stacks" / "local" / "native.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from deployer.core.domain import Offer as O\n"
        "TARGET, NAME, ENGINES, PRIVACY = 'local', 'native', ('llama.cpp',), ''\n"
        f"def offers(want, prices):\n    {offers[spec]}\n"
        "def inputs(order):\n    return {}\n"
        "def resources(inputs):\n    return []\n"
    )
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path / "stacks"))
    with pytest.raises(AssertionError, match=says):
        bench.check("name: bot\nmodel: {source: ./model.gguf}\n", "local")
