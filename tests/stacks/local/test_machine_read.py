"""Machines as their drivers describe them, and what is planned there: the GPUs, the notes, the refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.core.domain import GIB, Plan
from deployer.core.errors import UsageError
from deployer.providers.api import Host, HostGpu
from deployer.providers.other_docker import OtherDocker
from deployer.sources import host_gpus
from tests.stacks.local.test_machine import planned

MODEL = "hf:Qwen/Qwen3-8B"
DOCKER = "{provider: docker}"
MIG = """GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5d5ba0d6)
  MIG 3g.40gb     Device  0: (UUID: MIG-aa)
  MIG 1g.10gb     Device  1: (UUID: MIG-bb)
"""
Make = Callable[..., Plan]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Plan a model for a machine with some GPUs."""

    def of(
        gpus: str | tuple[HostGpu, ...], local: str = DOCKER, more: str = "", **host: object
    ) -> Plan:
        seen = tuple(host_gpus.parsed(gpus)) if isinstance(gpus, str) else gpus
        here = Host(16, 122 * GIB, seen, docker=True, **host)  # type: ignore[arg-type]
        return planned(tmp_path, here, MODEL, local, more)

    return of


def container(made: Plan) -> dict[str, Any]:
    return dict(next(r.inputs for r in made.resources if r.type == "local:index:Container"))


def test_a_gb10_has_the_machines_memory(make):
    made = make("NVIDIA GB10, [N/A], [N/A]")
    assert (made.offer.gpu, made.offer.vram_mib) == ("GB10 (DGX Spark)", 122 * 1024)
    assert made.sizing.fit == "fits"
    assert made.sizing.decode_tok_s


def test_a_laptops_gpu_has_known_memory_and_an_unknown_speed(make):
    made = make("NVIDIA GeForce RTX 4090 Laptop GPU, 16376, 15900")
    assert made.feasible
    assert (made.offer.gpu, made.offer.vram_mib) == ("RTX 4090 Laptop GPU", 16376)
    assert made.sizing.vram_gib == pytest.approx(16376 / 1024)
    assert made.sizing.decode_tok_s is None
    assert any("speed on this hardware is unknown" in note for note in made.warnings)


def test_a_card_that_is_out_of_order_is_named_and_does_not_serve(make):
    made = make("NVIDIA L4, [GPU is lost], [GPU is lost]")
    assert not made.feasible
    assert "this machine's NVIDIA L4 cannot serve" in made.reasons[0]
    assert "[GPU is lost]" in made.reasons[0]
    both = make("NVIDIA L4, [N/A], [N/A]\nNVIDIA L4, 23034, 22000")
    assert (both.offer.gpu, both.offer.gpu_count, both.offer.vram_mib) == ("L4", 1, 23034)
    assert both.offer.gpu_ids == ("1",)


@pytest.mark.parametrize(
    ("line", "gpu"),
    [
        ("NVIDIA H100 80GB HBM3, 81559, 81000", "H100-80GB SXM5"),
        ("NVIDIA A100-SXM4-40GB, 40960, 40000", "A100-40GB SXM4"),
        ("NVIDIA GH200 480GB, 97871, 97000", "GH200 (96GB HBM3)"),
        (
            "NVIDIA RTX PRO 6000 Blackwell Workstation Edition, 97887, 97000",
            "RTX PRO 6000 Blackwell WS",
        ),
    ],
)
def test_a_drivers_name_is_that_of_the_catalog(make, line, gpu):
    assert make(line).offer.gpu == gpu


@pytest.mark.parametrize(
    ("gpu", "says"),
    [
        ("rtx-4090-laptop", "another chip than the card"),
        ("h100 mig 1g.10gb", "a part of a GPU"),
        ("arc-a770", "NVIDIA, AMD and Apple"),
        ("2x rtx-4090", "hardware.count"),
        ("zzz", "rtx-4090"),
    ],
)
def test_a_gpu_that_no_row_could_be_meant_by_gets_its_own_hint(make, gpu, says):
    with pytest.raises(UsageError) as caught:
        make("", local=f"{{hardware: {{gpu: {gpu}}}}}")
    assert says in str(caught.value.hint)


def test_a_gpu_in_use_comes_with_a_note(make):
    made = make("NVIDIA L4, 23034, 500")
    assert any("will not start" in n and "0.5 of 22.5 GiB" in n for n in made.warnings)
    free = make("NVIDIA L4, 23034, 22900")
    assert not any("will not start" in note for note in free.warnings)


def test_hardware_that_the_spec_names_is_not_judged_by_what_is_free_here(make):
    made = make("NVIDIA L4, 23034, 500", "{provider: docker, hardware: {gpu: l4}}")
    assert not any("will not start" in note for note in made.warnings)


def test_a_t4_says_first_that_it_has_no_bf16(make):
    made = make("Tesla T4, 15360, 15100")
    assert not made.feasible
    assert made.reasons[0] == "T4 has no bf16: set model.quantization: fp16 (model.source)"
    assert not any("no GPU is named" in reason for reason in made.reasons)


@pytest.mark.parametrize(
    ("lines", "gpu", "count", "ids"),
    [
        ("NVIDIA GeForce RTX 4090, 24564, 24000\nNVIDIA GeForce RTX 3060, 12288, 12000", "RTX 4090", 1, ("0",)),
        ("NVIDIA GeForce RTX 3060, 12288, 12000\nNVIDIA L4, 23034, 22000\nNVIDIA L4, 23034, 22000", "L4", 2, ("1", "2")),
        ("NVIDIA L4, 23034, 22000\nNVIDIA L4, 23034, 22000", "L4", 2, ()),
    ],
)  # fmt: skip
def test_of_mixed_cards_the_alike_ones_with_the_most_memory_serve(make, lines, gpu, count, ids):
    made = make(lines)
    assert (made.offer.gpu, made.offer.gpu_count, made.offer.gpu_ids) == (gpu, count, ids)
    assert container(made)["gpus"] == (list(ids) or "all")
    left = "NVIDIA GeForce RTX 3060" in lines
    assert ("without its NVIDIA GeForce RTX 3060" in made.offer.instance_type) is left


def test_cards_that_are_named_serve_even_if_they_are_the_smaller_ones(make):
    lines = "NVIDIA L4, 23034, 22000\nNVIDIA GeForce RTX 4090, 24564, 24000"
    made = make(lines, '{provider: docker, gpus: ["0"]}')
    assert (made.offer.gpu, made.offer.gpu_ids) == ("L4", ("0",))
    assert container(made)["gpus"] == ["0"]


def test_one_mig_instance_serves_and_is_shown_as_a_fraction(make):
    made = make(tuple(host_gpus.slices(MIG)))
    assert (made.offer.gpu_count, made.offer.gpu_ids) == (1, ("MIG-aa",))
    assert made.offer.gpu_words == "3/7 of an A100-SXM4-80GB MIG 3g.40gb"
    assert container(made)["gpus"] == ["MIG-aa"]
    assert made.sizing.decode_tok_s is None


def test_amd_gpus_get_a_rocm_image_and_devices_and_nothing_of_cuda(make):
    made = make((HostGpu("AMD Instinct MI300X OAM", 196592),))
    inputs = container(made)
    assert made.offer.gpu == "MI300X"
    assert "rocm" in str(inputs["image"])
    assert inputs["devices"] == ["/dev/kfd", "/dev/dri"]
    assert inputs["gpus"] is None
    assert "cuda" not in str(inputs).lower()
    assert "ROCR_VISIBLE_DEVICES" not in inputs["environment"]


def test_some_of_several_amd_gpus_are_chosen_by_their_number(make):
    card = HostGpu("AMD Instinct MI300X", 196592)
    made = make((card, card), "{provider: docker, gpus: 1}")
    assert container(made)["environment"]["ROCR_VISIBLE_DEVICES"] == "0"


def test_an_engine_without_a_rocm_image_for_a_card_is_refused_with_the_reason(make):
    radeon = (HostGpu("AMD Radeon RX 7900 XTX", 24560),)
    refused = make(radeon, more="serve: {engine: sglang}\n")
    assert not refused.feasible
    assert any("no ROCm image of sglang for RX 7900 XTX" in reason for reason in refused.reasons)
    assert "vllm-openai-rocm" in str(container(make(radeon))["image"])
    own = make(radeon, '{provider: docker, image: "me/sglang:rocm"}', "serve: {engine: sglang}\n")
    assert container(own)["image"] == "me/sglang:rocm"


OTHER = OtherDocker("tcp://10.0.0.5:2375", "DOCKER_HOST", "10.0.0.5", 64, 256 * GIB, gpus=True)
PRIVATE = "policy: {privacy: local-only}\n"
L4 = "NVIDIA L4, 23034, 22000"
NAMED = "{provider: docker, hardware: {gpu: l40s}}"


def test_a_docker_daemon_elsewhere_is_planned_with_its_own_machine(make):
    made = make(L4, NAMED, other_docker=OTHER)
    assert made.feasible
    assert (made.offer.gpu, made.offer.vcpus) == ("L40S", 64)
    assert "tcp://10.0.0.5:2375" in made.offer.instance_type
    inputs = container(made)
    assert (inputs["docker"], inputs["host"]) == ("tcp://10.0.0.5:2375", "10.0.0.5")
    (privacy,) = made.policy
    assert privacy.ok
    assert "tcp://10.0.0.5:2375" in privacy.detail
    assert any("does not run on this machine" in note for note in made.warnings)


def test_the_gpus_of_this_machine_are_not_those_of_a_daemon_elsewhere(make):
    made = make(L4, other_docker=OTHER)
    assert not made.feasible
    assert made.offer is None
    assert any("set targets.local.hardware" in reason for reason in made.reasons)


@pytest.mark.parametrize("local", [DOCKER, NAMED])
def test_local_only_refuses_a_daemon_elsewhere(make, local):
    made = make(L4, local, PRIVATE, other_docker=OTHER)
    assert not made.feasible
    assert any(
        "local-only forbids the Docker daemon at tcp://10.0.0.5:2375" in r for r in made.reasons
    )


def test_under_local_only_auto_does_not_go_to_a_daemon_elsewhere(make):
    made = make(L4, "{hardware: {gpu: l4}}", PRIVATE, other_docker=OTHER)
    assert made.provider == "native"
    assert made.policy[0].ok
    free = make(L4, "{hardware: {gpu: l4}}", other_docker=OTHER)
    assert free.provider == "docker"


def test_a_machine_without_docker_elsewhere_stays_here(make):
    made = make(L4, DOCKER, PRIVATE)
    assert made.policy[0].detail == "local-only: stays on your machine"
    inputs = container(made)
    assert (inputs["docker"], inputs["network"]) == (None, "isolated")
    assert inputs["environment"]["HF_HUB_OFFLINE"] == "1"
    assert inputs["fetch"]["sources"] == ["Qwen/Qwen3-8B"]


def test_an_exposed_address_is_said_loudly_and_refused_under_local_only(make):
    local = '{provider: docker, expose: "0.0.0.0"}'
    assert any(note.startswith("OPEN: whoever reaches") for note in make(L4, local).warnings)
    refused = make(L4, local, PRIVATE)
    assert not refused.feasible
    assert any("targets.local.expose" in reason for reason in refused.reasons)
