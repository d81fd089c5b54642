"""Strategies of hypothesis: the text of a spec file, from almost right to no YAML at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from benchmarks.fuzzing.values import (
    ENGINES,
    GPUS,
    HOSTILE,
    INSTANCES,
    MODELS,
    NUMBERS,
    ODD,
    PROFILES,
    QUANTIZATIONS,
    REGIONS,
    SNIPPETS,
    SOURCES,
)

EXAMPLES = tuple(
    f.read_text(encoding="utf-8")
    for f in sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
)
Node = dict[str, Any]


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    """A mapping with some of these keys, written with '-' for '_' where the spec does."""
    named = {"cloud-gpu" if key == "cloud_gpu" else key: value for key, value in keys.items()}
    return st.fixed_dictionaries({}, optional=named)


def one(*values: Any) -> st.SearchStrategy[Any]:
    """One of these values."""
    return st.sampled_from(values)


COUNT = one(1, 2, 3, 8, 64, 128, 4096, 131_072) | st.integers(1, 10**9)
AMOUNT = one(0, 0.5, 1, 24, 450, 10_000, 10**12) | st.floats(0.001, 10**12)
FACTS = some(
    params=one(1, 10**6, 8 * 10**9, 8 * 10**9, 10**12, 10**15),
    active_params=one(10**6, 10**9, 3 * 10**9, 3 * 10**9),
    layers=one(1, 2, 36, 10_000),
    hidden=COUNT,
    attn_heads=COUNT,
    kv_heads=COUNT,
    head_dim=COUNT,
    max_context=COUNT,
    dtype=one("bf16", "awq", "q4_k_m"),
    weights_gib=AMOUNT,
)
MODEL = st.fixed_dictionaries(
    {"source": one(*5 * MODELS, *SOURCES)},
    optional={
        "adapter": one("hf:me/lora", "./lora"),
        "quantization": one(*QUANTIZATIONS),
        "context": one("auto", 1, 512, 8192, 131_072) | COUNT,
        "facts": FACTS,
    },
)
SERVE = some(
    engine=one(*ENGINES),
    concurrency=one(1, 8, 64, 5000) | COUNT,
    replicas=one(1, 2, {"min": 0, "max": 4}, {"min": 3, "max": 1}, {"max": 2}, 1024),
)
TRAFFIC = some(
    requests_per_day=one(0, 1, 0.001, 5000, 10**9) | AMOUNT,
    input_tokens=COUNT,
    output_tokens=COUNT,
    profile=PROFILES,
)
POLICY = some(
    privacy=one("local-only", "cloud-ok", "region:eu", "region:us-east-1"),
    budget=one("0 USD", "400 USD/month", "0.01 USD/month", "999999999999 USD"),
    idle=some(after=one("30m", "1s", "7d"), action=one("stop", "destroy", "none")),
    expires=one("7d", "1h30m"),
)
HARDWARE = some(
    gpu=one(*GPUS),
    count=one(1, 2, 3, 64, 1024),
    price_usd=AMOUNT,
    usd_per_kwh=AMOUNT,
    watts=AMOUNT,
    idle_watts=AMOUNT,
    memory_gib=one(1, 16, 1024, 10**9, 1.5),
)
TARGETS = some(
    local=some(
        provider=one("auto", "native"),
        gpus=one("all", 1, 2),
        port=one("auto", 8080),
        hardware=HARDWARE,
    ),
    cloud_gpu=some(
        provider=one("auto", "aws"),
        region=one(*REGIONS),
        instance=one(*INSTANCES),
        spot=st.booleans(),
        expose=one("my-ip", "private", "public", ["10.0.0.0/8"], ["::/0"], [], ["10.0.0.1/8"]),
    ),
    serverless=some(provider=one("auto", "huggingface"), region=one(*REGIONS)),
)
SPEC = st.fixed_dictionaries(
    {"name": one("bot", "a", "a-b-3", "a" * 40), "model": MODEL},
    optional={"serve": SERVE, "traffic": TRAFFIC, "policy": POLICY, "targets": TARGETS},
)
"""A spec whose every value may stand where it stands; together they may make no sense."""


def _places(tree: Node, kinds: type | tuple[type, ...] = object) -> list[tuple[Node, str]]:
    """Every mapping with each of its keys under which there is a value of these kinds."""
    found = [(tree, key) for key, value in tree.items() if isinstance(value, kinds)]
    for value in tree.values():
        if isinstance(value, dict):
            found += _places(value, kinds)
    return found


@st.composite
def structured(draw: st.DrawFn) -> str:
    """A spec with up to three values, keys or pieces of text that are not what they should be."""
    tree = json.loads(json.dumps(draw(SPEC)))  # a copy without shared parts
    snippets = []
    for number in range(draw(one(0, 0, 0, 1, 1, 2))):
        node, key = draw(st.sampled_from(_places(tree)))
        match draw(st.integers(0, 6)):
            case 0:
                node[draw(st.sampled_from(HOSTILE) | st.text(max_size=8))] = node.pop(key)
            case 1:
                node[key] = f"SNIPPET{number}"
                snippets.append((f"SNIPPET{number}", draw(st.sampled_from(SNIPPETS))))
            case 2 | 3:
                node[key] = draw(ODD)
            case _:
                node, key = draw(st.sampled_from(_places(tree, (int, float)) or [(node, key)]))
                node[key] = draw(st.sampled_from(NUMBERS) | st.integers(0, 10**9))
    text = _written(tree, flow=draw(st.booleans()))
    for token, snippet in snippets:
        text = text.replace(token, snippet)
    return text


def _written(tree: Node, *, flow: bool) -> str:
    return str(yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow, sort_keys=False))


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """An example of ours with pieces cut out, repeated or put in."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(("", text[start:end] * 2, *SNIPPETS, *HOSTILE)))
        text = text[:start] + piece + text[end:]
    return text


YAML_LIKE = st.text(alphabet="abn:-?[]{},&*!|>'\"%@`# \n\t~<=.0123\\\x00\u2028\ufeff", max_size=200)
SPECS: st.SearchStrategy[str | bytes] = st.one_of(
    structured(),
    structured(),
    structured(),
    structured(),
    structured(),
    structured(),
    mangled(),
    st.text(max_size=200) | YAML_LIKE,
    st.sampled_from(SNIPPETS),
    st.binary(max_size=200),
)
"""Mostly specs that are nearly right: what is no YAML at all is refused early and finds little."""
