"""The price list that the golden bills are worked out from, and what they are worked out for.

The prices stand here, so that a refreshed catalog does not change the bills. Where they were read:

    instances           AWS price list by way of karpenter, Vantage, awsstatic and SkyPilot's catalog v9 (2026)
    disks               Infracost's golden files (2024-07), awsstatic ebs.json (2024-07-18)
    IPv4, NAT           awsstatic vpc.json (2025-11-04), natgateway.json (2025-10-28)
    logs, data out      awsstatic cloudwatch.json (2025-09-23), Infracost's golden files
    endpoints           huggingface/hf-endpoints-documentation pricing.md (2026-05-19)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from deployer.core.domain import Estimate, Offer, Rate, Resource, Usage
from deployer.planning.cost import estimate, every_pricing

PRICES = {
    "us-east-1": {
        "ebs-gp3-storage": ("GB-month", "0.08"),
        "ebs-gp3-iops": ("IOPS-month", "0.005"),
        "ebs-gp3-throughput": ("MB/s-month", "0.04"),
        "ebs-gp2-storage": ("GB-month", "0.10"),
        "public-ipv4": ("hour", "0.005"),
        "secret": ("secret-month", "0.40"),
        "logs-ingestion": ("GB", "0.50"),
        "logs-storage": ("GB-month", "0.03"),
        "data-out-first-10tb": ("GB", "0.09"),
        "data-out-next-40tb": ("GB", "0.085"),
        "data-out-next-100tb": ("GB", "0.07"),
        "data-out-over-150tb": ("GB", "0.05"),
        "nat-hour": ("hour", "0.045"),
        "nat-data": ("GB", "0.045"),
        "vpc-interface-endpoint": ("hour per AZ", "0.01"),
        "alarm": ("alarm-month", "0.10"),
        "alb-hour": ("hour", "0.0225"),
        "alb-lcu": ("LCU-hour", "0.008"),
    },
    "eu-west-1": {
        "ebs-gp3-storage": ("GB-month", "0.088"),
        "ebs-gp3-iops": ("IOPS-month", "0.0055"),
        "ebs-gp3-throughput": ("MB/s-month", "0.044"),
        "public-ipv4": ("hour", "0.005"),
        "secret": ("secret-month", "0.40"),
        "logs-ingestion": ("GB", "0.57"),
        "logs-storage": ("GB-month", "0.03"),
        "data-out-first-10tb": ("GB", "0.09"),
    },
    "ap-northeast-1": {
        "ebs-gp3-storage": ("GB-month", "0.096"),
        "public-ipv4": ("hour", "0.005"),
        "secret": ("secret-month", "0.40"),
        "data-out-first-10tb": ("GB", "0.114"),
    },
}
HOURLY = {
    ("us-east-1", "g6.xlarge", "on-demand"): "0.8048",
    ("us-east-1", "g6.xlarge", "spot"): "0.3500",
    ("us-east-1", "g5.12xlarge", "on-demand"): "5.672",
    ("us-east-1", "p5.48xlarge", "on-demand"): "55.04",
    ("us-east-1", "p5e.48xlarge", "on-demand"): None,
    ("eu-west-1", "g4dn.xlarge", "on-demand"): "0.587",
    ("ap-northeast-1", "g4dn.xlarge", "on-demand"): "0.71",
}
ENDPOINTS = {"aws/nvidia-l4/x1": "0.80", "aws/nvidia-l4/x4": "3.80"}


class PriceList:
    """The prices above."""

    def offers(self, provider: str, region: str | None = None) -> Sequence[Offer]:
        if provider == "huggingface":
            return [
                Offer("huggingface", None, kind, "L4", 1, None, Decimal(usd), "per-minute", "list", "2026-05-19")
                for kind, usd in ENDPOINTS.items()
            ]  # fmt: skip
        return [
            Offer("aws", where, kind, "a GPU", 1, None, Decimal(usd) if usd else None, billing, "list", "2026-07-20")
            for (where, kind, billing), usd in HOURLY.items()
            if provider == "aws" and region in (None, where)
        ]  # fmt: skip

    def rate(self, component: str, region: str | None) -> Rate:
        unit, usd = PRICES.get(region or "", {}).get(component, ("", None))
        return Rate(component, unit, Decimal(usd) if usd else None, "list", "2026-07")


def usage(
    *,
    tokens: int = 0,
    egress: str = "0",
    logs: str = "0",
    active: tuple[str, str] = ("730", "730"),
    busy: tuple[str, str] = ("0", "0"),
) -> Usage:
    return Usage(
        requests=Decimal(0),
        input_tokens=Decimal(tokens),
        output_tokens=Decimal(0),
        egress_gb=Decimal(egress),
        log_gb=Decimal(logs),
        active_hours=(Decimal(active[0]), Decimal(active[1])),
        busy_hours=(Decimal(busy[0]), Decimal(busy[1])),
    )


def instance(**inputs: Any) -> Resource:
    root = {"volumeType": "gp3", "volumeSize": 120, **inputs.pop("disk", {})}
    plain = {"instanceType": "g6.xlarge", "rootBlockDevice": root}
    return Resource("aws:ec2/instance:Instance", "machine", plain | inputs)


def bill(*resources: Resource, used: Usage | None = None, region: str = "us-east-1") -> Estimate:
    return estimate(resources, rates=PriceList(), usage=used or usage(), region=region)


def lines(made: Estimate) -> Mapping[str, Decimal | None]:
    return {item.component: item.monthly_usd for item in made.items}


def endpoint(**inputs: Any) -> Resource:
    plain = {
        "vendor": "aws",
        "instance_type": "nvidia-l4",
        "instance_size": "x1",
        "min_replica": 0,
        "max_replica": 1,
    }
    return Resource(
        "pulumi-python:dynamic/deployer:HuggingFaceEndpoint", "endpoint", plain | inputs
    )


def hardware(**inputs: Any) -> Resource:
    plain = {
        "gpu": "RTX 4090",
        "gpu_count": 1,
        "price_usd": "3600",
        "price_source": "the spec",
        "amortize_months": 36,
        "watts": "500",
        "idle_watts": "100",
        "usd_per_kwh": "0.20",
        "kwh_source": "the spec",
    }
    return Resource("local:index:Hardware", "machine", plain | inputs)


def deployment(
    kind: str, gib: int, *, spot: bool = False, disk: Mapping[str, int] | None = None
) -> tuple[Resource, ...]:
    """What the cloud-gpu stack makes of a machine: its disk, its address, its key, its log."""
    market = {"instanceMarketOptions": {"marketType": "spot"}} if spot else {}
    machine = instance(
        instanceType=kind,
        associatePublicIpAddress=True,
        disk={"volumeSize": gib, **(disk or {})},
        **market,
    )
    return (
        machine,
        Resource("aws:secretsmanager/secret:Secret", "key", {}),
        Resource("aws:cloudwatch/logGroup:LogGroup", "log", {"retentionInDays": 14}),
        *(Resource(kind, "free", {}) for kind in every_pricing().free),
    )
