"""A handler of your own: a word model that is trained on corpus.txt each time it is loaded.

`deployer` calls `load()` once, then `predict(model, request)` or `stream(model, request)` for each request.
What is here needs nothing but Python. The same question gets the same answer, unless it asks for another
`seed`. Swap the model for yours: torch, scikit-learn, a call to another program, whatever Python can do.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Pair = tuple[str, str]
Model = Mapping[Pair, list[str]]
START: Pair = (".", ".")
LONGEST = 60


def load() -> Model:
    """Train: after each two words, which words came next, and how often."""
    text = (Path(__file__).parent / "corpus.txt").read_text(encoding="utf-8")
    followers: dict[Pair, list[str]] = defaultdict(list)
    before = START
    for word in split(text):
        followers[before].append(word)
        before = START if word == "." else (before[1], word)
    return dict(followers)


def predict(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a chat at once."""
    *pieces, last = stream(model, request)
    return {"content": "".join(map(str, pieces)), "usage": last["usage"]}


def stream(model: Model, request: Mapping[str, Any]) -> Iterator[Any]:
    """Answer a chat word by word; the last thing says how many words were read and written."""
    asked = split(request["messages"][-1]["content"])
    seed = request.get("seed", zlib.crc32(" ".join(asked).encode()))
    rng = random.Random(seed)  # noqa: S311 - it chooses words, not keys
    most = min(request.get("max_tokens", LONGEST), LONGEST)
    count = 0
    for count, word in enumerate(sentence(model, begin(model, asked), rng), start=1):
        space = "" if count == 1 or word in ".,?" else " "
        yield space + word
        if count == most:
            break
    yield {"usage": {"prompt_tokens": len(asked), "completion_tokens": count}}


def begin(model: Model, asked: list[str]) -> Pair:
    """Begin with a word of the question that sentences begin with, else with any."""
    words = {word.lower(): word for word in model[START]}
    known = [words[word.lower()] for word in asked if word.lower() in words]
    return (".", known[-1]) if known else START


def sentence(model: Model, before: Pair, rng: random.Random) -> Iterator[str]:
    """Walk from word to word until a full stop."""
    if before != START:
        yield before[1]
    while before[1] != "." or before == START:
        word = rng.choice(model[before])
        yield word
        if word == ".":
            return
        before = (before[1], word)


def split(text: str) -> list[str]:
    """Cut a text into words and marks."""
    return re.findall(r"[\w']+|[.,?]", text)
