"""What each key allows by itself and cannot be together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from deployer.core.errors import quoted
from deployer.core.model_source import on_this_machine
from deployer.core.quantization import FORMATS
from deployer.spec import Spec
from deployer.spec.yaml_source import Problem


def problems(spec: Spec) -> Iterator[Problem]:
    """Name every impossible combination."""
    yield from _engine_and_format(spec)
    yield from _gguf_file(spec)
    yield from _handler(spec)
    yield from _replicas(spec)
    yield from _profile(spec)
    yield from _expose(spec)
    yield from _address(spec)


def _is_gguf(format_name: str) -> bool:
    return format_name in FORMATS and FORMATS[format_name].family == "gguf"


def _engine_and_format(spec: Spec) -> Iterator[Problem]:
    engine, wanted = spec.serve.engine, spec.model.quantization
    if wanted in ("auto", "none"):
        return
    if _is_gguf(wanted) and engine in ("vllm", "sglang", "mlx"):
        other = "mlx_4bit" if engine == "mlx" else "fp8, awq or gptq"
        yield Problem(
            ("model", "quantization"),
            f"{wanted} is a GGUF format, which {engine} does not serve",
            f"use serve.engine: llama.cpp, or {other}",
        )
    if wanted.startswith("mlx_") and engine in ("vllm", "sglang"):
        yield Problem(
            ("model", "quantization"),
            f"{wanted} is a format of MLX, which {engine} does not serve",
            "use serve.engine: mlx, or fp8, awq or gptq",
        )
    if not _is_gguf(wanted) and engine == "llama.cpp" and FORMATS[wanted].bits < 16:
        yield Problem(
            ("model", "quantization"),
            f"llama.cpp serves GGUF formats, not {wanted}",
            "use q8_0, q6_k or q4_k_m, or another serve.engine",
        )


def _gguf_file(spec: Spec) -> Iterator[Problem]:
    if not spec.model.source.endswith(".gguf"):
        return
    if spec.serve.engine in ("vllm", "sglang", "mlx"):
        yield Problem(
            ("serve", "engine"),
            f"{spec.serve.engine} does not serve GGUF files",
            "use llama.cpp (or auto), or a folder with safetensors",
        )
    wanted = spec.model.quantization
    if wanted not in ("auto", "none") and not _is_gguf(wanted):
        yield Problem(
            ("model", "quantization"),
            f"a GGUF file is already quantized and cannot be served as {wanted}",
            "leave model.quantization out",
        )


def _handler(spec: Spec) -> Iterator[Problem]:
    if spec.serve.engine not in ("auto", "fastapi") and spec.serve.handler:
        yield Problem(
            ("serve", "handler"),
            f"{spec.serve.engine} runs no handler of yours",
            "leave serve.handler out, or use serve.engine: fastapi",
        )
    if spec.serve.engine != "fastapi":
        return
    if not on_this_machine(spec.model.source) or spec.model.source.endswith(".gguf"):
        yield Problem(
            ("model", "source"),
            "fastapi serves a folder with a handler.py of yours",
            "name that folder, such as ./handler, or leave serve.engine out",
        )
    for key in ("quantization", "adapter"):
        if getattr(spec.model, key) not in ("auto", "none", None):
            yield Problem(("model", key), "a handler is served as it is", f"leave model.{key} out")


def _replicas(spec: Spec) -> Iterator[Problem]:
    scale = spec.serve.replicas
    if scale.min > scale.max:
        yield Problem(
            ("serve", "replicas"),
            f"replicas.min {scale.min} is greater than replicas.max {scale.max}",
            f"write {{min: {scale.max}, max: {scale.min}}}",
        )


def _profile(spec: Spec) -> Iterator[Problem]:
    profile = spec.traffic.profile
    if isinstance(profile, tuple) and not sum(profile):
        yield Problem(
            ("traffic", "profile"),
            "the 24 hourly weights are all zero",
            "give at least one hour some weight, or set requests_per_day: 0",
        )


def _expose(spec: Spec) -> Iterator[Problem]:
    said = spec.targets.cloud_gpu.expose
    path = ("targets", "cloud-gpu", "expose")
    if isinstance(said, str):
        if said not in ("my-ip", "private", "public"):
            yield Problem(
                path, f"{quoted(said)} is not my-ip, private, public or a list of CIDR blocks"
            )
        return
    for block in said:
        try:
            ip_network(block)
        except ValueError as error:
            yield Problem(path, _why(block, error), "write it like 203.0.113.0/24")


def _why(block: str, error: ValueError) -> str:
    return f"{quoted(block)}: {'host bits are set' if 'host bits' in str(error) else 'no block'}"


def _address(spec: Spec) -> Iterator[Problem]:
    try:
        ip_address(spec.targets.local.expose)
    except ValueError as error:
        yield Problem(("targets", "local", "expose"), str(error), "write it like 127.0.0.1")
