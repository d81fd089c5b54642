"""Which machine `local` is planned for, and which provider takes it."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import GIB, Plan
from deployer.planning import catalog, model_facts, plan
from deployer.planning.catalog import models
from deployer.planning.question import Question
from deployer.providers.api import Host, HostGpu, Want
from deployer.running.stack import offline
from deployer.sources import host, host_gpus
from deployer.spec.load import load
from stacks.local import _machine

ADA = HostGpu("NVIDIA GeForce RTX 4090", 24564, 24100)
L4 = HostGpu("NVIDIA L4", 23034, 22563)
MAC = HostGpu("Apple M3 Ultra", 96 * 1024)


def planned(folder: Path, here: Host, source: str, local: str = "{}", more: str = "") -> Plan:
    file = folder / "deployer.yaml"
    file.write_text(f"name: a\nmodel: {{source: {source}}}\ntargets: {{local: {local}}}\n{more}")
    loaded = load(file)
    info = model_facts.describe(source, base=folder, catalog=models.model, hub=None)
    question = Question(loaded.spec, "local", info, catalog.load(), here)
    return plan.make(
        plan.Asked(question, loaded),
        catalog.load(),
        lambda where, inputs: offline.resources_of(where, inputs, None),
        "2026-11-01",
    )


@pytest.mark.parametrize(
    ("gpus", "docker", "expected"),
    [
        ((ADA, ADA), True, "docker"),
        ((L4,), True, "docker"),
        ((), True, "native"),
        ((), False, "native"),
    ],
)
def test_auto_takes_docker_with_a_gpu_and_native_without(
    gpus, docker, expected, tmp_path, tiny_gguf
):
    made = planned(tmp_path, Host(8, 64 * GIB, gpus, docker), str(tiny_gguf))
    assert made.provider == expected
    assert made.feasible
    assert made.offer is not None
    assert made.offer.gpu_count == len(gpus)


@pytest.mark.parametrize(
    ("here", "local", "expected"),
    [
        (Host(8, 64 * GIB, (ADA,), docker=False), {}, "native"),
        (Host(24, 96 * GIB, (MAC,), docker=True), {}, "native"),
        (Host(8, 8 * GIB), {"hardware": {"gpu": "rtx-4090", "count": 1}}, "docker"),
        (Host(8, 8 * GIB, (ADA,)), {"hardware": {"gpu": "rtx-4090", "count": 1}}, "native"),
        (Host(8, 8 * GIB), {"hardware": {"gpu": "m3-ultra", "count": 1}}, "native"),
    ],
    ids=["no Docker", "a Mac", "another machine", "this machine without Docker", "another Mac"],
)
def test_the_provider_follows_the_machine(here, local, expected):
    want = Want(None, local, here)
    assert _machine.preferred(want, _machine.of(want, catalog.load())) == expected


def test_local_without_hardware_is_planned_for_what_is_here(tmp_path):
    made = planned(tmp_path, Host(16, 64 * GIB, (ADA, ADA), docker=True), "hf:Qwen/Qwen3-8B")
    assert made.offer is not None
    assert made.sizing is not None
    assert (made.offer.gpu, made.offer.gpu_count) == ("RTX 4090", 2)
    assert made.offer.vram_mib == ADA.memory_mib
    command = made.resources[1].inputs["command"]
    assert command[command.index("--tensor-parallel-size") + 1] == str(made.sizing.gpus)
    assert made.resources[0].inputs["gpu_count"] == 2


@pytest.mark.parametrize(("asked", "count"), [("1", 1), ('["1"]', 1), ("all", 2), ("5", 2)])
def test_gpus_says_how_many_serve(asked, count, tmp_path):
    here = Host(16, 64 * GIB, (ADA, ADA), docker=True)
    made = planned(tmp_path, here, "hf:Qwen/Qwen3-8B", f"{{gpus: {asked}}}")
    assert made.offer is not None
    assert made.offer.gpu_count == count


def test_a_mac_is_planned_with_its_unified_memory(tmp_path, tiny_gguf):
    made = planned(tmp_path, Host(24, 96 * GIB, (MAC,)), str(tiny_gguf))
    assert made.provider == "native"
    assert made.offer is not None
    assert made.offer.vram_mib == MAC.memory_mib


def test_a_gpu_that_the_catalog_does_not_know_serves_at_an_unknown_speed(tmp_path, tiny_gguf):
    odd = HostGpu("NVIDIA Unheard Of 9", 1024)
    made = planned(tmp_path, Host(8, 64 * GIB, (odd,), docker=True), str(tiny_gguf))
    assert made.offer is not None
    assert made.sizing is not None
    assert (made.offer.gpu, made.offer.gpu_count, made.offer.vram_mib) == ("Unheard Of 9", 1, 1024)
    assert made.sizing.fit == "fits"
    assert made.sizing.decode_tok_s is None


def test_the_price_of_the_machine_is_spread_over_all_its_gpus():
    order: Any = {
        "offer": {
            "gpu": "RTX 4090",
            "gpu_count": 2,
            "gpu_list_price_usd": "1599",
            "gpu_source": "s",
        },
        "options": {},
    }
    assert _machine.hardware(order)["price_usd"] == str(Decimal(3198))


def test_the_lines_of_nvidia_smi_are_read_and_others_left_out():
    said = "NVIDIA L4, 23034, 22563\nNVIDIA GeForce RTX 4090, 24564, [N/A]\nFailed to initialize\n"
    assert list(host_gpus.parsed(said)) == [L4, HostGpu("NVIDIA GeForce RTX 4090", 24564, None)]


def test_no_tool_is_started_where_there_is_no_driver(tmp_path, monkeypatch):
    if host_gpus.has_nvidia():
        pytest.skip("this machine has an NVIDIA driver, so the tool is to be asked")
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert host.look().gpus == ()
    assert not (tmp_path / "started").exists()
