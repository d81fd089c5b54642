"""Everybody at ten in the morning or evenly all day: what the bundled catalog's dated prices say of the two.

The first makes a rented machine the wrong buy for every model that was tried; the second makes dedicated hardware the
right one on spot, on hardware of one's own, and where serverless has its usual premium over the same GPU. On demand at AWS's
list price it does not: in the catalog Hugging Face's A100 by the minute (2.50 USD/h) costs less than AWS's on-demand machines
of its speed at any traffic (`docs/compare.md` says so).
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from deployer.planning.compare import Comparison
from deployer.workflows import compare as comparing
from deployer.workflows import plan

AT_TEN = [0] * 10 + [1] + [0] * 13


@dataclass(frozen=True)
class Case:
    model: str
    targets: (
        str  # the spec's `targets`, where dedicated hardware is the right buy for a steady load
    )

    def __str__(self) -> str:
        return f"{self.model.split('/')[1]} {self.targets}"


SPOT = "{cloud-gpu: {spot: true}}"
OWN = "{local: {hardware: {gpu: rtx-4090, count: 2, price_usd: 5000, usd_per_kwh: 0.18}}}"
CASES = [
    Case("Qwen/Qwen3-8B", SPOT),
    Case("Qwen/Qwen3-32B", SPOT),
    Case("meta-llama/Llama-3.3-70B-Instruct", SPOT),
    Case("openai/gpt-oss-120b", SPOT),
    Case("openai/gpt-oss-120b", "{cloud-gpu: {spot: false}}"),
    Case("Qwen/Qwen3-8B", OWN),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("specs")
    setting = plan.Setting(folder / "home", offline=True)

    def compare(case: Case, profile: object, per_day: int) -> Comparison:
        file = folder / "deployer.yaml"
        file.write_text(
            f"name: bot\nmodel: {{source: 'hf:{case.model}'}}\n"
            "serve: {concurrency: 32, replicas: {min: 1, max: 50}}\n"
            f"traffic: {{requests_per_day: {per_day}, input_tokens: 700, output_tokens: 300,"
            f" profile: {profile}}}\ntargets: {case.targets}\n"
        )
        return comparing.make(file, setting)

    return compare


@pytest.mark.parametrize("case", CASES, ids=str)
def test_everybody_at_ten_makes_a_dedicated_gpu_the_wrong_buy(told, case):
    made = told(case, AT_TEN, 20_000)
    rented, asleep = (made.row(t).decimal("monthly_usd") for t in ("cloud-gpu", "serverless"))
    assert made.recommendation.target == "serverless"
    assert rented
    assert asleep
    assert asleep * 4 < rented


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_requests_all_day_long_make_dedicated_hardware_the_right_one(told, case):
    made = told(case, "steady", 200_000)
    costs = {row.target: row.decimal("monthly_usd") for row in made.rows if row.feasible}
    asleep, dedicated = costs.pop("serverless"), made.recommendation.target
    least = costs[dedicated or ""]
    assert asleep
    assert least
    assert least * 10 < asleep * 9
    assert all(item.source for item in made.row(dedicated or "").items)
