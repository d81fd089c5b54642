"""A provider that nothing names: what its manager says of usage is shown, and its cloud is asked by `deployer idle`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.core.deployment import Deployment
from deployer.core.documents.status import DeploymentStatus
from deployer.providers import registry
from deployer.running.store import Store
from deployer.workflows.status import status

NOW = "2027-01-15T08:00:00+00:00"
PROVIDER = '''
"""A cloud of a test."""

from decimal import Decimal

from deployer.providers.api import Provider
from deployer.providers.managers import MachineUsage
from tests.doubles.fake_cloud import FakeCloud


class Manager:
    def alive(self, deployment):
        return True

    def found(self, deployment):
        return []

    def usage(self, record, now):
        return MachineUsage(Decimal("1.25"), "2027-01-15T07:00:00+00:00", None)


PROVIDER = Provider(
    target="cloud-gpu",
    name="elsewhere",
    engines=("vllm",),
    privacy="nowhere",
    offers=lambda want, prices: (),
    inputs=lambda order: {},
    manager=lambda home, say: Manager(),
    cloud=lambda: FakeCloud(name="elsewhere"),
)
'''


@pytest.fixture(autouse=True)
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the user's own with one provider."""
    folder = tmp_path / "stacks" / "cloud_gpu" / "elsewhere"
    folder.mkdir(parents=True)
    (folder / "provider.py").write_text(PROVIDER)
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path / "stacks"))


def shown(home: Path, **more: Any) -> DeploymentStatus:
    """What `status` shows of a deployment there."""
    told: dict[str, Any] = {"spec_name": "bot", "spec_digest": "d", "target": "cloud-gpu"}
    told |= {"engine": "vllm", "model": "bot", "started_at": "2027-01-15T06:00:00+00:00"}
    made = Deployment(name="bot", provider="elsewhere", planned=[], **told, **more)
    Store(home).save(made)
    (one,) = status(home, None, NOW).deployments
    return one


def test_what_the_cloud_knows_of_machines_goes_before_the_record(home):
    told = shown(home, launched={"m-1": "1"}, usd_per_hour="9", expires_at="2027-02-01T00:00:00Z")
    assert told.cost_so_far_usd == Decimal("1.25")
    assert told.idle_since == "2027-01-15T07:00:00+00:00"
    assert told.expires_at == "2027-02-01T00:00:00Z", "nothing is said on the machines"


def test_without_a_machine_that_is_remembered_the_cloud_is_not_asked(home):
    assert shown(home, usd_per_hour="9").cost_so_far_usd == 18


def test_idle_asks_the_cloud_of_every_provider_that_is_found():
    assert "elsewhere" in [cloud.name for cloud in registry.clouds()]
