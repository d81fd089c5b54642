"""What each key allows by itself and cannot be together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from deployer.core.errors import quoted
from deployer.core.model_source import on_this_machine
from deployer.core.quantization import FAMILIES, FORMATS
from deployer.engines import Engine, choices, engine
from deployer.spec import AUTO, Spec
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


def _engine(spec: Spec) -> Engine | None:
    """The engine that the spec names; None where it leaves the choice."""
    return None if spec.serve.engine == AUTO else engine(spec.serve.engine)


def _those(serve: Callable[[Engine], bool]) -> str:
    """Name the engines of which something holds, in words."""
    return " or ".join(name for name in choices() if serve(engine(name)))


def _engine_and_format(spec: Spec) -> Iterator[Problem]:
    named, form = _engine(spec), FORMATS.get(spec.model.quantization)
    if named is None or form is None or named.runs_handlers:
        return
    if form.family in named.formats or form.bits >= 16:
        return
    others = _those(lambda other: other.formats[:1] == (form.family,))
    served = " and ".join(FAMILIES[family] for family in named.formats)
    yield Problem(
        ("model", "quantization"),
        f"{form.name} is a {FAMILIES[form.family]} format, and {named.name} serves {served} formats",
        f"use {_words(named.suggested_formats)}, or serve.engine: {others}",
    )


def _words(names: Sequence[str]) -> str:
    *before, last = names or ("a 16-bit format",)
    return f"{', '.join(before)} or {last}" if before else last


def _gguf_file(spec: Spec) -> Iterator[Problem]:
    if not spec.model.source.endswith(".gguf"):
        return
    named, form = _engine(spec), FORMATS.get(spec.model.quantization)
    if named is not None and "gguf" not in named.families and not named.runs_handlers:
        others = _those(lambda other: "gguf" in other.families)
        yield Problem(
            ("serve", "engine"),
            f"{named.name} does not serve GGUF files",
            f"use {others} (or auto), or a folder with safetensors",
        )
    if form is not None and form.family != "gguf":
        yield Problem(
            ("model", "quantization"),
            f"a GGUF file is already quantized and cannot be served as {form.name}",
            "leave model.quantization out",
        )


def _handler(spec: Spec) -> Iterator[Problem]:
    named = _engine(spec)
    if named is None:
        return
    if not named.runs_handlers:
        if spec.serve.handler:
            others = _those(lambda other: other.runs_handlers)
            yield Problem(
                ("serve", "handler"),
                f"{named.name} does not run handlers",
                f"leave serve.handler out, or use serve.engine: {others}",
            )
        return
    if not on_this_machine(spec.model.source) or spec.model.source.endswith(".gguf"):
        yield Problem(
            ("model", "source"),
            f"{named.name} serves a folder with your own handler.py",
            "set model.source to that folder, such as ./handler, or leave serve.engine out",
        )
    for key in ("quantization", "adapter"):
        if getattr(spec.model, key) not in (AUTO, "none", None):
            yield Problem(("model", key), "a handler is served as is", f"leave model.{key} out")


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
    return f"{quoted(block)}: {'host bits are set' if 'host bits' in str(error) else 'not a CIDR block'}"


def _address(spec: Spec) -> Iterator[Problem]:
    try:
        ip_address(spec.targets.local.expose)
    except ValueError as error:
        yield Problem(("targets", "local", "expose"), str(error), "write it like 127.0.0.1")
