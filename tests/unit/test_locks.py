"""The locks in `requirements/`: every version pinned with its hashes, none out of step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
WANTED: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "runtime.txt": (["llama-cpp"], ["demo"]),
    "test.txt": (["llama-cpp", "handler", "proxy"], ["dev"]),
    "mlx.txt": (["mlx"], []),
}
"""By lock: the extras and the groups that the Makefile takes for it, beside the dependencies themselves."""


def blocks(name: str) -> list[str]:
    """Each requirement of a lock with its hashes, on one line."""
    text = (FOLDER / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(name: str) -> dict[str, list[str]]:
    """Versions by package; several where they differ by the Python or the machine."""
    found: dict[str, list[str]] = {}
    for block in blocks(name):
        one = Requirement(block.partition(" --hash=")[0])
        (pin,) = one.specifier
        found.setdefault(canonicalize_name(one.name), []).append(pin.version)
    return found


def group(name: str) -> Iterator[str]:
    for one in PROJECT["dependency-groups"][name]:
        if isinstance(one, str):
            yield one
        else:
            yield from group(one["include-group"])


@pytest.mark.parametrize("name", sorted(f.name for f in FOLDER.glob("*.txt")))
def test_a_lock_pins_every_version_with_hashes_and_names_no_index(name):
    for block in blocks(name):
        assert re.fullmatch(
            r"[\w.-]+==[\w.+!-]+\s*(;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", block
        )
    text = (FOLDER / name).read_text()
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_holds_what_the_project_asks_for(name):
    extras, groups = WANTED[name]
    wanted = [*PROJECT["project"]["dependencies"], *(d for e in extras for d in EXTRAS[e])]
    held = pins(name)
    for line in [*wanted, *(d for g in groups for d in group(g))]:
        one = Requirement(line)
        for version in held[canonicalize_name(one.name)]:
            assert one.specifier.contains(version), f"{line}: {version}. make lock"


@pytest.mark.parametrize("name", [n for n in WANTED if n != "test.txt"])
def test_the_locks_agree(name):
    tests = pins("test.txt")
    for package, versions in pins(name).items():
        assert set(versions) <= set(tests.get(package, versions)), package


def test_what_builds_the_package_is_locked():
    held = pins("runtime.txt")
    for line in PROJECT["build-system"]["requires"]:
        assert canonicalize_name(Requirement(line).name) in held
