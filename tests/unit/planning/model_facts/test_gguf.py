"""Reading GGUF headers: a model's figures, and hostile files refused in bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from gguf import GGUFReader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployer.core.errors import Exit, UsageError
from deployer.planning.model_facts import gguf_header
from deployer.planning.model_facts.byte_reader import Skipped
from deployer.planning.model_facts.gguf_facts import to_info

U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, value: Any, kind: int = U32) -> bytes:
    """One key of the metadata: whole numbers as u32, lists as arrays of u32 or of text."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", STRING) + text(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        start = struct.pack("<IIQ", ARRAY, STRING, len(value))
        return text(key) + start + b"".join(text(v) for v in value)
    if isinstance(value, list):
        return text(key) + struct.pack(f"<IIQ{len(value)}I", ARRAY, U32, len(value), *value)
    return text(key) + struct.pack({U32: "<II", F32: "<If"}[kind], kind, value)


def tensor(name: str, shape: list[int], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def build(
    pairs: list[bytes], tensors: Sequence[bytes] = (), data: int = 0, version: int = 3
) -> bytes:
    """Return a whole GGUF file; every tensor lies at the start of the data unless it says otherwise."""
    body = b"".join(pairs) + b"".join(tensors)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    raw = head + body
    return raw + b"\0" * (-len(raw) % 32) + b"\0" * data


def model(arch: str = "llama", tensors: Sequence[bytes] = (), data: int = 0, **keys: Any) -> bytes:
    said: dict[str, Any] = {"block_count": 4, "embedding_length": 64, "attention.head_count": 8}
    said |= {k.replace("__", "."): v for k, v in keys.items()}
    pairs = [pair("general.architecture", arch)]
    pairs += [pair(f"{arch}.{k}", v) for k, v in said.items() if v is not None]
    return build(pairs, tensors, data)


@pytest.fixture
def described(tmp_path):
    def describe(raw):
        path = tmp_path / "m.gguf"
        path.write_bytes(raw)
        return to_info(gguf_header.read(path), "m", str(path))

    return describe


@pytest.fixture
def refused(tmp_path):
    def check(raw):
        path = tmp_path / "bad.gguf"
        path.write_bytes(raw)
        with pytest.raises(UsageError) as caught:
            to_info(gguf_header.read(path), "bad", str(path))
        assert caught.value.exit_code == Exit.USAGE
        assert caught.value.where == str(path)
        assert caught.value.hint
        return caught.value.message

    return check


def test_a_file_is_read_as_the_gguf_package_reads_it(tiny_gguf):
    ours, theirs = gguf_header.read(tiny_gguf), GGUFReader(tiny_gguf)
    assert ours.tensors == len(theirs.tensors)
    assert ours.tensor_bytes == sum(int(t.n_bytes) for t in theirs.tensors)
    assert ours.params == sum(int(t.n_elements) for t in theirs.tensors)
    assert ours.data_offset == theirs.data_offset
    assert (
        ours.metadata["llama.embedding_length"]
        == theirs.fields["llama.embedding_length"].contents()
    )


def test_long_lists_and_texts_are_counted_and_not_kept(tmp_path):
    path = tmp_path / "m.gguf"
    words = [f"word{n}" * (n % 40) for n in range(20_000)]
    pairs = [pair("tokens", words), pair("types", [1] * 20_000), pair("template", "x" * 5000)]
    path.write_bytes(build([*pairs, pair("after", 7)]))
    found = gguf_header.read(path).metadata
    assert found["tokens"] == found["types"] == Skipped(20_000)
    assert found["template"] == Skipped(5000)
    assert found["after"] == 7


def test_one_text_longer_than_a_read_is_passed_over(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(build([pair("tokens", ["a", "x" * 300_000, "b"]), pair("after", 7)]))
    assert gguf_header.read(path).metadata["after"] == 7


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_in_use_are_read(tmp_path, version):
    path = tmp_path / "m.gguf"
    path.write_bytes(build([pair("general.architecture", "llama")], version=version))
    assert gguf_header.read(path).version == version


def test_grouped_query_attention_caches_its_kv_heads_only(described):
    info = described(model(attention__head_count_kv=2, context_length=4096))
    assert (info.layers, info.hidden, info.attn_heads, info.kv_heads) == (4, 64, 8, 2)
    assert (info.head_dim, info.max_context) == (8, 4096)
    assert info.kv_bytes_per_token == 4 * 2 * (8 + 8) * 2
    assert info.attention == "full"


def test_heads_may_differ_by_layer_and_keys_from_values(described):
    keys: dict[str, Any] = {"attention__head_count_kv": [1, 2, 0, 4]}
    info = described(model(**keys, attention__key_length=16, attention__value_length=4))
    assert info.kv_bytes_per_token == 7 * (16 + 4) * 2
    assert (info.kv_heads, info.full_attn_layers) == (4, 3)


def test_a_known_window_pattern_is_followed(described):
    info = described(model("gemma3", attention__sliding_window=512, block_count=12))
    one = 8 * 16 * 2
    assert (info.attention, info.full_attn_layers, info.window) == ("sliding", 2, 512)
    assert (info.kv_bytes_per_token, info.kv_window_bytes) == (2 * one, 512 * 10 * one)


def test_an_unknown_window_pattern_leaves_the_cache_unknown(described):
    info = described(model("newarch", attention__sliding_window=512))
    assert info.kv_bytes_per_token is None
    assert "KV cache unknown" in info.notes[0]


def test_a_window_that_the_engine_passes_over_is_no_window(described):
    assert described(model("qwen2", attention__sliding_window=512)).attention == "full"


def test_mla_caches_the_latent_where_the_file_was_made_for_it(described):
    keys: dict[str, Any] = {"attention__kv_lora_rank": 512, "rope__dimension_count": 64}
    new = described(model("deepseek2", **keys, attention__key_length_mla=192))
    assert (new.attention, new.kv_bytes_per_token) == ("mla", 4 * 576 * 2)
    assert described(model("deepseek2", **keys)).kv_bytes_per_token is None


def test_a_hybrid_caches_its_attention_layers_and_says_the_state_is_unknown(described):
    keys: dict[str, Any] = {"ssm__state_size": 128, "full_attention_interval": 4, "block_count": 8}
    info = described(model("qwen3next", **keys, attention__head_count_kv=2))
    assert (info.attention, info.full_attn_layers) == ("hybrid", 2)
    assert info.kv_bytes_per_token == 2 * 2 * 16 * 2
    assert info.state_bytes_per_seq is None
    assert info.notes


def test_tensors_give_the_weights_the_parameters_and_the_experts(described):
    parts = [
        tensor("token_embd.weight", [64, 10], kind=1),
        tensor("blk.0.ffn_up_exps.weight", [256, 2], kind=12, offset=1280),
    ]
    info = described(model(tensors=parts, data=1568, expert_count=8, expert_used_count=2))
    assert (info.params_total, info.weights_bytes) == (640 + 512, 1280 + 288)
    assert (info.embedding_params, info.params_active) == (640, 640 + 128)


def test_the_format_is_that_of_most_bytes_where_the_file_does_not_say(described):
    assert described(model(tensors=[tensor("a", [256], 14)], data=210)).native_dtype == "q6_k"


def test_the_file_type_is_the_format(tmp_path):
    path = tmp_path / "m.gguf"
    pairs = [pair("general.architecture", "llama"), pair("general.file_type", 15)]
    path.write_bytes(build(pairs))
    assert to_info(gguf_header.read(path), "m").native_dtype == "q4_k_m"


WHOLE = model(
    tensors=[tensor("a.weight", [32, 4]), tensor("b.weight", [8], offset=512)],
    data=544,
    names=["one", "two"],
)


@pytest.mark.parametrize("keep", range(0, len(WHOLE), 7))
def test_a_file_cut_anywhere_is_refused(refused, keep):
    assert "truncated" in refused(WHOLE[:keep]) or keep < 24


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not a GGUF file"),
        (b"GGML" + WHOLE[4:], "not a GGUF file"),
        (b"PK\x03\x04" * 20, "not a GGUF file"),
        (build([], version=1), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version 4"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "keys"),
        (build([struct.pack("<Q", 2**40) + b"k"]), "name of"),
        (build([text("k") + struct.pack("<I", 99)]), "unknown type 99"),
        (build([text("k") + struct.pack("<IQ", STRING, 2**63)]), "truncated"),
        (build([text("k") + struct.pack("<IIQ", ARRAY, STRING, 2**60)]), "truncated"),
        (build([text("k") + struct.pack("<IIQ", ARRAY, U64, 2**60)]), "truncated"),
        (build([text("k") + struct.pack("<IIQ", ARRAY, ARRAY, 1)]), "unknown type 9"),
        (build([text("k") + struct.pack("<IIQQ", ARRAY, STRING, 1, 2**62)]), "truncated"),
        (build([pair("k", 1), pair("k", 2)]), "duplicate key"),
        (build([pair("general.alignment", 0)]), "alignment"),
        (build([pair("general.alignment", 24)]), "alignment"),
        (model(tensors=[tensor("a", [4], kind=77)]), "type 77"),
        (model(tensors=[tensor("a", [33], kind=12)]), "a whole number of blocks"),
        (model(tensors=[tensor("a", [1] * 9)]), "9 dimensions"),
        (model(tensors=[tensor("a", [2**63, 2**63])]), "truncated"),
        (model(tensors=[tensor("a", [4], offset=2**63)]), "truncated"),
        (model(tensors=[tensor("a", [4]), tensor("a", [4])], data=64), "duplicate tensor name"),
        (model(tensors=[tensor("a", [16]), tensor("b", [16])], data=64), "truncated"),
        (model(block_count="many"), "block_count"),
        (model(block_count=2**32 - 1), "block_count"),
        (
            build([pair("general.architecture", "x"), pair("x.block_count", 1.5, F32)]),
            "block_count",
        ),
    ],
)
def test_a_damaged_file_is_refused_saying_what_is_wrong(refused, raw, says):
    assert says in refused(raw)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        gguf_header.read(tmp_path / "no.gguf")


def test_counts_of_a_terabyte_cost_no_memory(refused):
    tracemalloc.start()
    refused(build([text("k") + struct.pack("<IIQ", ARRAY, U8, 2**40)]))
    refused(build([text("k") + struct.pack("<IQ", STRING, 2**40)]))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(4, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_never_ends_in_a_traceback(tmp_path, at, byte):
    path = tmp_path / "m.gguf"
    path.write_bytes(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    try:
        to_info(gguf_header.read(path), "m", str(path))
    except UsageError as error:
        assert error.where == str(path)  # noqa: PT017 - either answer is fine, nothing else is
