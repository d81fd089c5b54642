"""Regions: which law the data is under there, what is refused, and what is taken when none is named."""

from __future__ import annotations

import pytest

from deployer.providers import registry
from deployer.providers.regions import EU, Region, Regions

FEW = Regions("a-1", {"a-1": "de", "b-1": "gb"})
PLACES = [one for one in registry.every_provider() if registry.provider(*one).regions]


def test_the_union_has_27_members_and_neither_london_nor_zurich_is_in_one():
    assert len(EU) == 27
    assert not {"gb", "uk", "ch", "no"} & EU


@pytest.mark.parametrize(("target", "name"), PLACES)
def test_every_default_is_a_region_and_every_country_a_code(target, name):
    regions = registry.provider(target, name).regions
    assert regions is not None
    assert regions.default in regions.countries
    assert all(len(code) == 2 and code.islower() for code in regions.countries.values())


@pytest.mark.parametrize(("target", "name"), PLACES)
def test_every_region_that_is_priced_is_known(target, name):
    provider = registry.provider(target, name)
    assert provider.regions is not None
    from deployer.planning import catalog

    clouds = {"aws", "gcp"} if name == "huggingface" else set()  # its prices are those of a cloud
    assert {*catalog.load().regions(name)} - clouds <= set(provider.regions.countries)


def test_an_unknown_region_is_refused_with_the_nearest_or_with_all_of_a_few():
    aws = registry.provider("cloud-gpu", "aws").regions
    assert aws is not None
    assert aws.refusal("eu-west-4") == "there is no region 'eu-west-4': the nearest is eu-west-3"
    assert FEW.refusal("c-1") == "there is no region 'c-1', only a-1, b-1"
    assert FEW.refusal("b-1") is None
    assert FEW.refusal(None) is None


def test_no_region_is_the_default_and_a_strange_one_lies_nowhere():
    assert FEW.find(None) == Region("a-1", "de")
    assert FEW.find("mars-1") == Region("mars-1", None)
    assert not FEW.find("mars-1").lies_in("eu")
    assert FEW.within("eu") == ("a-1",)
    assert FEW.within("uk") == ("b-1",)
