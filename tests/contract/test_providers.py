"""What every provider promises, whoever wrote it: the suite runs over all that can be found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployer import engines
from deployer.core.domain import GIB, Offer, Resource
from deployer.planning import catalog, cost, model_facts, plan
from deployer.planning.catalog import models
from deployer.planning.choose import choose
from deployer.planning.question import Question, want_of
from deployer.providers import registry
from deployer.providers.api import Host, Provider
from deployer.providers.managers import ReportsStatus, SupportsLookup
from deployer.running.lookup import manager_of
from deployer.running.stack import offline
from deployer.spec.load import load
from tests.kits.documents import printed

SPEC = """
name: contract
model: {{source: hf:Qwen/Qwen3-8B}}
targets: {{{target}: {{provider: {name}{more}}}}}
"""
MORE = {"local": ", hardware: {gpu: rtx-4090}"}
"""What a target must be told besides: the machine at hand has no GPU for an 8B model."""
DEFAULT_REGION = "us-east-1"
"""What a spec means that names no region."""
CANARY = "canary-secret-5e1f"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "OPENAI_API_KEY")
DUMMY = """
from deployer.core.domain import Offer

TARGET, NAME, ENGINES, PRIVACY = "local", "dummy", ("vllm",), "nowhere"

def offers(want, prices):
    return [Offer(NAME, None, "box", "H100 80GB", 1, 81559, None, "owned", "the box itself", None)]

def inputs(order):
    return {"deployment": order["deployment"]}

def resources(inputs):
    return [{"type": "local:index:Process", "name": inputs["deployment"], "inputs": {"a": 1}}]
"""


def spec(where: str, name: str) -> str:
    regions = catalog.load().regions(name)
    elsewhere = where == "cloud-gpu" and regions and DEFAULT_REGION not in regions
    region = f", region: {regions[0]}" if elsewhere else ""
    return SPEC.format(target=where, name=name, more=MORE.get(where, region))


@dataclass(frozen=True)
class Case:
    """A provider with a question that it can answer, and what it made of it."""

    where: str
    name: str
    provider: Provider
    question: Question
    order: Any
    resources: tuple[Resource, ...]


@pytest.fixture(scope="module", params=list(registry.every_provider()), ids="/".join)
def case(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    where, name = request.param
    file = tmp_path_factory.mktemp("spec") / "deployer.yaml"
    file.write_text(spec(where, name))
    with pytest.MonkeyPatch.context() as patch:
        for secret in SECRETS:
            patch.setenv(secret, CANARY)
        yield _case(where, name, file)


def _case(where: str, name: str, file: Path) -> Case:
    loaded = load(file)
    info = model_facts.describe(
        loaded.spec.model.source, base=file.parent, catalog=models.model, hub=None
    )
    question = Question(loaded.spec, where, info, catalog.load(), Host(8, 64 * GIB))
    found = choose(question).ranked
    assert found, "it has an offer, a format and an engine for an 8B model"
    order = plan.order_of(plan.Asked(question, loaded), found[0])
    provider = registry.provider(where, name)
    made = offline.resources_of(provider, provider.inputs(order), None)
    return Case(where, name, provider, question, order, made)


def offers(case: Case) -> list[Offer]:
    return list(case.provider.offers(want_of(case.question, case.provider), case.question.catalog))


def test_it_is_what_its_file_is_called(case):
    assert case.where == case.provider.target
    assert case.name == case.provider.name


def test_it_says_in_one_line_where_the_data_goes(case):
    assert case.provider.privacy
    assert "\n" not in case.provider.privacy


def test_its_engines_are_known(case):
    run = registry.engines_of(case.provider)
    assert run
    assert [registry.engine_by(case.provider, name).name for name in run] == list(run)


def test_it_can_start_what_it_names(case):
    runs = case.provider.runs
    if runs is not None:
        started = engines.with_part("native" if runs == "native" else "container")
        assert set(case.provider.engines) <= set(started)


def test_each_offer_is_its_own_with_a_source_and_a_price_that_is_not_zero(case):
    for offer in offers(case):
        assert offer.provider == case.name
        assert offer.source
        assert offer.usd_per_hour is None or offer.usd_per_hour > 0
        assert offer.usd_per_hour is None or offer.as_of, "a price has a date"
        assert (offer.gpu is None) == (offer.gpu_count == 0)


def test_the_same_question_has_the_same_offers(case):
    assert offers(case) == offers(case)


def test_its_inputs_are_plain_and_the_same_every_time(case):
    made = case.provider.inputs(case.order)
    assert json.loads(json.dumps(made)) == made
    assert case.provider.inputs(case.order) == made


def test_what_it_makes_is_plain_and_each_thing_has_a_name_of_its_own(case):
    assert case.resources
    for one in case.resources:
        assert one.type.count(":") == 2
        assert json.loads(json.dumps(one.inputs)) == one.inputs
    names = [(one.type, one.name) for one in case.resources]
    assert len(set(names)) == len(names)


def test_all_that_it_makes_is_priced_or_said_to_be_free(case):
    known = {*cost.every_pricing().rules, *cost.every_pricing().free}
    assert {one.type for one in case.resources} <= known


def test_no_secret_of_the_environment_gets_into_what_it_makes(case):
    said = json.dumps([case.provider.inputs(case.order), *(dict(r.inputs) for r in case.resources)])
    assert CANARY not in said


def test_its_runner_finds_and_stops_nothing_of_a_deployment_that_is_not_there(case, tmp_path):
    if case.provider.runner is None:
        return
    runner = case.provider.runner(tmp_path)
    assert not runner.alive("none-local")
    assert list(runner.found("none-local")) == []
    assert list(runner.stop("none-local")) == []
    assert list(runner.logs("none-local", follow=False, tail=5)) == []
    assert list(runner.logs("none-local", follow=True, tail=5)) == []
    assert list(tmp_path.rglob("*")) == [], "looking leaves nothing behind"


def test_what_is_applied_by_an_engine_has_a_keeper_that_tells_removes_and_explains(case, tmp_path):
    if case.provider.program is None:
        return
    manager = manager_of(case.provider, tmp_path, lambda _: None)
    assert isinstance(manager, SupportsLookup)
    for call in ("alive", "found", "logs", "stop"):
        assert callable(getattr(manager, call))
    assert manager.why("some:type:Thing", "none") is None
    assert list(tmp_path.rglob("*")) == [], "asking leaves nothing behind"


def test_what_sleeps_by_itself_is_told_of_and_not_asked(case, tmp_path):
    if case.provider.sleep is None:
        return
    assert isinstance(manager_of(case.provider, tmp_path, lambda _: None), ReportsStatus)
    low, high = case.provider.sleep.cold_start_minutes
    assert 0 < low <= high
    assert case.provider.inputs(case.order)["scale_to_zero_minutes"] > 0


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a provider that nothing else has heard of."""
    folder = tmp_path / "stacks"
    (folder / "local").mkdir(parents=True)
    (folder / "local" / "dummy.py").write_text(DUMMY)
    monkeypatch.setenv("DEPLOYER_STACKS", str(folder))
    return folder


def test_a_new_file_is_a_new_provider_in_the_plan(dummy, tmp_path, home, capsys):
    file = tmp_path / "deployer.yaml"
    file.write_text(spec("local", "dummy"))
    code, document, _ = printed(capsys, "plan", "-f", file, "--target", "local")
    shown = document["plans"][0]
    assert code == 0
    assert shown["provider"] == "dummy"
    assert shown["offer"]["instance_type"] == "box"
    assert [r["name"] for r in shown["resources"]] == ["contract-local"]


def test_a_new_file_runs_this_suite_without_another_edit(dummy):
    suite = [sys.executable, "-m", "pytest", __file__, "-vv", "-k", "local/dummy"]
    done = subprocess.run(
        [*suite, "-p", "no:cacheprovider"],
        env=os.environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") >= 10


def test_an_unknown_gpu_names_the_nearest(tmp_path, home, capsys):
    file = tmp_path / "deployer.yaml"
    local = "{hardware: {gpu: rtx-4900}}"
    file.write_text(f"name: a\nmodel: {{source: hf:Qwen/Qwen3-8B}}\ntargets: {{local: {local}}}\n")
    code, document, _ = printed(capsys, "plan", "-f", file, "--target", "local")
    assert code == 2
    assert "RTX 4090" in document["error"]["hint"]


def test_a_provider_without_a_runner_cannot_be_applied_yet(dummy, tmp_path, home, capsys):
    file = tmp_path / "deployer.yaml"
    file.write_text(spec("local", "dummy"))
    code, document, _ = printed(capsys, "up", "-f", file, "--target", "local", "--yes")
    assert code == 6
    said = "applying local with dummy is not supported in this version"
    assert said in document["error"]["message"]
