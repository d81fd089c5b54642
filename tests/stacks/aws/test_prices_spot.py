"""Spot prices: the median over the zones of the newest prices, live; or the reason why there are none."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stacks._aws.prices import spot
from tests.kits.parts import missing, need
from tests.kits.processes import free_port, until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KIT = Path(os.environ.get("DEPLOYER_TEST_KIT", Path(__file__).parents[4] / "shared"))


class Ec2:
    """Answers as boto3's client of EC2 does: in pages."""

    def __init__(self, *rows: tuple[str, str, str, int]) -> None:
        self.rows = rows
        self.asked: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> Ec2:
        assert operation == "describe_spot_price_history"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked = asked
        for kind, zone, usd, minutes_old in self.rows:
            row = {"InstanceType": kind, "AvailabilityZone": zone, "SpotPrice": usd}
            yield {"SpotPriceHistory": [row | {"Timestamp": NOW - timedelta(minutes=minutes_old)}]}


def test_the_newest_price_of_each_zone_counts_and_the_median_of_the_zones():
    ec2 = Ec2(
        ("g6.xlarge", "us-east-1a", "0.9000", 60),
        ("g6.xlarge", "us-east-1a", "0.3000", 0),
        ("g6.xlarge", "us-east-1b", "0.4000", 0),
        ("g6.xlarge", "us-east-1c", "0.3500", 0),
        ("g5.xlarge", "us-east-1a", "0.5000", 0),
    )
    found = spot.prices(ec2, ["g6.xlarge", "g5.xlarge", "p5.48xlarge"])
    assert found == {"g5.xlarge": Decimal("0.5"), "g6.xlarge": Decimal("0.35")}
    assert ec2.asked["ProductDescriptions"] == ["Linux/UNIX"]


@pytest.mark.parametrize("usd", ["0.0000", "-1", "NaN", "dear"])
def test_a_spot_price_that_cannot_be_is_refused(usd):
    with pytest.raises(spot.NoSpotError, match=r"g6\.xlarge in us-east-1a"):
        spot.prices(Ec2(("g6.xlarge", "us-east-1a", usd, 0)), ["g6.xlarge"])


CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)  # fmt: skip


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without credentials."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_without_credentials_there_are_no_spot_prices(nobody):
    with pytest.raises(spot.NoSpotError, match="no AWS credentials"):
        spot.live("us-east-1", ["g6.xlarge"])


@pytest.fixture
def emulator(nobody: pytest.MonkeyPatch) -> Iterator[str]:
    """The AWS emulator of the test kit, with credentials that it takes."""
    need("moto", "the emulator runs on it")
    program = KIT / "emulator" / "aws_emulator.py"
    if not program.exists():
        missing(f"{program} is not here")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, str(program), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(url, process)
        nobody.setenv("AWS_ENDPOINT_URL", url)
        nobody.setenv("AWS_ACCESS_KEY_ID", "test")
        nobody.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield url
    finally:
        process.kill()
        process.wait()


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until(lambda: answers(url) or process.poll() is not None)
    assert process.poll() is None, "the emulator does not start"


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/moto-api/").close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(importlib.util.find_spec("moto") is None, reason="moto is not installed")
def test_the_api_of_an_emulator_gives_prices_that_are_positive(emulator):
    found = spot.live("us-east-1", ["g5.xlarge", "g4dn.xlarge"])
    assert found
    assert all(usd > 0 for usd in found.values())
