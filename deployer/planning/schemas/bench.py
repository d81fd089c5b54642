"""The document of `deployer bench --json` as JSON Schema. Pure."""

from __future__ import annotations

from deployer.planning.schemas.derive import NUMBER, TEXT, WHOLE, Schema, either, listed, strict

NULL: Schema = {"type": "null"}
SHARE: Schema = {**NUMBER, "description": "Near 1 the measuring process is what was measured."}


def schema() -> Schema:
    """Return the schema of the whole document."""
    latency = either(strict({"p50": NUMBER, "p95": NUMBER, "p99": NUMBER}), NULL)
    run = {
        "deployment": either(TEXT, NULL),
        "url": TEXT,
        "model": TEXT,
        "concurrency": {**WHOLE, "minimum": 1},
        "requests": WHOLE,
        "errors": WHOLE,
        "error_kinds": {"type": "object", "additionalProperties": WHOLE},
        "seconds": NUMBER,
        "ttft_ms": latency,
        "itl_ms": latency,
        "tpot_ms": latency,
        "e2e_ms": latency,
        "output_tok_s": either(NUMBER, NULL),
        "requests_per_s": NUMBER,
        "input_tokens": either(NUMBER, NULL),
        "output_tokens": either(NUMBER, NULL),
        "counted_from": {"enum": ["usage", "chunks"]},
        "client_cpu_share": SHARE,
    }
    start = strict({"deployment": TEXT, "first_answer_s": NUMBER})
    keys = {
        "schema": {"const": 1},
        "runs": listed(strict(run, "One endpoint at one concurrency.")),
        "cold_starts": listed(start),
        "load": strict({"input_tokens": WHOLE, "output_tokens": WHOLE, "seed": WHOLE}),
        "kept": listed(TEXT),
    }
    return strict(keys, "What was measured, and the files that the next plan reads it from.")
