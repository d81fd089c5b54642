"""A cloud on this machine, for the tests that need one (`tests.kits.cloud`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits import cloud as cloud_kit
from tests.kits import loopback
from tests.kits.cloud import Cloud


@pytest.fixture(autouse=True)
def docker() -> None:
    """The Docker daemon of this machine, where it runs one."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    absent = cloud_kit.missing()
    if absent:
        if os.environ.get("DEPLOYER_E2E_CLOUD"):
            pytest.fail(f"{absent}; 'make e2e-cloud' must have it")
        pytest.skip(absent)
    pytest.importorskip("msgpack", reason="the provider plugin needs msgpack")
    with loopback.emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(scope="module")
def pulumi_home(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloud_kit.install_provider(tmp_path_factory.mktemp("pulumi"))


@pytest.fixture
def cloud(address: str, pulumi_home: Path, tmp_path: Path) -> Iterator[Cloud]:
    """An empty account and an empty home."""
    home = tmp_path / "home"
    made = Cloud(address, home, cloud_kit.environ_of(address, home, pulumi_home))
    made.post("/moto-api/reset")
    yield made
    made.faults()
