"""Lists that cannot be believed: the old prices stay, and the reason and the row are said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployer.core.errors import Exit, RemoteError
from deployer.planning.catalog import refreshed
from tests.kits import price_lists as lists
from tests.kits.refreshing import only, refresh


def truncated(at: float) -> dict[str, bytes]:
    content = lists.files()
    whole = content[lists.path("AmazonEC2")]
    return content | {lists.path("AmazonEC2"): whole[: int(len(whole) * at)]}


def cut_between_rows() -> dict[str, bytes]:
    content = lists.files()
    rows = content[lists.path("AmazonEC2")].splitlines(keepends=True)
    tail = [row for row in rows if b"gp3" in row]
    return content | {lists.path("AmazonEC2"): b"".join([*rows[: len(rows) // 2], *tail])}


def without_column(name: str) -> dict[str, bytes]:
    fewer = [column for column in lists.EC2_COLUMNS if column != name]
    body = "".join(lists.text("AmazonEC2", lists.ec2_rows(), fewer)).encode()
    return lists.files() | {lists.path("AmazonEC2"): body}


def replaced(old: bytes, new: bytes) -> dict[str, bytes]:
    content = lists.files()
    return content | {lists.path("AmazonEC2"): content[lists.path("AmazonEC2")].replace(old, new)}


BAD: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "cut in the middle of a row": (lambda: truncated(0.5), "truncated"),
    "cut near its end": (lambda: truncated(0.9999), "truncated"),
    "cut between two rows": (cut_between_rows, "truncated"),
    "nothing but its head": (
        lambda: lists.files() | {lists.path("AmazonEC2"): "".join(lists.text("AmazonEC2", [])).encode()},
        "truncated",
    ),
    "empty": (lambda: lists.files() | {lists.path("AmazonEC2"): b"\n"}, "form has changed"),
    "a web page": (
        lambda: lists.files() | {lists.path("AmazonEC2"): b"<html>\n" * 40},
        "form has changed",
    ),
    "another version of the format": (lambda: replaced(b'"v1.0"', b'"v2.0"'), "form has changed"),
    "the file of another offer": (
        lambda: replaced(b'"OfferCode","AmazonEC2"', b'"OfferCode","AmazonRDS"'),
        "form has changed",
    ),
    "no column that tells capacity blocks": (lambda: without_column("MarketOption"), "MarketOption"),
    "no column of prices": (lambda: without_column("PricePerUnit"), "PricePerUnit"),
    "a machine priced by the month": (
        lambda: lists.files(only("g6.xlarge", Unit="Mo")),
        "priced by 'Mo'",
    ),
    "no disks": (
        lambda: lists.files(lambda row: None if "gp3" in row["usageType"] else row),
        "ebs-gp3-storage",
    ),
    "no machines": (
        lambda: lists.files(lambda row: None if "Instance Type" in row else row),
        "no machine with a GPU",
    ),
    "a price of zero": (
        lambda: lists.files(only("g6.xlarge", PricePerUnit="0.0000000000")),
        "$0.8048 per On Demand Linux g6.xlarge",
    ),
    "a negative price": (lambda: lists.files(only("g6.xlarge", PricePerUnit="-1")), "'-1'"),
    "a price that is no number": (lambda: lists.files(only("g6.xlarge", PricePerUnit="NaN")), "'NaN'"),
    "no price": (lambda: lists.files(only("g6.xlarge", PricePerUnit="")), "''"),
    "a doubled price": (
        lambda: lists.files(only("g6.xlarge", PricePerUnit="1.6096000000")),
        "g6.xlarge went from 0.8048 to 1.6096",
    ),
    "a halved price": (
        lambda: lists.files(only("g6.xlarge", PricePerUnit="0.4024000000")),
        "g6.xlarge went from 0.8048 to 0.4024",
    ),
    "a doubled disk": (
        lambda: lists.files(
            lambda row: row | ({"PricePerUnit": "0.16"} if row["usageType"].endswith("Usage.gp3") else {})
        ),
        "ebs-gp3-storage went from 0.08 to 0.16",
    ),
    "two prices of one type": (
        lambda: replaced(b'"m7i.large"', b'"g6.xlarge"')
        | {
            lists.path("AmazonEC2"): lists.files()[lists.path("AmazonEC2")]
            + lists.line(lists.machine("g6.xlarge", "0.9"), lists.EC2_COLUMNS).encode()
        },
        "two prices",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_list_that_is_wrong_leaves_the_old_prices_and_says_why(kind, tmp_path):
    content, why = BAD[kind]
    refresh(tmp_path, lists.files(only("g6e.xlarge", PricePerUnit="1.9000000000")))
    before = refreshed.file_of(tmp_path, "aws", "us-east-1").read_bytes()
    with pytest.raises(RemoteError) as refused:
        refresh(tmp_path, content())
    assert why in refused.value.message
    assert refused.value.exit_code == Exit.FAILED
    assert refreshed.file_of(tmp_path, "aws", "us-east-1").read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["aws-us-east-1.json"]
