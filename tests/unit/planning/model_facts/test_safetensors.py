"""Reading safetensors headers: what they add up to, and hostile files refused in bounded memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import ModelInfo
from deployer.core.errors import Exit, UsageError
from deployer.planning.model_facts import safetensors_header
from deployer.planning.model_facts.tensor_totals import Sums, add_up, with_sums

BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4, "U8": 1, "I64": 8}


def header(**tensors: Any) -> tuple[dict[str, Any], int]:
    """Lay tensors out one after the other: name -> (dtype, shape). Dots are written as __."""
    entries: dict[str, Any] = {}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES[dtype]
        for n in shape:
            size *= n
        entry = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        entries[name.replace("__", ".")] = entry
        at += size
    return entries, at


def write(path: Path, entries: dict[str, Any], data: int) -> Path:
    raw = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + b"\0" * data)
    return path


def sums(path: Path, dtype: str | None = "bf16") -> Sums:
    return add_up(safetensors_header.tensors_of(path), dtype)


def test_bytes_and_parameters_are_those_of_the_tensors(tmp_path):
    made, data = header(model__embed_tokens__weight=("BF16", [10, 4]), x__weight=("F32", [3]))
    made["__metadata__"] = {"format": "pt"}
    found = sums(write(tmp_path / "model.safetensors", made, data))
    assert (found.nbytes, found.params, found.embedding_params) == (92, 43, 40)
    assert dict(found.by_dtype) == {"BF16": 80, "F32": 12}


def test_awq_integers_hold_eight_weights_and_scales_hold_none(tmp_path):
    made = header(
        a__qweight=("I32", [4, 8]),
        a__qzeros=("I32", [1, 8]),
        a__scales=("BF16", [1, 64]),
        norm__weight=("BF16", [5]),
    )
    path = write(tmp_path / "model.safetensors", *made)
    assert sums(path, "awq").params == 4 * 8 * 8 + 5
    assert sums(path, None).params is None


def test_mxfp4_blocks_hold_two_weights_each(tmp_path):
    made = header(m__experts__up_blocks=("U8", [2, 16]), m__experts__up_scales=("U8", [2]))
    found = sums(write(tmp_path / "model.safetensors", *made), "mxfp4")
    assert (found.params, found.expert_params, found.nbytes) == (64, 64, 34)


def test_one_token_uses_all_but_the_experts_that_are_not_asked(tmp_path):
    made = header(m__experts__0__weight=("BF16", [80]), attn__weight=("BF16", [20]))
    found = sums(write(tmp_path / "model.safetensors", *made))
    info = with_sums(ModelInfo("m", experts=8, experts_per_token=2), found)
    assert (info.params_total, info.params_active, info.native_dtype) == (100, 40, "bf16")


def test_an_index_says_which_files_are_the_model(tmp_path):
    for name in ("a-1.safetensors", "a-2.safetensors", "consolidated.safetensors"):
        (tmp_path / name).touch()
    weight_map = {"x": "a-2.safetensors", "y": "a-1.safetensors", "z": "a-2.safetensors"}
    (tmp_path / safetensors_header.INDEX).write_text(json.dumps({"weight_map": weight_map}))
    found = safetensors_header.weights_in(tmp_path)
    assert found is not None
    assert found.selection.names == ("a-1.safetensors", "a-2.safetensors")


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"weight_map": []},
        {"weight_map": {"x": 1}},
        {"weight_map": {"x": "../../etc/passwd"}},
        {"weight_map": {"x": "missing.safetensors"}},
    ],
)
def test_an_index_that_cannot_be_followed_is_refused(tmp_path, index):
    (tmp_path / safetensors_header.INDEX).write_text(json.dumps(index))
    with pytest.raises(UsageError) as refused:
        safetensors_header.weights_in(tmp_path)
    assert str(tmp_path / safetensors_header.INDEX) == refused.value.where


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        list(safetensors_header.tensors_of(path))
    assert caught.value.exit_code == Exit.USAGE
    assert caught.value.where == str(path)
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("keep", [0, 3, 8, 40, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = write(tmp_path / "model.safetensors", *header(x=("F32", [100])))
    path.write_bytes(path.read_bytes()[:keep])
    assert "truncated" in refused(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        list(safetensors_header.tensors_of(tmp_path / "no.safetensors"))


def test_a_header_of_a_terabyte_costs_no_memory(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    tracemalloc.start()
    assert "truncated" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_header_above_the_cap_is_refused_even_where_the_file_is_that_long(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 150_000_000))
        file.truncate(200_000_000)  # sparse: takes no disk
    assert "header of 150,000,000 bytes" in refused(path)


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "entry",
    [
        7,
        [],
        {},
        GOOD | {"dtype": "F33"},
        GOOD | {"dtype": ["F32"]},
        GOOD | {"shape": [3]},
        GOOD | {"shape": [-2]},
        GOOD | {"shape": [True, 2]},
        GOOD | {"shape": [2**70]},
        GOOD | {"shape": "2"},
        GOOD | {"shape": [1] * 100},
        GOOD | {"data_offsets": [8, 0]},
        GOOD | {"data_offsets": [0]},
        GOOD | {"data_offsets": [2**40, 2**40 + 8]},
        GOOD | {"data_offsets": None},
    ],
)
def test_a_tensor_that_makes_no_sense_is_refused(tmp_path, entry):
    refused(write(tmp_path / "model.safetensors", {"x": entry}, 8))


def test_tensors_that_overlap_are_refused(tmp_path):
    assert "overlap" in refused(write(tmp_path / "m.safetensors", {"x": GOOD, "y": GOOD}, 8))


@pytest.mark.parametrize("raw", [b"[1]", b'{"a": NaN}', b'{"a": {}, "a": {}}', b"\xff\xff"])
def test_a_header_that_is_no_plain_json_object_is_refused(tmp_path, raw):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    refused(path)
