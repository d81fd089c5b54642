"""A spec applied to a target, as it is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from deployer.core.records import dataclass


@dataclass(frozen=True)
class Deployment:
    """A spec applied to a target. Times are ISO 8601 in UTC; money is text, so that it stays exact.

    `endpoint` is None until there is one, `ready_at` until it has answered; `usd_per_hour` None is
    unpriced, as is `usd_per_hour_idle`, what it costs while it rests. `owner` is who made it, `places` every place
    where something of it was ever made (`provider`, and `region` and `account` where it has such). `launched` has the machines that it ever
    had, by id or group, and what each adds to that in an hour that it runs. `resources` is what exists, `planned` what the plan asked for. `served` says what measurements
    of it are of: model, quantization, engine, hardware, and the load that its spec asks of it. `unkept` says why keys
    of its spec's policy have no effect, by the key.
    """

    name: str
    spec_name: str
    spec_digest: str
    target: str
    provider: str
    engine: str
    model: str
    started_at: str
    planned: list[Mapping[str, Any]]
    endpoint: str | None = None
    ready_at: str | None = None
    usd_per_hour: str | None = None
    usd_per_hour_idle: str | None = None
    launched: Mapping[str, str | None] = field(default_factory=dict)
    expires_at: str | None = None
    resources: tuple[Mapping[str, str], ...] = ()
    region: str | None = None
    state: str | None = None  # where Pulumi keeps its state, if that is not this home
    outputs: Mapping[str, str] = field(default_factory=dict)  # what the stack's program exports
    served: Mapping[str, Any] = field(default_factory=dict)
    unkept: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    places: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def route(self) -> str:
        """How it is asked: "chat" as every engine is, or "predict" of a handler of one's own."""
        handlers = (one["inputs"].get("handler") for one in self.planned)
        return next((str(h["route"]) for h in handlers if h), "chat")

    @classmethod
    def of(cls, plain: Any, name: str | None = None) -> Deployment:
        """Read a record from the JSON that it was kept as, of the deployment of that name.

        Raises:
            ValueError: it is none; the message names what is wrong.
        """
        if not isinstance(plain, Mapping):
            raise ValueError(f"a record is an object, not {type(plain).__name__}")  # noqa: TRY004
        faults = [*_form_faults(plain)] or [*_value_faults(plain)]
        if faults:
            raise ValueError(faults[0])
        if name not in (None, plain["name"]):
            raise ValueError("it is that of another deployment")
        return cls(**{**plain, "resources": tuple(plain.get("resources", ()))})


def _form_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    kinds = {one.name: str(one.type) for one in fields(Deployment)}
    for key, kind in kinds.items():
        if key not in plain:
            if kind in REQUIRED:
                yield f"{key} is missing"
        elif not FORMS[kind](plain[key]):
            yield f"{key} is not what it should be"
    yield from (f"{key} is unknown" for key in plain if key not in kinds)


def _value_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    for key in ("started_at", "ready_at", "expires_at"):
        if plain.get(key) and datetime.fromisoformat(plain[key]).tzinfo is None:
            yield f"{key} has no time zone"
    for key in ("usd_per_hour", "usd_per_hour_idle"):
        if plain.get(key) is not None and not Decimal(plain[key]).is_finite():
            yield f"{key} is not a price"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _is_resource(value: Any) -> bool:
    named = isinstance(value, Mapping) and isinstance(value.get("inputs"), Mapping)
    return named and _is_text(value.get("type")) and _is_text(value.get("name"))


def _is_found(value: Any) -> bool:
    return _is_texts(value) and {"type", "id"} <= value.keys()


REQUIRED = ("str", "list[Mapping[str, Any]]")
FORMS: Mapping[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "str | None": lambda value: value is None or _is_text(value),
    "list[Mapping[str, Any]]": lambda value: (
        isinstance(value, list) and all(map(_is_resource, value))
    ),
    "tuple[Mapping[str, str], ...]": lambda value: (
        isinstance(value, list) and all(map(_is_found, value))
    ),
    "list[Mapping[str, str]]": lambda value: isinstance(value, list) and all(map(_is_texts, value)),
    "Mapping[str, str]": _is_texts,
    "Mapping[str, str | None]": lambda value: (
        isinstance(value, Mapping) and all(one is None or _is_text(one) for one in value.values())
    ),
    "Mapping[str, Any]": lambda value: isinstance(value, Mapping),
}
"""Whether a value of a record has the form of its field, by the field's type."""
