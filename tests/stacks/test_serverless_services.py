"""What is asked of each serverless service: granted before, found without any state, seen asleep, removed.

AWS is the emulator; Bedrock and Hugging Face are doubles that botocore and huggingface_hub themselves vouch for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.stub import Stubber

from deployer.cli import main
from deployer.core.deployment import Deployment
from deployer.core.errors import PolicyError, PrerequisiteError, UsageError
from deployer.providers.managers import ReportsStatus, SupportsLookup, SupportsPause
from deployer.running.endpoints.manager import EndpointManager
from deployer.running.endpoints.service import Seen
from deployer.running.stack.manager import StackManager
from deployer.running.store import Store
from stacks._aws import quota
from stacks._aws.session import Session
from stacks._aws.types import identity, observing, sagemaker, storage
from stacks._aws.types import served as served_types
from stacks._aws.types.finding import TAG
from stacks.serverless.bedrock.service import Bedrock
from stacks.serverless.huggingface.service import TYPE, Hub
from stacks.serverless.sagemaker.service import SageMaker
from tests.doubles import bedrock
from tests.doubles import hub as hub_double
from tests.kits import emulator
from tests.kits.parts import missing

NAME, OTHER = "bot-serverless", "bot-serverless-2"
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
SAID: list[str] = []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator.Emulator]:
    if emulator.program() is None:
        missing("the AWS emulator is not here")
    with emulator.running(tmp_path_factory.mktemp("emulator") / "log") as made:
        yield made


@pytest.fixture
def rock() -> Iterator[bedrock.Bedrock]:
    with bedrock.serving() as made:
        yield made


@pytest.fixture
def aws(
    running: emulator.Emulator, rock: bedrock.Bedrock, monkeypatch: pytest.MonkeyPatch
) -> Session:
    running.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", rock.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return Session("us-east-1")


@pytest.fixture
def face(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_double.Hub]:
    from huggingface_hub import constants

    with hub_double.serving() as made:
        monkeypatch.setattr(constants, "ENDPOINT", made.url)
        monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", made.url)
        monkeypatch.setenv("HF_INFERENCE_ENDPOINTS_ENDPOINT", made.url)
        monkeypatch.setenv("HF_TOKEN", hub_double.TOKEN)
        yield made


def tags(name: str) -> list[dict[str, str]]:
    return [{"Key": TAG, "Value": name}]


def plan(**inputs: Any) -> Any:
    return SimpleNamespace(deployment=NAME, inputs={"region": "us-east-1", **inputs})


def weights(aws: Session, name: str) -> None:
    """A bucket with a file and a part of another, and a role that reads it."""
    s3, iam, bucket = aws("s3"), aws("iam"), f"weights-{sha256(name.encode()).hexdigest()[:7]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags(name)})
    s3.put_object(Bucket=bucket, Key="model/config.json", Body=b"{}")
    s3.create_multipart_upload(Bucket=bucket, Key="model/model.safetensors")
    iam.create_role(RoleName=name, Path=f"/deployer/{name}/", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=TRUST)


def imported(rock: bedrock.Bedrock, name: str, tag: str | None = None) -> str:
    arn = f"{bedrock.OWNER}:imported-model/{name}"
    rock.models[arn] = {"modelArn": arn, "modelName": name}
    rock.tags[arn] = [{"key": TAG, "value": tag or name}]
    return arn


def served(aws: Session, name: str) -> None:
    """All of an endpoint."""
    client = aws("sagemaker")
    role = f"arn:aws:iam::123456789012:role/deployer/{name}/role"
    config = f"endpoint-{sha256(name.encode()).hexdigest()[:7]}"
    client.create_model(ModelName=f"model-{name}", ExecutionRoleArn=role, Tags=tags(name))
    variant = {
        "VariantName": "all",
        "ModelName": f"model-{name}",
        "InstanceType": "ml.g5.xlarge",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[variant],
        ExecutionRoleArn=role,
        Tags=tags(name),
    )
    client.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags(name))
    client.create_inference_component(
        InferenceComponentName=name,
        EndpointName=name,
        VariantName="all",
        Specification={"ModelName": f"model-{name}"},
        RuntimeConfig={"CopyCount": 1},
    )
    aws("cloudwatch").put_metric_alarm(
        AlarmName=f"wake-{name}",
        MetricName="NoCapacityInvocationFailures",
        Namespace="AWS/SageMaker",
        Dimensions=[{"Name": "InferenceComponentName", "Value": name}],
        Statistic="Maximum",
        Period=30,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    aws("logs").create_log_group(logGroupName=observing.component_logs(name))


def test_all_of_an_imported_model_is_found_and_removed_and_nothing_of_anothers(aws, rock):
    for name in (NAME, OTHER):
        weights(aws, name)
        imported(rock, name)
    things = Bedrock(aws).things(NAME)
    found = things.found()
    assert {one.type for one in found} == {served_types.IMPORTED, storage.BUCKET, identity.ROLE}
    removed, left = things.remove(found, SAID.append)
    assert (len(removed), left) == (3, [])
    assert things.found() == []
    assert len(Bedrock(aws).things(OTHER).found()) == 3


def test_a_strangers_model_of_the_same_name_is_left_alone(aws, rock):
    imported(rock, NAME, tag="somebody-else")
    assert Bedrock(aws).things(NAME).found() == []
    assert Bedrock(aws).seen(NAME) is None


def test_an_import_that_goes_on_is_taken_up_and_what_it_made_is_removed_at_its_end(aws, rock):
    job = f"{bedrock.OWNER}:model-import-job/1"
    told = {"jobArn": job, "jobName": "j", "importedModelName": NAME, "creationTime": WHEN}
    rock.jobs[job] = {**told, "roleArn": "r", "status": "InProgress"}
    service = Bedrock(aws)
    assert service.seen(NAME) == Seen("starting", reason="still being imported")
    things = service.things(NAME)
    (found,) = things.found()
    assert found.type in things.taken_up
    rock.jobs[job] |= {"status": "Completed", "importedModelArn": imported(rock, NAME)}
    assert things.remove([found], SAID.append) == ([found], [])
    assert rock.models == {}
    assert list(service.logs(NAME, follow=False, tail=None)) == [
        "2026-01-01T00:00:00Z import j: Completed"
    ]


SERVICES: Any = {"bedrock": Bedrock, "sagemaker": SageMaker, "huggingface": lambda _: Hub()}
WHEN = bedrock.WHEN


def test_all_of_an_endpoint_is_found_and_removed_the_component_before_it(aws):
    for name in (NAME, OTHER):
        weights(aws, name)
        served(aws, name)
    things = SageMaker(aws).things(NAME)
    with Stubber(aws("application-autoscaling")) as scaling:  # the emulator has no such dimension
        place = {**sagemaker.COPIES, "ResourceId": f"inference-component/{NAME}"}
        target = {**place, "MinCapacity": 0, "MaxCapacity": 1, "RoleARN": "r", "CreationTime": WHEN}
        asked = {**sagemaker.COPIES, "ResourceIds": [f"inference-component/{NAME}"]}
        for there in ([target], []):
            if not there:
                scaling.add_response("deregister_scalable_target", {}, place)
            scaling.add_response("describe_scalable_targets", {"ScalableTargets": there}, asked)
        found = things.found()
        removed, left = things.remove(found, SAID.append)
        assert things.found() == []
        scaling.assert_no_pending_responses()
    types = [one.type for one in found]
    assert set(types) == {
        sagemaker.SCALED, observing.ALARM, sagemaker.COMPONENT, served_types.ENDPOINT, sagemaker.CONFIGURATION,
        sagemaker.MODEL, storage.BUCKET, identity.ROLE, observing.LOGS,
    }  # fmt: skip
    assert types.index(sagemaker.COMPONENT) < types.index(served_types.ENDPOINT)
    assert (len(removed), left) == (9, [])
    others = aws("sagemaker").list_endpoints()["Endpoints"]
    assert [one["EndpointName"] for one in others] == [OTHER]


def test_an_endpoint_is_awake_while_a_copy_runs_and_gone_when_it_was_deleted(aws):
    service, client = SageMaker(aws), aws("sagemaker")
    assert service.seen(NAME) is None
    served(aws, NAME)
    assert service.seen(NAME) == Seen("healthy", awake=True)
    client.update_inference_component_runtime_config(
        InferenceComponentName=NAME, DesiredRuntimeConfig={"CopyCount": 0}
    )
    assert service.seen(NAME) == Seen("healthy", awake=False)
    client.delete_inference_component(InferenceComponentName=NAME)
    told = service.seen(NAME)
    assert told
    assert told.state == "failed"


def test_the_log_of_an_endpoint_is_that_of_its_container(aws):
    group, client = observing.component_logs(NAME), aws("logs")
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    now = time.time_ns() // 10**6
    events = [{"timestamp": now + n, "message": f"line {n}"} for n in range(3)]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert list(SageMaker(aws).logs(NAME, follow=False, tail=2)) == ["line 1", "line 2"]


QUOTAS = {
    "bedrock": ("Imported models per account", plan),
    "sagemaker": (
        "ml.g5.xlarge for endpoint usage",
        lambda: plan(instance_type="ml.g5.xlarge", max_copies=2),
    ),
}


@pytest.mark.parametrize(("service", "allowed"), [("bedrock", 1), ("sagemaker", 0)])
def test_a_quota_that_does_not_suffice_is_refused_with_the_command_that_raises_it(
    aws, rock, service, allowed
):
    imported(rock, OTHER)
    name, make = QUOTAS[service]
    client = aws("service-quotas")
    told = {"QuotaName": name, "QuotaCode": "L-1", "Value": float(allowed)}
    with Stubber(client) as stub:
        stub.add_response("list_service_quotas", {"Quotas": [told]}, {"ServiceCode": service})
        with pytest.raises(PolicyError) as caught:
            SERVICES[service](aws).check(make(), SAID.append)
    assert f"--service-code {service} --quota-code L-1 --desired-value 2" in (
        caught.value.hint or ""
    )


def test_a_quota_that_may_not_be_read_is_said_and_no_obstacle(aws):
    said: list[str] = []
    with Stubber(aws("service-quotas")) as stub:
        stub.add_client_error("list_service_quotas", "AccessDeniedException", "no")
        assert quota.allowed(aws, "bedrock", "x", said.append) is None
    assert "was not read" in said[0]


def test_weights_that_are_not_in_the_bucket_are_missed_before_anything_is_made(aws):
    with pytest.raises(PrerequisiteError, match="there is nothing at s3://mine/there/"):
        Bedrock(aws).check(plan(weights={"bucket": "mine", "prefix": "there/"}), SAID.append)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine without AWS credentials."""
    from stacks._aws import session

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    for key in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(key, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session._session.cache_clear()
    yield
    session._session.cache_clear()


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", ["bedrock", "sagemaker"])
def test_without_credentials_the_mend_is_said(name):
    with pytest.raises(PrerequisiteError, match="there are no AWS credentials"):
        SERVICES[name](Session("us-east-1")).check(plan(), SAID.append)


@pytest.mark.usefixtures("stranger")
def test_down_without_a_record_says_which_cloud_could_not_be_asked_and_asks_the_rest(
    face, home, capsys
):
    endpoint(face, NAME)
    assert main(["down", NAME]) == 0
    said = capsys.readouterr()
    assert face.endpoints == {}
    assert said.err.count("not checked: there are no AWS credentials") == 2
    assert f"removed {TYPE} {NAME}" in said.out


@pytest.mark.usefixtures("stranger")
def test_down_that_can_ask_no_cloud_is_an_error(face, home, monkeypatch):
    face.faults = [("GET", 401)]
    assert main(["down", NAME]) == 6


# Hugging Face


def endpoint(face: hub_double.Hub, name: str, state: str = "running") -> None:
    compute = {"accelerator": "gpu", "instanceSize": "x1", "instanceType": "nvidia-l4"}
    body = {
        "name": name,
        "compute": {**compute, "scaling": {"minReplica": 0, "maxReplica": 1}},
        "model": {
            "repository": "a/b",
            "framework": "pytorch",
            "revision": None,
            "task": "text-generation",
        },
        "provider": {"region": "us-east-1", "vendor": "aws"},
        "type": "authenticated",
        "tags": ["deployer", f"deployer:{name}"],
    }
    face.start = [state]
    face.answer("POST", "/endpoint/ada", body, hub_double.TOKEN)


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("running", Seen("healthy", awake=True)),
        ("scaledToZero", Seen("healthy", awake=False)),
        ("paused", Seen("stopped", awake=False)),
        ("updating", Seen("starting")),
        ("failed", Seen("failed", reason="made by the test")),
    ],
)
def test_an_endpoint_is_as_the_service_says_and_looking_wakes_nobody(face, state, seen):
    endpoint(face, NAME, state)
    assert Hub().seen(NAME) == seen
    assert face.endpoints[NAME]["status"]["state"] == state
    assert Hub().seen(OTHER) is None


def test_an_endpoint_is_found_by_its_tag_paused_resumed_and_removed_once(face):
    for name in (NAME, OTHER):
        endpoint(face, name)
    hub, said = Hub(), list[str]()
    assert hub.check(plan(), said.append) == "ada"
    assert hub.rest(NAME)
    assert face.endpoints[NAME]["status"]["state"] == "paused"
    hub.wake(NAME, said.append)
    assert face.endpoints[NAME]["status"]["state"] != "paused"
    things = hub.things(NAME)
    found = things.found()
    assert things.remove(found, said.append) == (found, [])
    assert list(face.endpoints) == [OTHER]
    _, (left,) = things.remove(found, said.append)
    assert "404" in left.why


@pytest.mark.parametrize(
    ("status", "kind"), [(401, PrerequisiteError), (402, PolicyError), (403, PrerequisiteError)]
)
def test_a_refusal_of_the_service_is_an_error_with_a_mend(face, status, kind):
    face.faults = [("GET", status)]
    with pytest.raises(kind) as caught:
        Hub().seen(NAME)
    assert caught.value.hint


def test_a_service_that_cannot_be_reached_is_said(face, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_INFERENCE_ENDPOINTS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PrerequisiteError, match="cannot be reached"):
        Hub().seen(NAME)


# The manager, whatever the service


class Sleepy:
    """A service that sleeps."""

    def __init__(self, seen: Seen | None, *, rests: bool = False) -> None:
        self.now, self.rests = seen, rests

    def seen(self, _deployment: str) -> Seen | None:
        return self.now

    def rest(self, _deployment: str) -> bool:
        return self.rests


def manager(tmp_path: Path, seen: Seen | None, *, rests: bool = False) -> EndpointManager:
    service = Sleepy(seen, rests=rests)
    return EndpointManager(
        SimpleNamespace(name="x"), tmp_path, service=lambda _: cast(Any, service)
    )


def test_a_keeper_tells_how_it_is_and_what_is_gone_has_failed(tmp_path):
    record: Any = SimpleNamespace(name=NAME, endpoint=None)
    made = manager(tmp_path, Seen("healthy", awake=False))
    assert isinstance(made, StackManager)
    assert isinstance(made, SupportsLookup)
    assert isinstance(made, ReportsStatus)
    assert isinstance(made, SupportsPause)
    assert made.told(record) == ("healthy", False)
    assert made.alive(NAME)
    assert manager(tmp_path, None).told(record) == ("failed", None)


def test_what_sleeps_by_itself_cannot_be_paused_and_that_is_said(tmp_path):
    with pytest.raises(UsageError, match="sleeps by itself"):
        manager(tmp_path, Seen("healthy")).rest(NAME)
    manager(tmp_path, Seen("healthy"), rests=True).rest(NAME)


def test_the_refusal_says_what_it_costs_asleep(tmp_path):
    told: dict[str, Any] = {"spec_name": "bot", "spec_digest": "d", "target": "serverless"}
    told |= {"engine": "bedrock", "model": "bot", "started_at": "2027-01-15T00:00:00+00:00"}
    prices: dict[str, Any] = {"usd_per_hour": "6.87", "usd_per_hour_idle": "0.0059"}
    Store(tmp_path).save(Deployment(name=NAME, provider="x", planned=[], **prices, **told))
    with pytest.raises(UsageError) as refused:
        manager(tmp_path, Seen("healthy")).rest(NAME)
    assert refused.value.hint is not None
    assert "it costs 0.0059 USD/hour while it sleeps" in refused.value.hint
