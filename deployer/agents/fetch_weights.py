"""Bring models of the hub into the Hugging Face cache, and note where they came from.

    python fetch_weights.py org/name[@revision] ...

With LOOK set in the environment nothing is asked: exit code 0 says that all is here, 3 that something is missing.
It runs in the image of an engine (or in this very Python), before what serves the model is cut off from the network.
A note lies in `<HF_HOME>/deployer/` for each model that came whole. Imports nothing of deployer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import sha256
from pathlib import Path

MISSING_EXIT = 3
NEVER = ("original/*", "*.gguf", "*.onnx", "*.h5", "*.msgpack", "*.ot")
"""What no engine that reads a folder of the hub loads."""
BESIDE_SAFETENSORS = ("*.bin", "*.pth", "*.pt", "consolidated*")
"""The same weights again, where they are published as safetensors too."""


def main() -> int:
    """Fetch every model that is named, unless it is here; return the exit code."""
    missing = [source for source in sys.argv[1:] if not note(source).exists()]
    if os.environ.get("LOOK"):
        return MISSING_EXIT if missing else 0
    for source in missing:
        fetch(source)
    return 0


def note(source: str) -> Path:
    """Return where it is written that a model came whole."""
    from huggingface_hub import constants

    name = sha256(source.encode()).hexdigest()[:16]
    return Path(constants.HF_HOME) / "deployer" / f"{name}.json"


def fetch(source: str) -> None:
    """Download one model, and note from where."""
    from huggingface_hub import HfApi, constants, snapshot_download

    repo, _, revision = source.partition("@")
    files = HfApi().list_repo_files(repo, revision=revision or None)
    safe = any(name.endswith(".safetensors") for name in files)
    ignored = [*NEVER, *(BESIDE_SAFETENSORS if safe else ())]
    folder = Path(snapshot_download(repo, revision=revision or None, ignore_patterns=ignored))
    told = {
        "source": source,
        "from": constants.ENDPOINT,
        "commit": folder.name,
        "fetched_at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    }
    place = note(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(told), encoding="utf-8")
    sys.stdout.write(f"fetched {source} from {constants.ENDPOINT}: commit {folder.name}\n")


if __name__ == "__main__":
    sys.exit(main())
