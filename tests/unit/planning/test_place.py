"""The region of a plan: named or the provider's default, shown, refused where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from tests.kits.documents import read

MODEL = "name: bot\nmodel: {source: %s}\n"


@pytest.fixture
def planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("DEPLOYER_HOME", str(tmp_path / "home"))

    def made(more: str, target: str = "cloud-gpu", source: str = "hf:Qwen/Qwen3-8B") -> Any:
        file = tmp_path / "deployer.yaml"
        file.write_text(MODEL % source + more)
        words = ["plan", "-f", str(file), "--target", target, "--offline", "--json"]
        code = main(words)
        return code, read("plan", capsys.readouterr().out)["plans"][0]

    return made


def test_without_a_region_the_providers_own_is_taken_and_shown(planned):
    code, shown = planned("")
    assert code == 0
    assert shown["offer"]["region"] == "us-east-1"
    assert shown["defaults"]["targets.cloud-gpu.region"] == "us-east-1"


def test_a_region_that_was_named_is_no_default(planned):
    _, shown = planned("targets: {cloud-gpu: {region: eu-west-1}}\n")
    assert shown["offer"]["region"] == "eu-west-1"
    assert "targets.cloud-gpu.region" not in shown["defaults"]


def test_a_region_that_is_not_there_is_refused_with_its_nearest(planned):
    code, shown = planned("targets: {cloud-gpu: {region: eu-west-9}}\n")
    assert code == 3
    assert "there is no region 'eu-west-9': the nearest is eu-west-3" in " ".join(shown["reasons"])


@pytest.mark.parametrize(("region", "ok"), [("eu-west-1", True), ("eu-west-2", False)])
def test_region_eu_is_its_member_states_and_not_a_name_that_begins_so(planned, region, ok):
    text = f"policy: {{privacy: 'region:eu'}}\ntargets: {{cloud-gpu: {{region: {region}}}}}\n"
    code, shown = planned(text)
    assert shown["policy"][0]["ok"] == ok
    assert code == (0 if ok else 4)


def test_a_bucket_that_the_provider_does_not_read_is_refused(planned):
    facts = "{params: 8000000000, layers: 36, hidden: 4096, attn_heads: 32, kv_heads: 8}"
    code, shown = planned("", source=f"gs://bucket/model, facts: {facts}")
    assert code == 3
    assert "reads models from s3://, not from gs://" in " ".join(shown["reasons"])
