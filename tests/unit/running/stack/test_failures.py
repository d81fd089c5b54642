"""What the engine and AWS say when something fails, in our words."""

from __future__ import annotations

import pytest

from deployer.core.errors import (
    NoCapacityError,
    PolicyError,
    PrerequisiteError,
    RemoteError,
    StaleError,
)
from deployer.running.stack import failures
from deployer.running.stack.failures import Lock
from stacks._aws.errors import explain

CREATING = (
    "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, "
    "RequestID: 1, api error {code}: words of AWS."
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InsufficientInstanceCapacity", NoCapacityError),
        ("VcpuLimitExceeded", PolicyError),
        ("UnauthorizedOperation", PrerequisiteError),
        ("ExpiredToken", PrerequisiteError),
        ("AuthFailure", PrerequisiteError),
        ("InternalError", RemoteError),
    ],
)
def test_the_code_of_aws_decides_what_kind_of_error_it_is(code, kind):
    error = failures.explained("", [CREATING.format(code=code)], "bot-cloud-gpu", explain)
    assert type(error) is kind
    assert error.hint


def test_a_missing_permission_names_what_it_is_needed_for():
    error = failures.explained("", [CREATING.format(code="UnauthorizedOperation")], "bot", explain)
    assert "may not create EC2 Instance" in error.message


def test_the_first_error_that_says_something_is_shown():
    error = failures.explained(
        "", ["update failed", "the program raised KeyError: 'zone'"], "bot", explain
    )
    assert "KeyError" in error.message


def test_without_an_error_event_the_engines_output_is_shown():
    assert "no such backend" in failures.explained("no such backend", [], "bot", explain).message


LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or "
    "delete the lock file with `pulumi cancel`.\n  file:///x/1.json: created by ada@engine (pid 4711) at "
    "2026-11-23T01:30:54Z"
)


def test_a_locks_holder_is_read_from_the_engines_words():
    assert failures.locks_in(LOCKED) == (Lock("ada", "engine", 4711, "2026-11-23T01:30:54Z"),)


def test_a_locked_stack_is_exit_5_and_names_the_holder():
    error = failures.locked("bot", failures.locks_in(LOCKED)[0])
    assert isinstance(error, StaleError)
    assert "ada on engine (pid 4711" in error.message


TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in create\n    raise it\n'
"""How the engine tells what the code of one of our own resources raised."""


@pytest.mark.parametrize(
    ("said", "kind", "message", "hint"),
    [
        (
            "nowhere.FailedImport: Bedrock refused the model: no such architecture",
            RemoteError,
            "Bedrock refused the model: no such architecture",
            "goes on from here",
        ),
        (
            "nowhere.FailedImport: ServiceQuotaExceededException: used up. Mend: raise it",
            PolicyError,
            "a quota of your AWS account is used up: used up",
            "raise it",
        ),
        (
            "botocore.ClientError: An error occurred (AccessDenied) when calling the X operation: not you",
            PrerequisiteError,
            "your AWS credentials may not bring up bot: not you",
            "administrator",
        ),
        (
            "nowhere.NotGrantedError: pay first. Mend: add a card",
            PolicyError,
            "pay first",
            "add a card",
        ),
        (
            "hub.HfHubHTTPError: Server error 500\n\ntry later",
            RemoteError,
            "Server error 500 try later",
            "goes on from here",
        ),
    ],
)
def test_what_our_own_resources_raise_is_told_in_its_words_with_its_mend(said, kind, message, hint):
    error = failures.explained("", [TRACEBACK + said, "update failed"], "bot", explain)
    assert (type(error), error.message) == (kind, message)
    assert hint in (error.hint or "")


def test_an_error_that_its_service_names_is_understood_without_the_words_api_error():
    said = (
        "creating SageMaker AI Endpoint (bot): operation error SageMaker: CreateEndpoint, https response error"
        " StatusCode: 400, RequestID: 0f-1, ResourceLimitExceeded: the limit is 0 Instances"
    )
    error = failures.explained("", [said], "bot", explain)
    assert isinstance(error, PolicyError)
    assert "the limit is 0 Instances" in error.message


def test_the_reason_is_told_and_not_how_many_there_are():
    said = "1 error occurred:\n\t* waiting for the component: CUDA out of memory\n\n"
    assert "CUDA out of memory" in failures.explained("", [said], "bot", explain).message
