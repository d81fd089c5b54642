"""Asking Lambda's API: the key, the address, and what an answer that is none means."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.lambda_cloud import KEY
from tests.kits.lambda_api import Heard, Still, part

REST: Any = part("program.dynamic.rest")
ERRORS: Any = part("errors")
ACCOUNT: Any = part("account")
PORTAL = "<html><title>Log in to the hotel</title></html>"


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LAMBDA_API_KEY", KEY)
    monkeypatch.delenv("LAMBDA_API_URL", raising=False)
    return monkeypatch


def refused(*answers: Heard) -> Any:
    """What asking raises when Lambda answers so, the last answer again and again."""
    heard = [*answers]
    api = REST.Api(lambda *_: heard.pop(0) if len(heard) > 1 else heard[0], lambda _: None)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the tests look at it
        api.get("instances")
    return ACCOUNT.told(raised.value)


def said(code: str, message: str = "Refused.") -> Any:
    return {"error": {"code": code, "message": message, "suggestion": "Do it."}}


def test_without_a_key_it_says_where_to_make_one(environ):
    environ.delenv("LAMBDA_API_KEY")
    error = refused(Heard(200, {"data": []}))
    assert error.exit_code == 6
    assert error.message == "no Lambda API key is set (LAMBDA_API_KEY)"
    assert error.hint == "make one: cloud.lambda.ai/api-keys"


@pytest.mark.parametrize("key", ["a b", "a\nb", "schlüssel", "a\x00b"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(environ, key):
    with pytest.raises(REST.NotAllowedError) as raised:
        REST.key({"LAMBDA_API_KEY": key})
    assert key not in str(raised.value)


@pytest.mark.parametrize("url", ["http://cloud.lambda.ai", "ftp://a", "cloud.lambda.ai"])
def test_the_key_is_sent_over_https_alone(url):
    with pytest.raises(REST.NotAllowedError, match="not an https address"):
        REST.address({"LAMBDA_API_URL": url})


def test_a_double_on_this_machine_needs_none():
    assert REST.address({"LAMBDA_API_URL": "http://127.0.0.1:9/"}) == "http://127.0.0.1:9"
    assert REST.address({}) == "https://cloud.lambda.ai"


@pytest.mark.parametrize(
    ("status", "told", "code", "words"),
    [
        (401, said("global/invalid-api-key"), 6, "(global/invalid-api-key)"),
        (401, PORTAL, 6, "Lambda does not accept the API key"),
        (403, said("global/account-inactive"), 6, "(global/account-inactive)"),
        (403, said("global/forbidden"), 6, "(global/forbidden)"),
        (400, said("global/quota-exceeded"), 4, "(global/quota-exceeded)"),
        (400, said("instance-operations/launch/insufficient-capacity"), 3, "capacity)"),
        (400, said("global/invalid-parameters"), 1, "Lambda: Refused (global/invalid-parameters)"),
        (404, said("global/object-does-not-exist"), 1, "(global/object-does-not-exist)"),
        (200, PORTAL, 6, "does not answer as Lambda's API does (status 200)"),
        (302, PORTAL, 6, "does not answer as Lambda's API does (status 302)"),
        (200, ["not", "ours"], 6, "does not answer as Lambda's API does"),
        (200, {"error": "a word"}, 6, "does not answer as Lambda's API does"),
        (429, PORTAL, 1, "Lambda answers 429"),
        (503, PORTAL, 1, "Lambda answers 503"),
    ],
)
def test_what_is_refused_is_told_with_its_exit_code_and_what_to_do(status, told, code, words):
    error = refused(Heard(status, told))
    assert error.exit_code == code
    assert words in error.message
    assert error.hint
    assert "\n" not in error.message
    assert KEY not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_waited_out(status):
    account = Still()
    account.fail("GET instances", status=status, code="provider/internal-unavailable", times=2)
    assert account.api().get("instances") == []
    assert account.slept == [1.0, 3.0]


def test_a_launch_is_not_repeated_where_it_may_have_been_done():
    account = Still()
    account.fail("POST ssh-keys", status=500, code="provider/internal-unavailable", late=True)
    with pytest.raises(REST.ApiError):
        account.api().call("POST", "ssh-keys", {"name": "a", "public_key": "b"})
    assert account.calls == ["POST ssh-keys"]


def test_a_text_without_a_code_is_left_to_others():
    assert ERRORS.explain("(exit 1) something/else failed", "a") is None
    assert ERRORS.explain("Lambda: it (provider/internal-unavailable)", "a") is None
