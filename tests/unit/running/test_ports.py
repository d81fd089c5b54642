"""A port is one deployment's, from before its engine listens."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deployer.core.errors import Exit, PrerequisiteError
from deployer.running.native.ports import reserved
from tests.kits.processes import free_port


def test_those_that_start_at_once_get_a_port_each():
    with reserved("auto", set()) as one, reserved("auto", set()) as other:
        assert one.port != other.port


def test_a_named_port_that_another_start_holds_is_taken_until_that_has_ended():
    port = free_port()
    with reserved(port, set()), pytest.raises(PrerequisiteError) as caught, reserved(port, set()):
        pass
    assert caught.value.exit_code == Exit.PREREQUISITE
    with reserved(port, set()) as held:
        assert held.port == port


def test_a_port_is_held_as_long_as_a_process_that_was_handed_its_lock():
    port = free_port()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with reserved(port, set()) as held:
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=held.locks)
    with holder:
        with pytest.raises(PrerequisiteError), reserved(port, set()):
            pass
        holder.kill()
    with reserved(port, set()) as again:
        assert again.port == port


def test_without_a_place_for_locks_what_listens_is_what_is_seen(tmp_path, monkeypatch):
    import tempfile

    port = free_port()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path / "none"))
    with reserved(port, set()) as held:
        assert (held.port, held.locks) == (port, ())
