"""The longest context of a model, with what its position scaling adds."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.core.errors import UsageError
from deployer.planning.model_facts.context_length import longest
from deployer.planning.model_facts.strict_json import Keys

YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        ({}, 32768),
        ({"rope_scaling": None}, 32768),
        ({"rope_scaling": YARN}, 131072),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2}}, 65536),
        # what YaRN reaches is in the config already: DeepSeek-R1
        ({"max_position_embeddings": 163840, "rope_scaling": YARN | {"factor": 40, "original_max_position_embeddings": 4096}}, 163840),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}}, 32768),
        ({"rope_scaling": {"type": "longrope", "long_factor": [1.0], "factor": 32.0}}, 32768),
        ({"rope_scaling": {"type": "su", "factor": 32.0}}, 32768),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}, 32768),
        ({"rope_scaling": {"type": "linear", "factor": 2.5}}, 81920),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 65536),
        ({"rope_scaling": {"type": "linear", "factor": 8.0}, "model_type": "gemma3_text"}, 32768),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 32768),
        ({"rope_parameters": YARN}, 131072),
        ({"rope_parameters": {"full_attention": YARN, "sliding_attention": {"rope_type": "default"}}}, 131072),
        ({"seq_length": 8192}, 8192),
        ({"model_max_length": 1048576}, 1048576),
        ({"model_max_length": 10**30}, 32768),
        ({"model_max_length": "long"}, 32768),
    ],
)  # fmt: skip
def test_scaling_that_the_config_does_not_include_is_added(said: dict[str, Any], tokens: int):
    assert longest(Keys({"max_position_embeddings": 32768, **said}, "config.json")) == tokens


def test_a_context_that_is_not_said_stays_unknown():
    assert longest(Keys({"rope_scaling": {"type": "linear", "factor": 2.0}}, "config.json")) is None


@pytest.mark.parametrize("factor", ["4", True, 0, -1, float("inf"), float("nan"), 10**12])
def test_a_factor_that_is_no_number_is_refused(factor):
    said = {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": factor}}
    with pytest.raises(UsageError, match="factor"):
        longest(Keys(said, "config.json"))
