"""Whether a body is JSON that every engine reads alike, and not nested too deep for any.

What an engine cannot parse it would write into its log, and what is nested 100,000 deep overruns its stack. Texts that
an engine parses in their turn (a grammar, the arguments of a tool call, a pattern) are measured too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
OPENING = b"([{"
BRACKETS = re.compile(r"[(\[{]|[)\]}]")
STRING = re.compile(rb'"[^"]*"')
ONE_KIND = bytes.maketrans(b"[]{}", b"()()")
OTHERS = bytes(set(range(256)) - set(b"[]{}"))
PLAIN = frozenset(
    (
        *("content", "text", "prompt", "input", "query", "documents", "instructions", "system"),
        *("suffix", "stop", "user", "description", "reasoning_content", "reasoning", "url", "data"),
        *("title", "name", "image_url", "input_prefix", "input_suffix", "input_extra"),
    )
)
"""Keys whose texts are for the model: no engine parses them."""
MOST_RULES = 1000
"""References in one request, by which rules of a grammar or parts of a schema lead to each other."""
RULES = ("::=", '"$ref"')
TOO_DEEP = "the request is nested more than {} deep"


def fault(body: bytes, depth: int) -> str | None:
    """Say in words, which repeat nothing of it, why a body is refused; None: it is not."""
    try:
        text = body.decode("utf-8")
        asked = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if SURROGATE.search(body) is not None:
            json.dumps(asked, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        return "the request is not valid UTF-8: it holds half a character"
    except RecursionError:
        return TOO_DEEP.format(depth)
    except ValueError:
        return "the request is not valid JSON"
    many = sum(map(body.count, (b"(", b"[", b"{"))) > depth
    if many and (_is_deeper(body, depth) or any(_levels(one, depth) for one in _parsed(asked))):
        return TOO_DEEP.format(depth)
    if max(map(text.count, RULES)) > MOST_RULES:
        return f"the request has more than {MOST_RULES:,} rules or references"
    return None


def _refuse(_name: str) -> None:
    raise ValueError("not a number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number that no engine can hold")
    return number


def _is_deeper(body: bytes, most: int) -> bool:
    """Whether valid JSON is nested deeper: each pass takes the innermost pairs away."""
    bare = STRING.sub(b"", body.replace(b"\\\\", b"").replace(b'\\"', b""))
    left = bare.translate(ONE_KIND, OTHERS)
    for _ in range(most):
        left = left.replace(b"()", b"")
    return bool(left)


def _parsed(asked: Any) -> Iterator[str]:
    """Yield the texts that an engine may parse."""
    todo: list[tuple[str, Any]] = [("", asked)]
    while todo:
        key, one = todo.pop()
        if isinstance(one, dict):
            todo += one.items()
        elif isinstance(one, list):
            todo += ((key, item) for item in one)
        elif isinstance(one, str) and key not in PLAIN:
            yield one


def _levels(text: str, most: int) -> bool:
    """Whether brackets in a text are open more than so deep."""
    level = 0
    for found in BRACKETS.finditer(text):
        level += 1 if found[0] in "([{" else -1
        if level > most:
            return True
    return False
