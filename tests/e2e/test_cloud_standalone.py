"""What `deployer render` writes, run by plain `pulumi` (see `test_cloud`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits.cloud import NAME, Cloud

pytestmark = [
    pytest.mark.xdist_group("cloud"),  # each run takes a core for itself
    pytest.mark.timeout(3600),
]


def test_plain_pulumi_previews_the_rendered_project_as_it_was_planned(cloud, tmp_path):
    pytest.importorskip(
        "pip", reason="Pulumi's CLI asks the environment's own pip what is installed"
    )
    asked = ("-f", cloud.spec(more="policy: {expires: 7d}\n"), "--target", "cloud-gpu", "--offline")
    planned = cloud.json("plan", *asked)["plans"][0]["resources"]
    cloud.run("render", *asked, "--out", tmp_path / "project")
    environ = plain(cloud, tmp_path)
    run(tmp_path / "project", environ, "sh", "configure")
    again = subprocess.run(
        ["/bin/sh", "configure"],
        cwd=tmp_path / "project",
        env=environ,
        capture_output=True,
        check=False,
    )
    assert again.returncode == 1, "keys that are there are not made anew"
    key = run(tmp_path / "project", environ, "pulumi", "config", "get", "deployer:apiKey").strip()
    assert key.startswith("dk-")
    assert key not in (tmp_path / "project" / f"Pulumi.{NAME}.yaml").read_text()

    seen = json.loads(run(tmp_path / "project", environ, "pulumi", "preview", "--json"))
    steps = {
        (s["urn"].split("::")[2].rpartition("$")[2], s["urn"].split("::")[3]) for s in seen["steps"]
    }
    assert {s["op"] for s in seen["steps"]} == {"create"}
    assert steps - {("pulumi:pulumi:Stack", f"deployer-{NAME}")} == {
        (one["type"], one["name"]) for one in planned
    }
    assert cloud.leftovers() == {}


def plain(cloud: Cloud, folder: Path) -> dict[str, str]:
    """The environment of somebody who has Pulumi and its Python packages, and no deployer."""
    state = folder / "state"
    state.mkdir()
    return {
        **cloud.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "of the test",
        "CALLER_CIDR": "198.51.100.7/32",
    }


def run(folder: Path, environ: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
