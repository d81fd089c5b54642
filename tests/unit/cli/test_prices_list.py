"""`deployer prices`: what is listed, in which order, as a table and as JSON; and the command that renews it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.errors import Exit
from deployer.planning import catalog
from tests.kits import price_lists as lists
from tests.kits.documents import printed


@pytest.fixture(autouse=True)
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials and with a folder of the test's own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def document(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> Any:
    shown = printed(capsys, "prices", *args)
    assert shown.code == code
    return shown.document


def test_offers_are_listed_by_price_and_dated(capsys):
    found = document(capsys, "list", "--gpu", "L4", "--region", "us-east-1", "--provider", "aws")
    assert found["schema"] == 1
    listed = [offer["usd_per_hour"] for offer in found["offers"]]
    assert listed == sorted(listed)
    assert {offer["gpu"] for offer in found["offers"]} == {"L4"}
    assert found["catalog"]["as_of"] == min(offer["as_of"] for offer in found["offers"])
    assert found["catalog"]["age_days"] >= 0


@pytest.mark.parametrize("spelling", ["RTX 4090", "rtx-4090", "rtx4090", "NVIDIA GeForce RTX 4090"])
def test_a_gpu_may_be_spelled_in_any_way(spelling, capsys):
    found = document(capsys, "list", "--gpu", spelling)
    assert {offer["gpu"] for offer in found["offers"]} == {"RTX 4090"}


def test_a_family_has_all_its_variants_but_l4_is_not_l40(capsys):
    found = document(capsys, "list", "--gpu", "A100")
    assert len({offer["gpu"] for offer in found["offers"]}) > 1
    found = document(capsys, "list", "--gpu", "l4")
    assert {offer["gpu"] for offer in found["offers"]} == {"L4"}


def test_an_unpriced_offer_is_last_and_null_and_never_0(capsys):
    found = document(capsys, "list", "--provider", "aws", "--region", "us-west-2")
    listed = [offer["usd_per_hour"] for offer in found["offers"]]
    assert listed[-1] is None
    assert 0 not in listed
    assert main(["prices", "list", "--provider", "aws", "--region", "us-west-2"]) == 0
    shown = capsys.readouterr()
    assert "unpriced" in shown.out.splitlines()[-1]
    assert "unpriced" in shown.err


@pytest.mark.parametrize("provider", catalog.load().providers())
def test_every_provider_can_be_listed(provider, capsys):
    found = document(capsys, "list", "--provider", provider)
    assert {offer["provider"] for offer in found["offers"]} == {provider}


@pytest.mark.parametrize("region", catalog.load().regions("aws"))
def test_every_region_can_be_listed(region, capsys):
    found = document(capsys, "list", "--provider", "aws", "--region", region)
    assert {offer["region"] for offer in found["offers"]} == {region}


@pytest.mark.parametrize(
    ("args", "mend"),
    [
        (("--gpu", "L5"), "L4"),
        (("--gpu", "rtx 4091"), "RTX 4090"),
        (("--gpu", "potato"), "H100"),
        (("--region", "us-est-1"), "us-east-1"),
        (("--provider", "awz"), "aws"),
    ],
)
def test_a_name_that_is_not_known_gets_the_nearest(args, mend, capsys):
    error = document(capsys, "list", *args, code=Exit.USAGE)["error"]
    assert mend in error["hint"]


def test_what_nobody_sells_there_exits_3_and_says_where_it_is_sold(capsys):
    args = ("--gpu", "B300", "--region", "eu-west-1", "--provider", "aws")
    error = document(capsys, "list", *args, code=Exit.NOTHING_FITS)["error"]
    assert "us-west-2" in error["hint"]


def test_a_refresh_is_what_the_next_list_shows(capsys, monkeypatch):
    with lists.served(lists.files()) as base:
        monkeypatch.setenv("DEPLOYER_PRICES_URL", base)
        (done,) = document(capsys, "refresh", "--region", "us-east-1")["refreshed"]
    assert done["on_demand"] > 60
    found = document(capsys, "list", "--gpu", "L4", "--provider", "aws", "--region", "us-east-1")
    dates = {o["as_of"] for o in found["offers"] if o["billing"] == "on-demand"}
    assert dates == {done["as_of"]}


def test_a_refused_refresh_exits_1_with_one_document(capsys, monkeypatch):
    def doubled(row: lists.Row) -> lists.Row:
        twice = row.get("Instance Type") == "g6.xlarge" and row["PricePerUnit"].startswith("0.8048")
        return row | ({"PricePerUnit": "1.6096"} if twice else {})

    with lists.served(lists.files(doubled)) as base:
        monkeypatch.setenv("DEPLOYER_PRICES_URL", base)
        error = document(capsys, "refresh", code=Exit.FAILED)["error"]
    assert "the old prices of us-east-1 are kept" in error["message"]
    assert "--accept-changes" in error["hint"]


@pytest.mark.parametrize("region", ["../../etc/passwd", "us-east-1/x", "", "us east"])
def test_what_is_no_name_of_a_region_is_refused_before_anything_is_fetched(region, capsys):
    document(capsys, "refresh", "--region", region, code=Exit.USAGE)


def test_a_refreshed_file_that_was_spoilt_is_named_with_the_mend(capsys, home):
    (home / "catalog").mkdir(parents=True)
    (home / "catalog" / "aws-us-east-1.json").write_text('{"schema": 1}')
    error = document(capsys, "list", "--gpu", "L4", code=Exit.USAGE)["error"]
    assert "rm " in error["hint"]
