#!/usr/bin/env python3
"""A machine of the double of Lambda: a process that goes by its user data, without booting a system.

    lambda_machine.py FOLDER ADDRESS

It reads FOLDER/user-data as cloud-init would, issues itself a certificate by the authority in its secret, serves a model
behind TLS on port 443 of its address, and runs the very program that says what a machine is doing on port 8443.
Written into FOLDER/idle, a number of seconds is for how long it is taken to be unused.
"""

import base64
import importlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import yaml

from deployer.running import certificates

FOLDER, ADDRESS = Path(sys.argv[1]), sys.argv[2]
RUN, USE = FOLDER / "run", FOLDER / "use.json"
LIBRARY = "/opt/deployer/lib/deployer_cloud.py"
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
LOOK_S = 0.5


def files() -> dict[str, str]:
    """The files that the user data writes, by path."""
    told = yaml.safe_load((FOLDER / "user-data").read_text())
    found = {}
    for one in told["write_files"]:
        text = one["content"]
        found[one["path"]] = (
            base64.b64decode(text).decode() if one.get("encoding") == "b64" else text
        )
    return found


FILES = files()
SECRET = json.loads(FILES["/etc/deployer/secret.json"])
BEARER = f"Bearer {SECRET['api_key']}"


class Answers(BaseHTTPRequestHandler):
    """The reverse proxy with the model behind it."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self.say(200, "{}")
        elif self.path.startswith("/v1/"):
            self.say(200 if self.headers["Authorization"] == BEARER else 401, '{"data": []}')
        else:
            self.say(404, "")

    def do_POST(self) -> None:
        if self.headers["Authorization"] != BEARER:
            self.say(401, "{}")
            return
        (FOLDER / "idle").write_text("0")
        self.say(200, f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n")

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def keep_what_it_boots_with() -> None:
    """What `prepare` and `certificate` do."""
    for folder in ("tls", "secrets"):
        (RUN / folder).mkdir(parents=True)
    pair = certificates.Pair(SECRET["ca_certificate"], SECRET["ca_key"])
    leaf = certificates.leaf(pair, [ADDRESS])
    (RUN / "secrets" / "api_key").write_text(SECRET["api_key"])
    (RUN / "tls" / "tls.pem").write_text(f"{leaf.certificate.strip()}\n{pair.certificate}")
    (RUN / "tls" / "tls.key").write_text(leaf.key)


def tell() -> None:
    """Run what serves port 8443, with a journal that is a file."""
    journal = FOLDER / "bin" / "journalctl"
    journal.parent.mkdir()
    journal.write_text(f"#!/bin/sh\ncat {FOLDER}/journal\n")
    journal.chmod(0o755)
    (FOLDER / "journal").write_text("deployer: certificate for it\ndeployer: ready\nengine: up\n")
    program = FOLDER / "deployer_cloud.py"
    program.write_text(FILES[LIBRARY])
    told = {"DEPLOYER_RUN": RUN, "DEPLOYER_USE": USE, "DEPLOYER_ADDRESS": ADDRESS}
    environ = os.environ | {k: str(v) for k, v in told.items()}
    environ["PATH"] = f"{journal.parent}{os.pathsep}{environ['PATH']}"
    child = subprocess.Popen([sys.executable, str(program), str(FOLDER)], env=environ)
    threading.Thread(target=lambda: os._exit(child.wait()), daemon=True).start()
    os.environ.update({k: str(v) for k, v in told.items()})


def watch() -> None:
    """What the watchdog does: note for how long nobody used it."""
    sys.path.insert(0, str(FOLDER))
    module = importlib.import_module("deployer_cloud")
    mark = FOLDER / "idle"
    began = time.time()
    while True:
        since = mark.stat().st_mtime if mark.exists() else began
        before = float(mark.read_text() or 0) if mark.exists() else 0.0
        module.publish(before + time.time() - since)
        time.sleep(LOOK_S)


keep_what_it_boots_with()
tell()
threading.Thread(target=watch, daemon=True).start()
SERVER = ThreadingHTTPServer((ADDRESS, 443), Answers)
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(RUN / "tls" / "tls.pem", RUN / "tls" / "tls.key")
SERVER.socket = CONTEXT.wrap_socket(SERVER.socket, server_side=True)
SERVER.serve_forever()
