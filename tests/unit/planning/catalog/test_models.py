"""The bundled catalog of models: every row is whole, sourced, and agrees with itself."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from deployer.core.domain import ModelInfo
from deployer.core.quantization import FORMATS, weights_bytes
from deployer.planning.catalog import models

ROWS = json.loads(models.DATA.read_text())["models"]
KNOWN = [info for name in models.names() if (info := models.model(name))]


def ids(info):
    return info.name if isinstance(info, ModelInfo) else info["name"]


def test_no_model_is_there_twice():
    assert len({row["name"].lower() for row in ROWS}) == len(ROWS) == len(models.names()) == 37


def test_a_model_is_found_in_any_case_and_at_any_revision():
    assert models.model("qwen/qwen3-8B@abc123") == models.model("Qwen/Qwen3-8B")
    assert models.model("Qwen/Qwen3-9B") is None


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_row_has_a_source_and_no_key_that_is_not_read(row):
    read = {f.name for f in fields(ModelInfo)}
    about = {"source", "weights_source", "as_of", "attention_as_published", "remark"}
    assert row["source"]
    assert row.keys() <= read | about


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_row_is_one_line_of_the_file(row):
    line = json.dumps(row, ensure_ascii=False)
    assert line in [text.strip().rstrip(",") for text in models.DATA.read_text().splitlines()]


@pytest.mark.parametrize("info", KNOWN, ids=ids)
def test_every_figure_is_positive_and_has_its_origin(info):
    for name, origin in info.origins.items():
        value = getattr(info, name)
        assert isinstance(value, str) or value > 0
        assert origin.startswith("bundled catalog: ")


@pytest.mark.parametrize("info", KNOWN, ids=ids)
def test_the_weights_are_about_what_the_format_comes_to(info):
    assert info.native_dtype in FORMATS
    if info.weights_bytes is None or info.native_dtype == "mxfp4":  # mxfp4 only packs the experts
        return
    formula = info.params_total * FORMATS[info.native_dtype].bits / 8
    assert weights_bytes(info, info.native_dtype) == info.weights_bytes
    assert info.weights_bytes == pytest.approx(formula, rel=0.01)


@pytest.mark.parametrize("info", [i for i in KNOWN if i.window], ids=ids)
def test_a_full_window_is_the_window_times_its_sliding_layers(info):
    sliding = info.layers - info.full_attn_layers
    each = 2 * info.kv_heads * info.head_dim * 2
    assert info.kv_window_bytes == info.window * sliding * each
    assert info.kv_bytes_per_token == info.full_attn_layers * each


@pytest.mark.parametrize("info", [i for i in KNOWN if i.embedding_params], ids=ids)
def test_an_embedding_is_whole_rows_of_the_hidden_size(info):
    assert info.embedding_params % info.hidden == 0
    assert info.embedding_params < info.params_total / 4


@pytest.mark.parametrize("name", ["google/gemma-4-31B-it", "deepseek-ai/DeepSeek-V4-Flash"])
def test_a_kv_cost_that_no_source_gives_is_unknown(name):
    info = models.model(name)
    assert info is not None
    assert info.kv_bytes_per_token is None
