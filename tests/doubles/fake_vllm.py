#!/usr/bin/env python3
"""A stand-in for `vllm`: takes its arguments, its key from VLLM_API_KEY, and answers a chat."""

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PARSER = argparse.ArgumentParser()
PARSER.add_argument("command", choices=["serve"])
PARSER.add_argument("model")
for name in ("served-model-name", "host", "max-model-len", "max-num-seqs"):
    PARSER.add_argument(f"--{name}", required=True)
PARSER.add_argument("--port", type=int, required=True)
ASKED = PARSER.parse_args()
KEY = f"Bearer {os.environ['VLLM_API_KEY']}"
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
METRICS = 'vllm:request_success_total{a="b"} 3\nvllm:generation_tokens_total{a="b"} 7\n'


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


ThreadingHTTPServer((ASKED.host, ASKED.port), Answers).serve_forever()
