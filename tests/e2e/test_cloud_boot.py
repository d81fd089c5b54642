"""`deployer up --target cloud-gpu` from a spec to an answer, and `down` to nothing: the real Pulumi engine, the AWS
emulator, and a container that runs the rendered boot script in the place of the rented machine.

Nothing is simulated but AWS itself, the GPU, and Docker inside the machine. `make e2e-cloud` runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kits import cloud as cloud_kit
from tests.kits import loopback, machine_image
from tests.kits.cloud import ROOT, Cloud
from tests.kits.parts import missing, need

NAME = "tiny-cloud-gpu"
SPEC = """
name: tiny
model:
  source: s3://models/tiny
  quantization: q8_0
  context: 512
  facts: {params: 805440, layers: 2, hidden: 320, attn_heads: 10, kv_heads: 2, head_dim: 32, max_context: 4096,
          dtype: fp16, weights_gib: 0.01}
serve: {engine: llama.cpp, concurrency: 2}
policy: {expires: 7d, budget: 700 USD/month}
targets: {cloud-gpu: {instance: g6.xlarge}}
"""

ASKING = """
import openai
said = openai.OpenAI().chat.completions.create(
    model="tiny", max_tokens=8, messages=[{"role": "user", "content": "Hi"}]
)
print(said.choices[0].message.content)
"""

pytestmark = [
    pytest.mark.xdist_group("machine"),
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        "DEPLOYER_E2E_CLOUD" not in os.environ,
        reason="it builds and boots a whole machine, minutes of work: 'make e2e-cloud' runs it",
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator, with containers as machines."""
    for part in ("docker", "debootstrap", "moto", "xllamacpp", "msgpack"):
        need(part, "a container plays the rented machine")
    absent = cloud_kit.missing()
    if absent:
        missing(absent)
    folder = tmp_path_factory.mktemp("machines")
    player = shutil.copy(ROOT / "tests" / "e2e" / "machine" / "play", folder / "play")
    told = {
        "MOTO_EXT_MACHINE": str(player),
        "MOTO_EXT_MACHINE_DIR": str(folder),
        "DEPLOYER_TEST_MACHINE": machine_image.image(),
    }
    with loopback.emulator(folder, **told) as made:
        yield made


@pytest.fixture(scope="module")
def pulumi_home(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloud_kit.install_provider(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def cloud(url: str, pulumi_home: Path, tmp_path: Path) -> Iterator[Cloud]:
    """An account with an empty bucket for models, and an empty home."""
    home = tmp_path / "home"
    made = Cloud(url, home, cloud_kit.environ_of(url, home, pulumi_home))
    made.post("/moto-api/reset")
    made.client("s3").create_bucket(Bucket="models")
    yield made
    for one in made.instances():
        removal = ["docker", "rm", "--force", "--volumes", f"deployer-test-{one['InstanceId']}"]
        subprocess.run(removal, capture_output=True, check=False)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "deployer.yaml"
    file.write_text(SPEC)
    return file


def up(cloud: Cloud, spec: Path, code: int = 0) -> str:
    return cloud.run("up", "-f", spec, "--target", "cloud-gpu", "--offline", "--yes", code=code)


def status(cloud: Cloud) -> dict[str, Any]:
    shown: dict[str, Any] = cloud.json("status", NAME)["deployments"][0]
    return shown


def expiry(cloud: Cloud) -> datetime:
    """When AWS itself removes the machine."""
    told = cloud.client("scheduler").get_schedule(Name=f"{NAME}-expiry")
    assert json.loads(told["Target"]["Input"]) == {"InstanceIds": [cloud.instance()["InstanceId"]]}
    text = told["ScheduleExpression"].removeprefix("at(").removesuffix(")")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def completion(cloud: Cloud) -> str:
    """A chat completion by the official client, which is told nothing but what `deployer env` prints."""
    told = cloud.json("env", NAME)["env"]
    asked = [sys.executable, "-c", ASKING]
    done = subprocess.run(
        asked, env=os.environ | told, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_from_a_spec_to_an_answer_asleep_awake_again_and_back_to_nothing(cloud, spec, tiny_gguf):
    cloud.client("s3").upload_file(str(tiny_gguf), "models", "tiny/tiny.gguf")
    week = datetime.now(UTC) + timedelta(days=7)

    said = up(cloud, spec)
    assert "it answers with its API key, and rejects calls without it" in said
    assert f"{NAME} is up" in said
    assert "0.8228 USD/h" in said
    assert f"deployer down {NAME}" in said
    assert completion(cloud)
    assert cloud.run("chat", NAME, "Hello").strip()
    first = cloud.instance()
    shown = status(cloud)
    assert shown["state"] == "healthy"
    assert 0 < shown["cost_so_far_usd"] < 0.8228
    assert abs(expiry(cloud) - week) < timedelta(hours=1)
    assert shown["expires_at"] == expiry(cloud).isoformat()
    assert "deployer: ready" in cloud.run("logs", NAME)

    before = expiry(cloud)
    assert "nothing to change" in up(cloud, spec)
    assert expiry(cloud) > before, "an 'up' that changes nothing lets it live longer"

    cloud.client("ec2").stop_instances(InstanceIds=[first["InstanceId"]])
    assert status(cloud)["state"] == "stopped"
    up(cloud, spec)
    again = cloud.instance()
    assert again["InstanceId"] == first["InstanceId"]
    assert again["PublicIpAddress"] != first["PublicIpAddress"]
    assert completion(cloud), "found again at its new address, with the same key and authority"

    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


def test_a_boot_that_fails_is_shown_with_its_line_and_mended_by_the_next_up(cloud, spec, tiny_gguf):
    said = up(cloud, spec, code=1)
    assert "deployer: boot failed at" in said
    assert "there is no .gguf file under s3://models/tiny" in said
    assert "exists: aws:ec2/instance:Instance" in said, "what is paid for is named"
    assert "boot failed at" in cloud.run("logs", NAME)
    assert status(cloud)["state"] == "starting"

    cloud.client("s3").upload_file(str(tiny_gguf), "models", "tiny/tiny.gguf")
    up(cloud, spec)
    assert completion(cloud)
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}
