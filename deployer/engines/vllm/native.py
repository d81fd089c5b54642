"""vLLM: the `vllm` that is on PATH.

Its API key comes in the environment variable VLLM_API_KEY, which only the process's owner can read. On the
command line every user of the machine would read it, and vLLM before August 2026 also wrote `--api-key`,
from a configuration file too, into its log at every start (vllm-project/vllm pull request 52523). The key
guards /v1 and a few other prefixes alone; `/invocations`, `/tokenize`, `/pause` and `/metrics` are open to
whoever reaches the port (its own security guide), so it listens on 127.0.0.1 only.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.errors import PrerequisiteError
from deployer.engines.launch import HOST, Job, Launch, Machine, hub_name
from deployer.engines.vllm import max_lora_rank

_SAID = r"(?:\(\w+ pid=\d+\) )?"
_AT = r"(?:INFO|WARNING|ERROR) \d\d-\d\d \d\d:\d\d:\d\d \[[\w./]+:\d+\] "
KNOWN_LINES = (
    (
        rf'{_SAID}INFO: +[\d.:]+ - "(?:GET|POST) /(?:health|metrics|v1/(?:chat/completions|completions|models|embeddings)) '
        r'HTTP/1\.[01]" \d{3}[A-Za-z ]*'
    ),
    rf"{_SAID}{_AT}(?:Engine \d+: |)(?:Avg prompt throughput|SpecDecoding metrics|KV Transfer metrics): [\w .,:/%=-]{{0,300}}",
    (
        rf"{_SAID}INFO: +(?:Started server process \[\d+\]|Waiting for application [a-z]+\.|Application [a-z ]+\.|"
        r"Shutting down|Finished server process \[\d+\])"
    ),
    rf"{_SAID}{_AT}(?:EngineCore encountered a fatal error\.|AsyncLLM output_handler failed\.)",
    r"torch\.(?:cuda\.)?OutOfMemoryError: CUDA out of memory\.[\w .,()]{0,300}",
)
"""What it may say once it has been asked something. What it says of a request that fails may repeat parts of it."""


def launch(job: Job, machine: Machine) -> Launch:
    """Say how vLLM serves the model.

    Raises:
        PrerequisiteError: it is not installed, or cannot do what is asked.
    """
    return Launch(
        (installed(machine), *arguments(job)),
        f"vLLM with {job.wanted['source']}",
        secrets={"VLLM_API_KEY": job.key_file},
        shares_port=True,
        known_lines=KNOWN_LINES,
    )


def installed(machine: Machine) -> str:
    """Return the `vllm` that is on PATH.

    Raises:
        PrerequisiteError: there is none.
    """
    vllm = machine.which("vllm")
    if vllm is None:
        raise PrerequisiteError(
            "vllm is not on PATH",
            hint="pip install vllm (in a separate environment), and put its bin folder on PATH",
        )
    return vllm


def arguments(job: Job) -> list[str]:
    """Return the arguments of `vllm`.

    Raises:
        PrerequisiteError: the model is where vLLM cannot read it.
    """
    return ["serve", *_model(job), *_serving(job), *_adapter(job)]


def _model(job: Job) -> Iterator[str]:
    wanted = job.wanted
    if wanted["model"] is not None:
        yield wanted["model"]
        return
    repo, _, revision = hub_name(wanted["source"], "model.source").partition("@")
    yield repo
    if revision:
        yield from ("--revision", revision)


def _serving(job: Job) -> Iterator[str]:
    wanted = job.wanted
    name = wanted["model_name"]
    yield from ("--served-model-name", f"{name}-base" if wanted["adapter"] else name)
    yield from ("--host", HOST, "--port", str(job.port))
    yield from ("--max-model-len", str(wanted["context"]))
    yield from ("--max-num-seqs", str(wanted["concurrency"]))
    if wanted.get("offline"):  # local-only: of a request that is logged after all, no prompt
        yield from ("--max-log-len", "0")
    if wanted["gpus"] > 1:
        yield from ("--tensor-parallel-size", str(wanted["gpus"]))
    if wanted.get("quantize"):
        yield from ("--quantization", wanted["quantize"])


def _adapter(job: Job) -> Iterator[str]:
    adapter = job.wanted["adapter"]
    if adapter:
        where = job.wanted.get("adapter_path") or hub_name(adapter, "model.adapter")
        yield from ("--enable-lora", "--lora-modules", f"{job.wanted['model_name']}={where}")
        rank = max_lora_rank(job.wanted.get("adapter_rank"))
        yield from ("--max-loras", "1", "--max-lora-rank", str(rank))
