"""What the watchdog does on Lambda, where a machine cannot end itself: it says for how long nobody used it.

It fulfils `deployer.agents.watchdog.Cloud`, and started as a program it serves over TLS on port 8443:

    /ca     the certificate authority, whose SHA-256 stands in a tag of the machine: who asks can trust the rest
    /idle   {"idle_s": 120.0, "age_s": 30.0}: unused for so long, seen so long ago; null before the model answers
    /boot   the last lines of the boot and of the engine, with the deployment's key alone

It is copied to the machine beside the watchdog, so it needs Python 3.10 and nothing else.
"""

from __future__ import annotations

import hmac
import json
import os
import ssl
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RUN = Path(os.environ.get("DEPLOYER_RUN", "/run/deployer"))
USE = Path(os.environ.get("DEPLOYER_USE", "/run/deployer-watchdog/use.json"))
PLACE = (os.environ.get("DEPLOYER_ADDRESS", "0.0.0.0"), 8443)  # noqa: S104 - Lambda's firewall says who may connect
JOURNAL = ("journalctl", "--boot", "--no-pager", "--output=short-iso", "--lines=1000")
UNITS = ("prepare", "certificate", "engine", "proxy", "ready", "watchdog")
LIMIT_S = 15


def address() -> str:
    """Return nothing: a machine of Lambda keeps its address for its life."""
    return ""


def publish(idle_s: float) -> None:
    """Note for how long it was idle."""
    _note({"idle_s": idle_s, "at": _now()})


def end(action: str, *, fleet: bool) -> bool:  # noqa: ARG001 - one signature for all
    """Note that it should be ended, and go on: shut down, it would be billed as before and answer nobody."""
    told = _noted()
    if told and told.get("idle_s") is not None:
        _note({"idle_s": told["idle_s"] + _now() - told["at"], "at": _now()})
    _say("it should be ended, and only the account's key can do that: 'deployer idle destroy'")
    return True


def use() -> dict[str, float] | None:
    """Return for how long it was unused when that was last seen, and how long ago that was."""
    told = _noted()
    if not told or told.get("idle_s") is None:
        return None
    return {"idle_s": told["idle_s"], "age_s": max(0.0, _now() - told["at"])}


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _noted() -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads(USE.read_text())
    except (OSError, ValueError):
        return None
    return told


def _note(told: dict[str, Any]) -> None:
    half = USE.with_suffix(".half")
    try:
        half.write_text(json.dumps(told))
        half.replace(USE)
    except OSError as error:
        _say(f"its use could not be noted: {error}")


def journal() -> str:
    """Return the last lines of what the machine's units wrote."""
    asked = [*JOURNAL, *(f"--unit=deployer-{name}" for name in UNITS)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.stdout


class Answers(BaseHTTPRequestHandler):
    """What each path answers."""

    timeout = LIMIT_S
    server_version, sys_version = "deployer", ""

    def setup(self) -> None:
        """Greet: here and not where connections are taken, so that who says nothing holds up nobody."""
        self.request.settimeout(LIMIT_S)
        self.request = context().wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        """Close what was greeted."""
        super().finish()
        self.request.close()

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/ca":
            self._say(200, authority())
        elif self.path == "/idle":
            self._say(200, json.dumps(use()))
        elif self.path == "/boot":
            self._say(*((200, journal()) if self._known() else (401, "")))
        else:
            self._say(404, "")

    def _known(self) -> bool:
        key = (RUN / "secrets" / "api_key").read_text().strip()
        given = self.headers.get("Authorization") or ""
        return hmac.compare_digest(given.encode("latin-1", "replace"), f"Bearer {key}".encode())

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """One thread a caller; who breaks off is not spoken of."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


def context() -> ssl.SSLContext:
    """Return the machine's certificate as it is now: it is renewed every day."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(RUN / "tls" / "tls.pem", RUN / "tls" / "tls.key")
    return made


def authority() -> str:
    """Return the last certificate of the chain."""
    mark = "-----BEGIN CERTIFICATE-----"
    return mark + (RUN / "tls" / "tls.pem").read_text().rpartition(mark)[2]


def _say(text: str) -> None:
    sys.stdout.write(f"deployer: watchdog: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Server(PLACE, Answers).serve_forever()
