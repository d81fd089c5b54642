"""Try to get out: run inside a container, by its own Python. Imports nothing of deployer.

    python egress_probe.py 192.0.2.7:40000 example.com:443 ...

Prints a JSON object: what was tried, and None where it was reached, else why it was not.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

LIMIT_S = 4.0


def main() -> int:
    """Try every address at once, and print what came of it."""
    given = sys.argv[1:]
    with ThreadPoolExecutor(len(given) or 1) as pool:
        answers = pool.map(attempt, given)
        sys.stdout.write(json.dumps(dict(zip(given, answers, strict=True))) + "\n")
    return 0


def attempt(address: str) -> str | None:
    """Open a TCP connection; return None if it opened, else why not."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=LIMIT_S).close()
    except OSError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
