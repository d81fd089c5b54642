"""Credentials and clocks: what is wrong with them is said before anything is signed, and none is shown."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from deployer.core.errors import DeployerError, Exit, PrerequisiteError
from deployer.spec.load import load
from stacks._aws import credentials, session
from stacks._aws.client import UnreadableAnswerError

CONFIG = """
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile base]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
[profile html]
credential_process = /bin/echo <html>CONFIDENTIAL</html>
[profile list]
credential_process = /bin/echo [1]
[profile number]
credential_process = /bin/echo '{"Version": 1, "AccessKeyId": 1, "SecretAccessKey": "CONFIDENTIAL"}'
[profile null]
credential_process = /bin/echo '{"Version": 1, "AccessKeyId": null, "SecretAccessKey": "CONFIDENTIAL"}'
[profile gone]
credential_process = /nowhere/program
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A configuration of the test's own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "config"
    file.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def refused() -> PrerequisiteError:
    with pytest.raises(PrerequisiteError) as caught, session.understood("sign"):
        credentials.check(credentials.session("us-east-1"))
    assert "CONFIDENTIAL" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == Exit.PREREQUISITE
    return caught.value


@pytest.mark.parametrize("stdin", [None, io.StringIO("123456\n")])
def test_nobody_is_asked_for_a_code_without_a_terminal(profile, capsys, stdin):
    profile.setenv("AWS_PROFILE", "mfa")
    profile.setattr(sys, "stdin", stdin)
    assert "asks for an MFA code" in refused().message
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(("html", "JSON"), ("list", "JSON"), ("gone", "/nowhere/program")),
        ("number", "AWS_ACCESS_KEY_ID (from custom-process) holds"),
        ("null", "AWS_ACCESS_KEY_ID (from custom-process) is empty"),
    ],
)
def test_a_program_that_gives_no_credentials_is_named(profile, name, said):
    profile.setenv("AWS_PROFILE", name)
    assert said in refused().message


@pytest.mark.parametrize("variable", credentials.VARIABLES.values())
@pytest.mark.parametrize("odd", ["AKIA\n", " AKIA", "AKIA\r", "A KIA", "AKIÄ"])
def test_a_key_that_cannot_be_sent_is_named_and_not_shown(profile, variable, odd):
    for name in credentials.VARIABLES.values():
        profile.setenv(name, odd if name == variable else "good")
    error = refused()
    assert variable in error.message
    assert "AKI" not in error.message


TIMES = [
    ("RequestExpired", "Request has expired."),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ("SignatureDoesNotMatch", "Signature expired: 20260102T030405Z is now earlier than 20260102T040405Z"),
    ("InvalidSignatureException", "Signature not yet current: 20260102T030405Z is still later than"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said"), TIMES)
def test_a_wrong_clock_is_told_as_one(code, said):
    error = session.refused("ask", code, said)
    assert error.exit_code == Exit.PREREQUISITE
    assert "clock" in error.message
    assert said in error.message


def test_a_refused_signature_comes_with_awss_words_and_without_what_was_signed():
    said = "It does not match.\n\nThe Canonical String was x-amz-security-token:SECRET"
    error = session.refused("ask", "SignatureDoesNotMatch", said)
    assert "It does not match." in error.message
    assert "SECRET" not in error.message


def test_an_answer_that_is_not_of_aws_names_its_place_like_every_error():
    told = UnreadableAnswerError("the answer has no Vpcs")
    assert (told.where, told.key) == (None, None)
    assert {*vars(DeployerError("x"))} <= {*vars(told)}


def test_an_address_where_nothing_answers_is_the_network_and_not_the_credentials():
    error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1/")
    with pytest.raises(PrerequisiteError) as caught, session.understood("look"):
        raise error
    assert caught.value.message.startswith("AWS cannot be reached to look")
    assert "check the network" in str(caught.value.hint)


def test_what_answers_in_awss_place_is_an_error_that_can_be_placed(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("name: t\nmodel: {source: hf:a/b}\n")
    with pytest.raises(UnreadableAnswerError) as caught, load(file).placed():
        raise UnreadableAnswerError("a web page came back (200)")
    assert (caught.value.where, caught.value.key) == (None, None)
