"""Running a stack's program offline, and keeping what it registered."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from deployer.core.domain import Resource
from deployer.core.errors import PrerequisiteError, RemoteError
from deployer.core.installation import this
from deployer.providers import registry
from deployer.running.stack.offline import collect, collected, resources_of

Program = Callable[[Mapping[str, Any]], object]


def thing(name: str, **props: Any) -> Any:
    class Thing(pulumi.CustomResource):
        arn: pulumi.Output[str]
        address: pulumi.Output[str]

        def __init__(self) -> None:
            super().__init__("test:index:Thing", name, {"arn": None, "address": None, **props})

    return Thing()


def run(program: Program, inputs: Mapping[str, Any] | None = None) -> tuple[Resource, ...]:
    return collect(program, inputs or {}, project="p", stack="s")


def test_resources_come_in_the_order_of_the_program_with_plain_inputs():
    def program(inputs):
        thing("second", sizeGib=inputs["size"], nested={"flags": [True, None, 1.5]})
        thing("first")

    assert run(program, {"size": 120}) == (
        Resource(
            "test:index:Thing", "second", {"sizeGib": 120, "nested": {"flags": [True, None, 1.5]}}
        ),
        Resource("test:index:Thing", "first", {}),
    )


def test_what_another_resource_will_have_is_named_and_what_only_the_cloud_knows_is_said_so():
    def program(_inputs):
        one = thing("one")
        thing("two", parentId=one.id, role=one.arn, address=one.address)

    assert run(program)[1].inputs == {
        "parentId": "${one.id}",
        "role": "${one.arn}",
        "address": "<known after apply>",
    }


def test_a_secret_is_never_shown():
    def program(_inputs):
        thing("one", key=pulumi.Output.secret("hunter2"), text=pulumi.Output.concat("a", "b"))

    (one,) = run(program)
    assert one.inputs == {"key": "<secret>", "text": "ab"}


def test_an_error_in_the_program_is_told_and_the_next_run_is_not_disturbed():
    def broken(_inputs):
        thing("one")
        raise ValueError("no such size")

    with pytest.raises(RemoteError, match="ValueError: no such size"):
        run(broken)
    assert [r.name for r in run(lambda _: thing("two"))] == ["two"]


def test_an_error_while_an_output_is_worked_out_is_told_too():
    def broken(_inputs):
        thing("two", size=thing("one").id.apply(int))

    with pytest.raises(RemoteError, match="ValueError"):
        run(broken)


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it():
    def program(_inputs):
        importlib.import_module("pulumi_nowhere")

    with pytest.raises(PrerequisiteError) as caught:
        run(program)
    assert "pulumi_nowhere" in caught.value.message
    assert caught.value.hint == this().add_package("pulumi-nowhere")


def test_no_thread_is_left_behind():
    before = threading.active_count()
    run(lambda _: thing("one"))
    assert threading.active_count() == before


class Stack:
    """A provider whose program counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def program(self, inputs: Mapping[str, Any]) -> None:
        self.runs += 1
        thing("one", **inputs)


@pytest.fixture
def stack(tmp_path: Path) -> SimpleNamespace:
    file = tmp_path / "stack.py"
    file.write_text("a = 1")
    provider, cache = Stack(), tmp_path / "deep" / "cache"
    return SimpleNamespace(
        file=file,
        cache=cache,
        provider=provider,
        plan=lambda **inputs: collected(provider.program, [file], inputs, cache),
    )


def test_a_second_plan_of_the_same_is_answered_from_the_cache(stack):
    assert stack.plan(size=1) == stack.plan(size=1)
    assert stack.provider.runs == 1


def test_other_inputs_or_other_code_are_run_anew(stack):
    stack.plan(size=1)
    assert stack.plan(size=2)[0].inputs == {"size": 2}
    stack.file.write_text("a = 2")
    stack.plan(size=1)
    assert stack.provider.runs == 3


@pytest.mark.parametrize("rubbish", ["", "{", "[1]", '{"a": 1}', '[{"type": "t"}]', "null", "\0"])
def test_a_corrupt_cache_is_ignored_and_rewritten(stack, rubbish):
    good = stack.plan(size=1)
    (kept,) = stack.cache.iterdir()
    kept.write_text(rubbish)
    assert stack.plan(size=1) == good
    assert json.loads(kept.read_text())[0]["name"] == "one"
    assert stack.provider.runs == 2


def test_a_cache_that_cannot_be_written_is_done_without(stack, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    found = collected(stack.provider.program, [stack.file], {"size": 1}, blocked / "cache")
    assert [r.name for r in found] == ["one"]


def test_without_a_cache_the_program_is_run_each_time(stack):
    for _ in range(2):
        collected(stack.provider.program, [stack.file], {}, None)
    assert stack.provider.runs == 2


def test_a_provider_without_a_program_says_itself_what_it_makes():
    aws = registry.provider("cloud-gpu", "aws")
    provider = replace(
        aws, resources=lambda inputs: [{"type": "t", "name": "n", "inputs": inputs}], program=None
    )
    assert resources_of(provider, {"a": 1}, None) == (Resource("t", "n", {"a": 1}),)


def test_a_cached_plan_does_not_import_pulumi(tmp_path):
    code = (
        "import sys; from pathlib import Path; from deployer.running.stack import offline\n"
        "from deployer.providers import registry\n"
        f"offline.resources_of(registry.provider('cloud-gpu', 'aws'), {{}}, Path({str(tmp_path)!r}))\n"
        "assert not [m for m in sys.modules if m.startswith(('pulumi', 'grpc', 'asyncio'))]\n"
    )
    collected(lambda _: thing("one"), registry.sources("cloud-gpu", "aws"), {}, tmp_path)
    root = Path(__file__).parents[4]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=os.environ, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()


def test_a_dynamic_resource_leaves_pythons_pickler_as_it_was():
    """Pulumi wraps it once more each time: some hundred programs in one process would end in a RecursionError."""
    pickler: Any = pickle._Pickler
    before = pickler._batch_setitems

    class Made(pulumi.dynamic.Resource, module="deployer", name="Made"):
        pass

    def program(_: Mapping[str, Any]) -> None:
        Made(pulumi.dynamic.ResourceProvider(), "one", {})

    assert len(collect(program, {}, project="p", stack="s")) == 1
    assert pickler._batch_setitems is before
