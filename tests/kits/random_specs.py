"""Specs drawn at random, the same ones every time: what a user might write, valid and of models that are known."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

SOURCES = (
    "hf:Qwen/Qwen3-8B",
    "hf:Qwen/Qwen3-0.6B",
    "hf:Qwen/Qwen3-30B-A3B",
    "hf:openai/gpt-oss-20b",
)
HARDWARE = (
    None,
    "{gpu: rtx-4090}",
    "{gpu: rtx-4090, owned: true}",
    "{gpu: rtx-4090, price_usd: 2500, usd_per_kwh: 0.2, watts: 500, idle_watts: 80}",
    "{gpu: rtx-4090, owned: true, price_usd: 2500, usd_per_kwh: 0.2, watts: 500, idle_watts: 80}",
    "{gpu: a100, count: 2, price_usd: 30000}",
    "{gpu: m4-max, memory_gib: 64, usd_per_kwh: 0.3, watts: 120, idle_watts: 10, price_usd: 4000}",
)
REPLICAS = ("1", "1", "1", "2", "3", "{min: 0, max: 4}", "{min: 1, max: 3}", "{min: 2, max: 4}")
PRIVACY = ("cloud-ok", "cloud-ok", "cloud-ok", "region:us", "local-only")


def specs(count: int, seed: int = 1) -> Iterator[str]:
    """Yield the texts of so many specs."""
    draw = Random(seed)  # noqa: S311 - specs, no secret
    for number in range(count):
        yield _spec(draw, number)


def _spec(draw: Random, number: int) -> str:
    hardware, needs = draw.choice(HARDWARE), draw.choice(("", "", "", "pii", "multi-tenant"))
    lines = [
        f"name: bot-{number}",
        f"model: {{source: {draw.choice(SOURCES)}}}",
        f"serve: {{concurrency: {draw.choice((1, 4, 8, 32))}, replicas: {draw.choice(REPLICAS)}}}",
        (
            f"traffic: {{requests_per_day: {round(10 ** draw.uniform(0, 6))},"
            f" input_tokens: {draw.choice((100, 800, 3000))}, output_tokens: {draw.choice((50, 300, 900))},"
            f" profile: {draw.choice(('steady', 'office-hours', 'diurnal', 'spiky'))}}}"
        ),
        (
            f"policy: {{privacy: {draw.choice(PRIVACY)},"
            f" idle: {{after: 30m, action: {draw.choice(('stop', 'stop', 'none'))}}}}}"
        ),
        f"decide: {{needs: [{needs}], prefer: {draw.choice(('auto', 'auto', 'auto', 'cloud-gpu', 'serverless'))}}}",
    ]
    region = draw.choice(
        ("", "", ", region: eu-west-1", ", region: eu-central-1", ", region: us-west-2")
    )
    spot = draw.choice(("false", "false", "false", "true"))
    targets = [f"cloud-gpu: {{spot: {spot}{region}}}"]
    targets += [f"local: {{hardware: {hardware}}}"] if hardware else []
    serverless = draw.choice(("auto", "auto", "auto", "huggingface", "sagemaker"))
    return "\n".join(
        [*lines, f"targets: {{{', '.join(targets)}, serverless: {{provider: {serverless}}}}}"]
    )
