"""What AWS must grant before anything is made; AWS answers as the test says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from deployer.core.errors import NothingFitsError, PolicyError, PrerequisiteError
from stacks._aws import preflight
from stacks._aws.preflight import Needed

NEEDED = Needed(
    "bot-cloud-gpu", "g5.xlarge", spot=False, machines=1, vcpus=4, image_parameter="/ami"
)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "words of AWS"}}, "Call")


class NotThereError(Exception):
    """The exception of a parameter that does not exist."""


class Aws:
    """Every service in one; an answer that is an exception is raised."""

    region = "us-east-1"

    class exceptions:  # noqa: N801 - as boto3 calls it
        ParameterNotFound = NotThereError

    def __init__(self) -> None:
        zones = [{"Location": "us-east-1b"}, {"Location": "us-east-1a"}]
        self.answers: dict[str, Any] = {
            "get_caller_identity": {"Account": "1", "Arn": "arn:aws:sts::1:assumed-role/dev/ada"},
            "describe_instance_type_offerings": {"InstanceTypeOfferings": zones},
            "get_service_quota": {"Quota": {"Value": 8.0}},
            "describe_instance_types": {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 4}}]},
            "get_parameter": {},
        }
        self.instances: list[dict[str, Any]] = []

    def __call__(self, service: str) -> Aws:
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**_asked: Any) -> Any:
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, _operation: str) -> Aws:
        return self

    def paginate(self, **_asked: Any) -> list[Any]:
        return [{"Reservations": [{"Instances": self.instances}]}]

    def run(self, kind: str = "g5.xlarge", **more: Any) -> None:
        """One more machine of 4 vCPUs is in use."""
        cpus = {"CoreCount": 2, "ThreadsPerCore": 2}
        self.instances.append({"InstanceType": kind, "CpuOptions": cpus, **more})


def check(aws: Aws, needed: Needed = NEEDED) -> tuple[preflight.Cleared, list[str]]:
    said: list[str] = []
    return preflight.check(aws, needed, said.append), said


def test_what_is_learnt_is_who_asks_and_which_zones_have_the_type():
    cleared, said = check(Aws())
    assert cleared == preflight.Cleared("1", "ada", ("us-east-1a", "us-east-1b"))
    assert said == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NoCredentialsError(), "there are no AWS credentials"),
        (refusal("ExpiredToken"), "have expired"),
        (refusal("InvalidClientTokenId"), "does not accept your credentials"),
    ],
)
def test_without_valid_credentials_the_mend_is_said(answer, words):
    aws = Aws()
    aws.answers["get_caller_identity"] = answer
    with pytest.raises(PrerequisiteError, match=words) as caught:
        check(aws)
    assert caught.value.hint


def test_a_type_that_no_zone_offers_is_refused():
    aws = Aws()
    aws.answers["describe_instance_type_offerings"] = {"InstanceTypeOfferings": []}
    with pytest.raises(NothingFitsError, match=r"no zone of us-east-1 offers g5\.xlarge"):
        check(aws)


def test_a_quota_that_is_used_up_names_the_figures_and_the_command_that_raises_it():
    aws = Aws()
    aws.run()
    aws.run()
    with pytest.raises(PolicyError, match="takes 4 vCPUs, and your account may use 8") as caught:
        check(aws)
    assert "--quota-code L-DB2E81BA --desired-value 12" in (caught.value.hint or "")


MINE = [{"Key": "deployer:deployment", "Value": "bot-cloud-gpu"}]


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "m5.xlarge"},
        {"kind": "p4d.24xlarge"},
        {"InstanceLifecycle": "spot"},
        {"Tags": MINE},
    ],
    ids=["another family", "another quota", "spot", "the deployment's own"],
)
def test_what_does_not_count_against_the_quota_is_not_counted(other):
    aws = Aws()
    for _ in range(3):
        aws.run(**other)
    check(aws)


def test_a_quota_that_may_not_be_read_is_said_and_does_not_stop_it():
    aws = Aws()
    aws.answers["get_service_quota"] = refusal("AccessDeniedException")
    _, said = check(aws)
    assert "may not be read" in said[0]


def test_a_region_without_the_image_is_refused():
    aws = Aws()
    aws.answers["get_parameter"] = NotThereError()
    with pytest.raises(NothingFitsError, match="no GPU machine image"):
        check(aws)


@pytest.mark.parametrize(
    ("kind", "letters"), [("g5.xlarge", "G"), ("p4d.24xlarge", "P"), ("vt1.3xlarge", "VT")]
)
def test_the_family_of_a_type_is_what_the_quotas_count(kind, letters):
    assert preflight.family(kind) == letters
