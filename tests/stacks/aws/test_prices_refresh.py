"""Refreshing the prices, against files of the real shape on loopback: what is kept, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from decimal import Decimal

import pytest

from deployer.core.errors import Exit, PrerequisiteError, RemoteError, UsageError
from deployer.planning import catalog
from deployer.planning.catalog import offers
from deployer.sources.prices import Asked
from stacks._aws import prices
from stacks._aws.prices import lists as addresses
from stacks._aws.prices import price_list
from stacks._aws.prices import rows as aws_rows
from tests.kits import price_lists as lists
from tests.kits.price_lists import Row
from tests.kits.refreshing import TODAY, asked, no_spot, only, priced, refresh


def test_every_price_is_read_and_dated_and_says_which_list_it_is_from(tmp_path):
    done = refresh(tmp_path, lists.files())
    before = catalog.load()
    listed = [
        o.instance_type
        for o in before.offers("aws", "us-east-1")
        if o.billing == "on-demand" and o.usd_per_hour
    ]
    assert done.on_demand == len(listed) > 60
    assert (done.changes, done.missing) == ([], [])
    for kind in listed:
        found = priced(tmp_path, kind)
        assert found.as_of == TODAY
        assert found.source == "AWS price list AmazonEC2, version 20261120205955"
    for known in aws_rows.COMPONENTS:
        rate = catalog.load(tmp_path).rate(known.name, "us-east-1")
        assert (rate.as_of, rate.usd) == (TODAY, before.rate(known.name, "us-east-1").usd)


@pytest.mark.parametrize("other", range(12))
def test_a_row_that_is_no_on_demand_price_is_never_taken_for_one(other):
    rows = list(lists.not_on_demand("g6.xlarge", "0.8048"))
    assert len(rows) == 12
    known = frozenset({"g6.xlarge"})
    assert aws_rows.instance_type(rows[other], "us-east-1", known) is None
    assert aws_rows.instance_type(lists.machine("g6.xlarge", "0.8048"), "us-east-1", known)


def test_throughput_listed_by_the_gib_is_priced_by_the_mib(tmp_path):
    refresh(tmp_path, lists.files())
    # 40.96 USD for a GiB/s month / 1024
    rate = catalog.load(tmp_path).rate("ebs-gp3-throughput", "us-east-1")
    assert rate.usd == Decimal("0.04")


def test_a_price_that_moved_is_taken_and_said(tmp_path):
    done = refresh(tmp_path, lists.files(only("g6.xlarge", PricePerUnit="0.7000000000")))
    (change,) = done.changes
    assert (change.name, change.old, change.new) == ("g6.xlarge", Decimal("0.8048"), Decimal("0.7"))
    assert priced(tmp_path, "g6.xlarge").usd_per_hour == Decimal("0.7")


def test_other_regions_keep_the_bundled_prices(tmp_path):
    refresh(tmp_path, lists.files())
    assert catalog.load(tmp_path).offers("aws", "us-west-2") == catalog.load().offers(
        "aws", "us-west-2"
    )


def test_a_connection_that_breaks_off_leaves_the_old_prices(tmp_path):
    with lists.served(lists.files(), cut_off=20_000) as base, pytest.raises(RemoteError) as refused:
        prices.refresh("us-east-1", asked(tmp_path, base))
    assert "truncated, it broke off" in refused.value.message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("usd", ["1.6096000000", "0.4024000000"])
def test_a_doubled_or_halved_price_is_taken_when_the_user_says_so(usd, tmp_path):
    content = lists.files(only("g6.xlarge", PricePerUnit=usd))
    refresh(tmp_path, content, accept_changes=True)
    assert priced(tmp_path, "g6.xlarge").usd_per_hour == Decimal(usd)


def test_nobody_can_accept_a_price_of_zero(tmp_path):
    content = lists.files(only("g6.xlarge", PricePerUnit="0.0000000000"))
    with pytest.raises(RemoteError):
        refresh(tmp_path, content, accept_changes=True)


def test_a_type_that_is_withdrawn_is_unpriced_from_then_on_and_said(tmp_path):
    gone = lists.files(lambda row: None if row.get("Instance Type") == "p3.2xlarge" else row)
    assert refresh(tmp_path, gone).missing == ["p3.2xlarge"]
    found = priced(tmp_path, "p3.2xlarge")
    assert (found.usd_per_hour, found.as_of) == (None, TODAY)
    assert refresh(tmp_path, gone).missing == []


def test_without_a_smaller_list_its_old_prices_stay_and_that_is_said(tmp_path):
    content = lists.files()
    del content[lists.path("AmazonVPC")]
    done = refresh(tmp_path, content)
    assert any("AmazonVPC" in note for note in done.notes)
    assert any("public-ipv4" in note for note in done.notes)
    assert catalog.load(tmp_path).rate("public-ipv4", "us-east-1").as_of == "2025-11-04"


def test_a_unit_that_is_not_known_leaves_the_old_price_of_that_component(tmp_path):
    def by_the_day(row: Row) -> Row:
        return row | ({"Unit": "days"} if row["usageType"] == "NatGateway-Hours" else {})

    done = refresh(tmp_path, lists.files(by_the_day))
    assert any("nat-hour: the unit 'days'" in note for note in done.notes)
    assert catalog.load(tmp_path).rate("nat-hour", "us-east-1").as_of == "2025-10-28"


def test_spot_prices_are_kept_with_their_date_when_a_later_refresh_has_no_credentials(tmp_path):
    def live(region: str, types: object) -> Mapping[str, Decimal]:
        return {"g6.xlarge": Decimal("0.30"), "g5.xlarge": Decimal("0.41")}

    refresh(tmp_path, lists.files(), spot=live)
    with lists.served(lists.files()) as base:
        later = Asked(tmp_path, "2026-12-01", base, lambda *_: nullcontext(lambda _: None), no_spot)
        done = prices.refresh("us-east-1", later)
    assert any("there are no AWS credentials" in note for note in done.notes)
    spot, plain = priced(tmp_path, "g6.xlarge", "spot"), priced(tmp_path, "g6.xlarge")
    assert (spot.usd_per_hour, spot.as_of) == (Decimal("0.3"), TODAY)
    assert plain.as_of == "2026-12-01"


def test_a_region_that_aws_does_not_have_is_a_usage_error_with_the_nearest_name(tmp_path):
    with lists.served({}) as base, pytest.raises(UsageError) as refused:
        prices.refresh("us-est-1", asked(tmp_path, base))
    assert "us-east-1" in (refused.value.hint or "")


def test_without_a_network_the_exit_code_says_so(tmp_path):
    with lists.served({}) as base:
        pass  # nobody listens there any more
    with pytest.raises(PrerequisiteError) as refused:
        prices.refresh("us-east-1", asked(tmp_path, base))
    assert refused.value.exit_code == Exit.PREREQUISITE


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "potato", "http://"])
def test_an_address_that_is_none_is_a_usage_error(base, tmp_path):
    with pytest.raises(UsageError):
        prices.refresh("us-east-1", asked(tmp_path, base))


def test_an_answer_that_is_an_error_is_said(tmp_path):
    with pytest.raises(RemoteError, match="answers 500"):
        refresh(tmp_path, lists.files() | {lists.path("AmazonEC2"): 500})


def test_the_addresses_are_taken_in_this_order():
    both = {"DEPLOYER_PRICES_URL": "http://mirror/", "AWS_ENDPOINT_URL": "http://emulator"}
    assert addresses.base_url(both) == "http://mirror"
    assert addresses.base_url({"AWS_ENDPOINT_URL": "http://emulator"}) == "http://emulator"
    assert addresses.base_url({}) == "https://pricing.us-east-1.amazonaws.com"


def test_the_progress_adds_up_to_the_size_of_the_file(tmp_path):
    seen: dict[str, list[int]] = {}

    @contextmanager
    def progress(label: str, size: int | None) -> Iterator[Callable[[int], None]]:
        assert size is not None
        come: list[int] = []
        yield come.append
        seen[label] = [size, sum(come)]

    refresh(tmp_path, lists.files(), progress=progress)
    assert len(seen) == len(aws_rows.OFFERS)
    assert all(size == come for size, come in seen.values())


def test_a_line_without_an_end_is_not_collected_for_ever():
    endless = (b"x" * 65536 for _ in range(1000))
    with pytest.raises(RemoteError, match="a line of more than"):
        list(price_list.split(endless))


def test_a_stream_is_cut_into_the_same_lines_however_it_comes():
    content = lists.files()[lists.path("AmazonEC2")]
    expected = content.splitlines()
    for size in (1, 7, 1000, len(content)):
        stream = io.BytesIO(content)
        assert list(price_list.split(iter(lambda: stream.read(size), b""))) == expected  # noqa: B023


def test_the_file_is_the_products_own_form(tmp_path):
    done = refresh(tmp_path, lists.files())
    document = json.loads(done.file.read_text())
    usd, key = document["on-demand"]["g6.xlarge"]
    assert (usd, document["sources"][key][1]) == ("0.8048", TODAY)
    assert set(document["on-demand"]) <= set(offers.types("aws"))
