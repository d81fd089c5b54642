"""The bundled prices: complete, dated, sourced, and honest about what is not known."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from deployer.core.domain import Gpu, Offer
from deployer.planning import catalog
from deployer.planning.catalog import offers
from deployer.planning.catalog.tables import FOLDER, read, rows, table
from deployer.providers.registry import data_files

CATALOG = catalog.load()
OFFERS = data_files("offers.json")
EC2 = read(OFFERS["aws"])
FILES = (*data_files("components.json").values(), FOLDER / "components.json")
COMPONENTS = [row for f in FILES for row in rows(read(f)["columns"], read(f)["components"])]
PROVIDERS = CATALOG.providers()
EVERYWHERE = (
    "ebs-gp3-storage", "ebs-gp3-iops", "ebs-gp3-throughput", "ebs-gp2-storage", "ebs-snapshot",
    "public-ipv4", "nat-hour", "nat-data", "vpc-interface-endpoint", "logs-ingestion", "logs-storage",
    "alarm", "secret",
)  # fmt: skip
FACTS = Path(__file__).parents[5] / "shared" / "facts"


def offer(region: str, instance: str, billing: str = "on-demand") -> Offer:
    (found,) = [
        o
        for o in CATALOG.offers("aws", region)
        if o.instance_type == instance and o.billing == billing
    ]
    return found


def gpu(name: str) -> Gpu:
    found = CATALOG.gpu(name)
    assert found is not None
    return found


def test_every_ec2_type_region_and_gpu_of_the_facts_is_there():
    names = [row[0] for row in EC2["types"]["rows"]]
    assert len(names) == len(set(names)) == 71
    assert len(CATALOG.regions("aws")) == 24
    assert len(CATALOG.gpus()) == 43


def test_half_a_gpu_beside_much_memory_is_priced_in_its_twelve_regions():
    found = [o for o in CATALOG.offers("aws") if o.instance_type == "gr6f.4xlarge"]
    assert len(found) == 12
    assert {(o.gpu, o.vram_mib, o.vcpus, o.memory_gib) for o in found} == {("L4", 11444, 16, 128)}
    assert offer("us-east-1", "gr6f.4xlarge").usd_per_hour == Decimal("1.066")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_offer_names_its_source_and_no_price_is_zero(provider):
    for found in CATALOG.offers(provider):
        assert found.source
        assert found.as_of or "undated" in found.source
        assert found.usd_per_hour is None or found.usd_per_hour > 0
        assert found.gpu_count >= 1


@pytest.mark.parametrize("row", COMPONENTS, ids=lambda row: row["component"])
def test_every_component_has_a_unit_a_source_and_a_date_or_says_that_it_has_none(row):
    assert row["usd"]
    for region in row["usd"]:
        rate = CATALOG.rate(row["component"], region)
        assert rate.unit
        assert rate.source
        assert rate.as_of or "undated" in rate.source
        assert rate.usd is not None
        assert rate.usd > 0


def test_every_gpu_has_a_source_and_a_priced_one_a_date():
    data = table("gpus")
    for row in rows(data["columns"], data["gpus"]):
        assert row["source"]
        assert row["as_of"] or row["list_price_usd"] is None


@pytest.mark.parametrize("provider", OFFERS)
def test_every_price_belongs_to_a_known_type_and_every_type_to_a_known_gpu(provider):
    known = offers.types(provider)
    assert known
    for row in known.values():
        assert row["gpu"] is None or gpu(row["gpu"]).name == row["gpu"]
    assert {name for _, _, name in offers.places(provider)} <= set(known)


def test_a_component_stands_in_one_file_only():
    names = [row["component"] for row in COMPONENTS]
    assert len(names) == len(set(names))


def test_a_provider_of_ones_own_brings_its_prices_in_its_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cloud_gpu" / "mars" / "catalog"
    folder.mkdir(parents=True)
    sources = {"list": ["a price list", "2026-11-01"]}
    columns = ["type", "gpu", "gpu_count", "share", "vram_mib", "vcpus", "memory_gib", "note"]
    types = [
        ["large", "L4", 1, 1, None, 4, 16, None],
        ["old", "T4", 1, 1, None, 4, 16, "deprecated"],
    ]
    sold = {"on-demand": {"mars-1": [["large", "0.7", "list"], ["old", "0.3", "list"]]}}
    document = {"sources": sources, "types": {"columns": columns, "rows": types}, "prices": sold}
    (folder / "offers.json").write_text(json.dumps(document))
    disk = ["red-disk", "GB-month", {"mars-1": ["0.02", "list"]}, "unread", None, None]
    named = ["component", "unit", "usd", "source", "as_of", "note"]
    parts = {"sources": sources, "columns": named, "components": [disk]}
    (folder / "components.json").write_text(json.dumps(parts))
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path))
    (tmp_path / "fresh").mkdir()
    fresh = {"large": ["0.9", "new"], "old": [None, "new"]}
    brought = {"schema": 1, "sources": {"new": ["list, version 2", "2026-11-20"]}}
    brought |= {"on-demand": fresh, "spot": {}, "components": {"red-disk": ["0.03", "new"]}}
    (tmp_path / "fresh" / "mars-mars-1.json").write_text(json.dumps(brought))

    bundled, renewed = catalog.load(), catalog.load(tmp_path / "fresh")
    (found,) = bundled.offers("mars", "mars-1")
    assert (found.instance_type, found.usd_per_hour, found.gpu) == ("large", Decimal("0.7"), "L4")
    assert bundled.rate("red-disk", "mars-1").usd == Decimal("0.02")
    assert renewed.rate("red-disk", "mars-1").usd == Decimal("0.03")
    assert renewed.offers("mars")[0].usd_per_hour == Decimal("0.9")
    assert "mars" in bundled.providers()
    assert renewed.regions("mars") == ("mars-1",)


@pytest.mark.parametrize(
    ("region", "instance", "usd"),
    [
        # AWS's public on-demand prices, Linux
        ("us-east-1", "g4dn.xlarge", "0.526"),
        ("us-east-1", "g5.xlarge", "1.006"),
        ("us-east-1", "g6.xlarge", "0.8048"),
        ("us-west-2", "g5.12xlarge", "5.672"),
        ("us-east-1", "p5.48xlarge", "55.04"),
        ("eu-west-1", "g4dn.xlarge", "0.587"),
        ("ap-northeast-1", "g4dn.xlarge", "0.71"),
    ],
)
def test_prices_are_the_public_ones(region, instance, usd):
    assert offer(region, instance).usd_per_hour == Decimal(usd)


def test_a_price_that_is_not_known_is_none():
    assert offer("ap-northeast-3", "g6e.xlarge").usd_per_hour is None
    assert offer("us-west-2", "p5e.48xlarge").usd_per_hour is None
    assert CATALOG.rate("ebs-gp3-storage", "sa-east-1").usd is None
    assert CATALOG.rate("data-out-first-10tb", "af-south-1").usd is None
    assert CATALOG.rate("no-such-thing", "us-east-1").usd is None


def test_a_region_without_a_type_has_no_offer_of_it():
    assert not [o for o in CATALOG.offers("aws", "eu-west-1") if o.instance_type == "g6.xlarge"]
    assert not CATALOG.offers("aws", "sa-east-1")
    assert not CATALOG.offers("nobody")


def test_spot_is_dearer_than_nothing_and_cheaper_than_on_demand():
    spot = [o for o in CATALOG.offers("aws") if o.billing == "spot"]
    assert len(spot) == 63
    on_demand = {
        (o.region, o.instance_type): o.usd_per_hour
        for o in CATALOG.offers("aws")
        if o.billing == "on-demand"
    }
    for found in spot:
        dear = on_demand.get((found.region, found.instance_type))
        assert found.usd_per_hour
        assert dear is None or found.usd_per_hour < dear


def test_memory_is_what_the_cloud_reports_and_not_the_nominal_figure():
    assert offer("us-east-1", "g6.xlarge").vram_mib == 22888
    assert offer("us-east-1", "g6e.xlarge").vram_mib == 45776
    assert gpu("H200").vram_mib_reported == 144384


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("RTX 4090", "RTX 4090"),
        ("rtx-4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("H100", "H100-80GB SXM5"),
        ("h100-80gb", "H100-80GB SXM5"),
        ("H100 PCIe", "H100-80GB PCIe"),
        ("A100", "A100-80GB SXM4"),
        ("A100-80GB", "A100-80GB SXM4"),
        ("a100-40gb", "A100-40GB SXM4"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB SXM4"),
        ("Tesla T4", "T4"),
        ("m3-ultra", "Apple M3 Ultra"),
        ("RTX PRO 6000 Blackwell SE", "RTX PRO 6000 Blackwell Server"),
    ],
)
def test_a_gpu_is_found_by_any_spelling(spelling, name):
    assert gpu(spelling).name == name


@pytest.mark.parametrize("name", ["", "potato", "RTX", "H"])
def test_what_is_no_gpu_is_none(name):
    assert CATALOG.gpu(name) is None


def test_no_two_gpus_share_a_spelling():
    data = table("gpus")
    spellings = Counter(
        spelling
        for row in rows(data["columns"], data["gpus"])
        for spelling in {catalog.gpus.spelling(n) for n in (row["name"], *row["aliases"])}
    )
    assert [s for s, count in spellings.items() if count > 1] == []


def test_uniform_prices_hold_in_regions_that_are_not_listed():
    assert CATALOG.rate("public-ipv4", "eu-central-1").usd == Decimal("0.005")
    assert CATALOG.rate("secret", "ap-south-1").usd == Decimal("0.40")


def test_a_region_of_its_own_has_its_own_price():
    assert CATALOG.rate("ebs-gp3-storage", "us-east-1").usd == Decimal("0.08")
    assert CATALOG.rate("ebs-gp3-storage", "eu-west-1").usd == Decimal("0.088")


@pytest.mark.parametrize("component", EVERYWHERE)
@pytest.mark.parametrize("region", CATALOG.regions("aws"))
def test_what_a_machine_needs_is_priced_in_every_region(component, region):
    assert CATALOG.rate(component, region).usd


@pytest.mark.parametrize(
    ("component", "region", "usd"),
    [
        # AWS's public price pages
        ("ebs-gp3-storage", "eu-central-1", "0.0952"),
        ("ebs-gp3-throughput", "ap-northeast-1", "0.048"),  # 49.152 a GiB/s / 1024
        ("ebs-gp2-storage", "ap-south-1", "0.114"),
        ("nat-data", "ap-southeast-1", "0.059"),
        ("logs-ingestion", "eu-central-1", "0.63"),
        ("data-out-first-10tb", "ap-south-1", "0.1093"),
    ],
)
def test_a_price_of_a_region_has_its_own_source_and_date(component, region, usd):
    rate = CATALOG.rate(component, region)
    assert rate.usd == Decimal(usd)
    own = {tuple(source) for file in FILES for source in read(file)["sources"].values()}
    assert (rate.source, rate.as_of) in own


def test_withdrawn_offers_are_not_offered():
    names = {o.instance_type for o in CATALOG.offers("huggingface")}
    assert "aws/nvidia-h200/x1" in names
    assert "aws/nvidia-h100/x1" not in names


def test_the_catalog_knows_its_oldest_and_newest_date():
    oldest, newest = CATALOG.as_of
    assert "2024" <= oldest < newest <= "2027"


def test_what_one_plan_needs_is_read_in_milliseconds():
    for kept in (read, offers._offers, offers._types):
        kept.cache_clear()
    start = time.process_time()
    for found in CATALOG.offers("aws", "us-east-1"):
        assert found.gpu
        CATALOG.gpu(found.gpu)
    CATALOG.rate("ebs-gp3-storage", "us-east-1")
    assert time.process_time() - start < 0.05  # 3 ms on an idle machine


@pytest.mark.skipif(not FACTS.is_dir(), reason="the raw facts are not beside this checkout")
def test_every_price_of_the_facts_is_in_the_catalog():
    priced = {
        (o.instance_type, o.region): o.usd_per_hour
        for o in CATALOG.offers("aws")
        if o.billing == "on-demand"
    }
    with (FACTS / "aws_gpu_regions.csv").open() as file:
        wanted = {
            (row["instance_type"], row["region"]): row["od_usd_h"] for row in csv.DictReader(file)
        }
    missing = Decimal(
        0
    )  # no price is 0: a row that is not there differs from every row of the facts
    wrong = [
        key
        for key, usd in wanted.items()
        if priced.get(key, missing) != (Decimal(usd) if usd else None)
    ]
    assert wrong == []
