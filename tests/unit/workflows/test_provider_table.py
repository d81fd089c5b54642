"""What `doctor --providers` says of each provider that is found."""

from __future__ import annotations

from deployer.cli import main
from deployer.providers import registry
from deployer.providers.abilities import PARTS
from tests.kits.documents import read


def test_every_provider_has_a_row_and_every_part_is_there_or_explained(capsys):
    assert main(["doctor", "--providers", "--json"]) == 0
    rows = read("doctor", capsys.readouterr().out)["providers"]
    assert {(row["target"], row["provider"]) for row in rows} == set(registry.every_provider())
    for row in rows:
        matter = {
            name for name, p in PARTS.items() if p.on_own_machines or row["target"] != "local"
        }
        assert {*row["can"], *row["lacks"]} >= matter
        assert not {*row["can"]} & {*row["lacks"]}
        assert all(row["lacks"].values())


def test_a_provider_of_the_users_own_that_cannot_be_applied_says_so(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "serverless"
    folder.mkdir()
    (folder / "mars.py").write_text(
        "TARGET, NAME, ENGINES, PRIVACY = 'serverless', 'mars', ('vllm',), 'far away'\n"
        "def offers(want, prices): return []\n"
        "def inputs(order): return {}\n"
    )
    monkeypatch.setenv("DEPLOYER_STACKS", str(tmp_path))
    assert main(["doctor", "--providers"]) == 0
    shown = capsys.readouterr().out.partition("serverless mars")[2]
    assert "no apply: it can be planned and compared, not applied" in shown
