"""llama.cpp: the xllamacpp wheel, else the `llama-server` that is on PATH."""

from __future__ import annotations

from pathlib import Path

from deployer.agents import llama_server
from deployer.core import installation
from deployer.core.errors import PrerequisiteError, UsageError
from deployer.engines.launch import SOCKET, Job, Launch, Machine, program

WHEEL = "xllamacpp"
_LINE = r"[\d.]+ [DIWE] "
_FIGURES = r"[^\"'{}\[\]]{0,200}"
KNOWN_LINES = (
    (
        rf"{_LINE}slot +\S{{1,16}}: id +-?\d+ \| task -?\d+ \| (?:selected slot by |processing task|prompt eval time|"
        rf" *eval time|total time|graphs reused|stop processing|need to evaluate|n_past|new prompt|prompt processing|"
        rf"prompt done|cached n_tokens|kv cache rm|created context checkpoint|restored context checkpoint|"
        rf"erased invalidated context|draft acceptance|init sampler){_FIGURES}"
    ),
    (
        rf"{_LINE}srv +\S{{1,16}}: (?:model loaded|listening on [\w:/.]+|cancel task, id_task = \d+|"
        r"all slots are idle|failed to launch slot with task, id_task = \d+|"
        r"task id = \d+, error: request \(\d+ tokens\) exceeds the available context size \(\d+ tokens\)[\w ,]*|"
        r"operator\(\): cleaning up before exit\.\.\.)"
    ),
    rf"{_LINE}srv +\S{{1,16}}: +- (?:cache state|prompt cache|prompt 0x[0-9a-f]+){_FIGURES}",
    rf"{_LINE}~Server: [a-z ]+",
    r"\S{1,200}:\d+: GGML_[A-Z]+\([^\"']{0,200}\) failed",
    r"(?:[\d.]+ E )?CUDA error: [a-z ]{1,80}",
    rf"(?:[\d.]+ [WE] )?\w+: (?:allocating [\d.]+ MiB on device \d+|failed to allocate \w+ buffer of size \d+){_FIGURES}",
)
"""What it may say once it has been asked something. Its words on a request that it cannot parse repeat parts of it."""


def launch(job: Job, machine: Machine) -> Launch:
    """Say how a GGUF file is served.

    Raises:
        PrerequisiteError: llama.cpp is not installed, or cannot do what is asked.
        UsageError: there is no such file.
    """
    model, server = _model(job), installed(machine)
    what = f"llama.cpp with {model.name}"
    if server == WHEEL:
        command = tuple(program(llama_server.__file__, str(job.config_file)))
        config = _config(job, model)
        return Launch(command, what, config, by_socket=True, known_lines=KNOWN_LINES)
    command = (server, *arguments(job, model))
    return Launch(command, what, by_socket=True, known_lines=KNOWN_LINES)


def installed(machine: Machine) -> str:
    """Return the name of the wheel, or else the `llama-server` that is on PATH.

    Raises:
        PrerequisiteError: there is neither.
    """
    if machine.has_module(WHEEL):
        return WHEEL
    server = machine.which("llama-server")
    if server is None:
        raise PrerequisiteError(
            "llama.cpp is not installed",
            hint=f"{installation.add_extra('llama-cpp')}, or put llama-server on PATH",
        )
    return server


def arguments(job: Job, model: Path) -> list[str]:
    """Return the arguments of `llama-server`. It divides its context among its slots."""
    wanted = job.wanted
    slots = wanted["concurrency"]
    return [
        *("--model", str(model), "--alias", wanted["model_name"]),
        *("--host", SOCKET, "--threads-http", str(http_threads(slots))),
        *("--ctx-size", str(wanted["context"] * slots), "--parallel", str(slots)),
        *("--api-key-file", str(job.key_file), "--metrics", "--no-slots"),
        *(("--lora", wanted["adapter_path"]) if wanted.get("adapter_path") else ()),
    ]


def http_threads(slots: int) -> int:
    """Return how many connections are served at once: each has a thread, and the guard opens no more than these."""
    return slots + 8


def _model(job: Job) -> Path:
    wanted = job.wanted
    if wanted["adapter"] and not wanted.get("adapter_path"):
        raise PrerequisiteError(
            f"llama.cpp serves adapters that are GGUF files on this machine, not {wanted['adapter']}",
            hint="convert it with llama.cpp's convert_lora_to_gguf.py, and set model.adapter to the file",
            key="model.adapter",
        )
    if wanted["model"] is None:
        raise PrerequisiteError(
            f"llama.cpp serves files on this machine, and {wanted['source']} is not one",
            hint="download its GGUF file and set model.source to that file",
            key="model.source",
        )
    return gguf_file(Path(wanted["model"]))


def _config(job: Job, model: Path) -> dict[str, str | int | None]:
    return {
        "model": str(model),
        "alias": job.wanted["model_name"],
        "socket": SOCKET,
        "http_threads": http_threads(job.wanted["concurrency"]),
        "context": job.wanted["context"],
        "concurrency": job.wanted["concurrency"],
        "adapter": job.wanted.get("adapter_path"),
        "key_file": str(job.key_file),
    }


def gguf_file(path: Path) -> Path:
    """Return the GGUF file that a path means: itself, or the only one (or the first part) in a folder.

    Raises:
        UsageError: there is none, or there are several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(
            f"model file {path} does not exist",
            hint="correct model.source in the spec",
            key="model.source",
        )
    files = sorted(path.glob("*.gguf"))
    parts = [f for f in files if "-00001-of-" in f.name]
    choice = parts or files
    if len(choice) != 1:
        have = ", ".join(f.name for f in choice) or "none"
        raise UsageError(
            f"expected one GGUF file in {path}, found: {have}",
            hint="set model.source to the file itself",
            key="model.source",
        )
    return choice[0]
