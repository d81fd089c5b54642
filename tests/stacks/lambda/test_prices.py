"""`deployer prices refresh --provider lambda`: its own listing takes the place of the bundled prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.core.errors import DeployerError
from deployer.planning import catalog
from tests.doubles import lambda_server
from tests.kits.documents import printed
from tests.kits.lambda_api import part

PRICES: Any = part("prices")
BUNDLED = {"gpu_1x_a10": 129, "gpu_1x_a6000": 109}


def sold() -> dict[str, int]:
    """Every bundled type at its bundled price, in cents."""
    found = catalog.load().offers("lambda")
    return {one.instance_type: int((one.usd_per_hour or 0) * 100) for one in found}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with lambda_server.serving(tmp_path / "machines") as made:
        monkeypatch.setenv("LAMBDA_API_KEY", made.key)
        monkeypatch.setenv("LAMBDA_API_URL", made.url)
        made.prices = sold()
        made.free = {name: ["us-east-1"] for name in made.prices}
        yield made
        assert made.broken == []


def refreshed(capsys: Any, *more: str) -> Any:
    code, document, _ = printed(capsys, "prices", "refresh", "--provider", "lambda", *more)
    return code, document


def listed(capsys: Any, name: str) -> list[float]:
    _, document, _ = printed(capsys, "prices", "list", "--provider", "lambda")
    return [o["usd_per_hour"] for o in document["offers"] if o["instance_type"] == name]


def test_the_command_reads_it_with_the_key_and_lists_it(account, home, capsys):
    account.prices["gpu_1x_a10"] = 135
    account.prices["gpu_4x_a10"] = 540
    account.free["gpu_1x_a6000"] = []
    code, document = refreshed(capsys)
    assert code == 0
    (done,) = document["refreshed"]
    assert [(c["name"], c["new_usd"]) for c in done["changes"]] == [("gpu_1x_a10", 1.35)]
    assert "gpu_1x_a6000 is to spare nowhere now" in done["notes"]
    assert listed(capsys, "gpu_1x_a10") == [1.35]
    assert listed(capsys, "gpu_4x_a10") == [5.4], "a size that is not bundled is sold as well"
    kept = (home / "catalog" / "lambda.json").read_text()
    assert account.key not in kept


def test_a_refreshed_price_is_found_in_any_region(account, home, capsys):
    account.prices["gpu_1x_a10"] = 135
    refreshed(capsys)
    found = catalog.load(home / "catalog").offers("lambda", "europe-central-1")
    assert {str(o.usd_per_hour) for o in found if o.instance_type == "gpu_1x_a10"} == {"1.35"}


def test_what_doubled_is_not_believed_unless_it_is_said_to_be_right(account, home, capsys):
    account.prices["gpu_1x_a10"] = 300
    code, document = refreshed(capsys)
    assert code == 1
    assert "gpu_1x_a10 went from 1.29 to 3 USD" in document["error"]["message"]
    assert listed(capsys, "gpu_1x_a10") == [1.29]
    assert refreshed(capsys, "--accept-changes")[0] == 0


def test_without_a_key_and_with_a_region_it_says_what_to_do(account, home, capsys, monkeypatch):
    code, document = refreshed(capsys, "--region", "us-east-1")
    assert (code, document["error"]["hint"]) == (2, "leave --region out")
    monkeypatch.delenv("LAMBDA_API_KEY")
    code, document = refreshed(capsys)
    assert code == 6
    assert "no Lambda API key is set" in document["error"]["message"]


@pytest.mark.parametrize("cents", [0, -1, 1.29, True, "129", None, 10**9])
def test_a_price_that_cannot_be_one_is_refused(cents):
    specs = {"gpus": 1, "vcpus": 1, "memory_gib": 1, "storage_gib": 1}
    one = {"price_cents_per_hour": cents, "specs": specs}
    types = {"gpu_1x_a10": {"instance_type": one, "regions_with_capacity_available": []}}
    with pytest.raises(DeployerError, match="unknown format"):
        PRICES.read(types, "2026-11-29", "here")
