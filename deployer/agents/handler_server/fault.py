"""What went wrong in the user's own code, told by type, file and line; and the answers that it gives as errors.

A handler refuses a request by raising FastAPI's `HTTPException`: its status and detail are the answer. Whatever else it
raises is a failure (500): the client hears its type and where in the handler's folder it came from, and never its text,
which may hold what others sent. The log has the way that it took besides, and not its text either.
"""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path

from starlette.exceptions import HTTPException

from .refusal import Refusal

LOG = logging.getLogger("deployer.agents.handler_server")


def told(error: BaseException, folder: Path) -> str:
    """Return an error's type and the last line of the handler's folder that it passed: `KeyError at handler.py:31`."""
    kind = type(error).__name__
    place = _place(error, folder)
    return f"{kind} at {place}" if place else kind


def refusal_of(error: Exception, folder: Path) -> Refusal:
    """Return the answer to a request whose handler raised: its own refusal, or 500 for a failure, which is logged."""
    if isinstance(error, HTTPException) and 400 <= error.status_code <= 599:
        detail = error.detail
        words = detail if isinstance(detail, str) else json.dumps(detail, default=str)
        return Refusal(error.status_code, words, more=error.headers)
    said = told(error, folder)
    LOG.error("the handler failed: %s\n%s", said, way(error))
    return Refusal(500, f"the handler failed: {said}; see its log")


def way(error: BaseException) -> str:
    """Return the way that an error took, file by file, with those that it came from, and no text of any."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    first = "" if before is None else f"{way(before)}\nand then\n"
    lines = traceback.format_list(traceback.extract_tb(error.__traceback__))
    return f"{first}{''.join(lines)}{type(error).__name__} (its text is left out: it may repeat a request)"


def _place(error: BaseException, folder: Path) -> str | None:
    if isinstance(error, SyntaxError) and error.filename:
        return _inside(error.filename, error.lineno, folder)
    lines = traceback.extract_tb(error.__traceback__)
    found = (_inside(line.filename, line.lineno, folder) for line in reversed(lines))
    return next((place for place in found if place), None)


def _inside(file: str, line: int | None, folder: Path) -> str | None:
    try:
        return f"{Path(file).resolve().relative_to(folder.resolve())}:{line}"
    except (OSError, ValueError):  # a library's
        return None
