"""The resources that Pulumi has no class for, each by itself: created, updated, looked at, removed, and refused."""

from __future__ import annotations

import base64
import importlib.util
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.stub import ANY, Stubber
from huggingface_hub import HfApi, InferenceEndpoint, constants
from pulumi.dynamic.dynamic import serialize_provider

from tests.kits import emulator
from tests.kits.loopback import served
from tests.kits.parts import missing

STACKS = Path(__file__).parents[2] / "stacks" / "serverless"
ARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
JOB = "arn:aws:bedrock:us-east-1:123456789012:model-import-job/abcdefghijkl"
ROLE = "arn:aws:iam::123456789012:role/import"
WHEN = "2026-01-01T00:00:00Z"


def code(part: str) -> Any:
    """Load the code of a resource as `_dynamic` does."""
    spec = importlib.util.spec_from_file_location("nowhere", STACKS / f"{part}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


IMPORTER, UPLOADER, ENDPOINT = map(
    code, ("bedrock/program/importer", "_uploader", "huggingface/program/endpoint")
)
PARTS = [IMPORTER, UPLOADER, ENDPOINT]


@pytest.mark.parametrize("part", PARTS, ids=lambda m: Path(m.__file__).stem)
def test_its_code_is_kept_by_value_so_that_a_state_alone_can_remove_what_it_made(part):
    pickled = base64.b64decode(serialize_provider(part.Provider()))
    script = "import sys, dill; print(type(dill.loads(sys.stdin.buffer.read())).__name__)"
    ran = subprocess.run(
        [sys.executable, "-c", script], input=pickled, capture_output=True, cwd="/", check=False
    )
    assert ran.stdout.decode().strip() == "Provider", ran.stderr.decode()


# Bedrock: botocore checks every parameter and every answer against its own model of the service.


@pytest.fixture
def bedrock() -> Iterator[tuple[Any, Stubber]]:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("bedrock", region_name="us-east-1", **keys)
    with Stubber(client) as stub:
        yield client, stub


def importer(client: Any, naps: list[float] | None = None) -> Any:
    return IMPORTER.Provider(lambda _: client, (naps if naps is not None else []).append)


def wanted(**more: Any) -> dict[str, Any]:
    return {
        "deployment": "mine-serverless",
        "region": "us-east-1",
        "uri": "s3://bucket/model/",
        "role_arn": ROLE,
        "digest": "d1",
        "tags": {"deployer:deployment": "mine-serverless"},
        **more,
    }


def job(status: str, **more: Any) -> dict[str, Any]:
    return {"jobArn": JOB, "importedModelArn": ARN, "status": status, **more}


def model(units: int = 2) -> dict[str, Any]:
    counted = {"customModelUnitsPerModelCopy": units, "customModelUnitsVersion": "v1.0"}
    return {"modelArn": ARN, "modelArchitecture": "qwen3", "customModelUnits": counted}


def begin(stub: Stubber) -> None:
    stub.add_response(
        "list_model_import_jobs",
        {"modelImportJobSummaries": []},
        {"statusEquals": "InProgress", "nameContains": "mine-serverless"},
    )


SUBMITTED = {
    "jobName": ANY,
    "importedModelName": "mine-serverless",
    "roleArn": ROLE,
    "modelDataSource": {"s3DataSource": {"s3Uri": "s3://bucket/model/"}},
    "jobTags": [{"key": "deployer:deployment", "value": "mine-serverless"}],
    "importedModelTags": [{"key": "deployer:deployment", "value": "mine-serverless"}],
}


def test_an_import_is_submitted_waited_for_with_progress_and_its_units_are_known_then(
    bedrock, capsys
):
    client, stub = bedrock
    begin(stub)
    stub.add_response("create_model_import_job", {"jobArn": JOB}, SUBMITTED)
    for status in ("InProgress", "InProgress", "Completed"):
        stub.add_response("get_model_import_job", job(status), {"jobIdentifier": JOB})
    stub.add_response("get_imported_model", model(), {"modelIdentifier": ARN})
    made = importer(client).create(wanted())
    assert made.id == ARN
    assert (made.outs["model_arn"], made.outs["model_units"]) == (ARN, 2)
    assert capsys.readouterr().err.splitlines() == [
        "bedrock: importing, 0 min",
        "bedrock: importing, 0 min",
    ]
    stub.assert_no_pending_responses()


def test_an_import_that_is_going_on_already_is_taken_up(bedrock):
    client, stub = bedrock
    summary = {
        "jobArn": JOB,
        "jobName": "mine-serverless-1",
        "status": "InProgress",
        "creationTime": WHEN,
        "importedModelName": "mine-serverless",
    }
    stub.add_response("list_model_import_jobs", {"modelImportJobSummaries": [summary]})
    stub.add_response("get_model_import_job", job("Completed"))
    stub.add_response("get_imported_model", model())
    assert importer(client).create(wanted()).id == ARN


@pytest.mark.parametrize(
    "reason",
    ["The architecture Gemma2ForCausalLM is not supported", "dtype float8 is not supported"],
)
def test_a_failed_import_says_what_aws_says_of_it(bedrock, reason):
    client, stub = bedrock
    begin(stub)
    stub.add_response("create_model_import_job", {"jobArn": JOB})
    stub.add_response("get_model_import_job", job("Failed", failureMessage=reason))
    with pytest.raises(Exception, match=f"Bedrock refused the model: {reason}"):
        importer(client).create(wanted())


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("ServiceQuotaExceededException", "raise the quota"),
        ("AccessDeniedException", "iam:PassRole"),
    ],
)
def test_a_refused_import_says_how_to_mend_it(bedrock, code, mend):
    client, stub = bedrock
    begin(stub)
    stub.add_client_error("create_model_import_job", code, "no", 400)
    with pytest.raises(Exception, match=mend):
        importer(client).create(wanted())


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(bedrock):
    client, stub = bedrock
    naps: list[float] = []
    begin(stub)
    stub.add_client_error(
        "create_model_import_job", "ValidationException", "cannot assume role", 400
    )
    stub.add_response("create_model_import_job", {"jobArn": JOB})
    stub.add_response("get_model_import_job", job("Completed"))
    stub.add_response("get_imported_model", model())
    assert importer(client, naps).create(wanted()).id == ARN
    assert len(naps) == 1


def test_throttling_is_waited_out_by_the_client():
    client = IMPORTER._client("us-east-1")
    assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": 11}


def test_a_model_deleted_by_hand_is_seen_and_removing_it_twice_is_no_error(bedrock):
    client, stub = bedrock
    gone = ("ResourceNotFoundException", "not found", 404)
    stub.add_client_error("get_imported_model", *gone)
    assert importer(client).read(ARN, wanted()).id == ""
    stub.add_response("delete_imported_model", {}, {"modelIdentifier": ARN})
    stub.add_client_error("delete_imported_model", *gone)
    importer(client).delete(ARN, wanted())
    importer(client).delete(ARN, wanted())
    stub.assert_no_pending_responses()


def test_other_weights_are_another_model_and_another_role_is_not():
    provider = importer(None)
    assert provider.diff(ARN, wanted(), wanted(digest="d2")).replaces == ["digest"]
    assert provider.diff(ARN, wanted(), wanted(digest="d2")).delete_before_replace is True
    assert provider.diff(ARN, wanted(), wanted(role_arn="other")).changes is False


# The emulator: what it implements of the same calls, over HTTP.


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator.Emulator]:
    if emulator.program() is None:
        missing("there is no AWS emulator: set DEPLOYER_TEST_KIT")
    with (
        pytest.MonkeyPatch.context() as patch,
        emulator.running(tmp_path_factory.mktemp("aws") / "log") as found,
    ):
        for name, value in {
            "AWS_ENDPOINT_URL": found.url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        }.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture
def bucket(aws: emulator.Emulator) -> Iterator[str]:
    aws.reset()
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="weights")
    yield "weights"
    aws.reset()


def test_an_imported_model_comes_and_goes_on_the_emulator(aws, bucket):
    provider = IMPORTER.Provider(sleep=lambda _: None)
    made = provider.create(wanted())
    assert provider.read(made.id, wanted()).id == made.id
    provider.delete(made.id, made.outs)
    assert provider.read(made.id, made.outs).id == ""
    provider.delete(made.id, made.outs)


def safetensors(file: Path, dtype: str = "BF16", size: int = 64) -> None:
    header = json.dumps({"a": {"dtype": dtype, "shape": [size // 2], "data_offsets": [0, size]}})
    file.write_bytes(
        struct.pack("<Q", len(header)) + header.encode() + bytes(range(256)) * (size // 256 + 1)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    safetensors(made / "model.safetensors")
    (made / "config.json").write_text("{}")
    index = {
        "metadata": {"total_size": 64, "total_parameters": 32},
        "weight_map": {"a": "model.safetensors"},
    }
    (made / "model.safetensors.index.json").write_text(json.dumps(index))
    (made / "README.md").write_text("not sent")
    return made


def sent(folder: Path, **more: Any) -> dict[str, Any]:
    place = {"bucket": "weights", "prefix": "model/", "region": "us-east-1"}
    return {**place, "folder": str(folder), "tensors": ["BF16"], **more}


def listed() -> dict[str, bytes]:
    s3 = boto3.client("s3", region_name="us-east-1")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="weights").get("Contents", ())]
    return {key: s3.get_object(Bucket="weights", Key=key)["Body"].read() for key in keys}


def test_what_a_model_needs_is_sent_with_progress_and_nothing_else(bucket, folder, capsys):
    made = UPLOADER.Provider().create(sent(folder))
    there = listed()
    assert set(there) == {
        "model/config.json",
        "model/model.safetensors",
        "model/model.safetensors.index.json",
    }
    assert there["model/model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert made.outs["uri"] == "s3://weights/model/"
    assert "GB are in the bucket" in capsys.readouterr().err


def test_the_index_loses_the_metadata_that_bedrock_does_not_take(bucket, folder):
    UPLOADER.Provider().create(sent(folder))
    index = json.loads(listed()["model/model.safetensors.index.json"])
    assert index["metadata"] == {"total_size": 64}
    assert index["weight_map"] == {"a": "model.safetensors"}


def test_a_tensor_of_another_type_is_refused_before_anything_is_sent(bucket, folder):
    safetensors(folder / "model.safetensors", "F8_E4M3")
    with pytest.raises(Exception, match=r"model\.safetensors holds F8_E4M3"):
        UPLOADER.Provider().create(sent(folder))
    assert listed() == {}


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(Exception, match=r"no \.safetensors file"):
        UPLOADER.Provider().create(sent(tmp_path))


def test_an_upload_that_broke_off_goes_on_where_it_stopped(aws, bucket, folder):
    """Real parts of 64 MiB are too large for a test; the least that S3 takes is 5 MiB."""
    part = UPLOADER.PART = 5 * 2**20
    try:
        safetensors(folder / "model.safetensors", size=3 * part)
        aws.fail(
            {
                "operation": "s3.PUT /weights/model/model.safetensors",
                "code": "AccessDenied",
                "status": 403,
                "skip": 2,
            }
        )
        with pytest.raises(Exception, match="AccessDenied"):
            UPLOADER.Provider().create(sent(folder))
        aws.fail()
        before = aws.calls().get("s3.PUT /weights/model/model.safetensors", 0)
        made = UPLOADER.Provider().create(sent(folder))
        parts = aws.calls()["s3.PUT /weights/model/model.safetensors"] - before
        assert parts == 2, "of four parts two were there"
        assert listed()["model/model.safetensors"] == (folder / "model.safetensors").read_bytes()
        again = aws.calls()["s3.PUT /weights/model/model.safetensors"]
        assert UPLOADER.Provider().create(sent(folder)).outs["digest"] == made.outs["digest"]
        assert aws.calls()["s3.PUT /weights/model/model.safetensors"] == again, "nothing was sent"
    finally:
        UPLOADER.PART = 64 * 2**20


def test_weights_of_the_same_size_that_differ_are_sent_and_are_another_digest(bucket, folder):
    first = UPLOADER.Provider().create(sent(folder))
    changed = bytearray((folder / "model.safetensors").read_bytes())
    changed[-1] ^= 1
    (folder / "model.safetensors").write_bytes(changed)
    second = UPLOADER.Provider().update(first.id, first.outs, sent(folder))
    assert second.outs["digest"] != first.outs["digest"]
    assert listed()["model/model.safetensors"] == bytes(changed)


def test_what_belongs_to_the_model_before_is_removed(bucket, folder):
    safetensors(folder / "extra.safetensors")
    UPLOADER.Provider().create(sent(folder))
    (folder / "extra.safetensors").unlink()
    UPLOADER.Provider().create(sent(folder))
    assert "model/extra.safetensors" not in listed()


def test_weights_from_the_hub_go_through_its_own_library(bucket, folder):
    asked: list[Any] = []

    def download(props: Any) -> str:
        asked.append((props["repository"], props["revision"]))
        return str(folder)

    props = {**sent(folder), "folder": None, "repository": "me/model", "revision": "main"}
    UPLOADER.Provider(download=download).create(props)
    assert asked == [("me/model", "main")]


def test_an_upload_is_removed_whole_and_removing_it_twice_is_no_error(bucket, folder):
    provider = UPLOADER.Provider()
    made = provider.create(sent(folder))
    assert provider.read(made.id, made.outs).id == made.id
    provider.delete(made.id, made.outs)
    assert listed() == {}
    assert provider.read(made.id, made.outs).id == ""
    boto3.client("s3", region_name="us-east-1").delete_bucket(Bucket="weights")
    provider.delete(made.id, made.outs)
    assert provider.read(made.id, made.outs).id == ""


# Hugging Face: the library's own requests, against a double that answers in the shape its own type reads.


class Hub:
    """Inference Endpoints on loopback: each look brings an endpoint one state further."""

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.coming: dict[str, list[str]] = {}
        self.faults: list[int] = []
        self.calls: list[str] = []
        self.start = ["pending", "initializing", "running"]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/api/whoami-v2":
            return 200, {"type": "user", "name": "me"}
        self.calls.append(f"{method} {path}")
        if self.faults:
            return self.faults.pop(0), {"error": "made by the test"}
        _, name, action = (*path.removeprefix("/endpoint/me").split("/"), "", "")[:3]
        if method == "POST" and not name:
            return 200, self._make(body)
        if name not in self.endpoints:
            return 404, {"error": "not found"}
        return 200, self._change(method, name, action, body)

    def _make(self, body: dict[str, Any]) -> Any:
        name = body["name"]
        status = {"createdAt": WHEN, "updatedAt": WHEN, "state": self.start[0], "url": None}
        raw = {**body, "status": status, "healthRoute": "/health"}
        InferenceEndpoint.from_raw(raw, namespace="me")
        self.endpoints[name], self.coming[name] = raw, list(self.start[1:])
        return raw

    def _change(self, method: str, name: str, action: str, body: Any) -> Any:
        raw = self.endpoints[name]
        if method == "DELETE":
            return self.endpoints.pop(name)
        if method == "PUT":
            for part in body:
                raw[part] = (
                    {**raw[part], **body[part]} if isinstance(raw.get(part), dict) else body[part]
                )
            self._to(name, "updating", ["running"])
        elif action == "pause":
            self._to(name, "paused", [])
        elif action == "resume":
            self._to(name, "initializing", ["running"])
        elif self.coming[name]:
            self._to(name, self.coming[name][0], self.coming[name][1:])
        return raw

    def _to(self, name: str, state: str, then: list[str]) -> None:
        status = self.endpoints[name]["status"]
        status["state"], self.coming[name] = state, then
        status["url"] = f"https://{name}.example" if state == "running" else status["url"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, said = made.answer(
                self.command, urlsplit(self.path).path, json.loads(text) if text else None
            )
            sent = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the parent's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            """Say nothing."""

    with served(Handler) as url:
        monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", url)
        monkeypatch.setattr(made, "url", url, raising=False)
        yield made


def endpoints(hub: Any) -> Any:
    return ENDPOINT.Provider(lambda: HfApi(endpoint=hub.url, token="hf_test"), lambda _: None)


def props(**more: Any) -> dict[str, Any]:
    return {
        "deployment": "mine-serverless",
        "name": "mine-serverless",
        "served_name": "mine",
        "repository": "Qwen/Qwen3-8B@main",
        "vendor": "aws",
        "region": "us-east-1",
        "instance_type": "nvidia-l4",
        "instance_size": "x1",
        "accelerator": "gpu",
        "gpu_count": 8,
        "gpus": 4,
        "engine": "vllm",
        "quantization": "bf16",
        "context": 8192,
        "min_replica": 0,
        "max_replica": 2,
        "scale_to_zero_minutes": 15,
        "type": "authenticated",
        **more,
    }


def test_an_endpoint_is_created_as_planned_and_waited_for(hub, capsys):
    made = endpoints(hub).create(props())
    assert (made.outs["url"], made.outs["status"]) == ("https://mine-serverless.example", "running")
    raw = hub.endpoints["mine-serverless"]
    assert raw["compute"]["scaling"] == {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 15}
    assert raw["model"]["image"]["vLLM"]["tensorParallelSize"] == 4
    assert raw["model"]["args"] == ["--max-model-len", "8192", "--served-model-name", "mine"]
    assert (raw["model"]["repository"], raw["model"]["revision"]) == ("Qwen/Qwen3-8B", "main")
    assert "huggingface: pending" in capsys.readouterr().err


def test_an_endpoint_is_updated_in_place_and_moved_only_by_replacing_it(hub):
    provider = endpoints(hub)
    made = provider.create(props())
    assert provider.diff(made.id, made.outs, props()).changes is False
    other = props(max_replica=4)
    difference = provider.diff(made.id, made.outs, other)
    assert (difference.changes, difference.replaces) == (True, [])
    assert provider.update(made.id, made.outs, other).outs["status"] == "running"
    assert hub.endpoints[made.id]["compute"]["scaling"]["maxReplica"] == 4
    moved = provider.diff(made.id, made.outs, props(region="eu-west-1"))
    assert moved.replaces == ["region"]
    assert moved.delete_before_replace is True


def test_a_paused_endpoint_is_resumed_and_one_that_rests_is_woken_by_an_update(hub):
    provider = endpoints(hub)
    made = provider.create(props())
    assert provider.pause(made.id) == "paused"
    assert provider.resume(made.id) == "running"
    provider.pause(made.id)
    assert provider.update(made.id, made.outs, props(max_replica=3)).outs["status"] == "running"
    assert provider.pause("nobody") == provider.resume("nobody") == "gone"


def test_throttled_calls_are_made_again(hub):
    hub.faults = [429, 429]
    assert endpoints(hub).create(props()).outs["status"] == "running"


@pytest.mark.parametrize(
    ("status", "mend"), [(401, "set HF_TOKEN"), (402, "payment method"), (403, "quota")]
)
def test_a_refusal_says_how_to_mend_it(hub, status, mend):
    hub.faults = [status]
    with pytest.raises(Exception, match=mend):
        endpoints(hub).create(props())
    assert hub.endpoints == {}


def test_an_endpoint_that_fails_says_so(hub):
    hub.start = ["pending", "failed"]
    with pytest.raises(Exception, match="mine-serverless failed"):
        endpoints(hub).create(props())


def test_an_endpoint_of_an_earlier_attempt_is_taken_over_and_a_strangers_is_not(hub):
    provider = endpoints(hub)
    provider.create(props())
    assert provider.create(props(max_replica=5)).outs["status"] == "running"
    assert hub.endpoints["mine-serverless"]["compute"]["scaling"]["maxReplica"] == 5
    hub.endpoints["mine-serverless"]["tags"] = ["somebody"]
    with pytest.raises(Exception, match="is not deployer's"):
        provider.create(props())


def test_an_endpoint_deleted_by_hand_is_seen_and_removing_it_twice_is_no_error(hub):
    provider = endpoints(hub)
    made = provider.create(props())
    provider.delete(made.id, made.outs)
    assert hub.endpoints == {}
    assert provider.read(made.id, made.outs).id == ""
    provider.delete(made.id, made.outs)
    with pytest.raises(Exception, match="deleted by hand"):
        provider.update(made.id, made.outs, props())


def test_the_token_is_nowhere_in_what_is_kept(hub):
    made = endpoints(hub).create(props())
    assert "hf_test" not in json.dumps(made.outs)


def test_the_plan_names_what_the_program_declares():
    from deployer.providers import registry
    from deployer.running.stack import offline

    provider: Any = registry.provider("serverless", "huggingface")
    (planned,) = provider.resources(props())
    (declared,) = offline.collect(provider.program.run, props(), project="p", stack="s")
    assert (planned["type"], planned["name"]) == (declared.type, declared.name)
    assert planned["inputs"] == declared.inputs
