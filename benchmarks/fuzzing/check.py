"""What `deployer plan` may answer to any spec: a document, an exit code that is promised, and nothing else."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import jsonschema

from deployer.cli import main
from deployer.core.documents.schemas import schema_of

PROMISED = (0, 2, 3, 4)
OURS = re.compile(r"\x1b\[(0|1|31|32|33)m")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal, so that colours are sent."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@dataclass
class Bench:
    """A folder with a spec and the models that specs name; counts what came out.

    `codes` counts the exit codes, `slowest` is the longest plan in seconds, with its spec.
    """

    folder: Path
    codes: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    failures: int = 0

    def __post_init__(self) -> None:
        os.environ["DEPLOYER_HOME"] = str(self.folder / "home")
        (self.folder / "model").mkdir()
        (self.folder / "broken").mkdir()
        (self.folder / "broken" / "config.json").write_text('{"num_hidden_layers": NaN}')
        (self.folder / "broken.gguf").write_bytes(b"GGUF\x03")
        (self.folder / "loop").symlink_to("loop")
        os.mkfifo(self.folder / "fifo.gguf")
        _safetensors(self.folder / "model")
        _gguf(self.folder / "model.gguf")

    def forget(self) -> None:
        """Count from here."""
        self.codes.clear()
        self.slowest = (0.0, "")

    def check(self, spec: str | bytes, target: str | None = None) -> None:
        """Plan a spec, for scripts and for a human.

        Raises:
            AssertionError: the answer is not one that is promised.
        """
        file = self.folder / "s.yaml"
        file.write_bytes(spec if isinstance(spec, bytes) else spec.encode(errors="surrogatepass"))
        asked = ["plan", "-f", str(file), "--offline", *(["--target", target] if target else [])]
        started = time.perf_counter()
        code, out, err = _run([*asked, "--json"])
        self.slowest = max(self.slowest, (time.perf_counter() - started, str(spec)))
        _judge(code, out, err)
        self.codes[code] += 1
        self._judge_shown(code, *_run(asked))

    def _judge_shown(self, code: int, again: int, out: str, err: str) -> None:
        if again != code:
            _fail(f"exit {again} without --json, {code} with it", err)
        said = OURS.sub("", out + err).replace("\n", "").replace("\t", "")
        if "Traceback" in err or not _harmless(said):
            _fail("control characters or a traceback for a human", err)


def _harmless(text: str) -> bool:
    return not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800-\udfff]", text)


def _run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = Terminal(), Terminal()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return int(code), out.getvalue(), err.getvalue()


def _judge(code: int, out: str, err: str) -> None:
    if code not in PROMISED or err:
        _fail(f"exit {code}", err or out)
    document = json.loads(out, parse_constant=_no_number)
    name = "error" if "error" in document else "plan"
    for wrong in _validator(name).iter_errors(document):
        best = jsonschema.exceptions.best_match([wrong]) or wrong
        _fail(f"not of the schema: {list(best.absolute_path)}", best.message)
    if name == "error" and document["error"]["exit_code"] != code:
        _fail(f"exit {code}, but the document says another", out)


def _fail(what: str, said: str) -> NoReturn:
    """Raise a failure whose type is its own: hypothesis tells bugs apart, and shrinks each, by type."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', said)
    raise _kind(f"{what} {frames[-1] if frames else ''}")(f"{what}\n{said[-3000:]}")


@cache
def _kind(name: str) -> type[AssertionError]:
    return type(name, (AssertionError,), {})


def _no_number(name: str) -> NoReturn:
    _fail("not JSON", name)


@cache
def _validator(name: str) -> Any:
    return jsonschema.Draft202012Validator(schema_of(name))


def _gguf(file: Path) -> None:
    """Write a whole model: its shape, and one tensor of 32 numbers in 16 bits."""

    def text(said: str) -> bytes:
        return len(said).to_bytes(8, "little") + said.encode()

    shape = {
        "block_count": 2,
        "embedding_length": 64,
        "attention.head_count": 4,
        "context_length": 512,
    }
    keys = text("general.architecture") + (8).to_bytes(4, "little") + text("llama")
    for key, value in shape.items():
        keys += text(f"llama.{key}") + struct.pack("<II", 4, value)
    tensor = text("blk.0.attn_q.weight") + struct.pack("<IQIQ", 1, 32, 1, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1 + len(shape)) + keys + tensor
    file.write_bytes(head + b"\0" * (-len(head) % 32 + 64))


def _safetensors(folder: Path) -> None:
    """Write a whole model: one tensor in one file."""
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    file = folder / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    config = {"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096}
    (folder / "config.json").write_text(json.dumps(config | heads))
