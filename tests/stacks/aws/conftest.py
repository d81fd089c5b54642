"""An AWS for the tests of what runs there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stacks._aws import session


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[session.Session]:
    """moto's AWS, in this process. It reaches only what was made after it: no session is taken over."""
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    session._session.cache_clear()
    with mock_aws():
        yield session.Session("us-east-1")
    session._session.cache_clear()
