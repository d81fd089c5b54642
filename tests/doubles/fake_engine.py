"""A stand-in for an engine: `fake_engine.py SOCKET [deaf] [env]`. Healthy at once; deaf to SIGTERM if asked."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer


class Healthy(BaseHTTPRequestHandler):
    def address_string(self) -> str:
        return "the guard"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "env" in sys.argv:
    sys.stdout.write(" ".join(os.environ) + "\n")
sys.stdout.write("ready\n")
sys.stdout.flush()
ThreadingUnixStreamServer(sys.argv[1], Healthy).serve_forever()
