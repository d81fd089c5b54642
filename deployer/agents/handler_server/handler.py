"""The user's file: `load()` once, then `predict(model, request)`, and `stream(model, request)` if it is there.

A chat's `request` is `{"messages": [{"role", "content"}], "max_tokens", "temperature", ...}`; `predict` returns
the answer as text, or `{"content": text, "usage": {"prompt_tokens", "completion_tokens"}}`, and `stream` yields
its pieces. With the route `predict` the request is the JSON that was sent, or what the file's own pydantic class
`Request` makes of it; `Response`, if it is there, is what the answer must be. A handler refuses a request by raising
`fastapi.HTTPException(status, detail)`, with a status from 400 up.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

NAME = "deployer_user_handler"


class HandlerError(Exception):
    """The user's file lacks something, in words."""


@dataclass(frozen=True)
class Handler:
    """A loaded handler: what `load` returned, and how it is asked."""

    model: Any
    predict: Callable[[Any, Any], Any]
    stream: Callable[[Any, Any], Iterable[Any]] | None = None
    request: Any = Any
    response: Any = Any
    folder: Path = Path()  # where its file lies


def load(file: Path) -> Handler:
    """Import the file and load its model.

    Raises:
        HandlerError: it lacks a function, or one has another form. What its own code raises passes through.
    """
    module = _imported(file)
    start, predict = _function(module, "load", 0), _function(module, "predict", 2)
    if start is None or predict is None:
        missing = "load()" if start is None else "predict(model, request)"
        raise HandlerError(f"{file} has no {missing}")
    stream = _function(module, "stream", 2)
    return Handler(
        start(),
        predict,
        stream,
        getattr(module, "Request", Any),
        getattr(module, "Response", Any),
        file.parent,
    )


def _imported(file: Path) -> ModuleType:
    if not file.is_file():
        raise HandlerError(f"{file} does not exist")
    spec = importlib.util.spec_from_file_location(NAME, file)
    if spec is None or spec.loader is None:
        raise HandlerError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    sys.path.insert(0, str(file.parent))  # it may import what lies beside it
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str, arguments: int) -> Callable[..., Any] | None:
    found: Any = getattr(module, name, None)
    if found is None:
        return None
    if not callable(found):
        raise HandlerError(f"{name} in {module.__file__} is not a function")
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise HandlerError(
            f"{name} must be 'def', not 'async def': each call runs in its own thread"
        )
    try:
        inspect.signature(found).bind(*range(arguments))
    except TypeError:
        takes = ("", "(model)", "(model, request)")[arguments]
        raise HandlerError(f"{name}{takes or '()'} must take {arguments} arguments") from None
    return cast(Callable[..., Any], found)
