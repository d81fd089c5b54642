#!/usr/bin/env python3
"""A machine of the dummy cloud (docs/ADD_A_PROVIDER.md): a process on loopback that serves a model as vLLM does.

    DUMMY_KEY=... dummy_machine.py ACCOUNT/machine-1.json

It listens where its file says, leaves a mark beside it when it is asked something, and ends when its file is gone or
says that it does not run.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILE = Path(sys.argv[1])
KEY = f"Bearer {os.environ['DUMMY_KEY']}"
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
METRICS = "vllm:request_success_total 3\nvllm:generation_tokens_total 7\n"
LOOK_S = 0.02


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["Authorization"] == KEY
        open_to_all = {"/health": "{}", "/metrics": METRICS}
        self.say(
            200 if known or self.path in open_to_all else 401, open_to_all.get(self.path, "{}")
        )

    def do_POST(self) -> None:
        if self.headers["Authorization"] != KEY:
            self.say(401, "{}")
            return
        FILE.with_suffix(".used").touch()
        self.say(200, f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n")

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def runs() -> bool:
    try:
        return bool(json.loads(FILE.read_text())["state"] == "running")
    except FileNotFoundError:
        return False


def end_with_the_machine() -> None:
    while runs():
        time.sleep(LOOK_S)
    os._exit(0)


threading.Thread(target=end_with_the_machine, daemon=True).start()
SERVER = ThreadingHTTPServer(("127.0.0.1", json.loads(FILE.read_text())["port"]), Answers)
sys.stdout.write("listening\n")
sys.stdout.flush()
SERVER.serve_forever()
