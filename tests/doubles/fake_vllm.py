#!/usr/bin/env python3
"""A stand-in for `vllm`, or for an engine of its kind by whose name it is called.

It takes vLLM's arguments and its key from VLLM_API_KEY, answers a chat, and says how much it has done.
"""

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ME = Path(sys.argv[0]).name
PARSER = argparse.ArgumentParser()
PARSER.add_argument("command", choices=["serve"])
PARSER.add_argument("model")
for name in ("served-model-name", "host", "max-model-len", "max-num-seqs"):
    PARSER.add_argument(f"--{name}", required=True)
PARSER.add_argument("--port", type=int, required=True)
ASKED = PARSER.parse_args()
KEY = f"Bearer {os.environ[f'{ME.upper()}_API_KEY']}"
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
METRICS = f'{ME}:request_success_total{{a="b"}} 3\n{ME}:generation_tokens_total{{a="b"}} 7\n'


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/v1") and self.headers["Authorization"] != KEY:
            self.say(401, "{}")
        else:
            self.say(200, METRICS if self.path == "/metrics" else "{}")

    def do_POST(self) -> None:
        if self.headers["Authorization"] != KEY:
            self.say(401, "{}")
            return
        self.say(200, f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n")

    def say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


class Server(ThreadingHTTPServer):
    """It takes the port that is kept for it, as vLLM does (SO_REUSEPORT)."""

    allow_reuse_port = True


Server((ASKED.host, ASKED.port), Answers).serve_forever()
