"""Whole deployments worked out by hand, every line; and the wrong answers that tools are known to give."""

from __future__ import annotations

from decimal import Decimal

from deployer.core.domain import Resource
from tests.golden.price_list import bill, deployment, endpoint, hardware, instance, lines, usage


def test_an_8b_model_on_an_l4_with_office_traffic():
    made = bill(*deployment("g6.xlarge", 140), used=usage(egress="0.5", logs="0.365"))
    assert lines(made) == {
        "instance": Decimal("587.504"),  # 730 x 0.8048
        "gp3 storage": Decimal("11.20"),  # 140 x 0.08; 3000 IOPS and 125 MB/s are in it
        "public IPv4": Decimal("3.65"),  # 730 x 0.005
        "data out, free": Decimal(0),  # half a GB of the 100 that are free
        "secret": Decimal("0.40"),
        "log ingestion": Decimal("0.1825"),  # 0.365 x 0.50
        "log storage": Decimal("0.00504"),  # 0.365 x 14 x 24 / 730 = 0.168 GB-month x 0.03
    }
    # 587.504 + 11.20 + 3.65 + 0.40 + 0.1825 + 0.00504
    assert made.monthly_usd == Decimal("602.94154")
    # stopped: (11.20 + 0.40 + 0.00504) / 730
    assert round(made.idle_hourly_usd or 0, 7) == Decimal("0.0158973")


def test_the_same_machine_on_spot():
    made = bill(*deployment("g6.xlarge", 140, spot=True))
    # 730 x 0.35 = 255.50; the rest does not get cheaper: 11.20 + 3.65 + 0.40
    assert made.monthly_usd == Decimal("270.75")


def test_a_t4_in_ireland():
    made = bill(
        *deployment("g4dn.xlarge", 100, disk={"throughput": 250}),
        used=usage(egress="600", logs="3.65"),
        region="eu-west-1",
    )
    assert lines(made) == {
        "instance": Decimal("428.51"),  # 730 x 0.587
        "gp3 storage": Decimal("8.80"),  # 100 x 0.088
        "gp3 extra throughput": Decimal("5.50"),  # (250 - 125) x 0.044
        "public IPv4": Decimal("3.65"),
        "data out, free": Decimal(0),
        "data out, first 10 TB": Decimal(45),  # (600 - 100) x 0.09
        "secret": Decimal("0.40"),
        "log ingestion": Decimal("2.0805"),  # 3.65 x 0.57
        "log storage": Decimal("0.0504"),  # 3.65 x 336 / 730 = 1.68 x 0.03
    }
    assert made.monthly_usd == Decimal("493.9909")


def test_a_t4_in_tokyo_where_logs_have_no_price_here():
    made = bill(
        *deployment("g4dn.xlarge", 100), used=usage(egress="200", logs="1"), region="ap-northeast-1"
    )
    # 730 x 0.71 = 518.30; 100 x 0.096 = 9.60; 3.65; (200 - 100) x 0.114 = 11.40; 0.40
    assert made.monthly_usd == Decimal("543.35")
    assert made.unpriced == ("log: log ingestion", "log: log storage")


def test_four_a10g_with_a_fast_disk():
    made = bill(*deployment("g5.12xlarge", 500, disk={"iops": 6000, "throughput": 500}))
    assert {k: v for k, v in lines(made).items() if v} == {
        "instance": Decimal("4140.56"),  # 730 x 5.672
        "gp3 storage": Decimal(40),  # 500 x 0.08
        "gp3 extra IOPS": Decimal(15),  # (6000 - 3000) x 0.005
        "gp3 extra throughput": Decimal(15),  # (500 - 125) x 0.04
        "public IPv4": Decimal("3.65"),
        "secret": Decimal("0.40"),
    }
    assert made.monthly_usd == Decimal("4214.61")


def test_eight_h100_and_two_terabytes_of_disk_that_are_not_free():
    small, large = (bill(*deployment("p5.48xlarge", gib)) for gib in (100, 2000))
    # 730 x 55.04 = 40179.20; 2000 x 0.08 = 160; 3.65; 0.40
    assert large.monthly_usd == Decimal("40343.25")
    # 1900 GB more x 0.08
    assert large.monthly_usd - (small.monthly_usd or 0) == Decimal(152)


def test_data_out_through_every_tier():
    made = bill(instance(), used=usage(egress="160000"))
    assert {k: v for k, v in lines(made).items() if k.startswith("data out")} == {
        "data out, free": Decimal(0),  # 100
        "data out, first 10 TB": Decimal("921.60"),  # 10,240 x 0.09
        "data out, next 40 TB": Decimal("3481.60"),  # 40,960 x 0.085
        "data out, next 100 TB": Decimal("7168.00"),  # 102,400 x 0.07
        "data out, over 150 TB": Decimal("315.00"),  # the last 6,300 x 0.05
    }


def test_a_second_disk_of_the_older_kind():
    data = Resource("aws:ebs/volume:Volume", "data", {"type": "gp2", "size": 300})
    made = bill(instance(), data)
    # 587.504 + 9.60 + 300 x 0.10 = 30
    assert made.monthly_usd == Decimal("627.104")
    # stopped: (9.60 + 30) / 730
    assert round(made.idle_hourly_usd or 0, 7) == Decimal("0.0542466")


def test_a_machine_behind_a_gateway_with_an_endpoint_in_two_zones_and_an_alarm():
    made = bill(
        instance(),
        Resource("aws:ec2/natGateway:NatGateway", "nat", {}),
        Resource("aws:ec2/eip:Eip", "address", {}),
        Resource(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            "logs",
            {"vpcEndpointType": "Interface", "subnetIds": ["a", "b"]},
        ),
        Resource("aws:ec2/vpcEndpoint:VpcEndpoint", "s3", {"vpcEndpointType": "Gateway"}),
        Resource("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", {}),
    )
    assert lines(made) == {
        "instance": Decimal("587.504"),
        "gp3 storage": Decimal("9.60"),
        "NAT gateway": Decimal("32.85"),  # 730 x 0.045
        "NAT data": None,  # nobody knows how much: named, not forgotten
        "public IPv4": Decimal("3.65"),
        "interface endpoint": Decimal("14.60"),  # 2 x 730 x 0.01
        "alarm": Decimal("0.10"),
    }
    assert made.monthly_usd == Decimal("648.304")
    assert made.unpriced == ("nat: NAT data",)


def test_four_l4_that_sleep_at_night():
    made = bill(endpoint(instance_size="x4"), used=usage(active=("180", "220"), tokens=50_000_000))
    # 180 x 3.80 = 684 to 220 x 3.80 = 836; a million tokens 684 / 50 to 836 / 50
    assert made.monthly_range == (Decimal(684), Decimal(836))
    assert made.usd_per_1m_tokens == (Decimal("13.68"), Decimal("16.72"))


def test_two_cards_under_the_desk():
    made = bill(
        hardware(gpu_count=2, price_usd="5000", watts="950", idle_watts="150", usd_per_kwh="0.18"),
        used=usage(busy=("100", "100")),
    )
    # 5000 / 36 = 138.8889; 150 W x 730 h = 109.5 kWh x 0.18 = 19.71; 800 W x 100 h = 80 kWh x 0.18 = 14.40
    assert round(made.monthly_usd or 0, 4) == Decimal("172.9989")


# ---- wrong answers that tools are known to give


def test_a_month_has_730_hours_and_not_720():
    (line,) = [item for item in bill(instance()).items if item.component == "instance"]
    assert line.quantity == 730
    assert line.monthly_usd == Decimal("587.504")  # and not 720 x 0.8048 = 579.456


def test_an_address_is_paid_though_it_is_attached():
    with_one, without = bill(instance(associatePublicIpAddress=True)), bill(instance())
    assert (with_one.monthly_usd or 0) - (without.monthly_usd or 0) == Decimal("3.65")


def test_a_machine_without_a_price_has_no_total_and_its_disk_is_still_shown():
    made = bill(*deployment("p5e.48xlarge", 1000))
    assert made.monthly_usd is None
    assert lines(made)["gp3 storage"] == Decimal(80)  # 1000 x 0.08
    assert made.unpriced == ("machine: instance",)
