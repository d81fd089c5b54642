"""llama.cpp as an OpenAI-compatible server: `python llama_server.py CONFIG.json`.

CONFIG holds `model` (the GGUF file), `alias` (the name it is served by), `socket` (the Unix socket that it listens on,
its name ends in .sock), `context` (tokens of one request), `concurrency`, `http_threads` (connections at once),
`key_file` and `adapter` (the GGUF file of a LoRA, or null). The key is read from its file and is in no argument and no
environment variable. SIGTERM ends it with exit code 0.
Imports nothing of deployer.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

SHORTEST_KEY = 16


def params(config: dict[str, Any]) -> Any:
    """Turn the configuration into llama.cpp's parameters.

    llama.cpp divides its context among the slots that serve at once, so it is given the product.
    """
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = config["model"]
    wanted.model_alias = {config["alias"]}
    wanted.hostnames = [config["socket"]]
    wanted.n_threads_http = config["http_threads"]
    wanted.api_keys = [_key(config["key_file"])]
    wanted.n_parallel = config["concurrency"]
    wanted.n_ctx = config["context"] * config["concurrency"]
    wanted.endpoint_metrics = True
    wanted.endpoint_slots = False  # it would show one user's prompt parameters to another
    wanted.ui = False
    wanted.cors_credentials = False
    wanted.offline = True
    if config.get("adapter"):
        wanted.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(config["adapter"], 1.0)]
    return wanted


def _key(file: str) -> str:
    """Read the API key; llama.cpp serves anybody if it is given an empty one.

    Raises:
        ValueError: it is empty, or shorter than 16 characters.
    """
    key = Path(file).read_text().strip()
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"the API key in {file} is shorter than {SHORTEST_KEY} characters")
    return key


def main() -> int:
    """Serve until SIGTERM; return the exit code. SIGTERM while it loads ends it at once."""
    import xllamacpp

    config = json.loads(Path(sys.argv[1]).read_text())
    try:
        server = xllamacpp.Server(params(config))
    except ValueError as error:
        print(error, flush=True)  # noqa: T201 - this program's output is the log
        return 1
    except RuntimeError:
        print(f"llama.cpp could not serve {config['model']}: see the messages above", flush=True)  # noqa: T201 - this program's output is the log
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        while True:
            time.sleep(1)
    del server  # waits until its threads have ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
