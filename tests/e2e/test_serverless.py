"""`deployer up --target serverless` for real: the Pulumi engine, and doubles of Hugging Face and Bedrock on loopback.

What exists is read back from the doubles and the AWS emulator, not from our own state. Skipped where there is no engine.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import bedrock as bedrock_double
from tests.doubles import hub as hub_double
from tests.doubles.bedrock import Bedrock
from tests.doubles.hub import Hub
from tests.kits import cloud as cloud_kit
from tests.kits import loopback
from tests.kits.cloud import Cloud
from tests.kits.serverless import ENGINE, NAME, World, changes

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
    pytest.mark.skipif(ENGINE is None, reason="the Pulumi engine is not on PATH"),
]


# Hugging Face


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_double.serving() as made:
        made.start = ["running"]
        yield made


@pytest.fixture
def face(hub: Hub, tmp_path: Path) -> World:
    home = tmp_path / "home"
    environ = cloud_kit.environ_of("http://127.0.0.1:9", home, tmp_path / "pulumi") | {
        "HF_ENDPOINT": hub.url,
        "HF_INFERENCE_ENDPOINTS_ENDPOINT": hub.url,
        "HF_TOKEN": hub_double.TOKEN,
    }
    return World(Cloud(hub.url, home, environ), "hf:Qwen/Qwen3-8B", "huggingface")


def test_an_endpoint_of_hugging_face_is_made_asked_changed_paused_renewed_and_removed(hub, face):
    hub.start = ["pending", "running"]
    said = face.up()
    assert changes(said) == ["create"]
    assert "huggingface: pending" in said
    assert "it answers with its API key, and rejects calls without it" in said
    assert "0.0000 USD/h asleep" in said
    assert hub.endpoints[NAME]["compute"]["scaling"]["minReplica"] == 0
    assert_no_token_is_kept(face)

    assert face.status()["state"] == "healthy"
    assert "Hello." in face.run("chat", NAME, "Hi")
    assert hub.asked[-1]["model"] == "bot"
    assert "engine: ready" in face.run("logs", NAME)

    hub.to(NAME, "scaledToZero")
    before = len(hub.asked)
    told = face.status()
    assert (told["state"], told["awake"]) == ("healthy", False)
    assert "nothing to change" in face.up()
    assert len(hub.asked) == before, "looking wakes nobody"
    assert hub.endpoints[NAME]["status"]["state"] == "scaledToZero"

    assert changes(face.up("serve: {replicas: {min: 0, max: 3}}\n")) == ["update"]
    assert hub.endpoints[NAME]["compute"]["scaling"]["maxReplica"] == 3

    face.run("idle", "stop", NAME)
    assert face.status()["state"] == "stopped"
    assert "resuming" in face.up("serve: {replicas: {min: 0, max: 3}}\n")
    assert face.status()["state"] == "healthy"

    del hub.endpoints[NAME]
    assert face.status()["state"] == "failed"
    file = face.cloud.home.parent / "deployer.yaml"
    looked = face.run("plan", "-f", str(file), "--target", "serverless", "--offline", "--refresh")
    assert "endpoint was removed by somebody since the last 'up'" in looked
    assert "gone since the last run: endpoint" in face.up()

    assert face.down()["remaining"] == []
    assert hub.endpoints == {}
    assert face.down()["removed"] == []


def assert_no_token_is_kept(world: World) -> None:
    for file in world.cloud.home.rglob("*"):
        if file.is_file():
            assert hub_double.TOKEN not in file.read_text(errors="replace"), file


@pytest.mark.parametrize(
    ("status", "words", "code", "mend"),
    [
        (403, "quota exceeded", 4, "shows quotas"),
        (402, "payment required", 4, "payment method"),
        (500, "try later", 1, "goes on from here"),
    ],
)
def test_a_refused_creation_says_its_mend_and_leaves_nothing(hub, face, status, words, code, mend):
    hub.faults, hub.failure = [("POST", status)], words
    said = face.up(code=code)
    assert words in said
    assert mend in said
    assert face.down()["remaining"] == []


def test_a_throttled_creation_only_takes_longer_and_a_sleeping_model_is_waited_for(hub, face):
    hub.faults, hub.failure = [("POST", 429)], "slow down"
    face.up()
    assert hub.faults == []
    hub.to(NAME, "scaledToZero")
    said = face.run("chat", NAME, "Hi")
    assert "waking bot: " in said
    assert "Hello." in said
    assert face.down()["remaining"] == []


def test_an_endpoint_that_fails_to_start_is_named_with_its_reason_and_the_next_up_goes_on(
    hub, face
):
    hub.start, hub.failure = ["failed"], "CUDA out of memory"
    said = face.up(code=1)
    assert "CUDA out of memory" in said
    assert f"exists: pulumi-python:dynamic/deployer:HuggingFaceEndpoint {NAME}" in said
    hub.to(NAME, "running")
    face.up()
    assert face.down()["remaining"] == []
    assert hub.endpoints == {}


def test_what_another_home_has_made_under_the_same_name_is_left_alone(hub, face, tmp_path):
    face.up()
    home = tmp_path / "other"
    other = World(
        Cloud(hub.url, home, dict(face.cloud.environ) | {"DEPLOYER_HOME": str(home)}),
        face.model,
        face.provider,
    )
    assert "already exists" in other.up(code=5)
    assert NAME in hub.endpoints
    assert face.down()["remaining"] == []


def test_without_a_token_nothing_is_asked_of_the_service(hub, face):
    face.cloud.environ = {k: v for k, v in face.cloud.environ.items() if k != "HF_TOKEN"} | {
        "HF_HOME": str(face.cloud.home / "none")
    }
    assert "no Hugging Face token is set" in face.up(code=6)
    assert hub.calls == []


# Bedrock


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    absent = cloud_kit.missing()
    if absent:
        pytest.skip(absent)
    pytest.importorskip("msgpack", reason="the provider plugin needs msgpack")
    with loopback.emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(scope="module")
def pulumi_home(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloud_kit.install_provider(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def bedrock() -> Iterator[Bedrock]:
    with bedrock_double.serving() as made:
        yield made


@pytest.fixture
def rock(bedrock: Bedrock, address: str, pulumi_home: Path, tmp_path: Path) -> World:
    home = tmp_path / "home"
    environ = cloud_kit.environ_of(address, home, pulumi_home) | {
        "AWS_ENDPOINT_URL_BEDROCK": bedrock.url,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
        "HF_ENDPOINT": "http://127.0.0.1:9",  # no call leaves this machine
    }
    cloud = Cloud(address, home, environ)
    cloud.post("/moto-api/reset")
    model(tmp_path / "model")
    return World(cloud, "./model", "bedrock")


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "vocab_size": 64,
    "torch_dtype": "bfloat16",
}


def model(folder: Path, dtype: str = "BF16", seed: int = 0) -> None:
    """A folder with a model of a few bytes."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    size = {"BF16": 2, "F8_E4M3": 1}[dtype]
    entry = {"dtype": dtype, "shape": [64], "data_offsets": [0, 64 * size]}
    header = json.dumps({"w": entry}).encode()
    data = bytes([seed]) * (64 * size)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)


def left(world: World, bedrock: Bedrock) -> list[str]:
    """What a deployment can leave behind, looked up without any tag."""
    s3, iam = world.cloud.client("s3"), world.cloud.client("iam")
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    return [*buckets, *bedrock.models, *(one["RoleName"] for one in iam.list_roles()["Roles"])]


def test_a_model_is_uploaded_imported_asked_replaced_renewed_and_removed(bedrock, rock):
    bedrock.cold = 1
    said = rock.up()
    assert "GB are in the bucket" in said
    assert "waking bot: " in said, "a cold model is waited for"
    assert "it answers through its own API" in said
    assert f"deployer proxy {NAME}" in said
    (arn,) = bedrock.models
    (bucket,) = [n for n in left(rock, bedrock) if n.startswith("weights-")]
    keys = rock.cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in keys] == ["model/config.json", "model/model.safetensors"]

    told = rock.status()
    assert told["state"] == "healthy"
    assert {
        "type": "aws:bedrock/model:ImportedModel",
        "name": arn.split("/")[1],
        "id": arn,
    } in told["resources"]
    assert "Hello." in rock.run("chat", NAME, "Hi")
    assert "Completed" in rock.run("logs", NAME)
    assert "nothing to change" in rock.up()

    model(rock.cloud.home.parent / "model", seed=1)
    rock.up()
    assert list(bedrock.models) != [arn], "other weights are another model"

    bedrock.models.clear()
    assert rock.status()["state"] == "failed"
    assert "gone since the last run: model" in rock.up()

    assert rock.down()["remaining"] == []
    assert left(rock, bedrock) == []
    assert rock.down()["removed"] == []


@pytest.mark.parametrize(
    "why", ["the architecture is not supported", "weights of dtype float8 are not supported"]
)
def test_a_failed_import_says_awss_reason_and_the_next_up_goes_on(bedrock, rock, why):
    bedrock.failure = why
    assert f"Bedrock refused the model: {why}" in rock.up(code=1)
    bedrock.failure = None
    bedrock.faults = {
        "CreateModelImportJob": [("ServiceQuotaExceededException", "the limit is reached")]
    }
    assert "Imported models per account" in rock.up(code=4)
    bedrock.faults = {"GetModelImportJob": [("ThrottlingException", "slow down")]}
    rock.up()
    assert rock.down()["remaining"] == []
    assert left(rock, bedrock) == []
