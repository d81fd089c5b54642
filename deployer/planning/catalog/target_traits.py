"""What is true of a target whatever the model: latency class, set-up time, complexity. Pure."""

from __future__ import annotations

from deployer.core.domain import Range
from deployer.core.records import dataclass
from deployer.planning.catalog.tables import read, table
from deployer.providers.registry import data_files

TRAITS = ("latency", "setup", "complexity", "scaling", "updates", "failover")
"""What is told in words of every target."""


@dataclass(frozen=True)
class Trait:
    """One statement with its source and the date of that, where it has one."""

    text: str
    source: str


def trait(target: str, name: str) -> Trait:
    """Return one of `TRAITS` of a target."""
    text, key = table("targets")["targets"][target][name]
    return Trait(text, _source(key))


def cold_start(target: str) -> tuple[Range, str] | None:
    """Minutes that a target takes to start, lowest and highest likely, and who says so; None: it does not stop."""
    minutes, key = table("targets")["targets"][target]["cold_start_minutes"]
    return None if minutes is None else ((minutes[0], minutes[1]), _source(key))


def cold_start_source(provider: str) -> str | None:
    """Who says how long a serverless provider takes to wake, with the date; None: nobody is known to."""
    file = data_files("rules.json").get(provider)
    rules = read(file)["rules"].get("cold_start_minutes") if file else None
    if file is None or rules is None:
        return None
    told, as_of = read(file)["sources"][rules["source"]]
    return f"{told}, {as_of}"


def _source(key: str) -> str:
    told, as_of = table("targets")["sources"][key]
    return f"{told}, {as_of}" if as_of else str(told)
