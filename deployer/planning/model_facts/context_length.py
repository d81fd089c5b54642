"""The longest context of a model, as vLLM works it out. Pure.

Source: `derive_max_model_len_and_key` and `_get_and_verify_max_len` of vLLM. YaRN stretches the context that the
model was trained for; linear and dynamic scaling stretch what the config says; llama3 and longrope are in it already.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.planning.model_facts.strict_json import Keys

_LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_target_positions",
    "max_sequence_length", "max_context_length", "max_seq_length", "seq_len",
)  # fmt: skip
_WITHIN = ("su", "longrope", "llama3", "default", "mrope", "proportional")
"""Kinds of scaling that max_position_embeddings includes."""

MOST = 10**9


def longest(keys: Keys) -> int | None:
    """Return the longest context in tokens, or None where the config does not say it.

    Raises:
        UsageError: a length or a factor is not a number, or absurd.
    """
    said = [n for name in _LENGTHS if (n := keys.whole(name))]
    base = _own(keys) or min(said, default=None)
    if not base or (keys.text("model_type") or "").startswith("gemma3"):
        return base  # Gemma 3 says the length that it has with its scaling
    factor = 1.0
    for scaling in _scalings(keys):
        kind = scaling.text("rope_type", "type") or "default"
        if kind in _WITHIN:
            continue
        factor = scaling.number("factor") or factor
        if kind == "yarn":
            base = scaling.whole("original_max_position_embeddings") or base
    return min(int(base * factor), MOST)


def _own(keys: Keys) -> int | None:
    """Return what a model names as its length itself; tokenizers write 10**30 there for: no limit."""
    said = keys.values.get("model_max_length")
    return keys.whole("model_max_length") if isinstance(said, int) and said <= MOST else None


def _scalings(keys: Keys) -> Iterator[Keys]:
    """Give the scaling of the whole model, or of each kind of its layers."""
    for name in ("rope_scaling", "rope_parameters"):
        found = keys.inner(name)
        if found is None:
            continue
        if "rope_type" in found.values or "type" in found.values:
            yield found
        else:
            inner = (found.inner(k) for k, v in found.values.items() if isinstance(v, dict))
            yield from (one for one in inner if one is not None)
