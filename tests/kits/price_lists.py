"""AWS's price list files in their real shape, made up, of any size, and a server on loopback that gives them.

The columns are those of AmazonEC2's file of September 2025. Besides the one row that is each machine's plain
price there are the rows that others take for it: reserved terms, capacity blocks, unused reservations, hosts,
dedicated tenancy, licences, Windows, SQL, Local Zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from itertools import count, cycle, islice

from deployer.planning import catalog
from tests.kits import loopback

ABOUT = (
    '"FormatVersion","v1.0"\n'
    '"Disclaimer","This pricing list is for informational purposes only, all prices are subject to terms."\n'
    '"Publication Date","2026-11-20T20:59:55Z"\n'
    '"Version","20261120205955"\n'
)
EC2_HEADER = (
    "SKU,OfferTermCode,RateCode,TermType,PriceDescription,EffectiveDate,StartingRange,EndingRange,Unit,"
    "PricePerUnit,Currency,RelatedTo,LeaseContractLength,PurchaseOption,OfferingClass,Product Family,serviceCode,"
    "Location,Location Type,Instance Type,Current Generation,Instance Family,vCPU,Physical Processor,Clock Speed,"
    "Memory,Storage,Network Performance,Processor Architecture,Storage Media,Volume Type,Max Volume Size,"
    "Max IOPS/volume,Max IOPS Burst Performance,Max throughput/volume,Provisioned,Tenancy,EBS Optimized,"
    "Operating System,License Model,Group,Group Description,Transfer Type,From Location,From Location Type,"
    "To Location,To Location Type,usageType,operation,AvailabilityZone,CapacityStatus,ClassicNetworkingSupport,"
    "Dedicated EBS Throughput,ECU,Elastic Graphics Type,Enhanced Networking Supported,From Region Code,GPU,"
    "GPU Memory,Instance,Instance Capacity - 10xlarge,Instance Capacity - 12xlarge,Instance Capacity - 16xlarge,"
    "Instance Capacity - 18xlarge,Instance Capacity - 24xlarge,Instance Capacity - 2xlarge,"
    "Instance Capacity - 32xlarge,Instance Capacity - 4xlarge,Instance Capacity - 8xlarge,"
    "Instance Capacity - 9xlarge,Instance Capacity - large,Instance Capacity - medium,Instance Capacity - metal,"
    "Instance Capacity - xlarge,instanceSKU,Intel AVX2 Available,Intel AVX Available,Intel Turbo Available,"
    "MarketOption,Normalization Size Factor,Physical Cores,Pre Installed S/W,Processor Features,Product Type,"
    "Region Code,Resource Type,serviceName,SnapshotArchiveFeeType,To Region Code,Volume API Name,"
    "VPCNetworkingSupport"
)
EC2_COLUMNS = EC2_HEADER.split(",")
COLUMNS = [
    *EC2_COLUMNS[:19],
    *("Group", "Transfer Type", "From Location", "To Location", "usageType", "operation"),
    *("From Region Code", "Region Code", "serviceName"),
]

Row = dict[str, str]
Change = Callable[[Row], Row | None]
"""Alters a row before it is written; None leaves it out."""
Content = bytes | int | Callable[[], Iterator[bytes]]
"""What is served: a whole file, one that is made while it is sent, or an error's status."""
_sku = count(1)


def row(usage: str, usd: str, unit: str, **more: str) -> Row:
    """One on-demand price of a region, with the columns that every row has."""
    sku = f"SKU{next(_sku):013d}"
    return {
        "SKU": sku,
        "OfferTermCode": "JRTCKXETXF",
        "RateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "TermType": "OnDemand",
        "PriceDescription": f"${usd} per {usage}",
        "EffectiveDate": "2026-11-01",
        "StartingRange": "0",
        "EndingRange": "Inf",
        "Unit": unit,
        "PricePerUnit": f"{usd}0000000" if "." in usd else usd,
        "Currency": "USD",
        "Location": "US East (N. Virginia)",
        "Location Type": "AWS Region",
        "Region Code": "us-east-1",
        "usageType": usage,
        **more,
    }


def machine(kind: str, usd: str, **more: str) -> Row:
    """A Linux machine's plain on-demand price, unless `more` makes it something else."""
    made = row(f"BoxUsage:{kind}", usd, "Hrs", serviceCode="AmazonEC2")
    return (
        made
        | {
            "PriceDescription": f"${usd} per On Demand Linux {kind} Instance Hour",
            "Product Family": "Compute Instance",
            "Instance Type": kind,
            "Instance Family": "GPU instance",
            "Physical Processor": "AMD EPYC 7R13 Processor",
            "Network Performance": "Up to 10 Gigabit",
            "Processor Features": "AVX; AVX2; AMD Turbo",
            "Tenancy": "Shared",
            "Operating System": "Linux",
            "License Model": "No License required",
            "operation": "RunInstances",
            "CapacityStatus": "Used",
            "MarketOption": "OnDemand",
            "Pre Installed S/W": "NA",
            "GPU": "1",
            "serviceName": "Amazon Elastic Compute Cloud",
            "VPCNetworkingSupport": "true",
        }
        | more
    )


def not_on_demand(kind: str, usd: str) -> Iterator[Row]:
    """The rows of a type that are not its plain price, each with a price of its own."""
    low = f"{float(usd) / 2.5:.4f}"
    yield machine(kind, low, TermType="Reserved", LeaseContractLength="1yr", Unit="Hrs")
    yield machine(kind, "7000", TermType="Reserved", PurchaseOption="All Upfront", Unit="Quantity")
    yield machine(kind, "0.000", MarketOption="CapacityBlock")
    yield machine(
        kind,
        "0.000",
        CapacityStatus="AllocatedCapacityReservation",
        usageType=f"Reservation:{kind}",
    )
    yield machine(
        kind, usd, CapacityStatus="UnusedCapacityReservation", usageType=f"UnusedBox:{kind}"
    )
    yield machine(kind, "9.999", Tenancy="Dedicated", usageType=f"DedicatedUsage:{kind}")
    yield machine(kind, "0.000", Tenancy="Host", usageType=f"HostBoxUsage:{kind}")
    yield machine(
        kind, "8.888", **{"Operating System": "Windows", "operation": "RunInstances:0002"}
    )
    yield machine(kind, "8.877", **{"Operating System": "RHEL", "operation": "RunInstances:0010"})
    yield machine(kind, "8.866", **{"License Model": "Bring your own license"})
    yield machine(
        kind, "8.855", **{"Pre Installed S/W": "SQL Std", "operation": "RunInstances:0004"}
    )
    yield machine(
        kind,
        "8.844",
        usageType=f"BOS1-BoxUsage:{kind}",
        **{"Location Type": "AWS Local Zone", "Region Code": "us-east-1-bos-1"},
    )


def storage() -> Iterator[Row]:
    """What EC2's file lists besides machines."""
    yield row("EBS:VolumeUsage.gp3", "0.08", "GB-Mo", **{"Volume API Name": "gp3"})
    yield row("EBS:VolumeP-IOPS.gp3", "0.005", "IOPS-Mo", **{"Volume API Name": "gp3"})
    yield row("EBS:VolumeP-Throughput.gp3", "40.96", "GiBps-mo", **{"Volume API Name": "gp3"})
    yield row("EBS:VolumeUsage.gp2", "0.10", "GB-Mo", **{"Volume API Name": "gp2"})
    yield row("EBS:SnapshotUsage", "0.05", "GB-Mo")
    yield row("NatGateway-Hours", "0.045", "Hrs", operation="NatGateway")
    yield row("NatGateway-Bytes", "0.045", "GB", operation="NatGateway")
    yield row("RegionalNatGateway-Hours", "0.045", "Hrs", operation="RegionalNatGateway")
    zone = {"Location Type": "AWS Local Zone", "Region Code": "us-east-1-bos-1"}
    yield row("BOS1-EBS:VolumeUsage.gp3", "0.16", "GB-Mo", **zone)


def ec2_rows() -> Iterator[Row]:
    """EC2's file of us-east-1: the bundled prices, with everything that is not one around them."""
    for offer in catalog.load().offers("aws", "us-east-1"):
        if offer.billing == "on-demand" and offer.usd_per_hour is not None:
            yield from islice(not_on_demand(offer.instance_type, str(offer.usd_per_hour)), 6)
            yield machine(offer.instance_type, str(offer.usd_per_hour))
            yield from islice(not_on_demand(offer.instance_type, str(offer.usd_per_hour)), 6, None)
    yield machine("m7i.large", "0.1008")
    yield from storage()


def other_rows() -> Mapping[str, list[Row]]:
    """The rows of the other files."""
    out = {"Transfer Type": "AWS Outbound", "To Location": "External", "Location Type": ""}
    tiers = (("0", "10240", "0.09"), ("10240", "51200", "0.085"))
    last = (("51200", "153600", "0.07"), ("153600", "Inf", "0.05"))
    return {
        "AmazonVPC": [
            row("USE1-PublicIPv4:InUseAddress", "0.005", "Hrs"),
            row("USE1-PublicIPv4:IdleAddress", "0.005", "Hrs"),
            row("VpcEndpoint-Hours", "0.01", "Hrs"),
        ],
        "AWSDataTransfer": [
            row(
                "DataTransfer-Out-Bytes",
                usd,
                "GB",
                **out,
                StartingRange=start,
                EndingRange=end,
                **{"From Region Code": "us-east-1", "Region Code": ""},
            )
            for start, end, usd in (*tiers, *last)
        ],
        "AmazonCloudWatch": [
            row("DataProcessing-Bytes", "0.50", "GB", operation="PutLogEvents"),
            row("TimedStorage-ByteHrs", "0.03", "GB-Mo", operation="HourlyStorageMetering"),
            row("CW:AlarmMonitorUsage", "0.10", "Alarms"),
        ],
        "AWSSecretsManager": [row("USE1-AWSSecretsManager-Secrets", "0.40", "Secrets")],
        "AWSELB": [
            row(usage, usd, unit, **{"Product Family": f"Load Balancer-{family}"})
            for family, usage, usd, unit in (
                ("Application", "LoadBalancerUsage", "0.0225", "Hrs"),
                ("Application", "LCUUsage", "0.008", "LCU-Hrs"),
                ("Network", "LoadBalancerUsage", "0.0225", "Hrs"),
                ("Network", "LCUUsage", "0.006", "LCU-Hrs"),
            )
        ],
    }


def text(offer: str, rows: Iterable[Row], columns: list[str] | None = None) -> Iterator[str]:
    """Write a file line by line: five lines about itself, the header, the rows."""
    named = columns or (EC2_COLUMNS if offer == "AmazonEC2" else COLUMNS)
    yield f'{ABOUT}"OfferCode","{offer}"\n'
    yield line({name: name for name in named}, named)
    for each in rows:
        yield line(each, named)


def line(cells: Mapping[str, str], columns: list[str]) -> str:
    """One line, as AWS writes it: quoted, with nothing at all where a cell is empty."""
    return ",".join(f'"{cells[c]}"' if cells.get(c) else "" for c in columns) + "\n"


@cache
def ec2_lines() -> Sequence[tuple[Row, str]]:
    """EC2's rows, each with the line that it is written as."""
    return tuple((each, line(each, EC2_COLUMNS)) for each in ec2_rows())


def ec2(change: Change | None = None) -> bytes:
    """EC2's file of us-east-1; `change` alters its rows."""
    head = "".join(text("AmazonEC2", ()))
    if change is None:
        return (head + "".join(written for _, written in ec2_lines())).encode()
    altered = ((each, written, change(dict(each))) for each, written in ec2_lines())
    return "".join(
        (head, *(old if new == row else line(new, EC2_COLUMNS) for row, old, new in altered if new))
    ).encode()


def files(change: Change | None = None) -> dict[str, bytes]:
    """Every file of us-east-1 by its path; `change` alters EC2's rows."""
    others = {path(name): "".join(text(name, rows)).encode() for name, rows in other_rows().items()}
    return {path("AmazonEC2"): ec2(change), **others}


def path(offer: str, region: str = "us-east-1") -> str:
    """Where AWS keeps a file."""
    return f"/offers/v1.0/aws/{offer}/current/{region}/index.csv"


def big(size: int) -> Iterator[bytes]:
    """EC2's file grown to a size in bytes by machines without a GPU, as the real one is."""
    filler = [
        line(each, EC2_COLUMNS).encode()
        for n in range(40)
        for each in (machine(f"m7i.{n}xlarge", "1.5"), *not_on_demand(f"m7i.{n}xlarge", "1.5"))
    ]
    block = b"".join(filler)
    rows = [part.encode() for part in text("AmazonEC2", ec2_rows())]
    yield rows[0] + rows[1]
    left = size - sum(map(len, rows))
    wanted = cycle(rows[2:-1])
    for _ in range(max(1, left // (len(block) + 2048))):
        yield block + next(wanted)
    yield b"".join(rows[2:])


@contextmanager
def served(content: Mapping[str, Content], cut_off: int | None = None) -> Iterator[str]:
    """Serve files on loopback and give the address. `cut_off`: the connection ends after so many bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = content.get(self.path)
            self.send_response(found if isinstance(found, int) else 200 if found else 404)
            if isinstance(found, bytes):
                self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            if found and not isinstance(found, int):
                for piece in [found[:cut_off]] if isinstance(found, bytes) else found():
                    self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with loopback.served(Handler) as url:
        yield url
