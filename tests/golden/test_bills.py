"""Bills worked out by hand from public price lists (`price_list.py`), line by line."""

from __future__ import annotations

from decimal import Decimal

from deployer.core.domain import Resource
from tests.golden.price_list import bill, endpoint, hardware, instance, lines, usage


def test_a_machine_with_a_disk_and_an_address_for_730_hours():
    made = bill(instance(associatePublicIpAddress=True))
    # instance 730 x 0.8048 = 587.504; disk 120 x 0.08 = 9.60; address 730 x 0.005 = 3.65
    assert made.monthly_usd == Decimal("600.754")
    # an hour: 0.8048 + 0.005 + 9.60 / 730 (0.01315...)
    assert round(made.hourly_usd or 0, 5) == Decimal("0.82295")
    assert made.monthly_range is None
    assert made.unpriced == ()


def test_a_stopped_machine_still_pays_its_disk_and_secret_but_not_its_address():
    secret = Resource("aws:secretsmanager/secret:Secret", "key", {})
    made = bill(instance(associatePublicIpAddress=True), secret)
    # (9.60 + 0.40) / 730 = 0.0136986...
    assert round(made.idle_hourly_usd or 0, 7) == Decimal("0.0136986")


def test_an_elastic_address_is_paid_while_stopped_too():
    made = bill(instance(), Resource("aws:ec2/eip:Eip", "address", {}))
    # idle: 9.60 / 730 + 0.005 = 0.0181507
    assert round(made.idle_hourly_usd or 0, 7) == Decimal("0.0181507")


def test_the_iops_and_throughput_that_gp3_includes_are_free():
    made = bill(instance(disk={"iops": 3000, "throughput": 125}))
    assert lines(made) == {"instance": Decimal("587.504"), "gp3 storage": Decimal("9.60")}


def test_what_goes_beyond_is_paid_by_the_difference():
    made = bill(instance(disk={"iops": 4000, "throughput": 250}))
    # (4000 - 3000) x 0.005 = 5.00; (250 - 125) x 0.04 = 5.00
    assert lines(made)["gp3 extra IOPS"] == Decimal(5)
    assert lines(made)["gp3 extra throughput"] == Decimal(5)
    assert made.monthly_usd == Decimal("607.104")


def test_spot_takes_the_spot_price():
    made = bill(instance(instanceMarketOptions={"marketType": "spot"}))
    # 730 x 0.35 = 255.50, and the disk
    assert made.monthly_usd == Decimal("265.10")


def test_the_first_100_gb_out_are_free():
    made = bill(instance(), used=usage(egress="100"))
    assert lines(made)["data out, free"] == 0
    assert made.monthly_usd == Decimal("597.104")
    (free,) = [item for item in made.items if item.component == "data out, free"]
    assert "once per account" in free.source


def test_data_out_is_paid_by_tiers_after_that():
    made = bill(instance(), used=usage(egress="10440"))
    # 100 free; 10,240 x 0.09 = 921.60; the last 100 x 0.085 = 8.50
    assert lines(made)["data out, first 10 TB"] == Decimal("921.60")
    assert lines(made)["data out, next 40 TB"] == Decimal("8.50")


def test_logs_are_paid_when_written_and_while_kept():
    logs = Resource("aws:cloudwatch/logGroup:LogGroup", "logs", {"retentionInDays": 14})
    made = bill(instance(), logs, used=usage(logs="2"))
    # 2 x 0.50 = 1.00; 2 GB x 14 / 30.41666 days = 0.920548 GB-month x 0.03 = 0.0276164
    assert lines(made)["log ingestion"] == Decimal(1)
    (written,) = [item for item in made.items if item.component == "log ingestion"]
    assert written.monthly_range == (Decimal("0.5"), Decimal(2))  # half to twice is likely
    assert round(lines(made)["log storage"] or 0, 7) == Decimal("0.0276164")


def test_a_million_tokens_cost_the_month_over_the_tokens():
    made = bill(instance(), used=usage(tokens=100_000_000))
    # (587.504 + 9.60) / 100
    assert made.usd_per_1m_tokens == (Decimal("5.97104"), Decimal("5.97104"))


def test_an_endpoint_that_sleeps_costs_its_waking_hours_and_nothing_else():
    made = bill(endpoint(), used=usage(active=("100", "140"), tokens=10_000_000))
    # 100 x 0.80 = 80 to 140 x 0.80 = 112, in the middle 96; a million tokens 8.00 to 11.20
    assert made.monthly_range == (Decimal(80), Decimal(112))
    assert made.monthly_usd == Decimal(96)
    assert made.hourly_usd == Decimal("0.80")
    assert made.idle_hourly_usd == 0
    assert made.usd_per_1m_tokens == (Decimal(8), Decimal("11.2"))


def test_two_replicas_that_never_sleep_are_paid_all_month_and_while_idle():
    made = bill(endpoint(min_replica=2, max_replica=2), used=usage(active=("100", "140")))
    # 2 x 730 x 0.80 = 1168; an hour, used or not, 1.60
    assert made.monthly_usd == Decimal(1168)
    assert made.hourly_usd == made.idle_hourly_usd == Decimal("1.6")


def test_a_machine_of_ones_own_costs_its_price_in_parts_and_its_electricity():
    made = bill(hardware(), used=usage(busy=("130", "230")))
    # 3600 / 36 = 100; all month 100 W: 73 kWh x 0.20 = 14.60;
    # answering adds 400 W in 130 to 230 h: 52 to 92 kWh, 10.40 to 18.40, in the middle 14.40
    assert made.monthly_usd == Decimal(129)
    assert made.monthly_range == (Decimal(125), Decimal(133))
    # stopped: 114.60 / 730 = 0.1569863
    assert round(made.idle_hourly_usd or 0, 7) == Decimal("0.1569863")


def test_a_nat_gateway_is_paid_by_the_hour_and_its_data_is_named():
    made = bill(instance(), Resource("aws:ec2/natGateway:NatGateway", "nat", {}))
    # 730 x 0.045 = 32.85 more
    assert made.monthly_usd == Decimal("629.954")
    assert made.unpriced == ("nat: NAT data",)


def test_a_load_balancer_pays_an_address_in_each_subnet():
    inputs = {"loadBalancerType": "application", "subnets": ["a", "b"]}
    made = bill(instance(), Resource("aws:lb/loadBalancer:LoadBalancer", "lb", inputs))
    # 730 x 0.0225 = 16.425; 2 x 3.65 = 7.30; capacity 0 to 730 x 0.008 = 5.84
    assert made.monthly_range == (Decimal("620.829"), Decimal("626.669"))
