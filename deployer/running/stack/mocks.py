"""Run a Pulumi program under Pulumi's own mocks and keep what it registers. Offline, without the Pulumi CLI.

What only the cloud can say (an address, an AMI's id) reads `KNOWN_LATER`; a reference to another resource
reads `${name.id}` or `${name.arn}`; a secret reads `SECRET`. The program runs on a thread of its own: the
caller's event loop and Pulumi's context variables are not touched, so it can be run again and again.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS

from deployer.core.domain import Resource

KNOWN_LATER = "<known after apply>"
SECRET = "<secret>"  # noqa: S105 - what is shown in place of one
STACK = "pulumi:pulumi:Stack"
CODE = "__provider"
"""The pickled code of a dynamic resource: it differs from Python to Python and says nothing."""

Program = Callable[[Mapping[str, Any]], object]


def collect(
    program: Program, inputs: Mapping[str, Any], *, project: str, stack: str
) -> tuple[Resource, ...]:
    """Return what the program registers, in the order in which it declares it.

    Raises:
        Exception: whatever the program raised.
    """
    kept: list[Resource | BaseException] = []
    runner = threading.Thread(target=_run, args=(program, inputs, (project, stack), kept))
    runner.start()
    runner.join()
    for result in kept:
        if isinstance(result, BaseException):
            raise result
    return tuple(result for result in kept if isinstance(result, Resource))


def _run(
    program: Program,
    inputs: Mapping[str, Any],
    names: tuple[str, str],
    kept: list[Resource | BaseException],
) -> None:
    try:
        with _event_loop() as loop:
            kept.extend(loop.run_until_complete(_collected(program, inputs, *names)))
    except BaseException as error:  # noqa: BLE001 - it is raised again on the caller's thread
        kept[:] = [error]


async def _collected(
    program: Program, inputs: Mapping[str, Any], project: str, name: str
) -> list[Resource]:
    monitor, declared = _Recorder(), list[tuple[str, str]]()

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        declared.append((args.type_, args.name))

    mocks.set_mocks(_NoMocks(), project=project, stack=name, preview=True, monitor=monitor)
    pulumi.runtime.register_stack_transformation(note)
    try:
        with _pickler_kept():
            await stack.run_pulumi_func(lambda: _call(program, inputs))
    finally:
        SETTINGS.outputs.clear()
        SETTINGS.rpc_manager.clear()
    return [Resource(*key, inputs=monitor.inputs[key]) for key in declared]


def _call(program: Program, inputs: Mapping[str, Any]) -> None:
    program(inputs)


@contextmanager
def _pickler_kept() -> Iterator[None]:
    """Undo what Pulumi's serializer of dynamic resources leaves: each use wraps Python's own pickler once more.

    After some hundred programs in one process pickling would exceed the depth of recursion (`pulumi.dynamic`, 3.272).
    """
    pickler: Any = pickle._Pickler  # noqa: SLF001 - it is what Pulumi changes
    before = pickler._batch_setitems, pickler.save_dict  # noqa: SLF001 - as above
    try:
        yield
    finally:
        pickler._batch_setitems, pickler.save_dict = before  # noqa: SLF001 - as above


class _NoMocks(mocks.Mocks):
    """Never asked: the recorder answers everything itself."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], Any]:
        raise NotImplementedError(args.token)


class _Recorder(mocks.MockMonitor):
    """Stands for Pulumi: it keeps what is registered, and knows nothing of the cloud."""

    def __init__(self) -> None:
        super().__init__(_NoMocks())
        self.inputs: dict[tuple[str, str], dict[str, Any]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        """Keep the inputs; answer with them, an id and an ARN that can be told apart."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        given = {k: v for k, v in MessageToDict(request.object).items() if k != CODE}
        self.inputs[request.type, request.name] = _plain(given)
        request.object["arn"] = f"${{{request.name}.arn}}"
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=f"${{{request.name}.id}}", object=request.object
        )

    def Invoke(self, request: Any) -> Any:  # noqa: N802, ARG002 - the protocol's name and shape
        """Leave every question to the cloud unanswered."""
        return resource_pb2.ResourceInvokeResponse(unknown=True)


def _plain(value: Any) -> Any:
    """Turn what Pulumi sends into JSON: whole numbers whole, secrets and unknowns named."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:  # noqa: SLF001 - no other way to tell
            return SECRET
        return {key: _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return KNOWN_LATER if value == rpc.UNKNOWN else value


def _quietly(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing of what a failed program leaves unfinished: its error is raised."""


@contextmanager
def _event_loop() -> Any:
    """Give this thread an event loop, and Pulumi's calls one worker thread with a loop of its own."""
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    workers = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(loops[1],))
    loops[0].set_default_executor(workers)
    loops[0].set_exception_handler(_quietly)
    asyncio.set_event_loop(loops[0])
    try:
        yield loops[0]
    finally:
        for task in (left := asyncio.all_tasks(loops[0])):
            task.cancel()
        loops[0].run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loops[0].run_until_complete(loops[0].shutdown_default_executor())
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()
