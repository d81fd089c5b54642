"""Hugging Face's own listing, on loopback in the form of its API: what is taken, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.core.errors import RemoteError
from deployer.planning import catalog
from deployer.sources.prices import Refreshed
from stacks.serverless.huggingface import prices as huggingface
from tests.kits import price_lists as lists
from tests.kits.documents import printed
from tests.kits.refreshing import TODAY, asked

PATH = "/v2/provider"
KNOWN = {o.instance_type: o for o in catalog.load().offers("huggingface")}


def compute(name: str, price: Any, **more: Any) -> dict[str, Any]:
    _, kind, size = name.split("/")
    plain = {"accelerator": "gpu", "status": "available", "numAccelerators": int(size[1:])}
    return {**plain, "instanceType": kind, "instanceSize": size, "pricePerHour": price, **more}


def every(**changed: Any) -> dict[str, Any]:
    """All that is bundled at its bundled price, but for what is changed (None: not in the listing)."""
    found: dict[str, list[Any]] = {}
    wanted = {name: float(o.usd_per_hour or 0) for name, o in KNOWN.items()}
    for name, price in {**wanted, **changed}.items():
        if price is not None:
            found.setdefault(name.split("/")[0], []).append(compute(name, price))
    return {"vendors": [vendor(name, computes) for name, computes in found.items()]}


def vendor(name: str, *computes: Any, status: str = "available") -> dict[str, Any]:
    regions = [
        {"name": f"region-{n}", "label": "", "status": status, "computes": each}
        for n, each in enumerate(computes)
    ]
    return {"name": name, "status": "available", "regions": regions}


def refreshed(folder: Path, document: Any, **more: Any) -> Refreshed:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    with lists.served({PATH: text}) as base:
        return huggingface.refresh(asked(folder, base + PATH, **more))


def offered(folder: Path) -> dict[str, Any]:
    return {o.instance_type: o for o in catalog.load(folder).offers("huggingface")}


def test_prices_are_taken_dated_and_named_by_their_source(tmp_path):
    done = refreshed(tmp_path, every(**{"aws/nvidia-l4/x1": 0.9}))
    assert [(c.name, c.old, c.new) for c in done.changes] == [
        ("aws/nvidia-l4/x1", Decimal("0.8"), Decimal("0.9"))
    ]
    found = offered(tmp_path)
    assert found.keys() == KNOWN.keys()
    assert {(o.source, o.as_of) for o in found.values()} == {
        (f"Hugging Face's own listing, read on {TODAY}", TODAY)
    }
    for name, offer in found.items():
        like = KNOWN[name]
        assert (offer.gpu, offer.gpu_count, offer.vram_mib, offer.region, offer.billing) == (
            *(like.gpu, like.gpu_count, like.vram_mib, like.region, like.billing),
        )


def test_a_new_size_of_a_known_gpu_is_offered_and_an_unknown_gpu_is_not(tmp_path):
    refreshed(tmp_path, every(**{"aws/nvidia-l4/x2": 1.6, "aws/nvidia-z1/x1": 9.0}))
    found = offered(tmp_path)
    assert (found["aws/nvidia-l4/x2"].gpu, found["aws/nvidia-l4/x2"].gpu_count) == ("L4", 2)
    assert "aws/nvidia-z1/x1" not in found


def test_what_is_listed_no_more_is_offered_no_more(tmp_path):
    done = refreshed(tmp_path, every(**{"aws/nvidia-l4/x1": None}))
    assert list(done.missing) == ["aws/nvidia-l4/x1"]
    assert "aws/nvidia-l4/x1" not in offered(tmp_path)


@pytest.mark.parametrize("why", [{"status": "unavailable"}, {"accelerator": "cpu"}])
def test_what_cannot_be_had_or_has_no_gpu_is_not_offered(tmp_path, why):
    document = every()
    document["vendors"].append(vendor("aws", [compute("aws/nvidia-l4/x2", 1.6, **why)]))
    document["vendors"].append(
        vendor("aws", [compute("aws/nvidia-l4/x3", 2.4)], status="unavailable")
    )
    refreshed(tmp_path, document)
    assert offered(tmp_path).keys() == KNOWN.keys()


def test_of_two_prices_in_two_regions_the_dearer_counts_and_it_is_said(tmp_path):
    document = every()
    name = "aws/nvidia-l4/x1"
    document["vendors"].append(vendor("aws", [compute(name, 0.85)], [compute(name, 0.7)]))
    done = refreshed(tmp_path, document)
    assert offered(tmp_path)[name].usd_per_hour == Decimal("0.85")
    assert name in done.notes[0]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<html>", "an unknown format"),
        ({"items": []}, "an unknown format"),
        (every(**{"aws/nvidia-l4/x1": "free"}), "an unknown format"),
        (every(**{"aws/nvidia-l4/x1": 0}), "an unknown format"),
        ({"vendors": []}, "has no price of a machine"),
        (every(**{"aws/nvidia-l4/x1": 80}), "went from 0.8 to 80"),
        (every(**dict.fromkeys(list(KNOWN)[:9])), "looks truncated"),
    ],
)
def test_what_cannot_be_believed_leaves_the_old_prices(tmp_path, document, words):
    with pytest.raises(RemoteError) as refused:
        refreshed(tmp_path, document)
    assert words in refused.value.message
    assert not list(tmp_path.iterdir())


def test_a_price_that_doubled_is_taken_when_the_user_says_so(tmp_path):
    refreshed(tmp_path, every(**{"aws/nvidia-l4/x1": 1.6}), accept_changes=True)
    assert offered(tmp_path)["aws/nvidia-l4/x1"].usd_per_hour == Decimal("1.6")


def test_a_listing_older_than_the_bundled_prices_is_not_used(tmp_path):
    refreshed(tmp_path, every(**{"aws/nvidia-l4/x1": 0.9}))
    file = tmp_path / "huggingface.json"
    file.write_text(file.read_text().replace(TODAY, "2020-01-01"))
    assert offered(tmp_path) == KNOWN


def test_the_command_reads_it_and_lists_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DEPLOYER_HOME", str(tmp_path))
    document = json.dumps(every(**{"aws/nvidia-l4/x1": 0.9})).encode()
    words = ["prices", "refresh", "--provider", "huggingface"]
    with lists.served({PATH: document}) as base:
        monkeypatch.setenv("HF_INFERENCE_ENDPOINTS_ENDPOINT", f"{base}/v2")
        assert main(words) == 0
        assert "aws/nvidia-l4/x1: 0.8 -> 0.9 USD" in capsys.readouterr().out
        assert main([*words, "--region", "us-east-1"]) == 2
    capsys.readouterr()
    code, told, _ = printed(capsys, "prices", "list", "--provider", "huggingface")
    assert code == 0
    rows = {o["instance_type"]: o["usd_per_hour"] for o in told["offers"]}
    assert rows["aws/nvidia-l4/x1"] == 0.9
