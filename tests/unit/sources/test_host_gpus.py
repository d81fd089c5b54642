"""What a machine's GPUs are, as the drivers' own tools tell it: fakes of them on PATH."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from deployer.providers.api import HostGpu
from deployer.sources import amd_gpus, host_gpus

MIG_LIST = """GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d5ba0d6)
  MIG 3g.40gb     Device  0: (UUID: MIG-aa)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-bb)
GPU 1: NVIDIA L4 (UUID: GPU-77)
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with both drivers, whose tools are the test's own."""
    driver = tmp_path / "driver"
    driver.touch()
    monkeypatch.setattr(host_gpus, "NVIDIA", tmp_path / "no")
    monkeypatch.setattr(host_gpus, "WSL", tmp_path / "no")
    monkeypatch.setattr(amd_gpus, "KFD", tmp_path / "no")
    monkeypatch.setattr(amd_gpus, "CARDS", tmp_path / "cards")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def nvidia(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> tuple[HostGpu, ...]:
    monkeypatch.setattr(host_gpus, "NVIDIA", folder / "driver")
    tool(folder, "nvidia-smi", script)
    return host_gpus.gpus()


def amd(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> tuple[HostGpu, ...]:
    monkeypatch.setattr(amd_gpus, "KFD", folder / "driver")
    for name in ("amd-smi", "rocm-smi"):
        tool(folder, name, scripts.get(name.replace("-", "_"), "exit 1"))
    return host_gpus.gpus()


@pytest.mark.parametrize("unknown", ["[N/A]", "N/A", "[Not Supported]"])
def test_a_chip_without_memory_of_its_own_is_there(tools, monkeypatch, unknown):
    found = nvidia(tools, monkeypatch, f"echo 'NVIDIA GB10, {unknown}, {unknown}'")
    assert found == (HostGpu("NVIDIA GB10", None),)


@pytest.mark.parametrize(
    ("line", "name", "told"),
    [
        ("NVIDIA L4, [N/A], [N/A]", "NVIDIA L4", "'[N/A]'"),
        ("NVIDIA L4, [Unknown Error], [Unknown Error]", "NVIDIA L4", "'[Unknown Error]'"),
        ("NVIDIA L4, [GPU is lost], [GPU is lost]", "NVIDIA L4", "'[GPU is lost]'"),
        ("NVIDIA L4, 0, 0", "NVIDIA L4", "'0'"),
        ("ERR!, ERR!, ERR!", "NVIDIA GPU", "'ERR!'"),
        ("No devices were found", "NVIDIA GPU", "names no GPU"),
    ],
)
def test_a_gpu_that_is_out_of_order_says_so_and_has_no_memory(tools, monkeypatch, line, name, told):
    (found,) = nvidia(tools, monkeypatch, f"echo '{line}'")
    assert (found.name, found.memory_mib) == (name, None)
    assert told in str(found.fault)


def test_a_gpu_without_a_name_keeps_its_memory(tools, monkeypatch):
    (found,) = nvidia(tools, monkeypatch, "echo '[Unknown Error], 23034 MiB, 22000 MiB'")
    assert found == HostGpu("NVIDIA GPU", 23034, 22000)


def test_a_gpu_in_mig_mode_without_instances_cannot_serve(tools, monkeypatch):
    script = (
        'case "$*" in -L) echo "GPU 0: NVIDIA H100 (UUID: GPU-1)";;'
        ' *) echo "NVIDIA H100, 81559, 81000, Enabled";; esac'
    )
    (found,) = nvidia(tools, monkeypatch, script)
    assert found.fault == host_gpus.NO_INSTANCES


def test_an_old_driver_that_knows_no_mig_is_asked_again(tools, monkeypatch):
    script = 'case "$*" in *mig*) exit 2;; *) echo "Tesla T4, 15360, 15100";; esac'
    assert nvidia(tools, monkeypatch, script) == (HostGpu("Tesla T4", 15360, 15100),)


def test_a_gpu_in_mig_mode_is_its_instances(tools, monkeypatch):
    (tools / "list").write_text(MIG_LIST)
    rows = "NVIDIA A100-SXM4-80GB, 81920, 81000, Enabled\nNVIDIA L4, 23034, 22000, [N/A]"
    (tools / "rows").write_text(rows)
    script = f'case "$1" in -L) cat {tools}/list;; *) cat {tools}/rows;; esac'
    plain, large, small = nvidia(tools, monkeypatch, script)
    assert plain == HostGpu("NVIDIA L4", 23034, 22000)
    assert large.name == "NVIDIA A100-SXM4-80GB MIG 3g.40gb"
    assert (large.uuid, large.memory_mib, large.fraction) == ("MIG-aa", 38880, 3 / 7)
    assert (small.uuid, small.slice, small.memory_mib) == ("MIG-bb", "1g.10gb+me", 9720)


AMD_SMI = [
    {
        "gpu": 0,
        "asic": {"market_name": "AMD Instinct MI300X OAM", "target_graphics_version": "gfx942"},
        "vram": {"type": "HBM", "size": {"value": 196592, "unit": "MB"}},
    }
]
ROCM_SMI = {
    "card0": {
        "Card Series": "Radeon RX 7900 XTX",
        "VRAM Total Memory (B)": "25753026560",
        "VRAM Total Used Memory (B)": "1073741824",
    },
    "system": {"Driver version": "6.12"},
}


@pytest.mark.parametrize("wrapped", [False, True])
def test_amd_smi_names_the_gpu_and_its_memory(tools, monkeypatch, wrapped):
    said = json.dumps({"gpu_data": AMD_SMI} if wrapped else AMD_SMI)
    (found,) = amd(tools, monkeypatch, amd_smi=f"echo '{said}'")
    assert (found.name, found.memory_mib, found.vendor) == (
        "AMD Instinct MI300X OAM",
        196592,
        "amd",
    )


@pytest.mark.parametrize("other", ["exit 1", "echo 'not JSON'", "echo '[{}]'", "echo '{}'"])
def test_rocm_smi_is_asked_where_amd_smi_says_nothing(tools, monkeypatch, other):
    (found,) = amd(tools, monkeypatch, amd_smi=other, rocm_smi=f"echo '{json.dumps(ROCM_SMI)}'")
    assert (found.name, found.memory_mib, found.free_mib) == ("Radeon RX 7900 XTX", 24560, 23536)
    assert found.vendor == "amd"


def test_without_tools_the_kernels_own_files_are_read(tools, monkeypatch):
    for number, vendor in ((0, "0x8086"), (1, "0x1002")):
        device = tools / "cards" / f"card{number}" / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "device").write_text("0x74a1\n")
        (device / "mem_info_vram_total").write_text(str(2**30))
        (device / "mem_info_vram_used").write_text(str(2**20))
    assert amd(tools, monkeypatch) == (HostGpu("AMD GPU 0x74a1", 1024, 1023),)


def test_makers_are_told_by_the_name():
    names = ("NVIDIA L4", "AMD Instinct MI300X", "Radeon Pro W7900", "Apple M3", "Tesla T4")
    assert [HostGpu(n, 1).vendor for n in names] == ["nvidia", "amd", "amd", "apple", "nvidia"]
