"""Every verb over every provider that has the part for it, by the real command line.

They run over the cloud that `docs/ADD_A_PROVIDER.md` describes, which is written to a folder and edited nowhere else, and
as far as it goes over this machine. What needs an account or a daemon is proven by the tests that `ELSEWHERE` names.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from deployer.providers import registry
from deployer.providers.api import Provider
from tests.kits import dummy_cloud, guides, loopback
from tests.kits.dummy_cloud import ROOT, Dummy, World
from tests.kits.parts import need
from tests.kits.processes import until

PLACES = ("cloud-gpu/dummy", "local/native")
TWO_HOURS, DAY = 7200.0, 86400.0


def made(place: str, folder: Path, tiny_gguf: Path) -> World:
    if place == "cloud-gpu/dummy":
        return dummy_cloud.dummy(folder)
    need("xllamacpp", "the engine that is served with")
    return dummy_cloud.native(folder, tiny_gguf)


def gone(world: World) -> None:
    """See that nothing of it is left once it was taken down."""
    until(world.nothing_runs, 20)
    if isinstance(world, Dummy):
        assert world.things("machine") == world.things("disk") == []


@pytest.fixture(params=PLACES)
def world(request: pytest.FixtureRequest, tmp_path: Path, tiny_gguf: Path) -> Iterator[World]:
    """Each provider that can be applied here, with nothing on it; nothing is left on it afterwards."""
    one = made(request.param, tmp_path / "world", tiny_gguf)
    yield one
    one.clear()
    gone(one)


@pytest.fixture(scope="module", params=PLACES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path
) -> Iterator[World]:
    """The same with a deployment up, for tests that only look at it."""
    one = made(request.param, tmp_path_factory.mktemp("served") / "world", tiny_gguf)
    assert one.up()["state"] == "healthy"
    yield one
    one.clear()
    gone(one)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Dummy]:
    """The dummy cloud with a deployment up, a machine of somebody else's beside it, idle for months."""
    one = dummy_cloud.dummy(tmp_path / "world")
    theirs = {"region": "north", "tags": {"owner": "them"}, "made_at": 0, "started_at": 0}
    stranger = {"id": "machine-theirs", "state": "running", "instance_type": "large", **theirs}
    (one.account / "machine-theirs.json").write_text(json.dumps(stranger))
    one.up()
    yield one
    one.clear()
    assert one.things("machine") == [stranger], "it was never touched, and nothing else is left"
    assert one.things("disk") == []
    until(one.nothing_runs, 20)


def test_it_is_planned_with_a_price_for_all_that_is_made(served):
    plan = served.plan()
    assert plan["feasible"]
    assert plan["resources"]
    if served.target != "local":  # what this machine has cost, nobody knows
        assert plan["cost"]["monthly_usd"] > 0
        assert plan["cost"]["unpriced"] == []


def test_a_second_up_changes_nothing(served):
    before = {p.pid for p in served.processes}
    first = served.status()
    again = served.up()
    assert {p.pid for p in served.processes} == before
    assert again["started_at"] == first["started_at"]
    assert again["resources"] == first["resources"]


def test_status_looks_at_what_exists(served):
    found = served.status()
    assert found["state"] == "healthy"
    assert found["resources"]
    assert found["output_tokens"] > 0


def test_logs_are_the_machines_own(served):
    lines = served.json("logs", served.name)["lines"]
    assert lines
    assert served.json("logs", served.name, "--tail", "1")["lines"] != lines[:1] or len(lines) == 1


def test_it_is_called_with_what_env_says_and_by_chat(served):
    variables = served.json("env", served.name)["env"]
    assert variables["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")
    answer = served.json("chat", served.name, "Hello?", "--max-tokens", "4")
    assert answer["message"]["content"]


def test_its_key_is_in_nothing_that_is_said_or_kept(served):
    key = served.json("env", served.name)["env"]["OPENAI_API_KEY"]
    documents = [served.plan(), served.status(), served.json("logs", served.name)]
    assert key not in json.dumps(documents)
    kept = [f for f in served.folder.rglob("*") if f.is_file() and key in f.read_text("latin-1")]
    assert {f.name for f in kept} == {"key"}


def test_a_changed_spec_is_one_deployment_under_the_same_key(world):
    first = world.up()
    key = world.json("env", world.name)["env"]["OPENAI_API_KEY"]
    world.spec.write_text(world.spec.read_text().replace("context: ", "context: 1"))
    second = world.up()
    assert second["state"] == "healthy"
    assert {r["id"] for r in second["resources"]}.isdisjoint({r["id"] for r in first["resources"]})
    assert len(second["resources"]) == len(first["resources"])
    assert world.json("env", world.name)["env"]["OPENAI_API_KEY"] == key


def test_down_removes_everything_and_twice_is_not_an_error(world):
    there = {(r["type"], r["id"]) for r in world.up()["resources"]}
    document = world.down()
    assert {(r["type"], r["id"]) for r in document["removed"]} == there
    assert document["remaining"] == []
    gone(world)
    assert world.down()["removed"] == []
    assert world.json("status")["deployments"] == []


MOMENTS = [
    *(("cloud-gpu/dummy", m) for m in ("recorded", "disk", "machine", "running", "healthy:")),
    *(("local/native", m) for m in ("recorded", "healthy:")),
]


@pytest.mark.parametrize(("world", "moment"), MOMENTS, indirect=["world"])
def test_an_up_killed_at_any_moment_is_gone_on_with(world, moment):
    world.killed_up(moment)
    whole = world.up()
    assert whole["state"] == "healthy"
    if isinstance(world, Dummy):
        assert (len(world.things("machine")), len(world.things("disk"))) == (1, 1)
        until(lambda: len(world.processes) == 1, 20)
        assert {one["stack"] for one in world.idle()["instances"]} == {"recorded here"}


@pytest.mark.parametrize(("world", "moment"), MOMENTS, indirect=["world"])
def test_what_a_killed_up_has_made_is_recorded_and_removed(world, moment):
    world.killed_up(moment)
    if isinstance(world, Dummy):
        listed = world.idle()
        assert listed["orphans"] == []
        assert all(one["stack"] == "recorded here" for one in listed["instances"])
        assert len(listed["instances"]) == len(world.things("machine"))
    assert world.down()["remaining"] == []
    gone(world)


KILLED_AFTER_S = (0.1, 0.25, 0.4, 0.6, 0.9)


@pytest.mark.parametrize("after_s", KILLED_AFTER_S)
def test_a_down_killed_at_any_moment_is_gone_on_with_and_leaves_nothing(world, after_s):
    world.up()
    world.killed("down", world.name, "--yes", after_s=after_s)
    assert world.down()["remaining"] == []
    gone(world)
    assert world.json("status")["deployments"] == []


@pytest.mark.parametrize("after_s", KILLED_AFTER_S)
def test_an_idle_killed_at_any_moment_is_gone_on_with_and_touches_nobody_elses(cloud, after_s):
    cloud.unused_for(TWO_HOURS)
    cloud.killed("idle", "destroy", "--yes", after_s=after_s)
    cloud.end("destroy")
    assert cloud.ours == []
    assert cloud.down()["remaining"] == []


def test_what_carries_a_copied_tag_is_named_and_never_touched(cloud):
    (own,), (disk,) = cloud.ours, cloud.things("disk")
    tags = {"tags": {**own["tags"], "deployer-owner": "them"}}
    machine = {**own, **tags, "id": "machine-copied", "name": "web", "port": 1, "disk": "disk-data"}
    data = {**disk, **tags, "id": "disk-data", "name": "data", "gib": 5000}
    for one in (machine, data):
        (cloud.account / f"{one['id']}.json").write_text(json.dumps(one))
    cloud.unused_for(TWO_HOURS)
    listed = cloud.idle()
    assert {one["id"] for one in listed["tagged"]} == {"machine-copied", "disk-data"}
    assert {one["id"]: one["monthly_usd"] for one in listed["tagged"]}["disk-data"] == 500
    assert {one["id"] for one in cloud.end("destroy")} == {own["id"]}
    kept = cloud.down()["kept"]
    assert {one["id"] for one in kept} == {"machine-copied", "disk-data"}
    for one in (machine, data):
        file = cloud.account / f"{one['id']}.json"
        assert file.exists()
        file.unlink()


def test_a_colleague_s_is_removed_and_replaced_by_nobody_but_by_its_owner_s_name(cloud):
    there = {one["id"] for one in (*cloud.ours, *cloud.things("disk"))}
    owner = cloud.ours[0]["tags"]["deployer-owner"]
    colleague = replace(cloud, environ={**cloud.environ, "DEPLOYER_HOME": f"{cloud.folder}/theirs"})
    refused = colleague.json("down", cloud.name, code=4)["error"]
    assert f"made by {owner}" in refused["message"]
    assert f"--owner {owner}" in refused["hint"]
    taken = colleague.json(*colleague.planning("up", "--yes"), code=5)["error"]
    assert owner in taken["message"]
    assert "'name: try-2', which is free" in taken["hint"]
    assert {one["id"] for one in (*cloud.ours, *cloud.things("disk"))} == there
    removed = colleague.json("down", cloud.name, "--owner", owner)["removed"]
    assert {one["id"] for one in removed} == there


def test_without_its_record_it_is_found_and_removed(world):
    there = {r["id"] for r in world.up()["resources"]}
    shutil.rmtree(world.home / "deployments" / world.name)
    assert {r["id"] for r in world.down()["removed"]} == there


def test_idle_lists_a_machine_with_its_price_and_stops_it_when_nobody_uses_it(cloud):
    (kept,) = cloud.idle()["instances"]
    assert (kept["deployment"], kept["decision"]) == ("try-cloud-gpu", "keep")
    assert kept["usd_per_hour"] == pytest.approx(4 + 5 / 730, abs=1e-5)
    cloud.unused_for(TWO_HOURS)
    (idle,) = cloud.idle()["instances"]
    assert idle["decision"] == "stop"
    assert idle["cost_since_idle_usd"] == pytest.approx(2 * kept["usd_per_hour"], rel=0.01)
    assert [one["done"] for one in cloud.end("stop")] == ["stop"]
    until(cloud.nothing_runs, 20)
    assert cloud.status()["state"] == "stopped"
    assert cloud.up()["state"] == "healthy"
    assert len(cloud.ours) == 1


def test_idle_destroys_a_machine_and_its_disk(cloud):
    cloud.unused_for(TWO_HOURS)
    assert [one["done"] for one in cloud.end("destroy")] == ["destroy"]
    until(cloud.nothing_runs, 20)
    assert cloud.ours == cloud.things("disk") == []
    assert cloud.status()["state"] == "failed"


def test_a_machine_that_is_used_is_kept(cloud):
    cloud.unused_for(TWO_HOURS)
    cloud.json("chat", cloud.name, "Hello?")
    assert cloud.end("destroy") == []
    assert cloud.status()["state"] == "healthy"


def test_a_dry_run_ends_nothing(cloud):
    cloud.unused_for(TWO_HOURS)
    assert cloud.json("idle", "destroy", "--dry-run")["acted"] == []
    assert cloud.status()["state"] == "healthy"


def test_a_machine_that_has_used_up_its_budget_is_stopped(cloud):
    cloud.change(cloud.ours[0]["id"], tags={"budget_usd": "0.000001"}, made_at=time.time() - DAY)
    (found,) = cloud.idle()["instances"]
    assert found["decision"] == "stop"
    assert "its budget is used up" in found["reason"]
    assert found["month_to_date_usd"] > 0
    assert [one["done"] for one in cloud.end("stop")] == ["stop"]


def test_a_machine_that_has_expired_is_destroyed_in_use_or_not(cloud):
    cloud.change(cloud.ours[0]["id"], tags={"expires_at": str(time.time() - 60)})
    assert [one["done"] for one in cloud.end("destroy")] == ["destroy"]
    assert cloud.ours == []


def test_extend_moves_the_end_and_never_to_an_earlier_time(cloud):
    (first,) = cloud.idle()["instances"]
    held = cloud.json("idle", "extend", cloud.name, "--for", "8d")["extended"]
    (later,) = cloud.idle()["instances"]
    assert held == [{"region": "north", "expires_at": later["expires_at"]}]
    moved = datetime.fromisoformat(later["expires_at"]) - datetime.fromisoformat(
        first["expires_at"]
    )
    assert moved.total_seconds() == pytest.approx(DAY, abs=60)
    assert cloud.json("idle", "extend", cloud.name, "--for", "1h")["extended"] == held


def test_status_says_when_it_expires(cloud):
    (listed,) = cloud.idle()["instances"]
    assert cloud.status()["expires_at"] == listed["expires_at"]


def test_what_is_left_over_without_any_record_is_listed_with_its_cost_and_removed(cloud):
    (disk,) = cloud.things("disk")
    for one in cloud.ours:
        (cloud.account / f"{one['id']}.json").unlink()
    shutil.rmtree(cloud.home)
    (left,) = cloud.idle()["orphans"]
    assert (left["id"], left["deployment"]) == (disk["id"], cloud.name)
    assert left["monthly_usd"] == 5
    assert [one["id"] for one in cloud.down()["removed"]] == [disk["id"]]


def test_a_machine_that_no_computer_remembers_is_listed_and_ended(cloud):
    shutil.rmtree(cloud.home)
    (found,) = cloud.idle()["instances"]
    assert found["stack"] == "not recorded here"
    cloud.unused_for(TWO_HOURS)
    assert [one["done"] for one in cloud.end("destroy")] == ["destroy"]


class PriceList(BaseHTTPRequestHandler):
    prices: Mapping[str, Mapping[str, str]] = {}

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.prices).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def publish() -> Iterator[Callable[[Dummy, str, str], None]]:
    """Publish the prices of a small and a large machine in the north, where that cloud looks."""
    with loopback.served(PriceList) as base:

        def publish(cloud: Dummy, small: str, large: str) -> None:
            PriceList.prices = {"north": {"small": small, "large": large}}
            cloud.environ = {**cloud.environ, "DUMMY_PRICES": f"{base}/prices.json"}

        yield publish


REFRESH = ("prices", "refresh", "--provider", "dummy", "--region", "north")


def test_prices_are_renewed_where_they_are_published_and_used_by_the_next_plan(tmp_path, publish):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    before = cloud.plan()["offer"]["usd_per_hour"]
    publish(cloud, "1.10", "4.40")
    (done,) = cloud.json(*REFRESH)["refreshed"]
    assert {(c["name"], c["new_usd"]) for c in done["changes"]} == {("small", 1.1), ("large", 4.4)}
    assert cloud.plan()["offer"]["usd_per_hour"] == pytest.approx(before * 1.1)
    listed = cloud.json("prices", "list", "--provider", "dummy", "--region", "north")["offers"]
    assert [one["usd_per_hour"] for one in listed] == [1.1, 4.4]


def test_prices_that_cannot_be_believed_leave_the_old_ones(tmp_path, publish):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    before = cloud.plan()["offer"]
    publish(cloud, "3.00", "4.40")
    error = cloud.json(*REFRESH, code=1)["error"]
    assert "the old prices of north stay: small went from 1.00 to 3.00 USD" in error["message"]
    assert cloud.plan()["offer"] == before
    assert cloud.json(*REFRESH, "--accept-changes")["refreshed"]


def test_render_writes_what_the_provider_says_and_how_it_is_run(tmp_path):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    out = tmp_path / "out"
    document = cloud.json(*cloud.planning("render", "--out", str(out)))
    assert [one["path"] for one in document["files"]] == ["README.md"]
    assert "dummy:index:Machine try-cloud-gpu" in (out / "README.md").read_text()
    with cloud.begin(*cloud.planning("render", "--out", str(out))) as command:
        _, err = command.communicate()
    assert err.strip().endswith("less README.md")


def test_a_region_that_it_does_not_have_is_refused_in_its_own_words(tmp_path):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    cloud.spec.write_text(cloud.spec.read_text().replace("north", "west"))
    plan = cloud.json(*cloud.planning("plan"), code=3)["plans"][0]
    assert "there is no region west" in " ".join(plan["reasons"])


def test_without_an_account_up_says_what_to_set(tmp_path):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    cloud.environ = {k: v for k, v in cloud.environ.items() if k != "DUMMY_CLOUD"}
    error = cloud.json(*cloud.planning("up", "--yes"), code=6)["error"]
    assert error["hint"] == "set DUMMY_CLOUD to a folder"


def test_what_is_promised_of_every_provider_holds_for_it_too(tmp_path):
    cloud = dummy_cloud.dummy(tmp_path / "world")
    suite = [sys.executable, "-m", "pytest", "tests/contract/test_providers.py", "-vv", "-n", "0"]
    done = subprocess.run(
        [*suite, "-k", "cloud-gpu/dummy", "-p", "no:cacheprovider"],
        env=os.environ | dict(cloud.environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") >= 10


def test_the_guide_explains_every_part():
    assert guides.explained(dummy_cloud.GUIDE, "Provider") == sorted(
        one.name for one in fields(Provider)
    )


VERBS: Mapping[str, Callable[[Provider], object]] = {
    "up": lambda one: one.runner or one.driver,
    "up again": lambda one: one.runner or one.driver,
    "killed up": lambda one: one.runner or one.driver,
    "changed up": lambda one: one.runner or one.driver,
    "status": lambda one: one.runner or one.manager,
    "logs": lambda one: one.runner or one.manager,
    "chat": lambda one: one.runner or one.manager,
    "idle": lambda one: one.cloud,
    "down": lambda one: one.runner or one.manager,
    "prices refresh": lambda one: one.prices,
    "render": lambda one: one.files or one.program,
}
"""What each verb needs of a record."""
E2E = "tests/e2e/"
CLOUD, BOOT, DOCKER = f"{E2E}test_cloud.py", f"{E2E}test_cloud_boot.py", f"{E2E}test_docker.py"
RENTED = f"{E2E}test_lambda.py"
MADE = f"{CLOUD}::test_a_deployment_is_made_changed_renewed_and_removed"
AWAKE = f"{BOOT}::test_from_a_spec_to_an_answer_asleep_awake_again_and_back_to_nothing"
HUB = f"{E2E}test_serverless.py::test_an_endpoint_of_hugging_face_is_made_asked_changed_paused_renewed_and_removed"
IMPORTED = (
    f"{E2E}test_serverless.py::test_a_model_is_uploaded_imported_asked_replaced_renewed_and_removed"
)
COMPONENT = (
    f"{E2E}test_serverless_sagemaker.py::test_a_component_is_made_asked_changed_renewed_and_removed"
)
WHOLE_LIFE = ("up", "up again", "changed up", "status", "logs", "chat", "down")
ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "cloud-gpu/aws": {
        **dict.fromkeys(("up", "up again", "changed up", "status", "down"), MADE),
        **dict.fromkeys(("logs", "chat"), AWAKE),
        "killed up": f"{E2E}test_cloud_killed.py::test_an_up_killed_at_any_moment_is_gone_on_with_or_removed",
        "idle": f"{E2E}test_idle.py::test_exactly_the_idle_machines_and_what_is_left_over_are_found_without_a_call_for_each",
        "prices refresh": "tests/stacks/aws/test_prices_refresh.py::test_every_price_is_read_and_dated_and_says_which_list_it_is_from",
        "render": f"{E2E}test_cloud_standalone.py::test_plain_pulumi_previews_the_rendered_project_as_it_was_planned",
    },
    "cloud-gpu/lambda": {
        **dict.fromkeys(WHOLE_LIFE, f"{RENTED}::test_a_machine_is_made_asked_changed_and_removed"),
        "killed up": f"{RENTED}::test_an_up_killed_at_any_moment_is_gone_on_with_and_has_one_machine",
        "idle": f"{RENTED}::test_what_nobody_uses_is_listed_ended_by_the_reaper_alone_and_left_over_is_found",
        "prices refresh": "tests/stacks/lambda/test_prices.py::test_the_command_reads_it_with_the_key_and_lists_it",
        "render": "tests/stacks/lambda/test_render.py::test_plain_pulumi_runs_the_rendered_project",
    },
    "local/docker": {
        "up": f"{DOCKER}::test_dockers_own_health_check_finds_it_healthy",
        "up again": f"{DOCKER}::test_up_twice_changes_nothing",
        "killed up": f"{DOCKER}::test_what_a_killed_up_left_behind_is_found_by_its_labels",
        "changed up": f"{DOCKER}::test_a_changed_spec_replaces_the_container_under_the_same_key",
        "status": f"{DOCKER}::test_status_names_the_container",
        "logs": f"{DOCKER}::test_logs_show_what_the_engine_said_and_no_key",
        "chat": f"{DOCKER}::test_the_official_client_gets_a_streamed_answer_with_the_key",
        "down": f"{DOCKER}::test_down_leaves_no_container_no_network_and_no_volume",
        "render": f"{E2E}test_docker_compose.py::test_compose_makes_the_container_that_up_makes_and_it_answers",
    },
    "serverless/huggingface": {
        **dict.fromkeys((*WHOLE_LIFE, "idle"), HUB),
        "prices refresh": "tests/stacks/huggingface/test_prices.py::test_the_command_reads_it_and_lists_it",
    },
    "serverless/bedrock": dict.fromkeys(WHOLE_LIFE, IMPORTED),
    "serverless/sagemaker": dict.fromkeys(WHOLE_LIFE, COMPONENT),
}
"""For what needs an account or a daemon: the test of each verb, by provider."""
SHARED = {"killed up", "idle", "render"}
"""What serverless providers have no test of their own for: the code is that of `cloud-gpu/aws` (`running/stack`, the
reaper, `planning/pulumi_project`)."""
HERE = {
    "cloud-gpu/dummy": set(VERBS),
    "local/native": {*WHOLE_LIFE, "killed up"},
}
"""What the tests above run."""


@pytest.mark.parametrize("place", ["/".join(one) for one in registry.every_provider()])
def test_each_verb_that_a_provider_has_the_part_for_is_proven(place):
    record = registry.provider(*place.split("/"))
    can = {verb for verb, part in VERBS.items() if part(record)}
    proven = HERE.get(place, set()) | set(ELSEWHERE.get(place, ()))
    assert can - proven <= (SHARED if record.target == "serverless" else set())


@pytest.mark.parametrize("test", sorted({t for row in ELSEWHERE.values() for t in row.values()}))
def test_what_proves_a_verb_elsewhere_exists(test):
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
