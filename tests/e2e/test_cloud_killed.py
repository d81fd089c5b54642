"""`deployer up --target cloud-gpu` killed at any moment, for real (see `test_cloud`).

Killed at DEPLOYER_KILLS moments spread over a run and gone on with; and at DEPLOYER_REMOVALS random ones, then
removed. The random moments are the same each time: DEPLOYER_SEED gives others.
"""

from __future__ import annotations

import logging
import os
import time
from random import Random

import pytest

from tests.kits.cloud import NAME, Cloud, kill_all
from tests.kits.loopback import until

KILLS = int(os.environ.get("DEPLOYER_KILLS", "2"))
REMOVALS = int(os.environ.get("DEPLOYER_REMOVALS", "2"))
LOG = logging.getLogger(__name__)
SEED = os.environ.get("DEPLOYER_SEED", "1")

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def whole() -> list[int]:
    """How many calls a whole `up` makes: filled by the first test that needs it."""
    return []


def measured(cloud: Cloud, whole: list[int]) -> int:
    if not whole:
        cloud.up(cloud.spec())
        whole.append(sum(cloud.calls().values()))
        cloud.run("down", NAME)
        cloud.post("/moto-api/reset")
    return whole[0]


@pytest.mark.parametrize("moment", range(1, KILLS + 1))
def test_an_up_killed_at_any_moment_is_gone_on_with_or_removed(cloud, moment, whole):
    at = measured(cloud, whole) * moment // (KILLS + 1)
    process = cloud.begun_up()
    until(lambda: process.poll() is not None or sum(cloud.calls().values()) >= at, f"{at} calls")
    kill_all(process, engine_too=moment % 2 == 0)
    if moment % 3:  # the others are not gone on with, but removed at once
        cloud.up(cloud.spec())
        cloud.instance()
    cloud.run("down", NAME)
    assert cloud.leftovers() == {}


@pytest.mark.parametrize("number", range(1, REMOVALS + 1))
def test_an_up_killed_at_a_random_moment_and_removed_leaves_nothing(cloud, number, whole):
    chance = Random(f"{SEED}-{number}")  # noqa: S311 - no secret
    at, wait = chance.uniform(0, measured(cloud, whole)), chance.uniform(0, 3)
    engine_too = chance.random() < 0.5
    process = cloud.begun_up()
    until(lambda: process.poll() is not None or sum(cloud.calls().values()) >= at, f"{at} calls")
    time.sleep(wait)
    calls, died = sum(cloud.calls().values()), process.poll() is None
    kill_all(process, engine_too=engine_too)
    cloud.run("down", NAME)
    left = cloud.leftovers()
    how = "with its engine" if engine_too else "without its engine"
    how = f"killed {how}" if died else "had ended"
    LOG.info("moment %d: %s after %d calls; left: %s", number, how, calls, left)
    assert left == {}
