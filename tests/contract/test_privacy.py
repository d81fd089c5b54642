"""What holds of privacy for every provider and every engine that is found: by a loop, not by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployer import engines
from deployer.core.domain import Plan
from deployer.engines import container as images
from deployer.engines import engine
from deployer.engines.record import OFFLINE, SILENT
from deployer.planning.policy import judge
from deployer.providers import registry
from deployer.providers.regions import EU
from deployer.spec import Policy
from deployer.workflows import plan as pipeline
from tests.unit.cli.test_render import order
from tests.unit.engines.test_launch import of

PROVIDERS = [*registry.every_provider()]
PLACES = [one for one in PROVIDERS if registry.provider(*one).regions]
OUTSIDE = {"eu-west-2": "London", "eu-central-2": "Zurich"}
SPEC = """
name: a
model: {{source: 'hf:Qwen/Qwen3-8B'}}
policy: {{privacy: '{privacy}'}}
targets: {{{target}: {{provider: {name}{more}}}}}
"""


def planned(
    folder: Path, target: str, name: str, more: str = "", privacy: str = "cloud-ok"
) -> Plan:
    file = folder / "deployer.yaml"
    file.write_text(SPEC.format(target=target, name=name, more=more, privacy=privacy))
    return pipeline.make_plans(file, [target], pipeline.Setting(folder / "home", offline=True))[0]


@pytest.mark.parametrize("name", engines.with_part("container"))
def test_no_engine_in_a_container_reports_its_use(name):
    given = {"path": None, "source": "hf:a/b"} if name != "fastapi" else {}
    if name == "fastapi":
        pytest.skip("its image is described by tests/e2e/test_docker_handler.py")
    told = images.container(order(name, **given, gpus=1))["environment"]
    assert SILENT.items() <= engine(name).silent.items() <= told.items()
    assert not OFFLINE.items() & told.items()


@pytest.mark.parametrize("name", engines.with_part("container"))
def test_under_local_only_a_container_is_cut_off_and_told_so(name):
    if name == "fastapi":
        pytest.skip("its image is described by tests/e2e/test_docker_handler.py")
    given = {"path": None, "source": "hf:a/b@v1", "privacy": "local-only"}
    made = images.container(order(name, **given))
    assert engine(name).offline.items() <= made["environment"].items()
    assert made["network"] == "isolated"
    assert made["fetch"]["sources"] == ["a/b@v1"]
    assert "--offline" not in made["fetch"]["arguments"]


@pytest.mark.parametrize("name", engines.with_part("native"))
@pytest.mark.parametrize("offline", [False, True])
def test_no_engine_without_a_container_reports_its_use(name, offline, tiny_gguf):
    source: dict[str, Any]
    source = {"source": "hf:a/b"} if name in ("vllm", "mlx") else {"model": str(tiny_gguf)}
    told = of(engine=name, offline=offline, **source).environment
    assert engine(name).silent.items() <= told.items()
    assert (engine(name).offline.items() <= told.items()) is offline


@pytest.mark.parametrize(("target", "name"), PROVIDERS)
def test_what_a_provider_makes_tells_its_engine_not_to_report(target, name, tmp_path):
    where = registry.provider(target, name)
    more = ", hardware: {gpu: rtx-4090}" if target == "local" else ""
    made = planned(tmp_path, target, name, more)
    assert made.sizing is not None
    served = registry.engine_by(where, made.sizing.engine)
    if served.managed or where.runs == "native":
        pytest.skip(
            "the provider's own engine"
            if served.managed
            else "its environment is made by the launch"
        )
    text = json.dumps([dict(made.inputs), [dict(one.inputs) for one in made.resources]])
    assert made.inputs
    assert all(name in text for name in served.silent)


@pytest.mark.parametrize(("target", "name"), PLACES)
def test_region_eu_is_the_member_states_in_every_provider(target, name):
    where = registry.provider(target, name)
    assert where.regions is not None
    for region, country in where.regions.countries.items():
        (verdict,) = judge(Policy(privacy="region:eu"), target, where.region(region), None)
        assert verdict.ok is (country in EU), region


@pytest.mark.parametrize("region", OUTSIDE)
@pytest.mark.parametrize(("target", "name"), PLACES)
def test_london_and_zurich_are_refused_under_region_eu(target, name, region, tmp_path):
    made = planned(tmp_path, target, name, f", region: {region}", "region:eu")
    assert not made.feasible
    assert pipeline.exit_code([made]) in (3, 4)
    known = registry.provider(target, name).regions
    assert known is not None
    if region in known.countries:
        assert pipeline.exit_code([made]) == 4
        assert any(f"{region} is not in region:eu" in reason for reason in made.reasons)


@pytest.mark.parametrize(("target", "name"), PLACES)
def test_everything_of_a_plan_under_region_eu_lies_in_the_union(target, name, tmp_path):
    """No other offer, no resource and no default leads out of it: not by a profile of several regions either."""
    where = registry.provider(target, name)
    assert where.regions is not None
    inside = where.regions.within("eu")
    made = planned(tmp_path, target, name, f", region: {inside[0]}", "region:eu")
    others = {other.offer.region for other in made.alternatives}
    assert others <= {inside[0]}
    text = json.dumps([dict(one.inputs) for one in made.resources])
    outside = set(where.regions.countries) - {inside[0]}
    assert not [region for region in outside if f'"{region}"' in text]
    assert "inference-profile" not in text
