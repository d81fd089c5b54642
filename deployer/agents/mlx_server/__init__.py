"""`mlx_lm.server` behind an API key: `main` takes the path of a CONFIG.json, or `--look` (what mlx_lm is there?).

By itself it has no key, loads (and downloads) whatever model, adapter or draft model a request names, lists what
else lies in the Hugging Face cache, fetches the images that messages link to, is healthy before it has loaded its
model, and counts nothing. Here its own `main` runs, with a gate before its handler that fixes all of these.

CONFIG holds `model` (a folder, or a repository of the hub with its `revision`), `alias` (the name it is served by),
`host`, `port`, `context` (tokens of one request), `concurrency` and `key_file`. The key is read from its file and is
in no argument and no environment variable. SIGTERM lets answers end for a while, then ends it with exit code 0.
Imports nothing of deployer: it runs in whichever Python has mlx_lm. Written against mlx-lm 0.32.2.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .gate import Gate
from .installed import look
from .patches import guard

FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.jsonl", "*.model", "*.tiktoken")
"""What is downloaded of a repository."""
MISSING_EXIT = 6
SHORTEST_KEY = 16


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    found = look()
    if sys.argv[1] == "--look":
        _say(json.dumps(found))
        return 0
    if found["missing"]:
        _say(f"mlx_lm {found['version']} has no {', '.join(found['missing'])}: mlx-lm 0.32 has")
        return MISSING_EXIT
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    key = Path(config["key_file"]).read_text(encoding="utf-8").strip()
    if len(key) < SHORTEST_KEY:
        _say(f"the API key in {config['key_file']} is shorter than {SHORTEST_KEY} characters")
        return 1
    try:
        model = fetched(config["model"], config["revision"])
    except Exception as error:  # noqa: BLE001 - the hub's client has an error of its own for everything
        _say(f"{config['model']} was not downloaded: {error}")
        return 1
    serve(config, model, key)
    return 0


def serve(config: Mapping[str, Any], model: str, key: str) -> None:
    """Run mlx_lm.server's own `main` behind the gate."""
    server = importlib.import_module("mlx_lm.server")
    gate = Gate(config, key)
    guard(server, gate)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=gate.end).start())
    sys.argv = arguments(config, model)
    server.main()


def fetched(model: str, revision: str | None) -> str:
    """Return the model's folder: its own, or where its repository is downloaded to. Then the hub is left alone."""
    if not Path(model).is_absolute():
        from huggingface_hub import constants, snapshot_download

        model = snapshot_download(model, revision=revision, allow_patterns=list(FILES))
        constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"
    return model


def arguments(config: Mapping[str, Any], model: str) -> list[str]:
    """Return the command line of `mlx_lm.server`. Web pages of other origins are told that they may not ask it."""
    host, port, many = config["host"], str(config["port"]), str(config["concurrency"])
    return [
        *("mlx_lm.server", "--model", model, "--host", host, "--port", port),
        *("--allowed-origins", f"http://{host}:{port}", "--max-tokens", str(config["context"])),
        *("--decode-concurrency", many, "--prompt-concurrency", many, "--prompt-cache-size", many),
    ]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this program's output is the log
