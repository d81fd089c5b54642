"""A cloud on this machine: the AWS emulator, the provider plugin, the real Pulumi engine, and `deployer` itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil

from tests.kits.documents import read
from tests.kits.loopback import EMULATOR, KIT, PATIENCE_S

ROOT = Path(__file__).parents[2]
PROVIDER = KIT / "aws_provider"
REGION = "us-east-1"
NAME = "bot-cloud-gpu"
ACCOUNT = "123456789012"
SPEC = """
name: bot
model: {{source: hf:Qwen/Qwen3-8B}}
targets: {{cloud-gpu: {{instance: {instance}}}}}
"""
UP = ("--target", "cloud-gpu", "--offline", "--yes", "--no-wait")
Fault = Mapping[str, Any]


def missing() -> str | None:
    """What of it is not on this machine. No package registry carries the engine: it is never required."""
    if shutil.which("pulumi") is None:
        return "the Pulumi engine ('pulumi') is not on PATH"
    if not EMULATOR.exists() or not PROVIDER.exists():
        return f"the AWS emulator and provider are not in {KIT} (DEPLOYER_TEST_KIT names another place)"
    return None


@dataclass
class Cloud:
    """The emulator's address, and a home of one test's own."""

    url: str
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def spec(self, *, instance: str = "g5.xlarge", more: str = "") -> Path:
        """Write a spec."""
        file = self.home.parent / "deployer.yaml"
        file.write_text(SPEC.format(instance=instance) + more)
        return file

    def started(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `deployer` and do not wait for it."""
        command = [sys.executable, "-m", "deployer", *map(str, arguments)]
        return subprocess.Popen(
            command,
            env=dict(self.environ),
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: object, code: int = 0, **environ: str) -> str:
        """Run `deployer` to its end, see its exit code and return all that it said."""
        return self._done(arguments, code, environ, subprocess.STDOUT)

    def json(self, *arguments: object, code: int = 0, **environ: str) -> Any:
        """Run `deployer` with `--json`, see its exit code and return its document."""
        words = [*map(str, arguments), "--json"]
        return read(words[0], self._done(words, code, environ, subprocess.PIPE), code)

    def _done(
        self, arguments: Sequence[object], code: int, environ: Mapping[str, str], stderr: int
    ) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "deployer", *map(str, arguments)],
            env={**self.environ, **environ},
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            timeout=PATIENCE_S,
            check=False,
        )
        said = f"{done.stdout}{done.stderr or ''}"
        assert done.returncode == code, f"exit {done.returncode}, not {code}:\n{said}"
        return done.stdout

    def up(self, spec: Path, *more: str, code: int = 0, **environ: str) -> str:
        """Bring a spec up without waiting for a model that nobody serves here."""
        return self.run("up", "-f", spec, *UP, *more, code=code, **environ)

    def begun_up(self) -> subprocess.Popen[str]:
        """Start to bring the usual spec up."""
        return self.started("up", "-f", self.spec(), *UP)

    def client(self, service: str) -> Any:
        """A client of the emulator's own."""
        keys = {"aws_access_key_id": "reader", "aws_secret_access_key": "reader"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def post(self, path: str, body: Any = None) -> None:
        """Tell the emulator something."""
        data = json.dumps(body).encode() if body is not None else b""
        request = urllib.request.Request(self.url + path, data=data, method="POST")
        urllib.request.urlopen(request, timeout=60).read()

    def faults(self, *faults: Fault) -> None:
        """Make calls fail from now on; none: no more."""
        self.post("/emulator/faults", list(faults))

    def calls(self) -> Mapping[str, int]:
        """How often each operation was called."""
        with urllib.request.urlopen(f"{self.url}/emulator/calls", timeout=60) as answer:
            told: Mapping[str, int] = json.loads(answer.read())
        return told

    def instances(self) -> list[Mapping[str, Any]]:
        """The instances that are not terminated."""
        told = self.client("ec2").describe_instances()["Reservations"]
        found = [one for reservation in told for one in reservation["Instances"]]
        return [one for one in found if one["State"]["Name"] != "terminated"]

    def instance(self) -> Mapping[str, Any]:
        """The one instance that there must be."""
        (one,) = self.instances()
        return one

    def leftovers(self) -> dict[str, list[str]]:
        """Everything that a deployment can leave behind, by kind, looked up without any tag."""
        ec2, iam, balancing = self.client("ec2"), self.client("iam"), self.client("elbv2")
        found = {
            "instances": [i["InstanceId"] for i in self.instances()],
            "volumes": _ids(ec2.describe_volumes()["Volumes"], "VolumeId"),
            "vpcs": [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v.get("IsDefault")],
            "subnets": [
                s["SubnetId"]
                for s in ec2.describe_subnets()["Subnets"]
                if not s.get("DefaultForAz")
            ],
            "gateways": _ids(
                ec2.describe_internet_gateways()["InternetGateways"], "InternetGatewayId"
            ),
            "endpoints": [
                e["VpcEndpointId"]
                for e in ec2.describe_vpc_endpoints()["VpcEndpoints"]
                if e["State"].lower() not in ("deleted", "deleting")
            ],
            "firewalls": [
                g["GroupId"]
                for g in ec2.describe_security_groups()["SecurityGroups"]
                if g["GroupName"] != "default"
            ],
            "addresses": _ids(ec2.describe_addresses()["Addresses"], "AllocationId"),
            "templates": _ids(
                ec2.describe_launch_templates()["LaunchTemplates"], "LaunchTemplateId"
            ),
            "groups": [
                g["AutoScalingGroupName"]
                for g in self.client("autoscaling").describe_auto_scaling_groups()[
                    "AutoScalingGroups"
                ]
            ],
            "balancers": _ids(balancing.describe_load_balancers()["LoadBalancers"], "DNSName"),
            "receivers": _ids(balancing.describe_target_groups()["TargetGroups"], "TargetGroupArn"),
            "certificates": _ids(
                self.client("acm").list_certificates()["CertificateSummaryList"], "CertificateArn"
            ),
            "schedules": _ids(self.client("scheduler").list_schedules()["Schedules"], "Name"),
            "budgets": _ids(
                self.client("budgets").describe_budgets(AccountId=ACCOUNT).get("Budgets", ()),
                "BudgetName",
            ),
            "secrets": _ids(self.client("secretsmanager").list_secrets()["SecretList"], "Name"),
            "logs": _ids(self.client("logs").describe_log_groups()["logGroups"], "logGroupName"),
            "profiles": _ids(
                iam.list_instance_profiles()["InstanceProfiles"], "InstanceProfileName"
            ),
            "roles": _ids(iam.list_roles()["Roles"], "RoleName"),
        }
        return {kind: sorted(names) for kind, names in found.items() if names}


def _ids(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    return [row[key] for row in rows]


def kill_all(process: subprocess.Popen[str], *, engine_too: bool = True) -> None:
    """Kill -9 a deployer, and with it (or not) the engine that it started."""
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
    for one in below if engine_too else ():
        with suppress(psutil.NoSuchProcess):
            one.kill()


def environ_of(url: str, home: Path, pulumi_home: Path) -> dict[str, str]:
    """The environment in which `deployer` finds this cloud and nothing of the user's own."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PULUMI_", "DEPLOYER_"))
    }
    return kept | {
        "DEPLOYER_HOME": str(home),
        "PULUMI_HOME": str(pulumi_home),
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "DEPLOYER_TEST_PYTHON": sys.executable,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_TOKEN": "hf-canary-5e1f",
    }


def install_provider(folder: Path) -> Path:
    """Install the provider plugin where the engine looks for it, and return PULUMI_HOME."""
    environ = os.environ | {"PULUMI_HOME": str(folder), "DEPLOYER_TEST_PYTHON": sys.executable}
    subprocess.run(
        ["/bin/sh", str(PROVIDER / "install.sh")], env=environ, check=True, capture_output=True
    )
    return folder
