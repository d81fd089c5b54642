"""The tiny example: the same file each time, and a model that its own chain makes answer."""

from __future__ import annotations

import hashlib
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deployer.planning.model_facts import gguf_header
from deployer.planning.model_facts.gguf_facts import to_info

GENERATE = Path(__file__).parents[3] / "examples" / "tiny" / "generate.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(GENERATE))


def test_it_makes_the_same_file_each_time_and_says_which(script, tmp_path):
    script["write"](tmp_path / "one.gguf")
    command = [sys.executable, str(GENERATE), str(tmp_path / "two.gguf")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    one, two = ((tmp_path / name).read_bytes() for name in ("one.gguf", "two.gguf"))
    assert one == two
    assert hashlib.sha256(two).hexdigest() in said
    assert str(tmp_path / "two.gguf") in said


def test_it_is_small_and_has_grouped_query_attention(tiny_gguf):
    info = to_info(gguf_header.read(tiny_gguf), "tiny")
    assert info.architecture == "llama"
    assert info.kv_heads is not None
    assert info.attn_heads is not None
    assert info.kv_heads < info.attn_heads
    assert (info.max_context or 0) >= 2048
    assert tiny_gguf.stat().st_size < 2_000_000


def test_no_word_of_its_answer_stands_there_twice(script):
    assert len(set(script["TOKENS"])) == len(script["TOKENS"])
    assert "".join(script["WORDS"]).replace("▁", " ") == script["ANSWER"]


def test_its_chain_recites_the_answer_and_ends(script):
    tokens, embedding, head = script["TOKENS"], script["embedding"](), script["head"]()
    read, said = tokens.index("<|assistant|>"), []
    for _ in range(len(tokens)):
        scores = head.astype(np.float32) @ embedding[read].astype(np.float32)
        read = int(scores.argmax())
        assert np.sort(scores)[-1] - np.sort(scores)[-2] >= 2
        if read == script["EOS"]:
            break
        said.append(tokens[read])
    assert "".join(said).replace("▁", " ") == script["ANSWER"]


def test_any_text_can_be_read_because_every_byte_is_a_token(script):
    assert {f"<0x{n:02X}>" for n in range(256)} <= set(script["TOKENS"])
