"""A rented machine on this one: the AWS emulator, and a container that runs the very user data that is rendered."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from deployer.planning import cloud_init
from deployer.providers import registry
from deployer.running import certificates
from tests.kits import machine_image
from tests.kits.loopback import EMULATOR, emulator
from tests.kits.parts import missing, need

ROOT = Path(__file__).parents[2]
REGION, DEPLOYMENT = "us-east-1", "tiny-cloud-gpu"
KEY = "sk-test-0123456789abcdef"
PATIENCE_S = 300.0


def order(**changes: Any) -> Any:
    """An order of the tiny model from a bucket, with some of it changed."""
    made = {
        "deployment": DEPLOYMENT,
        "spec_name": "tiny",
        "digest": "0" * 64,
        "model": {"source": "s3://models/tiny", "name": "tiny", "path": None, "adapter": None},
        "engine": "llama.cpp",
        "quantization": "q8_0",
        "context": 512,
        "concurrency": 2,
        "replicas": {"min": 1, "max": 1},
        "gpus": 1,
        "weights_gib": 0.01,
        "offer": {"region": REGION, "instance_type": "g6.xlarge", "billing": "on-demand"},
        "options": {"region": REGION, "expose": "my-ip"},
        "traffic": {"output_tokens": 300},
        "policy": {"expires": None, "idle": {"after": 1800, "action": "stop"}},
    }
    return made | changes


@dataclass
class Machine:
    """One instance, with the container that plays it."""

    cloud: Cloud
    instance_id: str

    @property
    def container(self) -> str:
        return f"deployer-test-{self.instance_id}"

    def state(self) -> str:
        return str(self._facts()["State"]["Name"])

    def address(self) -> str:
        return str(self._facts()["PublicIpAddress"])

    def _facts(self) -> Mapping[str, Any]:
        told = self.cloud.client("ec2").describe_instances(InstanceIds=[self.instance_id])
        facts: Mapping[str, Any] = told["Reservations"][0]["Instances"][0]
        return facts

    def console(self) -> str:
        told = self.cloud.client("ec2").get_console_output(InstanceId=self.instance_id)
        return str(told.get("Output", ""))

    def does(self, *command: str, check: bool = True) -> str:
        """Run a command inside."""
        done = subprocess.run(
            ["docker", "exec", self.container, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert not (check and done.returncode), f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, path: str = "/v1/models", body: Any = None, key: str = KEY) -> tuple[int, str]:
        """Ask over TLS, trusting this deployment's authority alone."""
        context = ssl.create_default_context(cadata=self.cloud.authority.certificate)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by default
        request = urllib.request.Request(
            f"https://{self.address()}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers(self) -> bool:
        with suppress(OSError):
            return self.ask()[0] == 200
        return False

    def chat(self, tokens: int = 8) -> str:
        """Ask the model something and return what it said."""
        body = {
            "model": "tiny",
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": "hi"}],
        }
        status, text = self.ask("/v1/chat/completions", body)
        assert status == 200, text
        return str(json.loads(text)["choices"][0]["message"]["content"])


@dataclass
class Cloud:
    """The emulator, with the secret and the weights of one deployment in it."""

    url: str
    authority: certificates.Pair

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def prepare(self, weights: Path) -> None:
        """Make what the stack would have made, but for the machine."""
        told = {
            "api_key": KEY,
            "hub_token": "",
            "ca_certificate": self.authority.certificate,
            "ca_key": self.authority.key,
        }
        self.client("secretsmanager").create_secret(
            Name=f"deployer/{DEPLOYMENT}", SecretString=json.dumps(told)
        )
        s3, iam = self.client("s3"), self.client("iam")
        s3.create_bucket(Bucket="models")
        s3.upload_file(str(weights), "models", "tiny/tiny.gguf")
        iam.create_role(RoleName="machine", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="machine")
        iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")

    @contextmanager
    def machine(self, text: str) -> Iterator[Machine]:
        """Launch an instance with a user data, and end it afterwards."""
        ec2 = self.client("ec2")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        told = ec2.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="g6.xlarge",
            UserData=gzip.compress(text.encode()),
            IamInstanceProfile={"Name": "machine"},
        )
        made = Machine(self, told["Instances"][0]["InstanceId"])
        try:
            yield made
        finally:
            command = ["docker", "rm", "--force", "--volumes", made.container]
            subprocess.run(command, capture_output=True, check=False)

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Make calls fail from now on; none: no more."""
        url = f"{self.url}/emulator/faults"
        asked = urllib.request.Request(url, data=json.dumps(faults).encode(), method="POST")
        urllib.request.urlopen(asked, timeout=60).close()


@contextmanager
def cloud(folder: Path, weights: Path) -> Iterator[Cloud]:
    """Run the emulator with machines; skip where a part of it is not here."""
    for part in ("docker", "debootstrap", "moto", "xllamacpp"):
        need(part, "a container plays the rented machine")
    if not EMULATOR.exists():
        missing(f"{EMULATOR} is not here")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        missing("no Docker daemon answers: a container plays the rented machine")
    with emulator(folder, **_machines(folder, machine_image.image())) as url:
        made = Cloud(url, certificates.authority(DEPLOYMENT))
        made.prepare(weights)
        yield made


def _machines(folder: Path, image: str) -> dict[str, str]:
    """What the emulator is told so that it plays machines."""
    player = shutil.copy(ROOT / "tests" / "e2e" / "machine" / "play", folder / "play")
    return {
        "MOTO_EXT_MACHINE": str(player),
        "MOTO_EXT_MACHINE_DIR": str(folder),
        "DEPLOYER_TEST_MACHINE": image,
    }


def packed(text: str) -> int:
    """How much of EC2's 16 KB a user data takes, as it is sent."""
    return len(base64.b64encode(gzip.compress(text.encode()))) * 3 // 4


def user_data(**changes: Any) -> str:
    """The user data of an order."""
    return cloud_init.files(order(**changes), registry.provider("cloud-gpu", "aws"))[
        cloud_init.USER_DATA
    ]
