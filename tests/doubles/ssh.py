"""An `ssh -N -L LOCAL:REMOTE -- HOST` that forwards to this machine: what is reached there, is here."""

from __future__ import annotations

import socket
import sys
import threading


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends."""
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Listen at LOCAL, and connect each caller to REMOTE."""
    local, _, remote = sys.argv[sys.argv.index("-L") + 1].partition(":")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(local)
        listener.listen()
        while True:
            caller, _ = listener.accept()
            there = socket.socket(socket.AF_UNIX)
            there.connect(remote)
            for pair in ((caller, there), (there, caller)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


if __name__ == "__main__":
    main()
